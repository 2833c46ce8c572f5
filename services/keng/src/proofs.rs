//! Between machines: the audit's tree is shown to the others, a process says how it stands with
//! the proofs of what it said, and what a broker had lost gets a record.

use std::{sync::Arc, time::Duration};

use audit::Audit;
use bytes::Bytes;
use chassis::Host;
use domain::{
    ids::{EntityName, Home, RecordId},
    loss::Losses,
};
use event_log::{
    Class, Key,
    shell::{Answers, Ask, ExecuteError, Shell},
};
use event_log_nats::{Loss, NatsLog, Proofs};

/// How soon a loss that could not be recorded is tried again.
const RETRY: Duration = Duration::from_secs(5);

const BANNER: &str = "proofs";
const LOST_BANNER: &str = "broker-loss";

/// Does all three where there is a broker, until the process drains.
pub(crate) fn attend(log: Option<&Arc<NatsLog>>, host: &Host, audit: Option<&Audit>) {
    let Some(log) = log else { return };
    if let Some((key, show)) = audit.and_then(Audit::show) {
        log.show_tree(key, Arc::new(show));
    }
    let (log_, host_) = (Arc::clone(log), host.clone());
    until_drained(host, "proofs", async move { say(&log_, &host_).await });
    let (log_, host_) = (Arc::clone(log), host.clone());
    until_drained(host, "losses", async move { record(&log_, &host_).await });
}

fn until_drained(host: &Host, name: &'static str, task: impl Future<Output = ()> + Send + 'static) {
    let stop = host.drain.token();
    host.drain.spawn(name, async move {
        tokio::select! { () = task => {}, () = stop.cancelled() => {} }
    });
}

/// Shows how it stands with the proofs, for ever.
async fn say(log: &NatsLog, host: &Host) {
    let mut proofs = log.proofs();
    loop {
        let text = match &*proofs.borrow_and_update() {
            Proofs::Unknown | Proofs::Current => None,
            Proofs::Late(records) => Some(format!(
                "{records} bản ghi chưa vào nhật ký kiểm toán; báo động vẫn hoạt động / \
                 {records} records are not in the audit log yet; alerts go on"
            )),
            Proofs::Silent(records) => Some(format!(
                "kiểm toán không trả lời, {records} bản ghi chưa được chứng minh; báo động vẫn \
                 hoạt động / no audit answers, {records} records are not proven; alerts go on"
            )),
            Proofs::Wrong(why) => Some(format!(
                "nhật ký kiểm toán không khớp với nhật ký đã thấy; báo động vẫn hoạt động / \
                 the audit log is not the one that was seen before; alerts go on: {why}"
            )),
        };
        host.health.banner(BANNER, text);
        if proofs.changed().await.is_err() {
            return;
        }
    }
}

/// Has each loss recorded in the log, for ever.
async fn record(log: &NatsLog, host: &Host) {
    let shell = Shell::new(Arc::clone(&host.log));
    loop {
        let loss = log.lost().await;
        let records = loss.what.sent + loss.what.recovered + loss.what.gone;
        let text = format!(
            "máy chủ NATS đã làm mất {records} bản ghi; đã gửi lại, xem nhật ký / \
             the broker had lost {records} records; they were sent again, see the log"
        );
        host.health.banner(LOST_BANNER, Some(text));
        match record_one(&shell, host, &loss).await {
            Ok(()) => log.recorded(&loss),
            Err(why) => {
                tracing::warn!(%why, "a loss is not recorded yet");
                tokio::time::sleep(RETRY).await;
            }
        }
    }
}

async fn record_one(shell: &Shell<Losses>, host: &Host, loss: &Loss) -> Result<(), ExecuteError> {
    let instance = &host.instance;
    let unavailable = |why: &dyn std::fmt::Display| ExecuteError::Unavailable(why.to_string());
    let entity = EntityName::losses(instance).map_err(|why| unavailable(&why))?;
    let (number, at) = (loss.number, loss.what.noticed_at.0);
    let ask = Ask {
        // An observation, as receipts are: nobody asked for it.
        key: Key { class: Class::Receipt, home: Home::NATION, entity },
        cause: RecordId::of_purpose(&format!("loss/{instance}/{number}/{at}")),
        correlation: Bytes::new(),
        actor: wire::actor::service("keng"),
        command: loss.what.clone(),
        now: host.clock.now(),
        map: Bytes::new(),
        sealing: None,
        answers: Answers::Observation,
        fresh: false,
    };
    shell.execute(ask, |_, _| ()).await.map(|_| ())
}
