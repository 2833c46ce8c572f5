//! The application: what can be asked, the same over HTTP and gRPC.
//!
//! Every answer is a door: it waits until what it shows is durable.

use std::{sync::Arc, time::Duration};

use chassis::{Host, Kind, Problem, auth::forbidden, looks::Looking};
use domain::{
    drill::Drill,
    ids::{AlertId, CommuneCode, EntityName, Home, RecordId},
    rights::Asker,
};
use event_log::{At, Class, Durable, Key, LoadError, Recorded, shell::Shell};
use futures::{StreamExt, TryStreamExt, stream};
use photos::Photos;
use prost::Message;
use tokio::sync::mpsc::UnboundedSender;
use wire::{
    seal::open,
    v1::{self, AlertText},
};

use crate::{
    acts::{Act, Command, command_of, is_so, raising},
    board::Board,
    deliveries::{Deliveries, Remembered},
    erasures::{Claim, erased},
    following::asked,
    gone::Gone,
    guard::Guard,
    looks::Reader,
    notices::{Notices, Seen},
    photos::Pictures,
    posters::Tasks,
    refused::{disk_low, not_found, not_stored, only_exercises, refused, starting},
    request,
    row::{Refused, Row},
    words::Words,
    writing::By,
};

/// Within this an officer is told that nothing could be stored.
pub(crate) const STORE_PATIENCE: Duration = Duration::from_millis(4_500);
/// Held for longer than this, a raise or an approval is stale.
pub(crate) const VALIDITY_MS: i64 = 15 * 60 * 1_000;
/// What must have been read before it can be said that an alert is not there.
pub(crate) const READ: [&str; 2] = ["board-commands", "board-alerts"];
/// What must have been read before a stream begins.
const STREAMED: [&str; 4] =
    ["board-commands", "board-alerts", "board-deliveries", "board-receipts"];
/// How often, and at what intervals, it is looked whether the notices have come as far as a stream
/// had been elsewhere. An id of another log never comes; then things are shown as they stand.
const NOTICES_LOOKS_MAX: u32 = 100;
const NOTICES_PATIENCE: Duration = Duration::from_millis(20);
/// Communes whose deliveries are read from the log at once.
const COMMUNES_AT_ONCE: usize = 16;
/// Alerts in one page of a list.
const PAGE_MAX: usize = 100;

/// Intake, running.
pub struct Intake {
    pub(crate) host: Host,
    pub(crate) board: Board,
    pub(crate) notices: Notices,
    /// The deliveries that live streams show.
    pub(crate) streamed: Remembered,
    pub(crate) words: Words,
    /// Who has looked at what within this hour.
    pub(crate) looking: Looking,
    /// Limits and freezes.
    pub(crate) guard: Guard,
    /// Channels whose targets are gone.
    pub(crate) gone: Gone,
    /// Pictures; `None` where this process has no store of them.
    pub(crate) pictures: Option<Pictures>,
    /// Where people reach intake, without a slash at the end; empty where nobody outside does.
    pub(crate) public_url: String,
    /// What posters are given to post.
    pub(crate) tasks: Tasks,
    /// Decides what was measured in drills.
    pub(crate) drilling: Shell<Drill>,
}

/// A request that changes something: its command's id, and the hash of its body.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Request {
    pub(crate) command: RecordId,
    pub(crate) sha256: [u8; 32],
}

/// An alert to be shown, with its words, and how it stands with this request.
pub(crate) struct Shown {
    pub(crate) row: Row,
    pub(crate) text: Option<Arc<AlertText>>,
    /// It lies in this machine's outbox: on disk here, not yet sent.
    pub(crate) held: bool,
    /// Whether the request itself is still being decided, or held.
    pub(crate) pending: bool,
    /// Whether the request itself lies in this machine's outbox.
    pub(crate) request_held: bool,
    /// Whether the log is a broker's.
    pub(crate) has_broker: bool,
}

impl Shown {
    /// Where it is on disk. Its writer's outbox keeps what the broker has.
    pub(crate) fn on_disk(&self) -> &'static [&'static str] {
        match (self.held, self.has_broker) {
            (true, _) => &["outbox"],
            (false, true) => &["outbox", "broker"],
            (false, false) => &["log"],
        }
    }
}

/// What became of a command that was written down.
pub(crate) enum Written {
    Decided(Option<Refused>),
    Deciding,
    Held,
}

/// An alert, and its deliveries in each commune.
pub(crate) struct AlertDeliveries {
    pub(crate) row: Row,
    pub(crate) deliveries: Vec<(CommuneCode, Deliveries)>,
}

/// Which alerts are listed.
#[derive(Debug, Default)]
pub(crate) struct Filter {
    pub(crate) commune: Option<CommuneCode>,
    pub(crate) state: Option<String>,
    pub(crate) kind: Option<String>,
    pub(crate) after: Option<AlertId>,
}

impl Intake {
    pub(crate) fn new(host: &Host, public_url: &str) -> Self {
        Self {
            tasks: Tasks::new(host, public_url),
            host: host.clone(),
            board: Board::default(),
            notices: Notices::default(),
            streamed: Remembered::default(),
            words: Words::default(),
            looking: Looking::new(host),
            guard: Guard::new(host),
            gone: Gone::default(),
            pictures: None,
            public_url: public_url.trim_end_matches('/').to_owned(),
            drilling: Shell::new(Arc::clone(&host.log)),
        }
    }

    pub(crate) fn with_photos(self, photos: Photos, claims: UnboundedSender<Claim>) -> Self {
        Self { pictures: Some(Pictures::new(photos, claims)), ..self }
    }

    /// Raises an alert.
    pub(crate) async fn raise(
        &self,
        by: impl Into<By<'_>>,
        request: Request,
        draft: request::Draft,
    ) -> Result<Shown, Problem> {
        let by = by.into();
        let (asker, home) = (by.asker, draft.facts.home);
        if !asker.standing.acts_for(home) {
            return Err(forbidden());
        }
        if self.host.kind == Kind::Demo && draft.facts.status.is_actual() {
            return Err(only_exercises());
        }
        let alert = AlertId::raised_by(request.command);
        // A repeat of what was accepted is answered as it stands, however full the disk is.
        let known = self.board.row(alert).is_some() || self.held_row(alert).is_some();
        if !known && !self.host.raising_allowed() {
            return Err(disk_low());
        }
        let now = self.host.clock.now();
        if !known {
            self.photos_are_stored(&draft.text.photos, &[]).await?;
            let key = Key { class: Class::Command, home, entity: EntityName::alert(alert) };
            self.admit(asker, &key, request.command, now).await?;
            self.admit_unsigned(by, &draft.facts, (&key, request.command)).await?;
        }
        let command = raising(request, draft, by.made_at(now));
        let written = self.write(by, command, now).await?;
        if let Written::Decided(_) = written {
            metrics::counter!("keng_accepted_total", "kind" => "raise").increment(1);
        }
        self.shown(asker, alert, &written).await
    }

    /// Does something with an alert that is there.
    pub(crate) async fn act(
        &self,
        by: impl Into<By<'_>>,
        request: Request,
        alert: AlertId,
        act: Act,
    ) -> Result<Shown, Problem> {
        let by = by.into();
        let asker = by.asker;
        let row = self.readable(asker, alert)?;
        let now = self.host.clock.now();
        let answers = matches!(act, Act::Acknowledge { .. } | Act::Refuse { .. } | Act::OfRelay(_));
        let (wanted, kind) = (act.wanted(), act.kind());
        let changes_nothing = act.changes_nothing();
        let command = command_of(asker, request, &row, act, by.made_at(now))?;
        // What is already so needs no record, unless this is the repeat of one.
        let is_so =
            changes_nothing || wanted.is_some_and(|wanted| is_so(&row, wanted, command.home));
        let is_erased = row.erasure.order().is_some();
        let written = (is_so || answers || is_erased) && self.is_written(&command).await;
        if is_so && !written {
            return self.shown(asker, alert, &Written::Decided(None)).await;
        }
        if is_erased && !written {
            return Err(erased());
        }
        let key = Key { class: Class::Command, home: command.home, entity: command.entity.clone() };
        self.admit_act(asker, (kind, row.asked.as_ref()), (&key, request.command), now).await?;
        if let Some(facts) = row.facts().filter(|_| kind.stops_when_frozen()) {
            self.admit_unsigned(by, facts, (&key, request.command)).await?;
        }
        // Corrections and ends are written while the disk is low; answers are not.
        if answers && !written && !self.host.raising_allowed() {
            return Err(disk_low());
        }
        match self.write(by, command, now).await? {
            Written::Decided(Some(refusal)) => Err(refused(&refusal)),
            written => self.shown(asker, alert, &written).await,
        }
    }

    /// One alert, for whoever may read it.
    pub(crate) async fn get(
        &self,
        reader: impl Into<Reader<'_>>,
        alert: AlertId,
    ) -> Result<Shown, Problem> {
        let reader = reader.into();
        let row = self.readable(reader.asker, alert)?;
        self.door(&row).await?;
        let held = self.is_held(alert);
        let text = self.read_words(reader, &row).await?;
        let has_broker = self.host.has_broker();
        Ok(Shown { row, text, held, pending: false, request_held: false, has_broker })
    }

    /// Alerts that the asker may read, the newest first, and where the next page begins.
    pub(crate) async fn list(
        &self,
        reader: impl Into<Reader<'_>>,
        filter: &Filter,
    ) -> Result<(Vec<Shown>, Option<AlertId>), Problem> {
        let reader = reader.into();
        let asker = reader.asker;
        if !asker.standing.reads_alerts() {
            return Err(forbidden());
        }
        let (mut rows, next) = self.matching(asker, filter);
        if filter.after.is_none() {
            rows.splice(0..0, self.held_rows(asker, filter));
        }
        for row in &rows {
            self.door(row).await?;
        }
        let texts = self.read_words_of(reader, &rows).await?;
        let mut shown = Vec::with_capacity(rows.len());
        for (row, text) in rows.into_iter().zip(texts) {
            let held = self.is_held(row.id);
            let has_broker = self.host.has_broker();
            shown.push(Shown { row, text, held, pending: false, request_held: false, has_broker });
        }
        Ok((shown, next))
    }

    /// One alert without its words, and its deliveries in each commune.
    pub(crate) async fn deliveries(
        &self,
        asker: &Asker,
        alert: AlertId,
    ) -> Result<AlertDeliveries, Problem> {
        let row = self.readable(asker, alert)?;
        self.door(&row).await?;
        // The issuing commune sees all; others see what is their own.
        let all = asker.standing.acts_for(row.home);
        let homes: Vec<Home> =
            row.communes().filter(|home| all || asker.standing.acts_for(*home)).collect();
        let read = homes.into_iter().map(|home| async move {
            let read = Deliveries::load(&self.host, alert, home).await;
            read.map(|deliveries| (home.commune, deliveries))
        });
        let read: Vec<_> =
            stream::iter(read).buffered(COMMUNES_AT_ONCE).try_collect().await.map_err(unread)?;
        for (_, deliveries) in &read {
            self.stored(deliveries.newest.values()).await?;
        }
        Ok(AlertDeliveries { row, deliveries: read })
    }

    /// The alert with this code, for anyone; only what was ever in force.
    pub(crate) async fn verify(&self, code: &str) -> Result<Row, Problem> {
        let row = self.board.lock().by_code(code).cloned();
        let row = row.filter(|row| row.sent.is_some()).ok_or_else(not_found)?;
        self.door(&row).await?;
        Ok(row)
    }

    /// Whether the asker may read what concerns this commune.
    pub(crate) fn reads_for(&self, asker: &Asker, commune: CommuneCode) -> Result<Home, Problem> {
        let home = self.host.map.home(commune).ok_or_else(not_found)?;
        if asker.standing.acts_for(home) { Ok(home) } else { Err(forbidden()) }
    }

    fn matching(&self, asker: &Asker, filter: &Filter) -> (Vec<Row>, Option<AlertId>) {
        let rows = self.board.lock();
        let mut found: Vec<Row> = Vec::new();
        let skip = filter.after.is_some();
        let newest_first = rows.order.iter().rev();
        let after = newest_first.skip_while(|id| skip && Some(**id) != filter.after);
        for id in after.skip(usize::from(skip)) {
            let Some(row) = rows.get(*id).filter(|row| fits(row, asker, filter)) else { continue };
            if found.len() == PAGE_MAX {
                let next = found.last().map(|row| row.id);
                return (found, next);
            }
            found.push(row.clone());
        }
        (found, None)
    }

    /// Whether this command stands in the log, or in this machine's outbox.
    async fn is_written(&self, command: &Command) -> bool {
        let key = Key { class: Class::Command, home: command.home, entity: command.entity.clone() };
        let id = command.request.command;
        if self.host.outgoing.contains(id) {
            return true;
        }
        // What cannot be read may be there: then the log itself answers.
        self.host.log.load(&key, Some(id)).await.map_or(true, |found| !found.is_empty())
    }

    /// Waits until the board has been read.
    pub(crate) async fn has_read(&self) -> Result<(), Problem> {
        let read = self.host.caught_up_of(&READ);
        tokio::time::timeout(STORE_PATIENCE, read).await.map_err(|_| starting())
    }

    /// Waits until a stream can begin behind history, not within it. Another intake may have been
    /// further ahead: then for a moment until this one has come as far.
    pub(crate) async fn has_come_to(&self, seen: Option<Seen>) -> Result<(), Problem> {
        let read = self.host.caught_up_of(&STREAMED);
        tokio::time::timeout(STORE_PATIENCE, read).await.map_err(|_| starting())?;
        for _ in 0..NOTICES_LOOKS_MAX {
            if seen.is_none_or(|seen| self.notices.have_come_to(seen)) {
                break;
            }
            tokio::time::sleep(NOTICES_PATIENCE).await;
        }
        Ok(())
    }

    /// Whether this request is the one that raised the alert: the same key and the same bytes.
    pub(crate) async fn is_repeat(&self, row: &Row, request: Request) -> bool {
        let key = Key { class: Class::Command, home: row.home, entity: EntityName::alert(row.id) };
        let found = self.host.log.load(&key, Some(request.command)).await.unwrap_or_default();
        // After an erasure there is nothing left to compare with.
        let same = |before: v1::SealedContent| before.request_sha256 == request.sha256.as_slice();
        found.first().is_some_and(|recorded| unsealed(recorded).is_none_or(same))
    }

    /// The row, if the asker may read it. A foreign alert does not exist.
    pub(crate) fn readable(&self, asker: &Asker, alert: AlertId) -> Result<Row, Problem> {
        if !asker.standing.reads_alerts() {
            return Err(forbidden());
        }
        let row = self.board.row(alert).or_else(|| self.held_row(alert));
        let row = row.filter(|row| row.communes().any(|home| asker.standing.acts_for(home)));
        // While the log is read, or cannot be, nobody knows that there is no such alert.
        row.ok_or_else(|| match self.host.is_caught_up(&READ) {
            true => not_found(),
            false => starting(),
        })
    }

    /// An alert that is only in this machine's outbox.
    fn held_row(&self, alert: AlertId) -> Option<Row> {
        let held = self.host.outgoing.now();
        let recorded = held.values().find(|held| AlertId::raised_by(held.id) == alert)?;
        let command = v1::Command::decode(recorded.open.clone()).ok()?;
        let (id, mut asked) = asked(&command)?;
        let mut row = Row::new(id, recorded.key.home);
        self.board.lock().dated(id, &mut asked);
        row.asked = Some(asked);
        Some(row)
    }

    /// Alerts that are only in this machine's outbox, and fit.
    pub(crate) fn held_rows(&self, asker: &Asker, filter: &Filter) -> Vec<Row> {
        if filter.state.as_deref().is_some_and(|state| state != "held") {
            return vec![];
        }
        let filter = Filter { state: None, kind: filter.kind.clone(), ..*filter };
        let held = self.host.outgoing.now();
        let rows = held.keys().filter_map(|id| {
            let alert = AlertId::raised_by(*id);
            if self.board.row(alert).is_some() { None } else { self.held_row(alert) }
        });
        rows.filter(|row| fits(row, asker, &filter)).collect()
    }

    fn is_held(&self, alert: AlertId) -> bool {
        self.host.outgoing.now().keys().any(|command| AlertId::raised_by(*command) == alert)
    }

    /// Waits until what is shown of the alert itself is durable. Nothing of its deliveries is
    /// shown with it, so that an answer does not wait for their plan.
    pub(crate) async fn door(&self, row: &Row) -> Result<(), Problem> {
        self.stored(row.shown_after.values().chain(&row.related_after)).await
    }

    pub(crate) async fn stored(
        &self,
        ats: impl Iterator<Item = &At> + Send,
    ) -> Result<(), Problem> {
        for at in ats {
            if self.host.log.durable(*at, STORE_PATIENCE).await != Durable::Stored {
                return Err(not_stored());
            }
        }
        Ok(())
    }

    /// The alert after something was asked, for who asked it.
    pub(crate) async fn shown(
        &self,
        asker: &Asker,
        alert: AlertId,
        written: &Written,
    ) -> Result<Shown, Problem> {
        let held = matches!(written, Written::Held);
        let row = self.board.row(alert).or_else(|| self.held_row(alert));
        let row = row.ok_or_else(not_stored)?;
        if !held {
            self.door(&row).await?;
        }
        let text = self.read_words(asker.into(), &row).await?;
        let pending = !matches!(written, Written::Decided(_));
        let (is_held, has_broker) = (self.is_held(alert), self.host.has_broker());
        Ok(Shown { held: is_held, row, text, pending, request_held: held, has_broker })
    }
}

pub(crate) fn unread(LoadError::Unavailable(why): LoadError) -> Problem {
    tracing::warn!(why, "deliveries cannot be read");
    starting()
}

fn fits(row: &Row, asker: &Asker, filter: &Filter) -> bool {
    let concerns = |commune: CommuneCode| row.communes().any(|home| home.commune == commune);
    let mut communes = row.communes();
    communes.any(|home| asker.standing.acts_for(home))
        && filter.commune.is_none_or(concerns)
        && filter.state.as_deref().is_none_or(|state| state == row.state())
        && filter
            .kind
            .as_deref()
            .is_none_or(|kind| row.facts().is_some_and(|facts| facts.kind.as_str() == kind))
}

/// What a record's sealed part says, where it is here.
pub(crate) fn unsealed(recorded: &Recorded) -> Option<v1::SealedContent> {
    let command = v1::Command::decode(recorded.open.clone()).ok()?;
    open(recorded.seal.bytes()?, &command.commitment).ok()
}
