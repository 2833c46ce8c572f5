//! What a request with a token asks, as a command that a person signs: one row for each path, so
//! that whatever can be asked with a token can be asked with a key.

use axum::http::StatusCode;
use chassis::Problem;
use domain::{
    freeze::Frozen,
    ids::{AlertId, CommuneCode, EntityName, Home},
    matching::decision::Verdict,
    rights::{Asker, Standing},
};
use serde_json::Value;
use wire::v1::ChangeHow;

use super::{Pen, seen};
use crate::{
    act_words::act_in_words,
    acts::{Act, command_of},
    alert_acts::AlertAct,
    erasures::{self, erasure_command},
    freezing::{self, freeze_command, home_of},
    http::invalid,
    match_http::match_id,
    matches::{MatchAnswer, match_command},
    measuring::drill_command,
    posters::posted_command,
    refused::bad_request,
    relay_acts::RelayAct,
    request::{self, EdgeKnown, Envelope, Onward},
};

/// A request as it is asked with a token.
#[derive(Debug, Clone, Copy)]
pub struct Said<'a> {
    /// The path over HTTP.
    pub path: &'a str,
    /// The commune that the query names, if it names one.
    pub commune: Option<CommuneCode>,
    /// The body.
    pub body: &'a [u8],
}

/// What is asked.
enum Asked<'a> {
    Raise,
    Change(AlertId, ChangeHow),
    Release(AlertId),
    Attest(AlertId),
    /// An answer of a commune that the alert was put to.
    Answer(AlertId, &'a str),
    Act(AlertId, &'a str),
    Erasure(AlertId, erasures::Wanted),
    Match(EntityName, Verdict),
    Freeze(Frozen, freezing::Wanted),
    Drill(AlertId),
    Posted(AlertId, &'a str),
}

impl Said<'_> {
    /// What has to be seen first, by `GET` with a token: nothing, where a signature needs nobody.
    ///
    /// # Errors
    /// The path asks for nothing that is signed, or the body cannot be read.
    pub fn needs(&self, asker: &Asker) -> Result<Vec<String>, Problem> {
        let one = |alert: AlertId| format!("/v1/alerts/{alert}");
        Ok(match self.asked()? {
            Asked::Raise | Asked::Freeze(..) => vec![],
            // What an officer of a commune acts on is at home there.
            Asked::Act(..) | Asked::Erasure(..) if own(asker).is_some() => vec![],
            Asked::Act(alert, _)
            | Asked::Erasure(alert, _)
            | Asked::Answer(alert, _)
            | Asked::Change(alert, _)
            | Asked::Release(alert) => vec![one(alert)],
            Asked::Attest(alert) => {
                let attest = request::attest(self.body).map_err(|bad| bad_request(&bad))?;
                let list = format!("{}/uncorrected?group={}", one(alert), attest.group);
                vec![one(alert), list]
            }
            Asked::Match(id, _) => vec![format!("/v1/matches/{id}")],
            Asked::Drill(alert) => vec![one(alert), format!("/v1/drills/{alert}")],
            Asked::Posted(alert, _) => vec![format!("{}/deliveries", one(alert))],
        })
    }

    fn asked(&self) -> Result<Asked<'_>, Problem> {
        let bad = |bad| bad_request(&bad);
        let note = || request::note(self.body, false).map_err(bad);
        let alert = |id: &str| {
            id.parse::<AlertId>()
                .map_err(|_| invalid("id", "không phải mã tin / not an alert's id"))
        };
        let frozen = |id: &str| Frozen::of_name(id).ok_or_else(Problem::no_such_path);
        let path = self.path.trim_start_matches("/v1/");
        Ok(match path.split('/').collect::<Vec<_>>()[..] {
            ["alerts"] => Asked::Raise,
            ["alerts", id, "update"] => Asked::Change(alert(id)?, ChangeHow::Update),
            ["alerts", id, "correct"] => Asked::Change(alert(id)?, ChangeHow::Correct),
            ["alerts", id, "release"] => Asked::Release(alert(id)?),
            ["alerts", id, "attest"] => Asked::Attest(alert(id)?),
            [
                "alerts",
                id,
                action @ ("acknowledge" | "refuse" | "instructions" | "relay" | "sighting"),
            ] => Asked::Answer(alert(id)?, action),
            ["alerts", id, "erase"] => {
                let (basis, note) = request::erase(self.body).map_err(bad)?;
                Asked::Erasure(alert(id)?, erasures::Wanted::Ask { basis, note })
            }
            ["alerts", id, "erase", "confirm"] => {
                let basis = request::erase_basis(self.body).map_err(bad)?;
                Asked::Erasure(alert(id)?, erasures::Wanted::Confirm { basis })
            }
            ["alerts", id, "legal-hold"] => {
                Asked::Erasure(alert(id)?, erasures::Wanted::Hold { note: note()? })
            }
            ["alerts", id, "legal-hold", "lift"] => {
                Asked::Erasure(alert(id)?, erasures::Wanted::Lift { note: note()? })
            }
            ["alerts", id, action] => Asked::Act(alert(id)?, action),
            ["matches", id, action @ ("confirm" | "dismiss")] => {
                let id = match_id(id).ok_or_else(Problem::no_such_path)?;
                let verdict = if action == "confirm" { Verdict::Confirm } else { Verdict::Dismiss };
                Asked::Match(id, verdict)
            }
            ["freezes"] => {
                let about = request::freeze(self.body).map_err(bad)?;
                let wanted = freezing::Wanted::Freeze { until: about.time, note: about.note };
                Asked::Freeze(about.of, wanted)
            }
            ["freezes", id, "confirm"] => {
                let until = request::until(self.body).map_err(bad)?;
                Asked::Freeze(frozen(id)?, freezing::Wanted::Confirm { until })
            }
            ["freezes", id, "lift"] => {
                Asked::Freeze(frozen(id)?, freezing::Wanted::Lift { note: note()? })
            }
            ["drills"] => Asked::Drill(request::drill(self.body).map_err(bad)?),
            ["deliveries", id, "posted"] => {
                Asked::Posted(alert(id.split(':').next().unwrap_or_default())?, id)
            }
            _ => return Err(Problem::no_such_path()),
        })
    }
}

impl Pen<'_> {
    /// Signs what a request with a token would ask; `seen` are the answers to what it
    /// [needs](Said::needs), in that order.
    ///
    /// # Errors
    /// What the server would refuse at its edge, or what was seen does not show what is asked
    /// about.
    pub fn say(
        &self,
        said: Said<'_>,
        seen: &[Value],
        known: &EdgeKnown<'_>,
    ) -> Result<Envelope, Problem> {
        let bad = |bad| bad_request(&bad);
        let (nothing, request) = (Value::Null, self.request());
        let shown = seen.first().unwrap_or(&nothing);
        let home = || own_or_shown(self.asker, shown, known);
        let command = match said.asked()? {
            Asked::Raise => {
                return self.raise(request::raise(said.body, known).map_err(bad)?);
            }
            Asked::Erasure(alert, wanted) => erasure_command(request, (alert, home()?), wanted),
            Asked::Freeze(of, wanted) => {
                let home = home_of(&of, known.map)
                    .ok_or_else(|| invalid("commune", "không có trên bản đồ / not on the map"))?;
                freeze_command(request, (&of, home), wanted)
            }
            Asked::Match(id, verdict) => {
                let proposed = seen::proposed(&id, shown, known)?;
                let note = request::note(said.body, false).map_err(bad)?;
                let answer = MatchAnswer { verdict, commune: said.commune, note };
                match_command(self.asker, request, (&id, &proposed), answer)?
            }
            Asked::Drill(_) => {
                let home = seen::home(shown, known)?;
                let measured = seen.get(1).unwrap_or(&nothing);
                drill_command(request, home, &seen::drill(measured, home)?)
            }
            Asked::Posted(alert, delivery) => {
                let (home, target, revision) = seen::delivery(shown, delivery, known)?;
                posted_command(request, (alert, home), (&target, revision))
            }
            Asked::Change(alert, _)
            | Asked::Release(alert)
            | Asked::Attest(alert)
            | Asked::Answer(alert, _)
            | Asked::Act(alert, _) => {
                let row = {
                    let home = home_of_alert(&said, self.asker, shown, known)?;
                    seen::row(alert, home, shown, known)
                };
                let act = act(&said, seen, known)?;
                command_of(self.asker, request, &row, act, self.at)?
            }
        };
        self.sign(command)
    }
}

/// What is asked of an alert.
fn act(said: &Said<'_>, seen: &[Value], known: &EdgeKnown<'_>) -> Result<Act, Problem> {
    let bad = |bad| bad_request(&bad);
    let nothing = Value::Null;
    let shown = seen.first().unwrap_or(&nothing);
    Ok(match said.asked()? {
        Asked::Change(_, how) => {
            let stands = request::standing(shown, known).map_err(bad)?;
            let stands = (&stands.facts, &stands.text);
            let wanted = request::change(said.body, stands, known).map_err(bad)?.draft;
            // Again by the shortest patch, which the server finds too.
            let patch = request::patch(stands, (&wanted.facts, &wanted.text));
            let changed = Box::new(request::change(&patch, stands, known).map_err(bad)?);
            Act::OfAlert(AlertAct::Change { how, changed })
        }
        Asked::Release(_) => {
            request::nothing(said.body).map_err(bad)?;
            let words = request::standing(shown, known).ok();
            Act::OfAlert(AlertAct::Release { words: words.map(|draft| Box::new(draft.text)) })
        }
        Asked::Attest(_) => {
            let attest = request::attest(said.body).map_err(bad)?;
            let list = seen.get(1).unwrap_or(&nothing);
            Act::OfAlert(AlertAct::Attest(Box::new(seen::attesting(list, attest)?)))
        }
        Asked::Answer(_, "instructions") => {
            let instruction = request::instruction(said.body).map_err(bad)?;
            Act::OfRelay(RelayAct::Instruct { commune: said.commune, instruction })
        }
        Asked::Answer(_, "relay") => {
            let Onward { to, note } = request::onward(said.body, known.map).map_err(bad)?;
            Act::OfRelay(RelayAct::Onward { commune: said.commune, to, note })
        }
        Asked::Answer(_, action) | Asked::Act(_, action) => {
            act_in_words(action, (said.body, said.commune), known)
                .map_err(bad)?
                .ok_or_else(Problem::no_such_path)?
        }
        _ => return Err(Problem::no_such_path()),
    })
}

/// Where the alert is at home that is meant.
fn home_of_alert(
    said: &Said<'_>,
    asker: &Asker,
    shown: &Value,
    known: &EdgeKnown<'_>,
) -> Result<Home, Problem> {
    match said.asked()? {
        Asked::Act(..) => own_or_shown(asker, shown, known),
        _ => seen::home(shown, known),
    }
}

fn own_or_shown(asker: &Asker, shown: &Value, known: &EdgeKnown<'_>) -> Result<Home, Problem> {
    own(asker).map_or_else(|| seen::home(shown, known), Ok)
}

/// The commune of who signs.
fn own(asker: &Asker) -> Option<Home> {
    match asker.standing {
        Standing::Officer(home) | Standing::Commander(home) => Some(home),
        _ => None,
    }
}

/// What was seen does not show it.
pub(super) fn not_shown(what: &str) -> Problem {
    let detail = "Không thấy điều cần ký. / What is to be signed is not shown.";
    Problem::new(StatusCode::BAD_REQUEST, "invalid-fields", detail)
        .with_field(what.to_owned(), "không có / is not there")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_said_of_the_own_commune_s_alerts_is_seen_first() {
        let home = Home { province: "68".parse().unwrap(), commune: "25126".parse().unwrap() };
        let officer = Asker { officer: "an".parse().unwrap(), standing: Standing::Officer(home) };
        let desk = Asker { standing: Standing::Province(home.province), ..officer.clone() };
        let id = "0191b0c0-0000-8000-8000-000000000001";
        let needs = |asker: &Asker, path: &str, body: &str| {
            let path = path.replace('#', id);
            let said = Said { path: &path, commune: None, body: body.as_bytes() };
            said.needs(asker).map(|paths| paths.join(" ").replace(id, "#"))
        };
        for (path, body, of_officer, of_desk) in [
            ("/v1/alerts", "{}", "", ""),
            ("/v1/alerts/#/cancel", "{}", "", "/v1/alerts/#"),
            ("/v1/alerts/#/update", "{}", "/v1/alerts/#", "/v1/alerts/#"),
            ("/v1/alerts/#/acknowledge", "{}", "/v1/alerts/#", "/v1/alerts/#"),
            ("/v1/alerts/#/legal-hold/lift", "{}", "", "/v1/alerts/#"),
            ("/v1/freezes/commune-25126/lift", "{}", "", ""),
        ] {
            assert_eq!(needs(&officer, path, body).unwrap(), of_officer, "{path}");
            assert_eq!(needs(&desk, path, body).unwrap(), of_desk, "{path}");
        }
        let attest = needs(&officer, "/v1/alerts/#/attest", r#"{"group":"g","note":"Đã gọi."}"#);
        assert_eq!(attest.unwrap(), "/v1/alerts/# /v1/alerts/#/uncorrected?group=g");
        for nothing in ["/v1/tokens", "/v1/alerts/x/cancel", "/v1/matches/x/confirm", "/v1/keys"] {
            assert!(needs(&officer, nothing, "{}").is_err(), "{nothing}");
        }
    }
}
