//! A poster's task: which delivery a link opens, how that stands, and what the poster attests.
//!
//! Whether a link is good is seen from the board and the directory alone, so that whoever guesses
//! costs no look into the log. Reading a task changes nothing: a chat that looks at a link to show
//! a preview of it attests nothing.

use std::{sync::Arc, time::Duration};

use chassis::{
    Host, Problem,
    links::{BadLink, photo_url, sign, task_purpose, verify},
    sheets::{NoSheet, Ready, Sheets},
};
use domain::{
    alert::Alert,
    channel::ChannelType,
    delivery::{Delivery, DeliveryEvent, DeliveryKnown, Target, delivery_id},
    follow_up::keeps_instructions,
    ids::{AlertId, EntityName, Home, Millis},
    lane::Progress,
    looks::{ONE_LOOK_MS, What, hour_of},
    values::AlertStatus,
};
use event_log::{
    Class, Record, Recorded,
    order::{NotCarriedOut, carry_out},
    shell::Shell,
};
use photos::{PhotoId, Size};
use registry::{Group, LinkKey};
use rendering::{Told, Unit};
use wire::{
    delivery::target_said,
    spoken::id_bytes,
    v1::{self, command::Body},
};

use crate::{
    Intake,
    acts::Command,
    application::{READ, Request, unread},
    deliveries::Deliveries,
    photo_http::bad_link,
    refused::{not_stored, starting},
    row::Row,
    writing::By,
};

/// What a Zalo message takes with room to spare (2,000); the address to verify shows the rest.
const TEXT_CHARS_MAX: usize = 1_500;
/// How long the picture on a page can be fetched: who comes back later loads the page anew.
const PICTURE_MS: i64 = 6 * 60 * 60 * 1_000;
/// From the page of a task to the root of intake, whatever stands in front of it.
const ROOT: &str = "../../../..";

/// What tasks are made of.
pub(crate) struct Tasks {
    /// What alerts say, as it is told everywhere.
    sheets: Sheets,
    /// An attestation is decided here, where the poster waits for it.
    deciding: Shell<Delivery>,
}

impl Tasks {
    /// Lets go of what these alerts say.
    pub(crate) fn forget(&self, alerts: &[AlertId]) {
        self.sheets.forget(alerts);
    }

    pub(crate) fn new(host: &Host, public_url: &str) -> Self {
        let verify_base = format!("{}/v", public_url.trim_end_matches('/'));
        Self {
            sheets: Sheets::new(host, &verify_base),
            deciding: Shell::new(Arc::clone(&host.log)),
        }
    }
}

/// A link as its path has it.
#[derive(Debug)]
pub(crate) struct TaskLink {
    pub(crate) code: String,
    pub(crate) commune: String,
    pub(crate) revision: String,
    pub(crate) token: String,
}

/// One task: a delivery to a poster.
#[derive(Debug)]
pub(crate) struct Task {
    alert: AlertId,
    alert_home: Home,
    /// Whether the alert is over.
    is_over: bool,
    /// Where the group is at home; of a province's own group, the issuing commune.
    pub(crate) home: Home,
    target: Target,
    revision: u64,
    /// The delivery's id.
    pub(crate) delivery: String,
    /// The group, as its people call it; empty where the name was erased.
    pub(crate) group: String,
}

/// Why a link opens nothing.
#[derive(Debug)]
pub(crate) enum NotOpened {
    /// It was good once.
    Expired,
    /// It never was, or its group is gone.
    NotGood,
    /// It cannot be known yet.
    NotNow(Problem),
}

/// How a task stands.
pub(crate) enum Standing {
    /// It is to be posted.
    Open(Open),
    /// It was posted.
    Posted(Millis),
    /// Something newer is to be posted in its place, behind this link if it can be opened.
    Replaced(Option<String>),
    /// It is not to be posted: stopped, withdrawn, or no longer what stands.
    Stopped,
}

/// What is to be posted.
pub(crate) struct Open {
    pub(crate) status: AlertStatus,
    /// Whether it follows what the group has already.
    pub(crate) follows: bool,
    /// The very text.
    pub(crate) text: String,
    /// Where the picture is, if there is one, from the task's page.
    pub(crate) picture: Option<String>,
}

impl Open {
    /// `None` where what must be said has no room.
    fn of(told: &Told<'_>, picture: Option<String>) -> Option<Self> {
        let text = told.fit(TEXT_CHARS_MAX, Unit::Chars)?.text;
        let (status, follows) = (told.sheet.facts.status, told.news.sets_right());
        Some(Self { status, follows, text, picture })
    }
}

/// An attestation, taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Attested {
    /// It was posted at this time, now or before; `None` where the log cannot tell at the moment.
    Posted(Option<Millis>),
    /// It lies in this machine's outbox.
    Held,
}

impl Intake {
    /// The task that a link opens.
    pub(crate) fn task_of_link(&self, link: &TaskLink) -> Result<Task, NotOpened> {
        let row = self.board.lock().by_code(&link.code).cloned();
        let place = row.zip(link.commune.parse().ok().and_then(|code| self.host.map.home(code)));
        let (Some((row, home)), Ok(revision)) = (place, link.revision.parse()) else {
            return Err(self.not_known());
        };
        let key = self.link_key().ok_or_else(|| NotOpened::NotNow(starting()))?;
        let now = self.host.clock.now();
        let mut seen = BadLink::Forged;
        for task in self.tasks_in(&row, home, revision) {
            match verify(&key, &task_purpose(&task.delivery), &link.token, now) {
                Ok(_) => return Ok(task),
                Err(BadLink::Expired) => seen = BadLink::Expired,
                Err(BadLink::Forged) => {}
            }
        }
        match seen {
            BadLink::Expired => Err(NotOpened::Expired),
            BadLink::Forged => Err(self.not_known()),
        }
    }

    /// The task of this delivery, where it is one, and in a commune that `may` lets through.
    pub(crate) fn task_of_delivery(
        &self,
        row: &Row,
        delivery: &str,
        may: impl Fn(Home) -> bool,
    ) -> Option<Task> {
        // Ids of groups and channels may have colons: the id is compared and not taken apart.
        let revision = delivery.split(':').nth(1)?.parse().ok()?;
        let homes = row.communes().filter(|home| may(*home));
        let mut tasks = homes.flat_map(|home| self.tasks_in(row, home, revision));
        tasks.find(|task| task.delivery == delivery)
    }

    /// Whether a token was made for this delivery, and is good now.
    pub(crate) fn is_token_of(&self, delivery: &str, token: &str) -> Result<(), Problem> {
        let key = self.link_key().ok_or_else(starting)?;
        let now = self.host.clock.now();
        verify(&key, &task_purpose(delivery), token, now).map(|_| ()).map_err(bad_link)
    }

    /// Every task that an alert's revision can be in a commune. Groups of the province are told
    /// with the issuing commune.
    fn tasks_in(&self, row: &Row, home: Home, revision: u64) -> Vec<Task> {
        let directory = self.host.directory.read();
        let is_own = home == row.home;
        let of_province = directory.groups_of_province(home.province).iter().filter(|_| is_own);
        let groups = directory.groups_of(home.commune).iter().chain(of_province);
        groups
            .flat_map(|group| targets(group))
            .map(|(group, target)| Task {
                alert: row.id,
                alert_home: row.home,
                is_over: matches!(row.alert, Alert::Closed { .. }),
                home,
                delivery: delivery_id(row.id, revision, &target),
                target,
                revision,
                group,
            })
            .collect()
    }

    /// A copy, so that nobody holds the directory while a link is looked at.
    fn link_key(&self) -> Option<LinkKey> {
        self.host.directory.read().link_key().cloned()
    }

    /// While something is being read, what is not here may be there.
    fn not_known(&self) -> NotOpened {
        let is_read = self.host.is_caught_up(&READ) && self.host.is_caught_up(&["directory"]);
        if is_read { NotOpened::NotGood } else { NotOpened::NotNow(starting()) }
    }

    /// How a task stands, for whoever has the link; that its words were read is on disk then.
    pub(crate) async fn standing_for(
        &self,
        task: &Task,
        link_hash: &str,
    ) -> Result<Standing, Problem> {
        let standing = self.standing(task).await?;
        if matches!(standing, Standing::Open(_)) {
            self.look_by_link(link_hash, (task.alert, task.alert_home), What::Poster).await?;
        }
        Ok(standing)
    }

    /// How a task stands, as far as it is durable.
    async fn standing(&self, task: &Task) -> Result<Standing, Problem> {
        let read = Deliveries::load(&self.host, task.alert, task.home).await.map_err(unread)?;
        self.stored(read.newest.values()).await?;
        // A link is made from a plan: one that is not here yet, or was lost, is on its way.
        let delivery = read.lanes.get(&task.target, task.revision).ok_or_else(starting)?;
        let of_target = read.lanes.iter().filter(|(target, _)| **target == task.target);
        let newest = of_target.map(|(_, delivery)| delivery).max_by_key(|known| known.revision);
        if let Some(newer) = newest.filter(|newest| newest.revision > task.revision) {
            return Ok(Standing::Replaced(self.path_beside(
                task,
                newer.revision,
                newer.give_up_at,
            )));
        }
        let is_over = task.is_over && !delivery.news.sets_right();
        match delivery.progress {
            Progress::Posted(at) => return Ok(Standing::Posted(at)),
            Progress::Stopped(_) => return Ok(Standing::Stopped),
            _ if is_over || read.lanes.newest() > task.revision => return Ok(Standing::Stopped),
            _ => {}
        }
        let (alert, news) = ((task.alert, task.alert_home), (task.revision, delivery.news));
        let ready = self.tasks.sheets.ready(alert, news, task.home.commune).await;
        let ready = ready.map_err(|why| no_sheet(&why))?;
        let picture = self.picture(&ready);
        Ok(Open::of(&ready.told(), picture).map_or(Standing::Stopped, Standing::Open))
    }

    /// From a task's page to that of another revision for the same target.
    fn path_beside(&self, task: &Task, revision: u64, until: Millis) -> Option<String> {
        if until <= self.host.clock.now() {
            return None;
        }
        let id = delivery_id(task.alert, revision, &task.target);
        let token = sign(&self.link_key()?, &task_purpose(&id), until);
        Some(format!("../{revision}/{token}"))
    }

    /// The picture that is posted with the text. None goes with an end: nobody is to show the
    /// picture of a child who was found.
    fn picture(&self, ready: &Ready) -> Option<String> {
        let named = ready.sheet.text.photos.first();
        let named = named.filter(|_| self.pictures.is_some() && keeps_instructions(ready.news))?;
        let id: PhotoId = named.id.parse().ok()?;
        // One link for all who load the page within the hour: each link that is looked through
        // leaves a record.
        let hour = hour_of(self.host.clock.now());
        let until = Millis((hour + 1) * ONE_LOOK_MS).plus_ms(PICTURE_MS);
        let which = (id.as_str(), Size::Medium.as_str());
        Some(photo_url(&self.link_key()?, ROOT, which, until))
    }

    /// Takes an officer's attestation.
    pub(crate) async fn posted_by(
        &self,
        by: By<'_>,
        task: &Task,
        request: Request,
    ) -> Result<Attested, Problem> {
        let record = by.record(task.command(request), self.host.clock.now())?;
        let (attested, first) = self.attest_posted(task, record).await?;
        by.is_repeated_by(first.as_deref(), request)?;
        Ok(attested)
    }

    /// Takes an attestation: it is written down, decided here, and durable when this returns. With
    /// it comes the first record under its id, where there was one.
    pub(crate) async fn attest_posted(
        &self,
        task: &Task,
        record: Record,
    ) -> Result<(Attested, Option<Arc<Recorded>>), Problem> {
        let now = self.host.clock.now();
        let known = |_: &Delivery, _: &_| DeliveryKnown::at(now);
        let (log, shell) = (&self.host.log, &self.tasks.deciding);
        let done =
            carry_out((log, shell), (Class::Delivery, false), vec![record], now, known).await;
        let done = match done {
            Ok(done) => done,
            Err(NotCarriedOut::Held) => return Ok((Attested::Held, None)),
            Err(why) => return Err(not_attested(&why)),
        };
        let mut events = done.decided.iter().flat_map(|decided| &decided.events);
        let is_new = events.any(|event| matches!(event, DeliveryEvent::PostAttested { .. }));
        let read = Deliveries::load(&self.host, task.alert, task.home).await.ok();
        let delivery = read.as_ref().and_then(|r| r.lanes.get(&task.target, task.revision));
        if let Some(since) = delivery.and_then(|known| known.handed_over_at).filter(|_| is_new) {
            let took = Duration::from_millis(now.since_ms(since));
            metrics::histogram!("keng_time_to_post_seconds").record(took);
        }
        let posted_at = delivery.and_then(|known| match known.progress {
            Progress::Posted(at) => Some(at),
            _ => None,
        });
        let attested = Attested::Posted(posted_at.or(is_new.then_some(now)));
        Ok((attested, done.repeats.into_iter().next()))
    }
}

/// The command that attests a task to be done.
pub(crate) fn posted_command(
    request: Request,
    (alert, home): (AlertId, Home),
    (target, revision): (&Target, u64),
) -> Command {
    Command {
        request,
        entity: EntityName::delivery(alert, home.commune),
        home,
        correlation: id_bytes(alert.0),
        valid_until: None,
        content: None,
        sealed_fields: vec![],
        body: Body::AttestPosted(v1::AttestPosted { target: Some(target_said(target)), revision }),
    }
}

impl Task {
    /// The command that attests it to be done.
    pub(crate) fn command(&self, request: Request) -> Command {
        posted_command(request, (self.alert, self.home), (&self.target, self.revision))
    }
}

/// The posters of a group, each with the group's name.
fn targets(group: &Group) -> impl Iterator<Item = (String, Target)> {
    let is_poster = |channel_type: &str| channel_type == ChannelType::Poster.as_str();
    let posters = group.facts.channels.iter().filter(move |c| is_poster(&c.channel_type));
    posters.map(|channel| {
        let target = Target {
            group: group.facts.id.clone(),
            channel: channel.id.clone(),
            channel_type: ChannelType::Poster.as_str().into(),
        };
        (group.name.as_deref().unwrap_or_default().to_owned(), target)
    })
}

fn no_sheet(why: &NoSheet) -> Problem {
    tracing::warn!(%why, "a poster's text cannot be read");
    starting()
}

fn not_attested(why: &NotCarriedOut) -> Problem {
    match why {
        NotCarriedOut::Refused(_) => no_such_delivery(),
        NotCarriedOut::Held | NotCarriedOut::Unavailable(_) => {
            tracing::warn!(%why, "an attestation is not stored");
            not_stored()
        }
    }
}

/// There is no such delivery to a poster, or not for the asker.
pub(crate) fn no_such_delivery() -> Problem {
    let detail = "Không có lượt gửi này. / There is no such delivery.";
    Problem::new(axum::http::StatusCode::NOT_FOUND, "not-found", detail)
}

#[cfg(test)]
pub(crate) mod tests {
    use domain::{
        alert::AlertFacts,
        ids::RecordId,
        reach::ReachRequest,
        values::{AlertKind, News},
    };
    use rendering::Sheet;
    use wire::v1::AlertText;

    use super::*;

    /// A task of this group.
    pub(crate) fn task(group: &str) -> Task {
        let home = Home { province: "38".parse().unwrap(), commune: "15961".parse().unwrap() };
        let target = Target {
            group: "g-1".parse().unwrap(),
            channel: "poster-1".parse().unwrap(),
            channel_type: "poster".into(),
        };
        let alert = AlertId::raised_by(RecordId::of_purpose("a"));
        Task {
            alert,
            alert_home: home,
            is_over: false,
            home,
            delivery: delivery_id(alert, 1, &target),
            target,
            revision: 1,
            group: group.to_owned(),
        }
    }

    /// What is to be posted of an alert with the same words in every field.
    pub(crate) fn open(words: &str, status: AlertStatus, picture: Option<&str>) -> Open {
        let Task { alert, home, .. } = task("");
        let words = || words.to_owned();
        let sheet = Sheet {
            alert,
            code: "0123456789".to_owned(),
            revision: 1,
            state: "active",
            facts: AlertFacts {
                kind: AlertKind::LostChild,
                status,
                home,
                reported_at: None,
                last_seen: Some(domain::alert::LastSeen { at: None, point: None }),
                travel: None,
                person: None,
                legal_basis: None,
                expires_at: Millis(9),
                reach: ReachRequest::Auto,
                dont_know: vec![],
            },
            text: AlertText {
                headline: words(),
                description: words(),
                instruction: words(),
                place: words(),
                person_name: words(),
                person_clothing: words(),
                person_description: words(),
                ..AlertText::default()
            },
            sent: Millis(1),
        };
        let told = Told {
            sheet: &sheet,
            news: News::Issued,
            at: Millis(1_795_257_600_000),
            from: "xã Hoằng Thịnh, tỉnh Thanh Hoá",
            verify_url: "https://keng.example.vn/v1/verify/0123456789",
        };
        Open::of(&told, picture.map(str::to_owned)).unwrap()
    }
}
