//! What people see of an alert, as JSON and over gRPC.

use domain::{
    alert::Alert,
    delivery::delivery_id,
    ids::{CommuneCode, Millis},
    lane::{LaneDelivery, Progress},
    relay::Answer,
    schedule::remind_at,
};
use serde_json::{Map, Value, json};
use wire::v1::{self, AlertText};

use crate::{
    application::Shown,
    drills::warnings,
    life_view, match_view, relay_story,
    request::{alert_fields, fields_of},
    row::{RelayRow, Row},
};

/// Milliseconds as RFC 3339 in UTC.
pub(crate) fn time(at: Millis) -> String {
    jiff::Timestamp::from_millisecond(at.0).map(|at| format!("{at:.3}")).unwrap_or_default()
}

fn answer_word(answer: Answer) -> &'static str {
    match answer {
        Answer::Acknowledge => "acknowledged",
        Answer::Refuse => "refused",
    }
}

/// The alert as it was asked for, and where it is on disk.
pub(crate) fn shown(shown: &Shown) -> Value {
    let mut view = alert(&shown.row, shown.text.as_deref(), shown.held);
    if let Some(view) = view.as_object_mut() {
        view.insert("on_disk".into(), json!(shown.on_disk()));
    }
    view
}

/// The alert as those who may read it see it. `held`: it lies in this machine's outbox only.
pub(crate) fn alert(row: &Row, text: Option<&AlertText>, held: bool) -> Value {
    let mut view = Map::new();
    view.insert("id".into(), json!(row.id.to_string()));
    view.insert("code".into(), json!(row.code()));
    view.insert("revision".into(), json!(row.revision()));
    view.insert("state".into(), json!(if held { "held" } else { row.state() }));
    let communes: Vec<Value> = row.relays.values().map(|relay| commune(row, relay)).collect();
    view.insert("communes".into(), json!(communes));
    if let Some(asked) = &row.asked {
        view.insert("attested".into(), json!(asked.attested));
    }
    if let Some(sent) = row.sent {
        view.insert("sent".into(), json!(time(sent)));
    }
    if !row.related.is_empty() {
        let related: Vec<Value> = row.related.iter().map(match_view::related).collect();
        view.insert("related".into(), json!(related));
    }
    let warnings: Vec<Value> =
        row.asked.iter().flat_map(warnings).map(|warning| warning.json()).collect();
    if !warnings.is_empty() {
        view.insert("warnings".into(), json!(warnings));
    }
    if let Some(refusal) = row.refusal.as_ref().filter(|_| row.alert == Alert::Unissued) {
        let command = row.asked.as_ref().map(|asked| asked.content.to_string());
        let refusal = json!({ "code": refusal.code, "field": refusal.field, "command": command });
        view.insert("refusal".into(), refusal);
    }
    view.extend(life_view::json(row));
    if let Some(order) = row.erasure.order() {
        let words = "đã xoá / erased";
        view.insert("erased".into(), json!({ "basis": order.basis.as_str(), "words": words }));
    }
    if let Some(facts) = row.facts() {
        let erased = AlertText::default();
        view.extend(fields_of(facts, text.unwrap_or(&erased)));
        if text.is_none() {
            let is_erased = row.erasure.order().is_some();
            view.insert("sealed".into(), json!(if is_erased { "erased" } else { "missing" }));
        }
    }
    Value::Object(view)
}

fn commune(row: &Row, relay: &RelayRow) -> Value {
    let answered = relay.story.answer();
    let answer = answered.map(|(answer, _)| answer_word(answer));
    let mut view = json!({
        "code": relay.reached.home.commune.to_string(),
        "reason": relay.reached.reason.as_str(),
        "ring": relay.reached.ring,
        "relayed_at": relay.relayed_at.map(time),
        "answer": answer,
    });
    if let Some(view) = view.as_object_mut() {
        if let Some((_, at)) = answered {
            view.insert("answered_at".into(), json!(time(at)));
        }
        view.extend(relay_story::json(row, relay));
    }
    view
}

/// A commune's answer, as the live stream tells it.
pub(crate) fn answer(row: &Row, commune_code: CommuneCode) -> Value {
    json!({
        "alert": row.id.to_string(),
        "commune": row.relays.get(&commune_code).map(|relay| commune(row, relay)),
    })
}

/// One delivery.
pub(crate) struct DeliverySeen<'a> {
    pub(crate) row: &'a Row,
    pub(crate) commune: CommuneCode,
    pub(crate) target: &'a domain::delivery::Target,
    pub(crate) delivery: &'a LaneDelivery,
    /// When it is looked at.
    pub(crate) now: Millis,
}

impl DeliverySeen<'_> {
    fn delivered_at(&self) -> Option<Millis> {
        match self.delivery.progress {
            Progress::Delivered(at) => Some(at),
            _ => None,
        }
    }

    fn accepted_at(&self) -> Option<Millis> {
        match self.delivery.progress {
            Progress::Accepted(at) => Some(at),
            _ => None,
        }
    }

    fn read_at(&self) -> Option<Millis> {
        match self.delivery.progress {
            Progress::Read(at) => Some(at),
            _ => None,
        }
    }

    fn posted_at(&self) -> Option<Millis> {
        match self.delivery.progress {
            Progress::Posted(at) => Some(at),
            _ => None,
        }
    }

    fn next_attempt_at(&self) -> Option<Millis> {
        match self.delivery.progress {
            Progress::Waiting(at) => Some(at),
            Progress::HandedOver { remind_at } => remind_at,
            _ => None,
        }
    }

    /// Whether a person has it in hand for longer than until the reminder, and has not said that
    /// it was posted.
    fn is_overdue(&self) -> bool {
        let Progress::HandedOver { .. } = self.delivery.progress else { return false };
        let (kind, since) =
            (self.row.facts().map(|facts| facts.kind), self.delivery.handed_over_at);
        let due = kind.zip(since).and_then(|(kind, since)| remind_at(1, kind, since));
        due.is_some_and(|at| at <= self.now)
    }

    fn id(&self) -> String {
        delivery_id(self.row.id, self.delivery.revision, self.target)
    }

    /// As JSON.
    pub(crate) fn json(&self) -> Value {
        json!({
            "id": self.id(),
            "alert": self.row.id.to_string(),
            "commune": self.commune.to_string(),
            "group": self.target.group.to_string(),
            "channel": self.target.channel.to_string(),
            "type": &*self.target.channel_type,
            "revision": self.delivery.revision,
            "news": self.delivery.news.as_str(),
            "state": self.delivery.state(),
            "attempts": self.delivery.attempts,
            "planned_at": time(self.delivery.planned_at),
            "last_attempt_at": self.delivery.last_attempt_at.map(time),
            "accepted_at": self.accepted_at().map(time),
            "handed_over_at": self.delivery.handed_over_at.map(time),
            "posted_at": self.posted_at().map(time),
            "overdue": self.is_overdue(),
            "delivered_at": self.delivered_at().map(time),
            "read_at": self.read_at().map(time),
            "next_attempt_at": self.next_attempt_at().map(time),
            "trouble": Some(&*self.delivery.trouble).filter(|trouble| !trouble.is_empty()),
        })
    }

    /// Over gRPC.
    pub(crate) fn message(&self) -> v1::DeliveryView {
        let text = |at: Option<Millis>| at.map(time).unwrap_or_default();
        v1::DeliveryView {
            id: self.id(),
            commune: self.commune.to_string(),
            group: self.target.group.to_string(),
            channel: self.target.channel.to_string(),
            revision: self.delivery.revision,
            state: self.delivery.state().to_owned(),
            attempts: self.delivery.attempts,
            planned_at: time(self.delivery.planned_at),
            last_attempt_at: text(self.delivery.last_attempt_at),
            delivered_at: text(self.delivered_at()),
            next_attempt_at: text(self.next_attempt_at()),
            r#type: self.target.channel_type.to_string(),
            accepted_at: text(self.accepted_at()),
            handed_over_at: text(self.delivery.handed_over_at),
            posted_at: text(self.posted_at()),
            read_at: text(self.read_at()),
            trouble: self.delivery.trouble.to_string(),
            overdue: self.is_overdue(),
        }
    }
}

/// The alert over gRPC.
pub(crate) fn message(row: &Row, text: Option<&AlertText>, held: bool) -> v1::AlertView {
    let erased = AlertText::default();
    let communes = row.relays.values().map(|relay| {
        let answer = relay.story.answer().map(|(answer, _)| answer_word(answer));
        let view = v1::CommuneView {
            code: relay.reached.home.commune.to_string(),
            reason: relay.reached.reason.as_str().to_owned(),
            relayed_at: relay.relayed_at.map(time).unwrap_or_default(),
            answer: answer.unwrap_or_default().to_owned(),
            ..v1::CommuneView::default()
        };
        relay_story::message(row, relay, view)
    });
    let refusal = row.refusal.as_ref().filter(|_| row.alert == Alert::Unissued);
    let view = v1::AlertView {
        id: row.id.to_string(),
        code: row.code(),
        revision: row.revision(),
        state: if held { "held" } else { row.state() }.to_owned(),
        communes: communes.collect(),
        sent: row.sent.map(time).unwrap_or_default(),
        fields: row.facts().map(|facts| alert_fields(facts, text.unwrap_or(&erased))),
        refusal: refusal.map(|refusal| v1::RefusalView {
            code: refusal.code.clone(),
            field: refusal.field.clone(),
        }),
        related: row.related.iter().map(match_view::related_message).collect(),
        attested: row.asked.as_ref().map(|asked| asked.attested.clone()).unwrap_or_default(),
        warnings: row.asked.iter().flat_map(warnings).map(|warning| warning.message()).collect(),
        ..v1::AlertView::default()
    };
    life_view::message(row, view)
}
