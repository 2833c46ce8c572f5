# Khóa đăng nhập (passkey): đăng nhập, đăng ký, ký lệnh.
passkey-sign-in = Đăng nhập bằng khóa
passkey-hint = Dùng vân tay, khuôn mặt hoặc mã mở máy. Kẻng không nhận được các thứ đó.
passkey-missing = Trình duyệt này không dùng được khóa đăng nhập. Hãy cập nhật, hoặc dùng máy khác.
passkey-elsewhere = Khóa đăng nhập chỉ dùng được tại { $origin }.
passkey-cancelled = Chưa xong: bạn đã đóng, hoặc máy không có khóa này. Hãy thử lại.
passkey-offline = Không gọi được máy chủ. Hãy thử lại.
token-instead = Bằng mã truy cập (chỉ trên máy này)
enrol = Đăng ký khóa đăng nhập
enrol-hint = Liên kết này dùng được một lần. Máy sẽ hỏi bạn hai lần: một lần tạo khóa, một lần thử khóa.
enrol-for = Khóa cho { $officer }, { $role }.
enrol-start = Tạo khóa trên máy này
enrol-prove = Thử khóa vừa tạo
enrol-done = Xong. Từ nay bạn đăng nhập bằng khóa này.
enrol-no-link = Trang này cần liên kết đăng ký. Hãy xin người quản trị.
needs-script = Trang này cần JavaScript.
sign-cancelled = Chưa ký, chưa gửi. Hãy bấm lại khi sẵn sàng.
