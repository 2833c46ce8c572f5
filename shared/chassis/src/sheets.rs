//! Sheets: what an alert says, read from its history when it is needed, and kept while it is.
//!
//! Here and not at one service, so that what a person is given to post by hand is the very text
//! that every other channel tells.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, PoisonError},
};

use domain::{
    alert::{Alert, AlertEvent, Content, Live},
    decider::Decider,
    ids::{AlertId, CommuneCode, EntityName, Home, Millis, RecordId},
    values::{AlertKind, AlertStatus, News},
};
use event_log::{Class, Key, Recorded};
use prost::Message;
use rendering::{Body, Sheet, Told, with_local};
use wire::{
    Spoken,
    commit::events_of,
    seal,
    v1::{self, sealed_content},
};

use crate::Host;

/// Bodies kept; beyond this all are let go, and read again when they are needed.
const BODIES_MAX: usize = 512;

/// Why there is no sheet now: ask again.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoSheet {
    /// The log cannot be read now.
    #[error("the log cannot be reached: {0}")]
    Unavailable(String),
    /// Something of the history is newer than this program, or was lost.
    #[error("the alert's history cannot be read by this program")]
    Held,
    /// The sealed part is erased, or has not come yet.
    #[error("the alert's words are not here")]
    NoWords,
}

/// One alert's news, ready to be rendered.
pub struct Ready {
    /// The common body of webhooks.
    pub body: Body,
    /// The alert as it stood, with its words.
    pub sheet: Sheet,
    /// What the news is.
    pub news: News,
    /// When it was recorded.
    pub at: Millis,
    /// Who says it, as people call the commune.
    pub from: String,
    /// Where it can be checked.
    pub verify_url: String,
    /// The picture's bytes, once they were read; none where it is not stored.
    pub picture: tokio::sync::OnceCell<Option<bytes::Bytes>>,
    /// Where the alert's newest record stood: the directory must have come as far.
    pub position: u64,
    /// Whether it is real.
    pub status: AlertStatus,
    /// What it is about.
    pub kind: AlertKind,
    /// The communes whose own groups are told more: at home where, by which command.
    instructed: BTreeMap<CommuneCode, (Home, RecordId)>,
}

/// Which news it is, and of which commune, where that has said more to its own groups. By news
/// too: who hears of an alert late is told that it was issued.
type Which = (AlertId, u64, News, Option<CommuneCode>);

/// Reads and keeps sheets.
pub struct Sheets {
    host: Host,
    verify_base: String,
    ready: Mutex<HashMap<Which, Arc<Ready>>>,
}

/// An alert's history, as far as whoever tells needs it.
pub struct History {
    /// As it stands now.
    pub alert: Alert,
    /// As it stood at each revision.
    revisions: BTreeMap<u64, Standing>,
    /// When it was issued.
    sent: Option<Millis>,
    /// Where its newest record stands.
    position: u64,
    records: Vec<RecordId>,
    /// Where each of its records stands, and the revision that the alert had after it.
    revised: Vec<(u64, u64)>,
}

/// An alert at one revision.
#[derive(Clone)]
struct Standing {
    content: Content,
    state: &'static str,
    /// When it was recorded.
    at: Millis,
    /// What communes have told their own groups so far.
    instructed: BTreeMap<CommuneCode, (Home, RecordId)>,
}

impl Ready {
    /// What is told, for the channels that people read.
    #[must_use]
    pub fn told(&self) -> Told<'_> {
        let Self { sheet, news, at, from, verify_url, .. } = self;
        Told { sheet, news: *news, at: *at, from, verify_url }
    }
}

impl Sheets {
    /// None read yet; `verify_base` is where codes are verified, as
    /// `https://keng.example.vn/v`.
    #[must_use]
    pub fn new(host: &Host, verify_base: &str) -> Self {
        let verify_base = verify_base.to_owned();
        Self { host: host.clone(), verify_base, ready: Mutex::default() }
    }

    /// The rendered news of one revision, as it is told in one commune.
    ///
    /// # Errors
    /// [`NoSheet`]: ask again.
    pub async fn ready(
        &self,
        (alert, home): (AlertId, Home),
        (revision, news): (u64, News),
        commune: CommuneCode,
    ) -> Result<Arc<Ready>, NoSheet> {
        let ready = self.rendered((alert, home), (revision, news), None).await?;
        match ready.instructed.get(&commune) {
            None => Ok(ready),
            Some((of, content)) => {
                self.rendered((alert, home), (revision, news), Some((*of, *content))).await
            }
        }
    }

    /// Lets go of what these alerts say.
    pub fn forget(&self, alerts: &[AlertId]) {
        self.kept().retain(|(alert, ..), _| !alerts.contains(alert));
    }

    async fn rendered(
        &self,
        (alert, home): (AlertId, Home),
        (revision, news): (u64, News),
        local: Option<(Home, RecordId)>,
    ) -> Result<Arc<Ready>, NoSheet> {
        let which = (alert, revision, news, local.map(|(of, _)| of.commune));
        if let Some(ready) = self.kept().get(&which) {
            return Ok(Arc::clone(ready));
        }
        let history = history(&self.host, alert, home).await?;
        let (Some(standing), Some(sent)) = (history.at(revision), history.sent) else {
            return Err(NoSheet::Held);
        };
        let Standing { content: Content { facts, code, content, .. }, state, at, instructed } =
            standing;
        let is_erased = self.host.erasing.is_ordered(alert);
        let mut text = match is_erased {
            false => self.text(alert, home, content).await?,
            // Whoever was told must still hear that it is over, or was wrong.
            true if news.sets_right() => erased_text(),
            true => return Err(NoSheet::NoWords),
        };
        if let Some((of, content)) = local.filter(|_| !is_erased) {
            let said = self.instruction(alert, of, content).await?;
            let name = self.host.map.commune(of.commune).map_or("?", |commune| &*commune.name);
            text.instruction = with_local(&text.instruction, name, &said);
        }
        let (status, kind, from) = (facts.status, facts.kind, self.name_of(facts.home));
        let verify_url = format!("{}/{code}", self.verify_base.trim_end_matches('/'));
        let sheet = Sheet { alert, code, revision, state, facts, text, sent };
        let body = Body::of_alert(news, at, &sheet, &self.verify_base);
        let position = history.position;
        let ready = Ready {
            body,
            sheet,
            news,
            at,
            from,
            verify_url,
            picture: tokio::sync::OnceCell::new(),
            position,
            status,
            kind,
            instructed,
        };
        let ready = Arc::new(ready);
        let mut kept = self.kept();
        if kept.len() >= BODIES_MAX {
            kept.clear();
        }
        // What is being erased is let go under this lock, after that is known.
        if self.host.erasing.is_ordered(alert) == is_erased {
            kept.insert(which, Arc::clone(&ready));
        }
        Ok(ready)
    }

    /// As `xã Hoằng Thịnh, tỉnh Thanh Hoá`.
    fn name_of(&self, home: Home) -> String {
        let Some(commune) = self.host.map.commune(home.commune) else {
            return home.commune.to_string();
        };
        format!("{} {}, {}", commune.kind.as_str(), commune.name, commune.province_name)
    }

    fn kept(&self) -> std::sync::MutexGuard<'_, HashMap<Which, Arc<Ready>>> {
        self.ready.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn text(
        &self,
        alert: AlertId,
        home: Home,
        content: RecordId,
    ) -> Result<v1::AlertText, NoSheet> {
        match self.unsealed(EntityName::alert(alert), home, content).await? {
            sealed_content::Content::Alert(text) => Ok(text),
            _ => Err(NoSheet::NoWords),
        }
    }

    /// What a commune tells its own groups.
    async fn instruction(
        &self,
        alert: AlertId,
        of: Home,
        content: RecordId,
    ) -> Result<String, NoSheet> {
        match self.unsealed(EntityName::relay(alert, of.commune), of, content).await? {
            sealed_content::Content::Instruction(text) => Ok(text.instruction),
            _ => Err(NoSheet::NoWords),
        }
    }

    async fn unsealed(
        &self,
        entity: EntityName,
        home: Home,
        command: RecordId,
    ) -> Result<sealed_content::Content, NoSheet> {
        let key = Key { class: Class::Command, home, entity };
        let found = self.host.log.load(&key, Some(command)).await;
        let found = found.map_err(|why| NoSheet::Unavailable(why.to_string()))?;
        let command = found.first().ok_or(NoSheet::NoWords)?;
        let open = v1::Command::decode(command.open.clone()).map_err(|_| NoSheet::Held)?;
        let sealed = command.seal.bytes().ok_or(NoSheet::NoWords)?;
        let sealed = seal::open(sealed, &open.commitment).map_err(|_| NoSheet::NoWords)?;
        sealed.content.ok_or(NoSheet::NoWords)
    }
}

/// What is told of an alert whose words are gone.
fn erased_text() -> v1::AlertText {
    let headline = "Nội dung tin đã xoá / what it said is erased".to_owned();
    v1::AlertText { headline, ..v1::AlertText::default() }
}

/// The history of an alert, from the log.
///
/// # Errors
/// [`NoSheet`]: ask again.
pub async fn history(host: &Host, alert: AlertId, home: Home) -> Result<History, NoSheet> {
    let key = Key { class: Class::Alert, home, entity: EntityName::alert(alert) };
    let records = host.log.load(&key, None).await;
    let records = records.map_err(|why| NoSheet::Unavailable(why.to_string()))?;
    let mut history = History {
        alert: Alert::default(),
        revisions: BTreeMap::new(),
        sent: None,
        position: 0,
        records: records.iter().map(|recorded| recorded.id).collect(),
        revised: vec![],
    };
    for recorded in &records {
        history.position = recorded.position;
        let (events, at) = alert_events(recorded).ok_or(NoSheet::Held)?;
        for event in events {
            history.apply(&event, at);
        }
        let revision = history.alert.content().map_or(0, |content| content.revision);
        history.revised.push((recorded.position, revision));
    }
    Ok(history)
}

impl History {
    /// The revision that the alert had when a record at this position of its class was made:
    /// what such a record stops is that, and nothing that came later.
    #[must_use]
    pub fn revision_at(&self, position: u64) -> u64 {
        let before = self.revised.iter().take_while(|(at, _)| *at <= position);
        // Whoever answered knew of the issue; where that was lost, it is back behind the answer.
        let first = self.revised.iter().map(|(_, revision)| *revision).find(|known| *known > 0);
        before.last().map_or(0, |(_, revision)| *revision).max(first.unwrap_or(0))
    }

    fn apply(&mut self, event: &AlertEvent, at: Millis) {
        if matches!(event, AlertEvent::Issued { .. }) {
            self.sent = self.sent.or(Some(at));
        }
        self.alert = std::mem::take(&mut self.alert).evolve(event);
        let Some(content) = self.alert.content() else { return };
        let (content, state) = (content.clone(), self.alert.state());
        let revision = content.revision;
        let instructed = self.instructed();
        self.revisions.entry(revision).or_insert(Standing { content, state, at, instructed });
    }

    /// What communes have told their own groups; of what is over, there is nothing left to do.
    fn instructed(&self) -> BTreeMap<CommuneCode, (Home, RecordId)> {
        let Alert::Active(live) = &self.alert else { return BTreeMap::new() };
        let of = |(code, (_, content)): (&CommuneCode, &(u64, RecordId))| {
            Some((*code, (live.named(*code)?.home, *content)))
        };
        live.instructions.iter().filter_map(of).collect()
    }

    /// What the alert said at a revision.
    fn at(&self, revision: u64) -> Option<Standing> {
        self.revisions.range(..=revision).next_back().map(|(_, standing)| standing.clone())
    }

    /// Whether this record is in it. One that was handed out may have been lost since.
    #[must_use]
    pub fn has(&self, record: RecordId) -> bool {
        self.records.contains(&record)
    }

    /// The alert, if it was ever issued: what was not, was told to nobody.
    #[must_use]
    pub fn issued(&self) -> Option<&Live> {
        self.sent.and(self.alert.live())
    }
}

/// The events of an alert's commit, and when they were recorded; `None` where they cannot be
/// decoded.
#[must_use]
pub fn alert_events(recorded: &Recorded) -> Option<(Vec<AlertEvent>, Millis)> {
    let commit = v1::Commit::decode(recorded.open.clone()).ok()?;
    let at = Millis(commit.decided_at_ms);
    let events = events_of(commit).ok()?;
    let recalled: Result<_, _> = events.iter().map(Alert::recall).collect();
    Some((recalled.ok()?, at))
}
