//! What is in force: the map, the policies, and which channels are stopped.

use std::collections::BTreeSet;

use askama::Template;
use axum::{
    extract::{Path, Query, State},
    response::Response,
};
use chassis::{
    Host, Problem,
    admin::{Changed, command_under},
    switches::{switch_channel, switch_path},
};
use domain::{
    channel::ChannelType,
    hex::hex,
    maps::MapFacts,
    policy::{Origin, Policy, Wait},
    rights::Asker,
    values::AlertKind,
};
use registry::Directory;
use rendering::text::clock;

use super::{Admin, Said, Told, Typed, fresh_key, see_changed};
use crate::{Frame, shown};

const PATH: &str = "/admin/registry";

#[derive(Template)]
#[template(path = "admin_registry.html")]
struct RegistryPage<'a> {
    frame: &'a Frame,
    told: Told,
    map: Option<MapSeen>,
    before: Vec<MapSeen>,
    policies: Vec<PolicySeen>,
    switches: Vec<Switch>,
}

struct MapSeen {
    version: String,
    communes: u32,
    /// Empty: without a beginning, or without an end.
    from: String,
    to: String,
    sha256: String,
}

/// The policy of the installation, or of a commune that does something otherwise.
struct PolicySeen {
    place: String,
    second_person: String,
    signature: String,
    waits: Vec<String>,
    quiet: String,
    alerts_per_day: u32,
    alerts_per_week: u32,
    raises: u32,
    retention: Vec<String>,
}

/// A type of channel or an account, by whose name what leaves can be stopped.
struct Switch {
    name: String,
    is_stopped: bool,
}

impl RegistryPage<'_> {
    fn key(&self) -> String {
        fresh_key()
    }
}

pub(super) async fn page(
    State(host): State<Host>,
    Admin { frame, .. }: Admin,
    Query(said): Query<Said>,
) -> Response {
    drawn(&host, &frame, said.into())
}

fn drawn(host: &Host, frame: &Frame, told: Told) -> Response {
    let directory = host.directory.read();
    let installation = PolicySeen::of(host, frame, "", host.policies.installation());
    let own = host.policies.of_communes().map(|(code, policy)| {
        let name = host.map.commune(code).map_or("", |commune| &commune.name);
        PolicySeen::of(host, frame, &format!("{name} ({code})"), policy)
    });
    let page = RegistryPage {
        frame,
        map: directory.adopted_map().map(MapSeen::of),
        before: directory.maps().before().iter().rev().map(MapSeen::of).collect(),
        policies: std::iter::once(installation).chain(own).collect(),
        switches: switches(&directory),
        told,
    };
    shown(page.told.status(), &page)
}

impl MapSeen {
    fn of(facts: &MapFacts) -> Self {
        Self {
            version: facts.name().to_string(),
            communes: facts.communes,
            from: facts.valid.from().map(clock).unwrap_or_default(),
            to: facts.valid.to().map(clock).unwrap_or_default(),
            sha256: hex(&facts.sha256),
        }
    }
}

impl PolicySeen {
    fn of(host: &Host, frame: &Frame, place: &str, policy: &Policy) -> Self {
        let kind = |kind: AlertKind| frame.t(&format!("kind-{}", kind.as_str()));
        let kinds = |kinds: &BTreeSet<AlertKind>| {
            kinds.iter().map(|it| kind(*it)).collect::<Vec<_>>().join(", ")
        };
        let origin = |origin: Origin| match origin {
            Origin::Anywhere => frame.t("admin-anywhere"),
            Origin::Province(code) => {
                format!("{} ({code})", host.map.province_name(code).unwrap_or_default())
            }
            Origin::Commune(code) => {
                let name = host.map.commune(code).map_or("", |commune| &commune.name);
                format!("{name} ({code})")
            }
        };
        let wait = |wait: &Wait| format!("{}: {}", kind(wait.kind), origin(wait.origin));
        let term = |(of, days): (&AlertKind, &u32)| {
            format!("{}: {}", kind(*of), frame.t1("admin-days", "days", *days))
        };
        let (from, until) = policy.quiet.minutes();
        Self {
            place: place.to_owned(),
            second_person: kinds(&policy.second_person_for),
            signature: kinds(&policy.needs_signature_for),
            waits: policy.waits.iter().map(wait).collect(),
            quiet: if from == until { String::new() } else { hours(from, until) },
            alerts_per_day: policy.fatigue.alerts_per_day_max,
            alerts_per_week: policy.fatigue.alerts_per_week_max,
            raises: policy.raises_per_minute_max,
            retention: policy.retention_days.iter().map(term).collect(),
        }
    }
}

/// From and until, in minutes after midnight.
fn hours(from: u16, until: u16) -> String {
    let time = |minute: u16| format!("{:02}:{:02}", minute / 60, minute % 60);
    format!("{} – {}", time(from), time(until))
}

/// Every type, and every account that a group's channel names, or that is stopped.
fn switches(directory: &Directory) -> Vec<Switch> {
    let types = ChannelType::ALL.iter().map(|it| it.as_str().to_owned());
    let channels = directory.groups().flat_map(|group| &group.facts.channels);
    let accounts: BTreeSet<&str> =
        channels.map(|it| it.account.as_str()).filter(|it| !it.is_empty()).collect();
    let stopped: BTreeSet<String> = directory.stopped().map(ToString::to_string).collect();
    let mut names: Vec<String> =
        types.chain(accounts.into_iter().map(|it| format!("account:{it}"))).collect();
    let more: Vec<String> = stopped.iter().filter(|it| !names.contains(it)).cloned().collect();
    names.extend(more);
    let switch = |name: String| Switch { is_stopped: stopped.contains(&name), name };
    names.into_iter().map(switch).collect()
}

pub(super) async fn switch(
    State(host): State<Host>,
    Admin { asker, mut frame }: Admin,
    Path(word): Path<String>,
    typed: Result<Typed, Problem>,
) -> Response {
    match switched(&host, &asker, &word, typed).await {
        Ok(said) => see_changed(PATH, Changed::Written, said),
        Err(problem) => {
            PATH.clone_into(&mut frame.path);
            drawn(&host, &frame, problem.into())
        }
    }
}

async fn switched(
    host: &Host,
    asker: &Asker,
    word: &str,
    typed: Result<Typed, Problem>,
) -> Result<&'static str, Problem> {
    let typed = typed?;
    let (stopped, said) = match word {
        "stop" => (true, "stopped"),
        "start" => (false, "started"),
        _ => return Err(Problem::no_such_path()),
    };
    let name = typed.text("name");
    let command = command_under(asker, &switch_path(name, stopped), typed.given("key"))?;
    switch_channel(host, asker, command, (name, stopped)).await?;
    Ok(said)
}
