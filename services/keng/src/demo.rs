//! The demonstration: sample officers and groups around Đạ Tẻh, a sink of its own, and a drill
//! whose way is told line by line.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use anyhow::{Context, anyhow};
use axum::{Router, routing::post};
use domain::ids::{CommuneCode, RecordId};
use history::{Asked, Line};
use jiff::{SignedDuration, Timestamp};
use registry::groups::parse_groups;
use reqwest::Method;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use wire::actor;

use crate::{
    Failed,
    args::ServerArgs,
    client::{Client, send},
    feeds::line,
    server::Running,
};

const HOME: &str = "25126";
const WITHIN: Duration = Duration::from_secs(10);
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// Runs the story; the server serves on when it has ended.
pub(crate) async fn run(running: Running) {
    if let Err(why) = story(&running).await {
        let why = match why {
            Failed::Trouble(why) => format!("{why:#}"),
            Failed::Refused(why) | Failed::Usage(why) => why,
        };
        line(&format!("Diễn tập dừng lại / The drill stopped: {why}"));
    }
}

async fn story(running: &Running) -> Result<(), Failed> {
    let sink = sink(running).await?;
    let groups = groups(running, &sink).await?;
    line("");
    line("KẺNG: CHẠY THỬ, CHỈ DIỄN TẬP / DEMO, EXERCISES ONLY");
    line(&format!("{groups} nhóm mẫu ở Đạ Tẻh và các xã giáp ranh / sample groups"));
    let officer = client(running, "an", "officer", Some(HOME)).await?;
    let neighbour = neighbour(running);
    let other = client(running, "binh", "officer", neighbour.as_deref()).await?;

    let (started, raised) = (Instant::now(), Timestamp::now());
    let alert = raise(&officer).await?;
    let since = |at: Instant| format!("{:>7.1} ms", at.duration_since(started).as_secs_f64() * 1e3);
    let text = |name: &str| alert.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    line(&format!("{}  đã ghi xuống đĩa và tiếp nhận / accepted: on disk", since(Instant::now())));
    line(&format!(
        "{}  đã phát / issued: {} (mã / code {})",
        since(Instant::now()),
        text("headline"),
        text("code"),
    ));
    let relayed = names(running, &alert);
    line(&format!(
        "{}  chuyển tới {} xã / relayed to communes: {}",
        since(Instant::now()),
        relayed.len(),
        relayed.join(", "),
    ));
    delivered(running, &officer, &text("id"), raised).await?;
    if neighbour.is_some() {
        let path = format!("/v1/alerts/{}/acknowledge", text("id"));
        let key = uuid::Uuid::now_v7().to_string();
        send(other.post(&path, &key).json(&json!({}))).await?;
        line(&format!(
            "{}  xã bên đã nhận / a neighbour acknowledged: {}",
            since(Instant::now()),
            name(running, neighbour.as_deref().unwrap_or_default()),
        ));
    }
    in_audit(running, &text("id")).await?;
    line(&format!("{}  đã vào nhật ký kiểm toán / in the audit log", since(Instant::now())));
    line("");
    let http = running.http;
    line(&format!("Ai cũng kiểm tra được / anyone can verify: http://{http}/v/{}", text("code")));
    let data = running.data.display();
    line(&format!("Xem lại / replay: keng replay --data {data} --alert {}", text("id")));
    line("Dừng bằng Ctrl-C / stop with Ctrl-C");
    Ok(())
}

/// A sink of its own: every webhook of the demo ends here.
async fn sink(running: &Running) -> Result<String, Failed> {
    let listener = TcpListener::bind("127.0.0.1:0").await.context("the demo's sink")?;
    let addr = listener.local_addr().context("the demo's sink")?;
    let app = Router::new().route("/g/{group}", post(async || "{}"));
    let stop = running.host.drain.token();
    running.host.drain.spawn("demo-sink", async move {
        let serve = axum::serve(listener, app).with_graceful_shutdown(stop.cancelled_owned());
        // It ends with the process.
        let _ = serve.await;
    });
    Ok(format!("http://{addr}"))
}

/// Two groups in the own commune and in each that borders on it.
async fn groups(running: &Running, sink: &str) -> Result<usize, Failed> {
    let host = &running.host;
    let own: CommuneCode = HOME.parse().map_err(|_| anyhow!("a commune"))?;
    let mut lines = String::new();
    let mut count = 0;
    for commune in std::iter::once(&own).chain(host.map.neighbours(own)) {
        let place = name(running, commune.as_str());
        for (n, what, kind) in [(1, "Tổ dân phố 1", "hamlet"), (2, "Trường học", "school")]
        {
            count += 1;
            let group = json!({
                "id": format!("demo-{commune}-{n}"),
                "commune": commune.to_string(),
                "name": format!("{what} {place}"),
                "kind": kind,
                "members": 120,
                "exercises": true,
                "channels": [{
                    "type": "webhook",
                    "url": format!("{sink}/g/{commune}-{n}"),
                    "secret": "whsec_a2VuZy1kZW1vLXNlY3JldC1vZi0zMi1ieXRlcw==",
                }],
            });
            lines.push_str(&format!("{group}\n"));
        }
    }
    let entries = parse_groups(lines.as_bytes(), &host.map).map_err(|why| anyhow!("{why}"))?;
    let now = host.clock.now();
    let imported = host.clerk.import_groups(actor::service("demo"), entries, now).await;
    imported.map_err(|why| anyhow!("{why}"))?;
    Ok(count)
}

/// The commune beside Đạ Tẻh that answers.
fn neighbour(running: &Running) -> Option<String> {
    let own: CommuneCode = HOME.parse().ok()?;
    running.host.map.neighbours(own).first().map(ToString::to_string)
}

/// A client with a token of its own.
async fn client(
    running: &Running,
    officer: &str,
    role: &str,
    commune: Option<&str>,
) -> Result<Client, Failed> {
    let host = &running.host;
    let commune = commune.and_then(|code| host.map.home(code.parse().ok()?));
    let home = commune.ok_or_else(|| anyhow!("the demo needs a map with Đạ Tẻh"))?;
    let mut secret = [0; 32];
    getrandom::fill(&mut secret).map_err(|why| anyhow!("{why}"))?;
    let token = chassis::admin::token_of(&secret);
    let facts = domain::directory::TokenFacts {
        id: chassis::admin::public_id(&token),
        hash: chassis::admin::hash_of(&token),
        officer: officer.parse().map_err(|_| anyhow!("an officer"))?,
        standing: wire::actor::standing(
            role.parse().map_err(|_| anyhow!("a role"))?,
            home.province.as_str(),
            home.commune.as_str(),
        )
        .map_err(|why| anyhow!("{why}"))?,
        // A demo's token is good for the day.
        expires_at: Some(host.clock.now().plus_ms(24 * 3_600_000)),
        purpose: domain::directory::TokenPurpose::Access,
    };
    let id = RecordId(uuid::Uuid::now_v7());
    let made = host.clerk.make_token(id, actor::service("demo"), facts, host.clock.now()).await;
    made.map_err(|why| anyhow!("{why}"))?;
    line(&format!("mã của / token of {officer} ({role}, {}): {token}", home.commune));
    Client::of_person(&ServerArgs {
        server: Some(format!("http://{}", running.http)),
        bearer: Some(token),
        data: running.data.clone(),
        key_file: None,
    })
}

async fn raise(officer: &Client) -> Result<Value, Failed> {
    let now = Timestamp::now();
    let body = json!({
        "kind": "lost-child",
        "status": "exercise",
        "commune": HOME,
        "headline": "Tìm cháu bé 4 tuổi đi lạc ở chợ Đạ Tẻh",
        "description": "Cháu trai, áo thun xanh, quần đùi, đi dép đỏ.",
        "instruction": "Ai thấy cháu xin giữ cháu lại và gọi công an xã.",
        "reported_at": now.to_string(),
        "last_seen": { "lat": 11.581_64, "lon": 107.459_88, "place": "chợ Đạ Tẻh" },
        "travel": "on-foot",
        "person": { "age": 4, "sex": "male" },
        "expires": (now + SignedDuration::from_hours(1)).to_string(),
        "reach": { "mode": "auto" },
    });
    let key = uuid::Uuid::now_v7().to_string();
    let answer = send(officer.post("/v1/alerts", &key).json(&body)).await?;
    Ok(answer.json().await.context("the answer")?)
}

fn name(running: &Running, code: &str) -> String {
    let commune = code.parse().ok().and_then(|code| running.host.map.commune(code));
    commune.map_or_else(|| code.to_owned(), |commune| commune.name.to_string())
}

fn names(running: &Running, alert: &Value) -> Vec<String> {
    let communes = alert.get("communes").and_then(Value::as_array).into_iter().flatten();
    let codes = communes.filter_map(|commune| commune.get("code").and_then(Value::as_str));
    codes.map(|code| name(running, code)).collect()
}

/// Waits until every group was reached, and says when, commune by commune.
async fn delivered(
    running: &Running,
    officer: &Client,
    alert: &str,
    raised: Timestamp,
) -> Result<(), Failed> {
    let path = format!("/v1/alerts/{alert}/deliveries");
    let deadline = Instant::now() + WITHIN;
    loop {
        let answer = send(officer.request(Method::GET, &path)).await?;
        let answer: Value = answer.json().await.context("the answer")?;
        let deliveries = answer.get("deliveries").and_then(Value::as_array);
        // When the last group of each commune had it; `None` while one is still waited for.
        let mut last: BTreeMap<&str, (usize, Option<Timestamp>)> = BTreeMap::new();
        for delivery in deliveries.into_iter().flatten() {
            let text = |name: &str| delivery.get(name).and_then(Value::as_str).unwrap_or_default();
            let at: Option<Timestamp> = text("delivered_at").parse().ok();
            let of_commune = last.entry(text("commune")).or_insert((0, at));
            of_commune.0 += 1;
            of_commune.1 = of_commune.1.zip(at).map(|(one, other)| one.max(other));
        }
        if !last.is_empty() && last.values().all(|(_, at)| at.is_some()) {
            for (commune, (groups, at)) in last {
                let took = at.unwrap_or(raised).duration_since(raised).as_secs_f64() * 1e3;
                let place = name(running, commune);
                line(&format!("{took:>7.1} ms  {groups} nhóm đã nhận / groups reached: {place}"));
            }
            return Ok(());
        }
        if Instant::now() > deadline {
            return Err(anyhow!("some groups were not reached within 10 s").into());
        }
        tokio::time::sleep(LOOK_AGAIN).await;
    }
}

/// Waits until the audit has the alert on its own disk.
async fn in_audit(running: &Running, alert: &str) -> Result<(), Failed> {
    let Some(audit) = &running.audit else { return Ok(()) };
    let asked = Asked::parse([("alert", alert)]).map_err(|why| anyhow!("{why}"))?;
    let mut entries = audit.subscribe();
    let has = async {
        let issued = |line: Line| line.kind == "AlertIssued";
        while !audit.replay(asked).flatten().any(issued) {
            if entries.changed().await.is_err() {
                return;
            }
        }
    };
    tokio::time::timeout(WITHIN, has).await.context("the audit is behind")?;
    Ok(())
}
