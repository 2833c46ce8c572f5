//! The audit with a real witness: cosigned and published, away for a while, and refused where the
//! history is another than the witness knows.

use std::{
    fs,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use audit::{Anchors, Replayer};
use axum::{
    Router,
    body::{Body, to_bytes},
    extract::Request,
    http::StatusCode,
    middleware::{self, Next},
    response::IntoResponse,
    routing::post,
};
use chassis::{Drain, Health, SystemClock};
use event_log::{EventLog, memory::MemoryLog};
use merkle::{LogKey, SignedCheckpoint, VerifierKey, WitnessKey};
use stand_ins::served::Served;
use tempfile::TempDir;
use tlog::check::{Beside, Keys, whole};
use tower::ServiceExt;
use witness::{Options, Witness, router};

use crate::{
    routes,
    stage::{Stage, append},
    tree::{cases, folder, signed},
};

const PATIENCE: Duration = Duration::from_secs(30);

/// An installation's directory with a key, and a witness that knows it.
struct Town {
    dir: TempDir,
    folder: TempDir,
    log: VerifierKey,
    witness: VerifierKey,
    served: Served,
    is_away: Arc<AtomicBool>,
}

impl Town {
    async fn with_a_witness() -> Self {
        let (dir, folder) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let log = LogKey::from_seed("keng.example.vn", &[7; 32]).unwrap();
        fs::create_dir(dir.path().join("audit-signed")).unwrap();
        fs::write(dir.path().join("audit-signed/key"), log.secret_text()).unwrap();
        let health = Health::new(&[]);
        let witness = Witness::open(Options {
            dir: folder.path().to_owned(),
            name: "nhan-chung.example.vn".to_owned(),
            logs: vec![log.verifier().clone()],
            clock: Arc::new(SystemClock),
            drain: Drain::new(health.clone()),
            health,
        })
        .unwrap();
        let key = witness.key().clone();
        let is_away = Arc::new(AtomicBool::new(false));
        let gate = Arc::clone(&is_away);
        let away = middleware::from_fn(move |request: Request, next: Next| {
            let is_away = gate.load(Ordering::Acquire);
            async move {
                match is_away {
                    true => StatusCode::SERVICE_UNAVAILABLE.into_response(),
                    false => next.run(request).await,
                }
            }
        });
        let served = Served::start(router(witness).layer(away)).await.unwrap();
        let log = log.verifier().clone();
        Self { dir, folder, log, witness: key, served, is_away }
    }

    fn anchors(&self) -> Anchors {
        anchors(&self.folder, &self.witness, &self.served.url())
    }

    fn begin(&self, log: Arc<MemoryLog>) -> Stage {
        let log: Arc<dyn EventLog> = log;
        let clock = Arc::new(SystemClock);
        Stage::begin_with(log, self.dir.path(), &self.anchors(), clock).unwrap()
    }

    /// The published checkpoint of so many entries, when the witness has cosigned it.
    async fn cosigned(&self, stage: &Stage, size: u64) -> SignedCheckpoint {
        let mut signed = stage.audit.subscribe_signed().unwrap();
        let is_cosigned = |checkpoint: &Option<Arc<SignedCheckpoint>>| {
            checkpoint.as_ref().is_some_and(|it| {
                it.checkpoint().size() >= size && it.verify([&self.witness]).is_ok()
            })
        };
        let found = tokio::time::timeout(PATIENCE, signed.wait_for(is_cosigned)).await;
        let found = found.unwrap().unwrap().clone().unwrap();
        assert_eq!(published(self.dir.path()), *found);
        let lines: Vec<_> = found.note().signatures().iter().map(|line| line.name()).collect();
        assert_eq!(lines, ["keng.example.vn", "nhan-chung.example.vn"]);
        SignedCheckpoint::clone(&found)
    }

    /// What the witness has cosigned last.
    fn known(&self) -> u64 {
        let logs = fs::read_dir(self.folder.path().join("logs")).unwrap().next().unwrap().unwrap();
        let kept = fs::read(logs.path().join("checkpoint")).unwrap();
        SignedCheckpoint::parse(&kept).unwrap().checkpoint().size()
    }
}

fn anchors(folder: &TempDir, witness: &VerifierKey, url: &str) -> Anchors {
    let path = folder.path().join("policy");
    fs::write(&path, format!("witness tinh {witness} {url}\nquorum tinh\n")).unwrap();
    Anchors::read(Some(&path), None).unwrap()
}

fn published(dir: &Path) -> SignedCheckpoint {
    SignedCheckpoint::parse(&fs::read(dir.join("tlog/checkpoint")).unwrap()).unwrap()
}

fn signed_size(dir: &Path) -> u64 {
    let signed = fs::read(dir.join("audit-signed/checkpoint")).unwrap();
    SignedCheckpoint::parse(&signed).unwrap().checkpoint().size()
}

async fn unsigned(stage: &Stage) {
    let mut changes = stage.host.health.subscribe();
    let is_said =
        || stage.host.health.banners().iter().any(|banner| banner.contains("no longer signed"));
    let waiting = async {
        while !is_said() {
            changes.changed().await;
        }
    };
    tokio::time::timeout(PATIENCE, waiting).await.unwrap();
}

/// Copies a folder with all that is in it.
fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        match entry.file_type().unwrap().is_dir() {
            true => copy(&entry.path(), &to),
            false => drop(fs::copy(entry.path(), to).unwrap()),
        }
    }
}

#[tokio::test]
async fn each_checkpoint_is_cosigned_and_published_and_the_log_is_whole() {
    let town = Town::with_a_witness().await;
    let log = Arc::new(MemoryLog::new());
    let records = cases(0..80);
    append(&*log, &records[..4]).await;
    let stage = town.begin(log.clone());
    let first = town.cosigned(&stage, 4).await;
    append(&*log, &records[4..300]).await;
    town.cosigned(&stage, 300).await;
    stage.end().await;
    assert_eq!((first.checkpoint().size(), town.known()), (4, 300));

    // After a restart the lines are still there, and the next ones follow.
    let stage = town.begin(log.clone());
    town.cosigned(&stage, 300).await;
    append(&*log, &records[300..]).await;
    town.cosigned(&stage, 320).await;
    stage.end().await;
    let witnesses = [town.witness.clone()];
    let keys = Keys { log: &town.log, witnesses: &witnesses };
    let folder = folder(town.dir.path());
    let narrow = folder.files().unwrap().into_iter().filter(|path| path.contains(".p/")).collect();
    let beside = Beside { signatures: false, files: narrow };
    let found = whole(&folder, keys, &beside, |_, _| Ok(())).unwrap();
    assert_eq!(found.signers, ["keng.example.vn", "nhan-chung.example.vn"]);
}

#[tokio::test]
async fn whoever_asks_for_the_keys_has_those_of_the_witnesses_too() {
    let town = Town::with_a_witness().await;
    let log = Arc::new(MemoryLog::new());
    append(&*log, &cases(0..1)).await;
    let stage = town.begin(log.clone());
    let cosigned = town.cosigned(&stage, 4).await;
    let keys = format!("{}\n{}\n", town.log, town.witness);
    let routes = routes::router(&stage, Replayer::Audit(stage.audit.clone()));
    let asked = Request::get("/v1/audit/key").body(Body::empty()).unwrap();
    let said = routes.oneshot(asked).await.unwrap().into_body();
    assert_eq!(to_bytes(said, 1_000).await.unwrap(), keys);
    stage.end().await;
    // As it lies there when no process runs, too, without a line whose key is not said.
    let read = audit::read_only(town.dir.path()).unwrap();
    assert_eq!(*read.subscribe_signed().unwrap().borrow().clone().unwrap(), cosigned);
    drop(read);
    fs::remove_file(town.dir.path().join("audit-signed/witnesses")).unwrap();
    let read = audit::read_only(town.dir.path()).unwrap();
    let bare = read.subscribe_signed().unwrap().borrow().clone().unwrap();
    let lines: Vec<_> = bare.note().signatures().iter().map(|line| line.name()).collect();
    assert_eq!(lines, ["keng.example.vn"]);
}

#[tokio::test]
async fn where_yesterdays_copy_of_everything_was_restored_the_witness_stops_the_signing() {
    let town = Town::with_a_witness().await;
    let records = cases(0..3);
    let log = Arc::new(MemoryLog::new());
    append(&*log, &records[..4]).await;
    let stage = town.begin(log.clone());
    town.cosigned(&stage, 4).await;
    stage.end().await;
    let yesterday = tempfile::tempdir().unwrap();
    copy(town.dir.path(), yesterday.path());
    append(&*log, &records[4..]).await;
    let stage = town.begin(log);
    town.cosigned(&stage, 12).await;
    stage.end().await;

    fs::remove_dir_all(town.dir.path()).unwrap();
    copy(yesterday.path(), town.dir.path());
    let restored = Arc::new(MemoryLog::new());
    append(&*restored, &records[..4]).await;
    append(&*restored, &cases(7..9)).await;
    let stage = town.begin(restored.clone());
    unsigned(&stage).await;
    stage.holds(12).await;
    append(&*restored, &cases(10..11)).await;
    stage.holds(16).await;
    assert!(stage.host.health.readiness().ready, "alerts go on");
    stage.end().await;
    // It was asked before anything more was signed.
    assert_eq!(signed_size(town.dir.path()), 4);
    assert_eq!(published(town.dir.path()).checkpoint().size(), 4);
    let refused = fs::read_to_string(town.dir.path().join("audit-signed/refused")).unwrap();
    assert!(refused.contains("nhan-chung.example.vn: it has cosigned 12 entries"), "{refused}");
    assert!(refused.contains("this log's own key signed:\nkeng.example.vn\n12\n"), "{refused}");

    // Nor does another start sign, while the witness is away and nobody has looked.
    town.is_away.store(true, Ordering::Release);
    let stage = town.begin(restored);
    stage.holds(16).await;
    unsigned(&stage).await;
    assert!(stage.audit.subscribe_signed().is_none());
    stage.end().await;
    assert_eq!(signed_size(town.dir.path()), 4);
}

#[tokio::test]
async fn a_history_that_went_another_way_meanwhile_is_refused() {
    let town = Town::with_a_witness().await;
    let log = Arc::new(MemoryLog::new());
    append(&*log, &cases(0..2)).await;
    let stage = town.begin(log);
    town.cosigned(&stage, 8).await;
    stage.end().await;
    for name in ["audit", "tlog", "audit-signed/checkpoint"] {
        let path = town.dir.path().join(name);
        if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) }.unwrap();
    }
    // Another log under the same key grows past what the witness knows, while it is away.
    town.is_away.store(true, Ordering::Release);
    let other = Arc::new(MemoryLog::new());
    append(&*other, &cases(5..9)).await;
    let stage = town.begin(other.clone());
    signed(&stage, 16).await;
    town.is_away.store(false, Ordering::Release);
    unsigned(&stage).await;
    append(&*other, &cases(9..10)).await;
    stage.holds(20).await;
    stage.end().await;
    let refused = fs::read_to_string(town.dir.path().join("audit-signed/refused")).unwrap();
    assert!(refused.contains("it knows another history of 8 entries"), "{refused}");
    assert_eq!((signed_size(town.dir.path()), town.known()), (16, 8));
}

#[tokio::test]
async fn a_witness_that_is_away_stops_nothing_and_catches_up() {
    let town = Town::with_a_witness().await;
    town.is_away.store(true, Ordering::Release);
    let log = Arc::new(MemoryLog::new());
    let records = cases(0..3);
    append(&*log, &records[..4]).await;
    let stage = town.begin(log.clone());
    signed(&stage, 4).await;
    append(&*log, &records[4..]).await;
    let bare = signed(&stage, 12).await;
    assert_eq!(bare.note().signatures().len(), 1);
    assert!(stage.host.health.banners().is_empty());
    town.is_away.store(false, Ordering::Release);
    town.cosigned(&stage, 12).await;
    stage.end().await;
    assert_eq!(town.known(), 12);
}

#[tokio::test]
async fn what_is_no_cosignature_of_the_witness_is_not_published() {
    let town = Town::with_a_witness().await;
    let other = WitnessKey::from_seed("nhan-chung.example.vn", &[3; 32]).unwrap();
    let asked = Arc::new(AtomicBool::new(false));
    let seen = Arc::clone(&asked);
    let claimed = town.witness.clone();
    let liar = post(async move |body: String| {
        let (_, note) = body.split_once("\n\n").unwrap();
        let checkpoint = SignedCheckpoint::parse(note.as_bytes()).unwrap();
        let line = other.cosign(checkpoint.checkpoint(), 1_800_000_000).unwrap();
        seen.store(true, Ordering::Release);
        assert!(!line.is_by(&claimed));
        format!("{line}\n")
    });
    let served = Served::start(Router::new().route("/add-checkpoint", liar)).await.unwrap();
    let anchors = anchors(&town.folder, &town.witness, &served.url());
    let log = Arc::new(MemoryLog::new());
    append(&*log, &cases(0..1)).await;
    let clock = Arc::new(SystemClock);
    let stage = Stage::begin_with(log.clone(), town.dir.path(), &anchors, clock).unwrap();
    signed(&stage, 4).await;
    let asking = async {
        while !asked.load(Ordering::Acquire) {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, asking).await.unwrap();
    append(&*log, &cases(1..2)).await;
    signed(&stage, 8).await;
    stage.end().await;
    assert_eq!(published(town.dir.path()).note().signatures().len(), 1);
}
