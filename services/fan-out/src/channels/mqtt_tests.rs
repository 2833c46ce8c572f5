//! The channels against a real broker on loopback, with real devices on it.

use std::{
    io::Write,
    net::{Ipv4Addr, SocketAddr},
};

use domain::values::News;
use rumqttc::v5::mqttbytes::{
    QoS,
    v5::{ConnAckProperties, ConnectReturnCode},
};
use stand_ins::{
    certificate,
    mqtt_broker::{Broker, Reply, Seen, Welcome},
    mqtt_device::{Deed, Device as Apparatus},
};
use tokio::{net::TcpListener, sync::mpsc};

use super::*;
use crate::channels::{Inbound, Level, address::Guard, http::Http, testing};

const SEED: &str = "nWGxne/9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A=";
const NOW_S: i64 = 1_795_257_600;
const DEVICE: &str = "vn/15961/loa-1";
const DELIVERY: &str = "a:1:g:c";
/// As in earnest, but soon back.
const QUICK: Pace = Pace { first_pause_ms: 1, pause_ms_max: 8, ..PACE };

type Inbox = mpsc::Receiver<(Arc<str>, Inbound)>;

/// An account, and what comes in by it.
struct Bench {
    loudspeaker: Mqtt,
    board: Mqtt,
    inbox: Inbox,
}

fn settings(address: SocketAddr) -> Settings {
    Settings {
        host: address.ip().to_string(),
        port: Some(address.port()),
        tls: Some(false),
        plain: false,
        ca: None,
        user: Some("keng".to_owned()),
        password: Some(Secret::new("s3cret")),
        client_id: None,
        key: Secret::new(SEED),
        topics: None,
    }
}

fn tools(room: usize) -> (Tools, Inbox) {
    let (receipts, inbox) = mpsc::channel(room);
    let tools = Tools {
        http: Http::new().unwrap(),
        guard: Guard::new(true),
        folder: PathBuf::new(),
        public_url: String::new(),
        receipts,
    };
    (tools, inbox)
}

fn account(settings: &Settings, pace: Pace, word_ms: u64, room: usize) -> Bench {
    let (tools, inbox) = tools(room);
    let [loudspeaker, board] = opened("loa-xa", settings, &tools, pace, word_ms).unwrap();
    Bench { loudspeaker, board, inbox }
}

fn at(broker: &Broker) -> Bench {
    account(&settings(broker.address), QUICK, WORD_MS_MAX, 64)
}

/// A device that listens.
async fn device(broker: &Broker, to: &str) -> Apparatus {
    let profile = Profile::new(SEED, "vn").unwrap();
    let (key_id, key) = (profile.key_id(), profile.public_key());
    let mut device = Apparatus::start(broker.address, to, key_id, &key, NOW_S);
    assert_eq!(device.next().await, Some(Deed::Ready));
    device
}

/// Our own subscription, seen at the broker.
async fn listening(broker: &Broker) {
    let ours = |seen| match seen {
        Seen::Subscribed(paths) => (paths == ["vn/+/+/ack"]).then_some(()),
        _ => None,
    };
    broker.until(ours).await.unwrap();
}

async fn left(broker: &Broker) -> bool {
    let left = |seen| match seen {
        Seen::Left { politely } => Some(politely),
        _ => None,
    };
    broker.until(left).await.unwrap()
}

fn rendered(mqtt: &Mqtt, news: News, revision: u64) -> Rendered {
    let mut sheet = testing::sheet();
    sheet.revision = revision;
    let body = testing::body(&sheet);
    mqtt.render(&testing::view(&sheet, &body, news)).unwrap()
}

async fn tell(mqtt: &Mqtt, delivery: &str, news: News, revision: u64) -> Sent {
    let message = rendered(mqtt, news, revision);
    let intent = Intent { revision, ..testing::intent(delivery, NOW_S) };
    mqtt.send(&message, &testing::to("loa-1"), intent).await
}

async fn send(mqtt: &Mqtt) -> Sent {
    tell(mqtt, DELIVERY, News::Issued, 1).await
}

fn accepted() -> Sent {
    let provider_id = Some(DELIVERY.to_owned());
    Sent::with(Outcome::Accepted { provider_id }, 0_u32)
}

fn retry(why: &'static str) -> Outcome {
    Outcome::Retry { after_s: None, why }
}

fn unknown(why: &'static str) -> Outcome {
    Outcome::Unknown { after_s: None, why }
}

fn down(code: &'static str) -> Outcome {
    Outcome::ChannelDown { code: code.into() }
}

async fn receipts(inbox: &mut Inbox, count: usize) -> Vec<Level> {
    let mut levels = vec![];
    for _ in 0..count {
        let (account, inbound) = inbox.recv().await.unwrap();
        let Inbound::Receipt { provider_id, level, .. } = inbound else { panic!("{inbound:?}") };
        assert_eq!((&*account, provider_id.as_str()), ("loa-xa", DELIVERY));
        levels.push(level);
    }
    levels
}

#[tokio::test]
async fn a_loudspeaker_speaks_once_however_often_it_is_told() {
    let broker = Broker::start().await.unwrap();
    let mut device = device(&broker, DEVICE).await;
    let mut bench = at(&broker);
    assert_eq!(send(&bench.loudspeaker).await, accepted());
    let Some(Deed::Played(text, 3)) = device.next().await else { panic!("not played") };
    assert!(text.starts_with("TÌM TRẺ LẠC: Tìm cháu bé 4 tuổi đi lạc\n"), "{text}");
    assert_eq!(receipts(&mut bench.inbox, 3).await, [Level::Delivered; 3]);

    // Another attempt, and the broker's own repeat: neither is heard, and the first is answered.
    assert_eq!(send(&bench.loudspeaker).await, accepted());
    assert_eq!(device.next().await, Some(Deed::Repeated));
    assert_eq!(receipts(&mut bench.inbox, 1).await, [Level::Delivered]);
    broker.redeliver();
    assert_eq!(device.next().await, Some(Deed::Repeated));

    let closed = tell(&bench.loudspeaker, "a:2:g:c", News::Cancelled, 2).await;
    assert_eq!(closed.outcome.trouble(), "");
    let Some(Deed::Played(text, 1)) = device.next().await else { panic!("not played") };
    assert!(text.contains("ĐÃ THU HỒI"), "{text}");
    assert!(broker.retained().keys().all(|topic| topic.ends_with("/status")));
}

#[tokio::test]
async fn a_message_says_how_long_it_holds_and_asks_to_be_acknowledged() {
    let broker = Broker::start().await.unwrap();
    let _device = device(&broker, DEVICE).await;
    let bench = at(&broker);
    let message = rendered(&bench.loudspeaker, News::Issued, 1);
    let mut intent = testing::intent(DELIVERY, NOW_S);
    intent.expires_at = intent.now.plus_ms(90_900);
    bench.loudspeaker.send(&message, &testing::to("loa-1"), intent).await;
    let (client_id, login, clean_start) = broker
        .until(|seen| match seen {
            Seen::Connected { client_id, login, clean_start } if login.is_some() => {
                Some((client_id, login.unwrap(), clean_start))
            }
            _ => None,
        })
        .await
        .unwrap();
    assert_eq!((login.username.as_str(), login.password.as_str()), ("keng", "s3cret"));
    assert!(clean_start && client_id.starts_with("keng-") && client_id.len() <= 23);
    let published = broker.published().await.unwrap();
    assert_eq!((published.qos, published.retain, published.dup), (QoS::AtLeastOnce, false, false));
    assert_eq!(published.properties.unwrap().message_expiry_interval, Some(90));
    assert_eq!(published.topic, "vn/15961/loa-1/cmd");
}

#[tokio::test]
async fn a_board_that_comes_back_is_given_the_list() {
    let broker = Broker::start().await.unwrap();
    let bench = at(&broker);
    // The board is not there yet: the broker keeps it, and nobody may say that it never comes.
    let sent = send(&bench.board).await;
    assert_eq!(sent, Sent::with(unknown("no-subscriber"), 0x10_u32));
    let mut device = device(&broker, DEVICE).await;
    let alert = testing::sheet().alert.to_string();
    let Some(Deed::Shown(shown, text)) = device.next().await else { panic!("not shown") };
    assert_eq!(shown, alert);
    assert!(text.starts_with("TÌM TRẺ LẠC: "), "{text}");

    let cleared = tell(&bench.board, "a:2:g:c", News::Resolved, 2).await;
    assert!(matches!(cleared.outcome, Outcome::Accepted { .. }));
    assert_eq!(device.next().await, Some(Deed::Cleared(alert.clone())));
    // What is late is known to be late.
    assert_eq!(tell(&bench.board, "a:1:g:d", News::Issued, 1).await.outcome.trouble(), "");
    assert_eq!(device.next().await, Some(Deed::Declined("overtaken")));
}

#[tokio::test]
async fn a_reason_says_what_is_known() {
    use PubAckReason as Reason;
    let broker = Broker::start().await.unwrap();
    let bench = at(&broker);
    let permanent = |code: &'static str| Outcome::Permanent { code: code.into() };
    for (reason, outcome, status) in [
        (Reason::Success, accepted().outcome, 0x00_u32),
        (Reason::NoMatchingSubscribers, retry("no-subscriber"), 0x10),
        (Reason::UnspecifiedError, retry("broker"), 0x80),
        (Reason::ImplementationSpecificError, retry("broker"), 0x83),
        (Reason::NotAuthorized, retry("not-authorised"), 0x87),
        (Reason::TopicNameInvalid, permanent("topic"), 0x90),
        (Reason::PacketIdentifierInUse, retry("packet-id"), 0x91),
        (Reason::QuotaExceeded, retry("quota"), 0x97),
        (Reason::PayloadFormatInvalid, permanent("payload"), 0x99),
    ] {
        broker.reply([Reply::Refused(reason)]);
        assert_eq!(send(&bench.loudspeaker).await, Sent::with(outcome, status), "{reason:?}");
    }
    assert_eq!(send(&bench.loudspeaker).await.outcome, retry("no-subscriber"));
}

#[tokio::test]
async fn who_is_cut_off_before_the_acknowledgement_does_not_know() {
    let broker = Broker::start().await.unwrap();
    let mut device = device(&broker, DEVICE).await;
    let bench = at(&broker);
    listening(&broker).await;
    broker.reply([Reply::CutWhenTaken]);
    assert_eq!(send(&bench.loudspeaker).await.outcome, unknown("reset"));
    assert!(matches!(device.next().await, Some(Deed::Played(..))));
    listening(&broker).await;
    // The library would have sent the first again by now; the next that comes is our own.
    assert!(matches!(
        tell(&bench.loudspeaker, "a:2:g:c", News::Corrected, 2).await.outcome,
        Outcome::Accepted { .. }
    ));
    let next = loop {
        let next = broker.published().await.unwrap();
        if next.topic.ends_with(b"/cmd") {
            break next;
        }
    };
    assert!(!next.dup && String::from_utf8_lossy(&next.payload).contains("a:2:g:c"));
    assert!(matches!(device.next().await, Some(Deed::Played(..))));
}

#[tokio::test]
async fn a_word_that_does_not_come_is_not_waited_for_any_longer() {
    let broker = Broker::start().await.unwrap();
    broker.reply([Reply::Unanswered]);
    let promises = ConnAckProperties { receive_max: Some(1), ..properties() };
    broker.welcome([Welcome::Promised(Box::new(promises))]);
    let pace = Pace { owed_ms_max: 1_500, ..QUICK };
    let bench = account(&settings(broker.address), pace, 100, 64);
    listening(&broker).await;
    assert_eq!(send(&bench.loudspeaker).await.outcome, unknown("timeout"));
    // The one place is still taken: nothing more is written, and so it is known.
    assert_eq!(send(&bench.loudspeaker).await.outcome, retry("busy"));
    // A broker that owes a word for too long is left.
    assert!(!left(&broker).await);
    listening(&broker).await;
    assert_eq!(send(&bench.loudspeaker).await.outcome, retry("no-subscriber"));
}

fn properties() -> ConnAckProperties {
    ConnAckProperties {
        session_expiry_interval: None,
        receive_max: None,
        max_qos: None,
        retain_available: None,
        max_packet_size: None,
        assigned_client_identifier: None,
        topic_alias_max: None,
        reason_string: None,
        user_properties: vec![],
        wildcard_subscription_available: None,
        subscription_identifiers_available: None,
        shared_subscription_available: None,
        server_keep_alive: None,
        response_information: None,
        server_reference: None,
        authentication_method: None,
        authentication_data: None,
    }
}

#[tokio::test]
async fn what_a_broker_cannot_is_not_asked_of_it() {
    let broker = Broker::start().await.unwrap();
    let promises = ConnAckProperties {
        max_packet_size: Some(2_000),
        retain_available: Some(0),
        server_keep_alive: Some(0),
        ..properties()
    };
    broker.welcome([Welcome::Promised(Box::new(promises))]);
    let bench = at(&broker);
    assert_eq!(send(&bench.board).await.outcome, down("keeps-nothing"));
    let mut sheet = testing::sheet();
    sheet.text.description = "dài ".repeat(500);
    let body = testing::body(&sheet);
    let view = testing::view(&sheet, &body, News::Issued);
    let message = bench.loudspeaker.render(&view).unwrap();
    let intent = testing::intent(DELIVERY, NOW_S);
    let sent = bench.loudspeaker.send(&message, &testing::to("loa-1"), intent).await;
    assert_eq!(sent.outcome, Outcome::Permanent { code: "too-long".into() });
    // On the same connection.
    assert_eq!(send(&bench.loudspeaker).await.outcome, retry("no-subscriber"));

    let broker = Broker::start().await.unwrap();
    let promises = ConnAckProperties { max_qos: Some(0), ..properties() };
    broker.welcome([Welcome::Promised(Box::new(promises))]);
    let bench = account(&settings(broker.address), PACE, WORD_MS_MAX, 64);
    assert_eq!(send(&bench.loudspeaker).await.outcome, down("no-qos-1"));
}

#[tokio::test]
async fn where_no_connection_comes_to_be_nothing_is_sent_and_nothing_later() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let bench = account(&settings(address), QUICK, WORD_MS_MAX, 64);
    assert_eq!(send(&bench.loudspeaker).await.outcome, retry("connect"));
    let broker = Broker::start_at(address).await.unwrap();
    listening(&broker).await;
    tell(&bench.loudspeaker, "a:2:g:c", News::Corrected, 2).await;
    let first = broker.published().await.unwrap();
    assert!(String::from_utf8_lossy(&first.payload).contains("a:2:g:c"));
}

#[tokio::test]
async fn a_broker_that_does_not_want_us_says_what_is_to_be_done() {
    use ConnectReturnCode as Code;
    for (code, outcome) in [
        (Code::BadUserNamePassword, down("not-authorised")),
        (Code::NotAuthorized, down("not-authorised")),
        (Code::Banned, down("not-authorised")),
        (Code::ClientIdentifierNotValid, down("client-id")),
        (Code::UnsupportedProtocolVersion, down("no-mqtt-5")),
        (Code::ServerMoved, down("moved")),
        (Code::ServerBusy, retry("refused")),
        (Code::ServerUnavailable, retry("refused")),
        (Code::ConnectionRateExceeded, retry("refused")),
    ] {
        let broker = Broker::start().await.unwrap();
        broker.welcome([Welcome::Refused(code)]);
        let bench = account(&settings(broker.address), PACE, WORD_MS_MAX, 64);
        assert_eq!(send(&bench.loudspeaker).await.outcome, outcome, "{code:?}");
    }
    let broker = Broker::start().await.unwrap();
    broker.welcome([Welcome::Cut]);
    let bench = account(&settings(broker.address), PACE, WORD_MS_MAX, 64);
    assert_eq!(send(&bench.loudspeaker).await.outcome, retry("connect"));
}

#[tokio::test]
async fn a_connection_comes_back_by_itself_and_ends_with_the_account() {
    let broker = Broker::start().await.unwrap();
    let bench = at(&broker);
    listening(&broker).await;
    for _ in 0..3 {
        broker.cut_all();
        assert!(!left(&broker).await);
        listening(&broker).await;
        assert_eq!(send(&bench.loudspeaker).await.outcome, retry("no-subscriber"));
    }
    assert_eq!(bench.loudspeaker.probe().await, Health::Works);
    let Bench { loudspeaker, board, .. } = bench;
    drop(loudspeaker);
    // One connection serves both.
    assert!(matches!(send(&board).await.outcome, Outcome::Unknown { .. }));
    let link = Arc::downgrade(&board.link);
    drop(board);
    assert!(link.upgrade().is_none());
    assert!(left(&broker).await);
}

#[tokio::test]
async fn who_may_not_hear_devices_can_speak_all_the_same() {
    let broker = Broker::start().await.unwrap();
    broker.welcome([Welcome::Deaf]);
    let bench = at(&broker);
    assert_eq!(send(&bench.loudspeaker).await.outcome, retry("no-subscriber"));
    assert!(crate::channels::TARGET_TROUBLES.contains(&"no-subscriber"));
    // An account that can speak is not left silent for what it does not hear.
    assert_eq!(bench.loudspeaker.probe().await, Health::Works);
}

#[tokio::test]
async fn answers_that_nobody_takes_wait_and_none_is_lost() {
    let broker = Broker::start().await.unwrap();
    let mut bench = account(&settings(broker.address), QUICK, WORD_MS_MAX, 1);
    listening(&broker).await;
    for number in 0..200 {
        broker.publish("vn/15961/loa-1/ack", format!("{number}"));
    }
    // The connection goes on meanwhile.
    assert_eq!(send(&bench.loudspeaker).await.outcome, retry("no-subscriber"));
    let mut acknowledged = 0;
    for _ in 0..200 {
        let (_, inbound) = bench.inbox.recv().await.unwrap();
        assert_eq!(inbound, Inbound::Ignored { event: "ack".to_owned() });
    }
    while acknowledged < 200 {
        let acknowledges = |seen| matches!(seen, Seen::Acknowledged).then_some(());
        broker.until(acknowledges).await.unwrap();
        acknowledged += 1;
    }
}

#[tokio::test]
async fn a_device_refuses_what_is_past_forged_or_meant_for_another() {
    let broker = Broker::start().await.unwrap();
    let mut one = device(&broker, DEVICE).await;
    let mut other = device(&broker, "vn/15961/loa-2").await;
    let mut bench = at(&broker);
    listening(&broker).await;
    one.now_s.store(NOW_S + 3_600, std::sync::atomic::Ordering::SeqCst);
    assert_eq!(send(&bench.loudspeaker).await, accepted());
    assert_eq!(one.next().await, Some(Deed::Declined("expired")));
    assert_eq!(receipts(&mut bench.inbox, 1).await, [Level::Failed]);

    one.now_s.store(NOW_S, std::sync::atomic::Ordering::SeqCst);
    let genuine = broker.published().await.unwrap().payload;
    broker.publish("vn/15961/loa-2/cmd", genuine.clone());
    assert_eq!(other.next().await, Some(Deed::Distrusted("to")));
    let text = String::from_utf8(genuine.to_vec()).unwrap();
    for (forged, why) in [
        (text.replace("113", "999"), "signature"),
        (text.replace("keng-mqtt-1 2", "keng-mqtt-1 3"), "key"),
        (text.replace("keng-mqtt-1", "keng-mqtt-0"), "head"),
        (text.split_once('\n').unwrap().1.to_owned(), "head"),
        (String::new(), "head"),
    ] {
        broker.publish("vn/15961/loa-1/cmd", forged);
        assert_eq!(one.next().await, Some(Deed::Distrusted(why)));
    }
    one.is_broken.store(true, std::sync::atomic::Ordering::SeqCst);
    assert_eq!(send(&bench.loudspeaker).await, accepted());
    assert_eq!(one.next().await, Some(Deed::Declined("broken")));
    assert_eq!(receipts(&mut bench.inbox, 2).await, [Level::Delivered, Level::Failed]);
}

#[tokio::test]
async fn nothing_leaves_after_its_end_or_to_no_device() {
    let broker = Broker::start().await.unwrap();
    let bench = at(&broker);
    let message = rendered(&bench.loudspeaker, News::Issued, 1);
    let intent = testing::intent(DELIVERY, NOW_S);
    let past = Intent { now: intent.expires_at, ..intent };
    let sent = bench.loudspeaker.send(&message, &testing::to("loa-1"), past).await;
    assert_eq!(sent.outcome, Outcome::Permanent { code: "expired".into() });
    let sent = bench.loudspeaker.send(&message, &testing::to("+"), intent).await;
    assert_eq!(sent.outcome, retry("address"));
    tell(&bench.loudspeaker, "a:2:g:c", News::Corrected, 2).await;
    let first = broker.published().await.unwrap();
    assert!(String::from_utf8_lossy(&first.payload).contains("a:2:g:c"));
}

#[tokio::test]
async fn tls_trusts_the_authorities_of_the_account_and_no_other() {
    let [ours, theirs] = [(); 2].map(|()| certificate::localhost().unwrap());
    let broker = Broker::start_with_tls(ours.acceptor).await.unwrap();
    for (pem, outcome) in [(ours.pem, retry("no-subscriber")), (theirs.pem, retry("tls"))] {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(pem.as_bytes()).unwrap();
        let settings = Settings {
            host: "localhost".to_owned(),
            tls: None,
            ca: Some(file.path().to_owned()),
            ..settings(broker.address)
        };
        let bench = account(&settings, PACE, WORD_MS_MAX, 64);
        assert_eq!(send(&bench.loudspeaker).await.outcome, outcome);
    }
}

#[tokio::test]
async fn an_account_that_is_set_wrongly_says_where() {
    let key = tempfile::NamedTempFile::new().unwrap();
    fs::write(key.path(), SEED).unwrap();
    let front = format!("key = {{ file = {:?} }}\n", key.path());
    for (rest, field) in [
        ("", "host"),
        ("host = \"broker.example.vn\"", "ca"),
        ("host = \"broker.example.vn\"\nca = \"/nowhere/at/all\"", "ca"),
        ("host = \"broker.example.vn\"\ntls = false", "tls"),
        ("host = \"mqtts://broker.example.vn\"", "host"),
        ("host = \"localhost\"\ntls = false\nuser = \"keng\"", "password"),
        ("host = \"localhost\"\ntls = false\nclient-id = \"much-too-long-a-name\"", "client-id"),
        ("host = \"localhost\"\ntls = false\ntopics = \"vn/x\"", "topics"),
        ("host = \"localhost\"\ntls = false\nretain = true", "retain"),
        ("host = \"localhost\"\ntls = false\npassword = \"s3cret\"", "password"),
    ] {
        let table: Table = toml::from_str(&format!("{front}{rest}")).unwrap();
        let why = open("loa-xa", table, &tools(1).0).err().unwrap();
        assert!(why.contains(field) && !why.contains(SEED), "{rest}: {why}");
    }
    for rest in
        ["host = \"127.0.0.1\"\ntls = false", "host = \"10.0.0.1\"\ntls = false\nplain = true"]
    {
        let table: Table = toml::from_str(&format!("{front}{rest}")).unwrap();
        let channels = open("loa-xa", table, &tools(1).0).unwrap();
        let types: Vec<_> = channels.iter().map(|channel| channel.caps().channel_type).collect();
        assert_eq!(types, [ChannelType::Loudspeaker, ChannelType::Led]);
    }
}

#[test]
fn without_a_runtime_no_account_is_opened() {
    let (tools, _inbox) = tools(1);
    let settings = settings(SocketAddr::from((Ipv4Addr::LOCALHOST, 1)));
    assert!(opened("loa-xa", &settings, &tools, PACE, 1).is_err());
}

#[tokio::test]
async fn nothing_sealed_is_in_debug_output() {
    let broker = Broker::start().await.unwrap();
    let bench = at(&broker);
    assert_eq!(format!("{:?}", bench.board), "Mqtt { device: Board, .. }");
}
