//! Which kinds of commands a person may sign, and what takes each: one row a kind, so that nobody
//! adds a kind without deciding it. What is answered is what a token would have been answered.

use axum::{http::StatusCode, response::Response};
use wire::v1::{self, command::Body};

use crate::{
    application::Shown, drill_http, erase_http, erasures::ErasureSeen, freeze_http,
    freezing::FreezeSeen, grpc, http, match_http, match_view, matches, measuring::Kept,
    poster_http, posters::Attested, view::time,
};

/// What takes a signed command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Door {
    Raise,
    /// Something with an alert that is there.
    Act,
    Match,
    Freeze,
    Drill,
    Posted,
    Erasure,
}

impl Door {
    /// `None` where no signature is taken.
    pub(crate) fn of(body: &Body) -> Option<Self> {
        Some(match body {
            Body::RaiseAlert(_) => Self::Raise,
            Body::ApproveAlert(_)
            | Body::CancelAlert(_)
            | Body::ResolveAlert(_)
            | Body::DeclineAlert(_)
            | Body::ReviewAlert(_)
            | Body::ChangeAlert(_)
            | Body::WidenAlert(_)
            | Body::HoldAlert(_)
            | Body::ReleaseAlert(_)
            | Body::SightAlert(_)
            | Body::ReopenAlert(_)
            | Body::AttestCorrection(_)
            | Body::AcknowledgeRelay(_)
            | Body::RefuseRelay(_)
            | Body::InstructRelay(_)
            | Body::RelayOnward(_) => Self::Act,
            Body::ConfirmMatch(_) | Body::DismissMatch(_) => Self::Match,
            Body::AskFreeze(_) | Body::ConfirmFreeze(_) | Body::LiftFreeze(_) => Self::Freeze,
            Body::RecordDrillResult(_) => Self::Drill,
            Body::AttestPosted(_) => Self::Posted,
            Body::AskErasure(_)
            | Body::ConfirmErasure(_)
            | Body::SetLegalHold(_)
            | Body::LiftLegalHold(_) => Self::Erasure,
            // What services ask of themselves.
            Body::ExpireAlert(_)
            | Body::RelayAlertFurther(_)
            | Body::GrowAlert(_)
            | Body::TakeAlertOnward(_)
            | Body::MissAlertReview(_)
            | Body::NearAlertExpiry(_)
            | Body::TakeAlertInstruction(_)
            | Body::NoteAlertBudget(_)
            | Body::EscalateRelay(_)
            | Body::EndFreeze(_)
            | Body::ProposeMatch(_)
            | Body::RetireAlert(_)
            | Body::RestoreErasure(_)
            | Body::FinishErasure(_)
            | Body::AdoptMap(_)
            | Body::AdoptDirectory(_)
            | Body::MakeLinkKey(_)
            | Body::RecordLook(_) => return None,
            // The directory, which its keeper writes at any process, and what fan-out repairs.
            Body::RecordOfficer(_)
            | Body::RecordGroup(_)
            | Body::RecordContact(_)
            | Body::RecordRoster(_)
            | Body::MakeToken(_)
            | Body::RevokeToken(_)
            | Body::SwitchChannel(_)
            | Body::RequeueDelivery(_) => return None,
            // A key that was stolen must not bring in another, nor end the one that would end it.
            Body::RegisterKey(_) | Body::ConfirmKey(_) | Body::RevokeKey(_) => return None,
        })
    }
}

/// What a signed command is answered with.
pub(crate) enum Answered {
    Alert { shown: Box<Shown>, is_raise: bool },
    Match(Box<matches::Answered>),
    Freeze { seen: FreezeSeen, is_new: bool },
    Drill(Kept),
    Posted { delivery: String, attested: Attested },
    Erasure(Box<ErasureSeen>),
}

impl Answered {
    /// Over HTTP, as the route that takes it with a token answers.
    pub(crate) fn response(&self) -> Response {
        match self {
            Self::Alert { shown, is_raise } => {
                let status = match (shown.pending, is_raise, shown.row.state()) {
                    (true, ..) => StatusCode::ACCEPTED,
                    (false, true, "active" | "resolved" | "cancelled" | "expired") => {
                        StatusCode::CREATED
                    }
                    (false, true, _) => StatusCode::ACCEPTED,
                    (false, false, _) => StatusCode::OK,
                };
                http::answer(status, shown)
            }
            Self::Match(answered) => match_http::answered_with(answered),
            Self::Freeze { seen, is_new } => freeze_http::answer(
                if *is_new { StatusCode::CREATED } else { StatusCode::OK },
                seen,
            ),
            Self::Drill(kept) => drill_http::answer(kept),
            Self::Posted { delivery, attested } => poster_http::answer(delivery, *attested),
            Self::Erasure(seen) => erase_http::answer(seen),
        }
    }

    /// Over gRPC.
    pub(crate) fn message(&self) -> v1::GiveCommandResponse {
        let nothing = v1::GiveCommandResponse::default();
        match self {
            Self::Alert { shown, .. } => {
                v1::GiveCommandResponse { alert: Some(grpc::answer(shown)), ..nothing }
            }
            Self::Match(answered) => v1::GiveCommandResponse {
                r#match: Some(match_view::message(&answered.shown)),
                ..nothing
            },
            Self::Freeze { seen, .. } => {
                v1::GiveCommandResponse { freeze: Some(seen.message()), ..nothing }
            }
            Self::Drill(kept) => {
                let drill = Some(wire::drill::result_said(&kept.result));
                v1::GiveCommandResponse { drill, ..nothing }
            }
            Self::Posted { delivery, attested } => {
                let posted_at = match attested {
                    Attested::Posted(at) => at.map(time).unwrap_or_default(),
                    Attested::Held => String::new(),
                };
                let posted = Some(v1::PostedView { id: delivery.clone(), posted_at });
                v1::GiveCommandResponse { posted, ..nothing }
            }
            Self::Erasure(seen) => {
                v1::GiveCommandResponse { erasure: Some(seen.message()), ..nothing }
            }
        }
    }
}
