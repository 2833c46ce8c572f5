//! Why a request is not done, as people are told: one mapping for HTTP and gRPC.

use axum::http::StatusCode;
use chassis::Problem;

use crate::{request::BadRequest, row::Refused};

/// A bad request as a problem: every field that is at fault.
pub(crate) fn bad_request(bad: &BadRequest) -> Problem {
    let detail = "Yêu cầu không hợp lệ. / The request is not valid.";
    let problem = Problem::new(StatusCode::BAD_REQUEST, bad.code(), detail);
    bad.errors().iter().fold(problem, |problem, error| {
        problem.with_field(error.field.clone(), error.reason.clone())
    })
}

/// What the decider refused.
pub(crate) fn refused(refused: &Refused) -> Problem {
    let (status, detail) = match refused.code.as_str() {
        "not-found" => return not_found(),
        "same-person" => (
            StatusCode::FORBIDDEN,
            "Người duyệt phải khác người đề nghị. / Another person must approve.",
        ),
        "role-missing" => {
            (StatusCode::FORBIDDEN, "Vai trò này không được duyệt. / This role does not approve.")
        }
        "stale" => (
            StatusCode::CONFLICT,
            "Lệnh bị giữ quá lâu nên không gửi. / It was held for too long, and was not sent.",
        ),
        "stale-revision" => (
            StatusCode::CONFLICT,
            "Bản này đã cũ; hãy xem lại. / This revision is not the one that waits.",
        ),
        "reach-held" => (
            StatusCode::CONFLICT,
            "Chưa được mở rộng: đang chờ người thứ hai xem lại, hoặc đang tạm giữ. / \
             It cannot be taken further now: a review is owed, or it is on hold.",
        ),
        "too-many-hops" => (
            StatusCode::CONFLICT,
            "Tin đã được chuyển tiếp quá nhiều lần. / It was relayed onward too often before.",
        ),
        _ => (
            StatusCode::CONFLICT,
            "Trạng thái hiện tại không cho phép. / The alert's state forbids it.",
        ),
    };
    let problem = Problem::new(status, refused.code.clone(), detail);
    if refused.field.is_empty() {
        return problem;
    }
    problem.with_field(refused.field.clone(), refused.code.clone())
}

/// There is no such alert, or not for the asker.
pub(crate) fn not_found() -> Problem {
    let detail = "Không có tin báo này. / There is no such alert.";
    Problem::new(StatusCode::NOT_FOUND, "not-found", detail)
}

/// Nothing could be made durable.
pub(crate) fn not_stored() -> Problem {
    let detail = "CHƯA GHI ĐƯỢC, tin chưa được gửi. / It could NOT be stored and was not sent.";
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, "not-stored", detail)
}

/// There is no room for new alerts; corrections are still taken.
pub(crate) fn disk_low() -> Problem {
    let detail = "Ổ đĩa sắp đầy: chưa nhận tin mới, vẫn nhận đính chính và hủy tin. / \
                  The disk is nearly full: no new alerts; corrections and cancels are taken.";
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, "not-stored", detail)
}

/// The same key came with other bytes.
pub(crate) fn other_bytes() -> Problem {
    let detail = "Idempotency-Key này đã dùng cho nội dung khác. / \
                  This Idempotency-Key was used for another request.";
    Problem::new(StatusCode::CONFLICT, "idempotency-conflict", detail)
}

/// A demo's directory accepts only exercise and test.
pub(crate) fn only_exercises() -> Problem {
    let detail = "Đây là bản chạy thử: chỉ nhận diễn tập. / This is a demo: exercises only.";
    Problem::new(StatusCode::BAD_REQUEST, "invalid-fields", detail).with_field(
        "status",
        "bản chạy thử: phải là exercise hoặc test / must be exercise or test in a demo",
    )
}

/// The log is being read, or cannot be: what is not known here may be there.
pub(crate) fn starting() -> Problem {
    let detail = "Chưa đọc hết nhật ký, chưa biết có tin này không; hãy thử lại. / \
                  The log is not read yet, so this is not known; try again.";
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, "starting", detail)
}
