//! Groups and their channels, by commune. No address and no secret is shown to anybody.

use askama::Template;
use axum::{
    extract::{Query, State},
    response::Response,
};
use chassis::{
    Host, Problem,
    admin::{GROUPS_PATH, import_groups, invalid},
};
use domain::{
    directory::{ChannelFacts, ChannelUse},
    ids::{CommuneCode, ProvinceCode},
};
use registry::{Directory, Group};
use serde::Deserialize;

use super::{
    Admin, Filled, Said, Told,
    import::{Lines, lines_of, see_recorded},
};
use crate::{Frame, shown};

const PATH: &str = "/admin/groups";
const NOT_A_PLACE: &str = "phải là mã xã năm chữ số hoặc mã tỉnh hai chữ số / \
                           must be a commune code of five digits or a province code of two";

#[derive(Template)]
#[template(path = "admin_groups.html")]
struct GroupsPage<'a> {
    frame: &'a Frame,
    told: Told,
    import: Lines<'a>,
    /// How many groups are known in all.
    all: usize,
    /// The code that was sought.
    code: &'a str,
    /// Why it was not.
    fault: String,
    groups: Vec<GroupSeen>,
}

struct GroupSeen {
    id: String,
    name: String,
    kind: &'static str,
    members: u32,
    exercises: bool,
    join: String,
    channels: Vec<String>,
}

#[derive(Default, Deserialize)]
pub(super) struct Search {
    #[serde(default)]
    commune: String,
}

pub(super) async fn page(
    State(host): State<Host>,
    Admin { frame, .. }: Admin,
    Query(search): Query<Search>,
    Query(said): Query<Said>,
) -> Response {
    drawn(&host, &frame, search.commune.trim(), ("", said.into()))
}

fn drawn(host: &Host, frame: &Frame, code: &str, (typed, told): (&str, Told)) -> Response {
    let directory = host.directory.read();
    let found = if code.is_empty() { Ok(vec![]) } else { groups_at(host, &directory, code, frame) };
    let (groups, sought) = match found {
        Ok(groups) => (groups, Told::default()),
        Err(problem) => (vec![], problem.into()),
    };
    let status = if told.problem.is_some() { told.status() } else { sought.status() };
    let fault = sought.fault(frame, "commune");
    let import = Lines { action: PATH, hint: "admin-groups-hint", typed };
    let all = directory.groups().len();
    shown(status, &GroupsPage { frame, told, import, all, code, fault, groups })
}

/// The groups of a commune, or of a province as such.
fn groups_at(
    host: &Host,
    directory: &Directory,
    code: &str,
    frame: &Frame,
) -> Result<Vec<GroupSeen>, Problem> {
    let commune = code.parse::<CommuneCode>().ok().filter(|code| host.map.commune(*code).is_some());
    let province = || code.parse::<ProvinceCode>().ok();
    let province = || province().filter(|code| host.map.province_name(*code).is_some());
    let found = match (commune, province()) {
        (Some(commune), _) => directory.groups_of(commune),
        (None, Some(province)) => directory.groups_of_province(province),
        (None, None) => return Err(invalid("invalid-fields").with_field("commune", NOT_A_PLACE)),
    };
    Ok(found.iter().map(|group| GroupSeen::of(frame, group)).collect())
}

impl GroupSeen {
    fn of(frame: &Frame, group: &Group) -> Self {
        let facts = &group.facts;
        let text = |text: &Option<Box<str>>| text.as_deref().unwrap_or_default().to_owned();
        Self {
            id: facts.id.to_string(),
            name: text(&group.name),
            kind: facts.kind.as_str(),
            members: facts.members,
            exercises: facts.exercises,
            join: text(&group.join),
            channels: facts.channels.iter().map(|it| channel(frame, it)).collect(),
        }
    }
}

/// A channel: its type, its account, and when it is used.
fn channel(frame: &Frame, facts: &ChannelFacts) -> String {
    let used = match facts.used {
        ChannelUse::Always => frame.t("admin-use-always"),
        ChannelUse::Fallback { after_s } => frame.t1("admin-use-fallback", "seconds", after_s),
    };
    let parts = [facts.channel_type.as_str(), &facts.via, &facts.account, &used];
    parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" · ")
}

pub(super) async fn import(
    State(host): State<Host>,
    Filled { asker, frame, typed }: Filled,
) -> Response {
    let recorded =
        async { import_groups(&host, &asker, lines_of(&asker, GROUPS_PATH, &typed)?).await };
    match recorded.await {
        Ok(recorded) => see_recorded(PATH, recorded),
        Err(problem) => drawn(&host, &frame, "", (typed.text("lines"), problem.into())),
    }
}
