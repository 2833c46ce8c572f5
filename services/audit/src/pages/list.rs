//! Which alerts there were, the newest first; and what a commune knew at a moment.

use std::collections::BTreeMap;

use askama::Template;
use axum::{
    extract::{Query, State},
    http::StatusCode,
    response::Response,
};
use chassis::{Host, Problem};
use console::{Frame, Visitor, shown};
use domain::ids::{AlertId, CommuneCode, EntityName, Home, Millis};
use event_log::{Kind, Recorded};
use history::{AskedKnown, Time};
use serde::Deserialize;
use wire::v1;

use super::{for_auditors, known::KnownSeen};
use crate::{
    http::{invalid, unreadable},
    known_http::known,
    replay::Replayer,
};

/// So many alerts are listed.
const LISTED_MAX: usize = 200;

/// What is asked for; what is empty is not.
#[derive(Deserialize)]
pub(super) struct Wanted {
    /// Alerts at home there, and whose board is shown as it was known.
    #[serde(default)]
    commune: String,
    /// The moment, as a browser's field gives it: the local time of Việt Nam.
    #[serde(default)]
    at: String,
}

#[derive(Template)]
#[template(path = "audit_list.html")]
struct ListPage<'a> {
    frame: &'a Frame,
    wanted: &'a Wanted,
    alerts: Vec<Listed>,
    is_more: bool,
    known: Option<KnownSeen<'a>>,
}

/// An alert of the list.
struct Listed {
    id: AlertId,
    code: String,
    commune: String,
    at: Time,
}

/// The first command of each alert.
#[derive(Default)]
struct Listing {
    commune: Option<CommuneCode>,
    /// By the place in the log.
    found: BTreeMap<u64, (AlertId, Home, Millis)>,
}

impl Listing {
    fn look(&mut self, position: u64, recorded: &Recorded) {
        let home = recorded.key.home;
        if recorded.kind != Kind::Command || self.commune.is_some_and(|it| it != home.commune) {
            return;
        }
        let alert = AlertId::raised_by(recorded.id);
        // Only the command that raised it has the id that the alert's derives from.
        if recorded.key.entity != EntityName::alert(alert) {
            return;
        }
        let made = <v1::Command as prost::Message>::decode(recorded.open.clone());
        let at = Millis(made.map_or(0, |command| command.written_at_ms));
        self.found.insert(position, (alert, home, at));
        if self.found.len() > LISTED_MAX + 1 {
            self.found.pop_first();
        }
    }
}

pub(super) async fn page(
    State(host): State<Host>,
    State(replayer): State<Replayer>,
    visitor: Visitor,
    Query(wanted): Query<Wanted>,
) -> Response {
    for_auditors(visitor, async |frame| {
        let commune = commune_of(&wanted)?;
        let now = host.clock.now();
        let replayer = replayer.complete_to(&host.log, now).await;
        let at = moment(&wanted.at)?.map_or(now, |at| at.min(now));
        let seen = match commune {
            Some(commune) => {
                let asked = AskedKnown { commune: Some(commune), alert: None, at };
                let known = known(&replayer, asked).await.map_err(unreadable)?;
                Some(KnownSeen { frame, map: &host.map, known })
            }
            None => None,
        };
        let listing = Listing { commune, ..Listing::default() };
        let listing = replayer.read(None, listing, Listing::look).await.map_err(unreadable)?;
        let is_more = listing.found.len() > LISTED_MAX;
        let name = |home: Home| host.map.called(&home.commune.to_string());
        let newest = listing.found.into_values().rev().take(LISTED_MAX);
        let alerts = newest
            .map(|(id, home, at)| Listed { id, code: id.code(), commune: name(home), at: Time(at) })
            .collect();
        let page = ListPage { frame, wanted: &wanted, alerts, is_more, known: seen };
        Ok(shown(StatusCode::OK, &page))
    })
    .await
}

fn commune_of(wanted: &Wanted) -> Result<Option<CommuneCode>, Problem> {
    let wrong = |_| {
        let reason = "phải là mã xã gồm năm chữ số / must be a commune code of five digits";
        invalid().with_field("commune", reason)
    };
    let code = Some(wanted.commune.trim()).filter(|code| !code.is_empty());
    code.map(|code| code.parse().map_err(wrong)).transpose()
}

/// A moment as a browser's field gives it: see [`Time::of_field`].
pub(super) fn moment(text: &str) -> Result<Option<Millis>, Problem> {
    if text.is_empty() {
        return Ok(None);
    }
    let wrong = || {
        let reason = "phải là ngày và giờ / must be a day and a time";
        invalid().with_field("at", reason)
    };
    Time::of_field(text).map(|Time(at)| Some(at)).ok_or_else(wrong)
}
