//! An alert between its raise and its end, over gRPC.

use wire::v1::{AlertView, alert_service_client::AlertServiceClient};

use super::*;

/// Đạ Tẻh and a commune that borders on it.
const TWO: &str = r#"{"code":"25126","name":"Đạ Tẻh","type":"xã","province_code":"68","province":"Lâm Đồng","lat":11.58164,"lon":107.45988,"area_geo_km2":145.75,"neighbours":["25135"]}
{"code":"25135","name":"Đạ Tẻh 2","type":"xã","province_code":"68","province":"Lâm Đồng","lat":11.56,"lon":107.53,"area_geo_km2":100.0,"neighbours":["25126"]}"#;

fn fields(kind: &str) -> v1::AlertFields {
    v1::AlertFields {
        kind: kind.to_owned(),
        status: "actual".to_owned(),
        commune: "25126".to_owned(),
        headline: "Tin từ chợ Đạ Tẻh".to_owned(),
        description: "Áo khoác đen.".to_owned(),
        last_seen: Some(v1::LastSeenFields {
            at: "2026-11-21T09:50:00Z".to_owned(),
            lat: Some(11.582),
            lon: Some(107.46),
            place: "chợ Đạ Tẻh".to_owned(),
        }),
        expires: Timestamp::from_millisecond(now().0 + 6 * 3_600_000).unwrap().to_string(),
        reach: Some(v1::ReachFields { mode: "auto".to_owned(), ..Default::default() }),
        ..Default::default()
    }
}

fn suspect() -> v1::AlertFields {
    v1::AlertFields { legal_basis: "BLTTHS-119".to_owned(), ..fields("suspect") }
}

/// A suspect of whom an officer has told, and whom a commander has approved.
struct Story {
    server: Server,
    officer: String,
    commander: String,
    id: String,
}

impl Story {
    async fn begin() -> Self {
        let server = Server::begin().await;
        let commander = commander(&server.host).await;
        let raised = server.raise(&suspect(), "raise").await.unwrap();
        assert_eq!((raised.state.as_str(), raised.revision), ("awaiting-approval", 1));
        assert!(raised.checklist.unwrap().completeness_percent > 0);
        let officer = server.token.clone();
        let story = Self { server, officer, commander, id: raised.id };
        let approved = story.approve(1).await;
        assert_eq!((approved.state.as_str(), approved.revision), ("active", 2));
        story
    }

    fn client(&self) -> AlertServiceClient<Routes> {
        AlertServiceClient::new(self.server.routes.clone())
    }

    fn intake(&self) -> IntakeServiceClient<Routes> {
        IntakeServiceClient::new(self.server.routes.clone())
    }

    async fn approve(&self, revision: u64) -> AlertView {
        let request = v1::ApproveAlertRequest { id: self.id.clone(), revision };
        let request = asked(&self.commander, &format!("approve-{revision}"), request);
        self.intake().approve_alert(request).await.unwrap().into_inner().alert.unwrap()
    }

    async fn decline(&self, token: &str, key: &str) -> Result<AlertView, Status> {
        let note = "Chưa đủ căn cứ.".to_owned();
        let request = v1::DeclineAlertRequest { id: self.id.clone(), note };
        let answer = self.client().decline_alert(asked(token, key, request)).await?;
        Ok(answer.into_inner().alert.unwrap())
    }

    async fn update(&self, key: &str, patch: &str) -> Result<AlertView, Status> {
        let merge_patch_json = patch.to_owned();
        let request = v1::UpdateAlertRequest { id: self.id.clone(), merge_patch_json };
        let answer = self.client().update_alert(asked(&self.officer, key, request)).await?;
        Ok(answer.into_inner().alert.unwrap())
    }

    async fn correct(&self, key: &str, patch: &str) -> Result<AlertView, Status> {
        let merge_patch_json = patch.to_owned();
        let request = v1::CorrectAlertRequest { id: self.id.clone(), merge_patch_json };
        let answer = self.client().correct_alert(asked(&self.officer, key, request)).await?;
        Ok(answer.into_inner().alert.unwrap())
    }

    async fn release(&self, key: &str) -> Result<AlertView, Status> {
        let request = v1::ReleaseAlertRequest { id: self.id.clone() };
        let answer = self.client().release_alert(asked(&self.officer, key, request)).await?;
        Ok(answer.into_inner().alert.unwrap())
    }
}

/// Expects a refusal with this code, whose message has these words.
fn refused(answer: Result<AlertView, Status>, code: Code, words: &[&str]) {
    let status = answer.unwrap_err();
    assert_eq!(status.code(), code, "{status:?}");
    assert!(words.iter().all(|word| status.message().contains(word)), "{status:?}");
}

#[tokio::test]
async fn a_change_waits_for_a_second_person_and_taking_back_does_not() {
    let story = Story::begin().await;
    let patch = r#"{"description":"Đi xe máy màu trắng."}"#;
    let waits = story.update("u-1", patch).await.unwrap();
    let pending = waits.pending.unwrap();
    assert_eq!((waits.revision, pending.revision, pending.change.as_str()), (2, 3, "update"));
    assert_eq!((pending.asked_by.as_str(), pending.reach), ("an", None));
    // The words of it are shown to whoever asks for the one alert.
    assert_eq!(pending.fields.unwrap().description, "");
    let request = asked(&story.commander, "-", v1::GetAlertRequest { id: story.id.clone() });
    let read = story.intake().get_alert(request).await.unwrap().into_inner().alert.unwrap();
    assert_eq!(read.pending.unwrap().fields.unwrap().description, "Đi xe máy màu trắng.");
    assert_eq!(read.fields.unwrap().description, "Áo khoác đen.");

    refused(story.decline(&story.officer, "d-1").await, Code::PermissionDenied, &["forbidden"]);
    let declined = story.decline(&story.commander, "d-2").await.unwrap();
    assert_eq!((declined.state.as_str(), declined.pending), ("active", None));
    refused(
        story.decline(&story.commander, "d-3").await,
        Code::FailedPrecondition,
        &["not-awaiting-approval"],
    );

    let back = story.correct("c-1", r#"{"description":null}"#).await.unwrap();
    assert_eq!((back.revision, back.fields.unwrap().description.as_str()), (4, ""));
    // The same request again, by its key, and by another where it is so already.
    for key in ["c-1", "c-2"] {
        let again = story.correct(key, r#"{"description":null}"#).await.unwrap();
        assert_eq!((again.revision, again.pending), (4, None), "{key}");
    }
    let other = story.correct("c-1", r#"{"instruction":null}"#).await;
    refused(other, Code::FailedPrecondition, &["idempotency-conflict"]);
    story.server.end().await;
}

#[tokio::test]
async fn a_patch_that_is_none_names_what_is_wrong() {
    let story = Story::begin().await;
    for (patch, words) in [
        ("", ["malformed-json", "JSON"]),
        ("{}", ["invalid-fields", "nothing changes"]),
        (r#"{"kind":"notice"}"#, ["invalid-fields", "kind: "]),
        (r#"{"person":{"face":"x"}}"#, ["invalid-fields", "person.face: "]),
        (r#"{"headline":null}"#, ["invalid-fields", "headline: "]),
    ] {
        refused(story.update("u", patch).await, Code::InvalidArgument, &words);
        refused(story.correct("c", patch).await, Code::InvalidArgument, &words);
    }
    // A good request whose time has passed is answered as it was.
    let soon = r#"{"expires":"2026-11-21T11:00:00Z"}"#;
    assert!(story.correct("soon", soon).await.unwrap().pending.is_some());
    story.server.clock.advance_ms(2 * 3_600_000);
    assert!(story.correct("soon", soon).await.is_ok());
    refused(story.correct("later", soon).await, Code::InvalidArgument, &["expires"]);
    story.server.end().await;
}

#[tokio::test]
async fn reach_holds_and_sightings_are_asked_for() {
    let story = Story::begin().await;
    let id = || story.id.clone();
    let widen = async |key: &str, reach| {
        let request = asked(&story.officer, key, v1::WidenAlertRequest { id: id(), reach });
        story.client().widen_alert(request).await.map(|answer| answer.into_inner().alert.unwrap())
    };
    refused(widen("w-1", None).await, Code::InvalidArgument, &["reach: "]);
    let rings = v1::ReachFields { mode: "rings".to_owned(), rings: Some(2), communes: vec![] };
    let pending = widen("w-2", Some(rings.clone())).await.unwrap().pending.unwrap();
    assert_eq!((pending.change.as_str(), pending.fields), ("widen", None));
    assert_eq!(pending.reach, Some(rings));
    let widened = story.approve(pending.revision).await;
    assert_eq!((widened.pending, widened.reach_figures), (None, None));

    let request = asked(&story.officer, "h", v1::HoldAlertRequest { id: id() });
    let held = story.client().hold_alert(request).await.unwrap().into_inner().alert.unwrap();
    assert!(held.on_hold && held.next_widening.is_none());
    assert!(!story.release("r-1").await.unwrap().on_hold);
    refused(story.release("r-2").await, Code::FailedPrecondition, &["not-on-hold"]);

    let sight = async |key: &str, seen| {
        let (note, commune) = ("Đi về phía cầu.".to_owned(), String::new());
        let request = v1::ReportSightingRequest { id: id(), seen, note, commune };
        let answer = story.client().report_sighting(asked(&story.officer, key, request)).await;
        answer.map(|answer| answer.into_inner().alert.unwrap())
    };
    refused(sight("s-1", None).await, Code::InvalidArgument, &["needs a place"]);
    let seen = v1::LastSeenFields {
        at: "2026-11-21T09:59:00Z".to_owned(),
        lat: Some(11.56),
        lon: Some(107.53),
        place: "chân cầu".to_owned(),
    };
    let sighting = sight("s-2", Some(seen)).await.unwrap().sighting.unwrap();
    assert_eq!((sighting.lat, sighting.lon), (Some(11.56), Some(107.53)));
    assert_eq!(sighting.at, "2026-11-21T09:59:00.000Z");
    story.server.end().await;
}

#[tokio::test]
async fn what_was_resolved_by_mistake_is_reopened_by_two() {
    let story = Story::begin().await;
    let id = || story.id.clone();
    let request = v1::ResolveAlertRequest { id: id(), note: String::new() };
    story.intake().resolve_alert(asked(&story.officer, "end", request)).await.unwrap();
    let note = "Bắt nhầm người.".to_owned();
    let request = asked(&story.officer, "again", v1::ReopenAlertRequest { id: id(), note });
    let waits = story.client().reopen_alert(request).await.unwrap().into_inner().alert.unwrap();
    let pending = waits.pending.unwrap();
    assert_eq!((waits.state.as_str(), pending.change.as_str()), ("resolved", "reopen"));
    let again = story.approve(pending.revision).await;
    assert_eq!((again.state.as_str(), again.revision), ("active", pending.revision));
    story.server.end().await;
}

#[tokio::test]
async fn what_one_officer_sent_alone_is_reviewed_by_another() {
    let server = Server::on(TWO).await;
    let commander = commander(&server.host).await;
    let sent = server.raise(&fields("lost-child"), "k").await.unwrap();
    let review = sent.review.unwrap();
    assert_eq!((sent.state.as_str(), review.state.as_str()), ("active", "owed"));
    assert_eq!(review.due, "2026-11-21T10:15:00.000Z");
    let figures = sent.reach_figures.unwrap();
    assert!(figures.rule.starts_with("reach/") && figures.reach_m > 0, "{figures:?}");
    assert!(figures.bordering_only, "{figures:?}");

    let mut client = AlertServiceClient::new(server.routes.clone());
    let request = v1::ReviewAlertRequest { id: sent.id };
    let own = client.review_alert(asked(&server.token, "own", request.clone())).await;
    assert_eq!(own.unwrap_err().code(), Code::PermissionDenied);
    let done = client.review_alert(asked(&commander, "r", request)).await.unwrap().into_inner();
    let review = done.alert.unwrap().review.unwrap();
    assert_eq!((review.state.as_str(), review.due.as_str()), ("done", ""));
    server.end().await;
}
