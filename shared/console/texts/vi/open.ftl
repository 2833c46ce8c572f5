# Trang cho mọi người.
alert-kind = Loại tin
alert-state = Tình trạng
verify-live = TIN THẬT, ĐANG BÁO
verify-live-advice = Tin do xã phát và còn hiệu lực.
verify-corrected = TIN THẬT, ĐÃ ĐÍNH CHÍNH
verify-corrected-advice = Có điều trong tin trước không đúng. Chỉ tin bản mới nhất từ nhóm của xã.
verify-exercise = DIỄN TẬP
verify-exercise-advice = Đây không phải tin thật. Đừng chia sẻ.
verify-closed = ĐÃ KẾT THÚC
verify-closed-advice = Tin không còn hiệu lực. Đừng chia sẻ nữa.
verify-cancelled-advice = Tin đã bị thu hồi. Đừng chia sẻ; nếu đã chia sẻ, hãy báo lại là tin đã thu hồi.
verify-unknown = KHÔNG CÓ TIN NÀO VỚI MÃ NÀY
verify-unknown-advice = Đừng tin và đừng chia sẻ. Xem lại mã, hoặc gọi công an xã.
verify-trouble = CHƯA KIỂM TRA ĐƯỢC
verify-trouble-advice = Chưa biết tin này thật hay giả. Thử lại sau ít phút, hoặc gọi công an xã.
verify-about = Trang này cho biết một tin có thật không, của xã nào, còn hiệu lực không. Không có thông tin cá nhân.
