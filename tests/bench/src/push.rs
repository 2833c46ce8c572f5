//! Web pushes: what one costs through the channel, beside the bare cryptography and a bare POST of
//! as many bytes, and what memory it takes.
//!
//! Both take turns, block by block, in this process, with the same crate and the same client. The
//! push service is a process of its own, which decrypts one push in a thousand.

use std::{
    process,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD as BASE64URL};
use bytes::Bytes;
use domain::{
    alert::AlertFacts,
    ids::{AlertId, Home, Millis, RecordId},
    reach::ReachRequest,
    values::{AlertKind, AlertStatus, News},
};
use fan_out::{
    channels::{
        Channel, Named, Outcome, View,
        address::Guard,
        http::Http,
        web_push::{WebPush, WebPushOptions},
    },
    secret::Secret,
};
use registry::Address;
use rendering::{Body, Sheet, Told};
use reqwest::{Method, Request, StatusCode, Url};
use serde_json::{Value, json};
use stand_ins::push_service::PushService;
use tokio::task::JoinSet;
use web_push_native::{Auth, encrypt, p256::PublicKey};
use wire::v1::AlertText;

use crate::{
    child::{Served, cpu, memory_mib},
    floors::intent,
    orders::{answer, orders},
    report::{Row, Target, median_ms},
};

/// The example of RFC 8291: it guards nothing.
const KEY: &str = "yfWPiYE-n46HLnH0KqZOF1fJJU3MYrct3AELtAQ-oRw";
const SUBSCRIPTIONS: usize = 1_024;
const READ_EVERY: usize = 1_000;
const IN_FLIGHT: usize = 64;
/// Blocks of each kind that count; odd, so that there is a middle one.
const BLOCKS: usize = 21;
const RATIO_MAX: f64 = 1.3;
const VERIFY: &str = "https://keng.example.vn/v1/verify";

/// The push service, until standard input ends.
///
/// # Errors
/// It cannot start, or nobody reads its answers.
pub async fn serve() -> Result<()> {
    let service = PushService::start_sampling(READ_EVERY).await?;
    let mut subscriptions = Vec::new();
    for _ in 0..SUBSCRIPTIONS {
        let subscription = service.subscribe(None)?;
        let (endpoint, key) = (subscription.endpoint, subscription.p256dh);
        subscriptions.push(json!({ "url": endpoint, "key": key, "auth": subscription.auth }));
    }
    answer(&json!({ "http": service.origin(), "token": "" }))?;
    let mut orders = orders();
    while let Some(order) = orders.recv().await {
        let counts = service.counts();
        answer(&match order.contains("subscriptions") {
            true => json!({ "bare": service.bare_url(), "subscriptions": subscriptions }),
            false => json!({
                "taken": counts.taken, "read": counts.read, "unreadable": counts.unreadable,
                "refused": counts.refused, "bare": counts.bare, "tokens": counts.tokens,
            }),
        })?;
    }
    Ok(())
}

/// One subscription, as the directory has it and as the crate wants it.
struct Subscribed {
    address: Address,
    key: PublicKey,
    auth: Auth,
}

/// All that a push needs, and a bare one.
struct Stage {
    channel: WebPush,
    http: Http,
    sheet: Sheet,
    body: Body,
    subscribed: Vec<Subscribed>,
    plaintext: Bytes,
    bare: Url,
}

#[derive(Clone, Copy)]
enum How {
    /// Rendered and sent by the channel.
    Channel,
    /// Encrypted by the crate, and posted.
    Bare,
}

/// What a block took: by the clock, and of this process's time on a processor.
#[derive(Default)]
struct Took {
    clock: Vec<Duration>,
    processor: Vec<Duration>,
}

/// So many pushes through the channel, and as many bare ones.
///
/// # Errors
/// A push was not taken, or could not be read: then it is no measure.
pub async fn cost(pushes: usize) -> Result<Vec<Row>> {
    let words = ["push-service".to_owned()];
    let mut service = Served::start(tempfile::tempdir()?, &words).await?;
    let stage = Arc::new(stage(&service.ask(&json!({ "do": "subscriptions" })).await?)?);
    let block = pushes.div_ceil(BLOCKS).max(IN_FLIGHT);
    for how in [How::Bare, How::Channel] {
        run(&stage, block.min(5_000), how).await?;
    }
    let (first, _) = memory_mib(process::id())?;
    let before = service.ask(&json!({ "do": "count" })).await?;
    let (mut ours, mut bare) = (Took::default(), Took::default());
    for round in 0..BLOCKS {
        // By turns, so that what slowly changes on the machine changes both alike.
        let order =
            if round % 2 == 0 { [How::Channel, How::Bare] } else { [How::Bare, How::Channel] };
        for how in order {
            let (clock, processor) = run(&stage, block, how).await?;
            let took = if matches!(how, How::Channel) { &mut ours } else { &mut bare };
            took.clock.push(clock);
            took.processor.push(processor);
        }
    }
    let after = service.ask(&json!({ "do": "count" })).await?;
    let (now, most) = memory_mib(process::id())?;
    let (_, services) = service.memory_mib()?;
    service.end().await?;
    check(&before, &after, block * BLOCKS)?;
    tell(block, &ours, &after, services);
    Ok(rows(block, &ours, &bare, [first, now, most]))
}

/// Sends so many, so many of them in flight; says what they took.
async fn run(stage: &Arc<Stage>, count: usize, how: How) -> Result<(Duration, Duration)> {
    let next = Arc::new(AtomicUsize::new(0));
    let (begun, processor) = (Instant::now(), cpu(process::id())?);
    let mut senders = JoinSet::new();
    for _ in 0..IN_FLIGHT {
        let (stage, next) = (Arc::clone(stage), Arc::clone(&next));
        senders.spawn(async move {
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= count {
                    return anyhow::Ok(());
                }
                match how {
                    How::Channel => stage.push(number).await?,
                    How::Bare => stage.push_bare(number).await?,
                }
            }
        });
    }
    while let Some(sender) = senders.join_next().await {
        sender.context("a sender")??;
    }
    Ok((begun.elapsed(), cpu(process::id())?.saturating_sub(processor)))
}

impl Stage {
    fn subscribed(&self, number: usize) -> Result<&Subscribed> {
        self.subscribed.get(number % self.subscribed.len()).context("no subscription")
    }

    /// As a lane does it: rendered for each delivery, and sent.
    async fn push(&self, number: usize) -> Result<()> {
        let message = self.channel.render(&view(&self.sheet, &self.body))?;
        let to = &self.subscribed(number)?.address;
        let sent = self.channel.send(&message, to, intent("bench")).await;
        ensure!(matches!(sent.outcome, Outcome::Accepted { .. }), "not taken: {sent:?}");
        Ok(())
    }

    /// The least: the keys are read, the message and the URL are there, and no header is set.
    async fn push_bare(&self, number: usize) -> Result<()> {
        let Subscribed { key, auth, .. } = self.subscribed(number)?;
        let sealed = encrypt(self.plaintext.to_vec(), key, auth)
            .map_err(|error| anyhow::anyhow!("not encrypted: {error}"))?;
        let mut request = Request::new(Method::POST, self.bare.clone());
        *request.body_mut() = Some(sealed.into());
        let answer = self.http.client().execute(request).await?;
        ensure!(answer.status() == StatusCode::CREATED, "not taken");
        answer.bytes().await?;
        Ok(())
    }
}

fn stage(given: &Value) -> Result<Stage> {
    let text = |value: &Value, name: &str| -> Result<String> {
        let text = value.get(name).and_then(Value::as_str).context("a field is missing")?;
        Ok(text.to_owned())
    };
    let mut subscribed = Vec::new();
    for one in given.get("subscriptions").and_then(Value::as_array).context("no subscriptions")? {
        let (url, key, auth) = (text(one, "url")?, text(one, "key")?, text(one, "auth")?);
        let point = PublicKey::from_sec1_bytes(&BASE64URL.decode(&key)?);
        let bytes: [u8; 16] = BASE64URL.decode(&auth)?.try_into().ok().context("auth")?;
        subscribed.push(Subscribed {
            address: Address { url: url.into(), secret: auth.into(), to: key.into() },
            key: point.ok().context("no point")?,
            auth: Auth::from(bytes),
        });
    }
    let mut options = WebPushOptions::new(Secret::new(KEY), "mailto:bench@keng.example.vn");
    options.allow_hosts = vec!["127.0.0.1".to_owned()];
    let channel = WebPush::new(&options, Guard::new(true))?;
    let sheet = sheet()?;
    let body = Body::of_alert(News::Issued, sheet.sent, &sheet, VERIFY);
    let plaintext = channel.render(&view(&sheet, &body))?.body;
    let bare = text(given, "bare")?.parse()?;
    Ok(Stage { channel, http: Http::new()?, sheet, body, subscribed, plaintext, bare })
}

fn view<'a>(sheet: &'a Sheet, body: &'a Body) -> View<'a> {
    View {
        told: Told {
            sheet,
            news: News::Issued,
            at: sheet.sent,
            from: "xã Hoằng Thịnh, tỉnh Thanh Hoá",
            verify_url: "https://keng.example.vn/v1/verify/0123456789",
        },
        body,
        delivery: Named { id: "bench", group: "g", commune: "15961", channel: "c" },
        photo: None,
        task_url: None,
        is_reminder: false,
    }
}

fn sheet() -> Result<Sheet> {
    Ok(Sheet {
        alert: AlertId::raised_by(RecordId::of_purpose("bench")),
        code: "0123456789".to_owned(),
        revision: 1,
        state: "active",
        facts: AlertFacts {
            kind: AlertKind::LostChild,
            status: AlertStatus::Actual,
            home: Home { province: "38".parse()?, commune: "15961".parse()? },
            reported_at: None,
            last_seen: None,
            travel: None,
            person: None,
            legal_basis: None,
            expires_at: Millis(1_795_343_400_000),
            reach: ReachRequest::Auto,
            dont_know: vec![],
        },
        text: AlertText {
            headline: "Tìm cháu bé 4 tuổi đi lạc gần nhà văn hoá thôn Tây Anh Vinh".to_owned(),
            ..AlertText::default()
        },
        sent: Millis(1_795_257_601_250),
    })
}

/// Every push arrived once, each that was looked at could be read, and few tokens were signed.
fn check(before: &Value, after: &Value, pushes: usize) -> Result<()> {
    let count = |counts: &Value, name: &str| counts.get(name).and_then(Value::as_u64);
    let came = |name: &str| count(after, name).zip(count(before, name)).map(|(a, b)| a - b);
    let pushes = u64::try_from(pushes)?;
    let are_all = came("taken") == Some(pushes) && came("bare") == Some(pushes);
    let are_good = count(after, "unreadable") == Some(0) && count(after, "refused") == Some(0);
    let read = count(after, "taken").map(|taken| taken.div_ceil(READ_EVERY as u64));
    ensure!(are_all && are_good && count(after, "read") == read, "it has counted {after}");
    Ok(())
}

/// What stands behind the rows.
#[allow(clippy::print_stdout, reason = "a program for a person at a terminal")]
fn tell(block: usize, ours: &Took, counts: &Value, services: f64) {
    let a_second = block as f64 * 1_000.0 / median_ms(&ours.clock);
    println!(
        "  {BLOCKS} pairs of blocks of {block}, {IN_FLIGHT} in flight, {SUBSCRIPTIONS} \
         subscriptions: {a_second:.0} pushes a second; the push service has counted {counts}, \
         and had {services:.0} MiB at most"
    );
}

/// The pair of blocks with the middle ratio, for one push of each: what else the machine does
/// meets both of a pair alike.
fn middle_pair_us(ours: &[Duration], bare: &[Duration], block: usize) -> (f64, f64) {
    let us = |took: &Duration| took.as_secs_f64() * 1e6 / block as f64;
    let mut pairs: Vec<(f64, f64)> = ours.iter().map(us).zip(bare.iter().map(us)).collect();
    pairs.sort_by(|one, other| (one.0 / one.1).total_cmp(&(other.0 / other.1)));
    pairs.get(pairs.len() / 2).copied().unwrap_or_default()
}

fn rows(block: usize, ours: &Took, bare: &Took, memory_mib: [f64; 3]) -> Vec<Row> {
    let row = |what: &str, (measured, floor): (f64, f64)| Row {
        what: what.to_owned(),
        disk: "none".to_owned(),
        measured,
        floor_is: "bare cryptography + bare POST".to_owned(),
        floor,
        unit: "µs",
        target: Target::AtMost(RATIO_MAX),
        rounds: ours.clock.len(),
    };
    let [first, now, most] = memory_mib;
    let pair = |ours: &[Duration], bare: &[Duration]| middle_pair_us(ours, bare, block);
    vec![
        row("a web push, by the clock", pair(&ours.clock, &bare.clock)),
        row("a web push, the sender's processor time", pair(&ours.processor, &bare.processor)),
        Row {
            floor_is: format!("after the warm-up; {now:.0} at the end"),
            unit: "MiB",
            target: Target::Shown,
            ..row(
                &format!("the sender's memory at most, {} pushes", block * ours.clock.len()),
                (most, first),
            )
        },
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pair_is_measured_against_itself() {
        let ms = |all: [u64; 3]| all.map(Duration::from_millis);
        // Twice, half, and as long as the bare one: a slow moment meets both.
        let (ours, half, same) = (ms([20, 5, 900]), ms([10, 10, 900]), 90_000.0);
        assert_eq!(middle_pair_us(&ours, &half, 10), (same, same));
        assert_eq!(middle_pair_us(&[], &[], 1), (0.0, 0.0));
    }
}
