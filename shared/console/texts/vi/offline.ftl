# Khi mất kết nối.
offline = Mất kết nối
offline-page = Không tải được trang này. Chưa có gì được gửi từ trang này.
offline-held = Giữ trên máy này, chưa gửi
offline-held-what = Máy chủ chưa xác nhận tin này: coi như chưa đến ai. Khi có kết nối lại, máy tự gửi nếu chưa quá 15 phút; sau đó máy hỏi bạn trước. Gửi lại không thành hai tin.
offline-none = Không có tin nào đang giữ.
offline-send = Gửi ngay
offline-drop = Bỏ, không gửi
offline-sent = Đã gửi.
offline-old = Giữ quá 15 phút: còn đúng không? Hãy bấm “Gửi ngay” hoặc “Bỏ”.
offline-refused = Máy chủ chưa nhận: hãy đăng nhập rồi bấm “Gửi ngay”, hoặc mở bản nháp để sửa.
offline-kept-at = Giữ từ
