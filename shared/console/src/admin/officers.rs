//! Officers and rosters. Names and numbers stay sealed: the page shows who is asked, and where.

use std::collections::BTreeMap;

use askama::Template;
use axum::{
    extract::{Query, State},
    response::Response,
};
use chassis::{
    Host,
    officers::{OFFICERS_PATH, import_officers},
};
use domain::{
    directory::{Listed, RosterFacts},
    ids::OfficerId,
};
use registry::Directory;

use super::{
    Admin, Filled, ROWS_MAX, Said, Told,
    import::{Lines, lines_of, see_recorded},
    keys::Search,
};
use crate::{Frame, shown};

const PATH: &str = "/admin/officers";

#[derive(Template)]
#[template(path = "admin_officers.html")]
struct OfficersPage<'a> {
    frame: &'a Frame,
    told: Told,
    import: Lines<'a>,
    officer: &'a str,
    officers: Vec<OfficerSeen>,
    /// How many more there are.
    left_out: usize,
}

struct OfficerSeen {
    id: String,
    reachable: bool,
    /// Where the officer is asked, and as what.
    places: Vec<String>,
}

pub(super) async fn page(
    State(host): State<Host>,
    Admin { frame, .. }: Admin,
    Query(search): Query<Search>,
    Query(said): Query<Said>,
) -> Response {
    drawn(&host, &frame, search.officer.trim(), ("", said.into()))
}

fn drawn(host: &Host, frame: &Frame, officer: &str, (typed, told): (&str, Told)) -> Response {
    let directory = host.directory.read();
    let places = places(host, &directory, frame);
    // Whoever has a token, and whoever is asked somewhere.
    let known = directory.officers().chain(places.keys().copied());
    let mut known: Vec<_> = known.filter(|id| id.as_str().contains(officer)).collect();
    known.sort_unstable();
    known.dedup();
    let seen = |id: &OfficerId| OfficerSeen {
        id: id.to_string(),
        reachable: directory.staff().person(id).is_some_and(|person| person.facts.reachable),
        places: places.get(id).cloned().unwrap_or_default(),
    };
    let page = OfficersPage {
        frame,
        import: Lines { action: PATH, hint: "admin-officers-hint", typed },
        officer,
        left_out: known.len().saturating_sub(ROWS_MAX),
        officers: known.into_iter().take(ROWS_MAX).map(seen).collect(),
        told,
    };
    shown(page.told.status(), &page)
}

/// Where each officer is asked, and as what.
fn places<'d>(
    host: &Host,
    directory: &'d Directory,
    frame: &Frame,
) -> BTreeMap<&'d OfficerId, Vec<String>> {
    let mut places = BTreeMap::<_, Vec<String>>::new();
    for roster in directory.staff().places() {
        let name = name_of(host, roster);
        for Listed { officer, role, .. } in &roster.contacts {
            places.entry(officer).or_default().push(format!("{name}: {}", frame.role(*role)));
        }
    }
    places
}

/// The commune of a roster, or the province of a duty desk.
fn name_of(host: &Host, roster: &RosterFacts) -> String {
    let place = roster.place;
    match host.map.commune(place.commune) {
        Some(commune) => format!("{} ({})", commune.name, commune.code),
        None => {
            let name = host.map.province_name(place.province).unwrap_or_default();
            format!("{name} ({})", place.province)
        }
    }
}

pub(super) async fn import(
    State(host): State<Host>,
    Filled { asker, frame, typed }: Filled,
) -> Response {
    let recorded =
        async { import_officers(&host, &asker, lines_of(&asker, OFFICERS_PATH, &typed)?).await };
    match recorded.await {
        Ok(recorded) => see_recorded(PATH, recorded),
        Err(problem) => drawn(&host, &frame, "", (typed.text("lines"), problem.into())),
    }
}
