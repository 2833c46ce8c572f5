//! Traces to standard error, metrics in memory, panics into the trace.
//!
//! No personal data in any field, message or label, ever: no names, addresses, headlines, free
//! text, exact places, tokens, secrets, URLs of channels; ids, codes, counts and times only.
//! Standard output is not used: it carries answers and the `ready` line.

use std::{
    backtrace::{Backtrace, BacktraceStatus},
    env,
    io::{IsTerminal, stderr},
    panic,
    sync::Arc,
    time::Duration,
};

use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle, PrometheusRecorder};
use tracing_subscriber::{EnvFilter, fmt::MakeWriter, layer::SubscriberExt};

use crate::{drain::Drain, exit::ConfigError};

pub(crate) const LOG: &str = "KENG_LOG";
pub(crate) const LOG_FORMAT: &str = "KENG_LOG_FORMAT";

/// Upper bounds in seconds: from a memory access to the patience of an officer.
const BUCKETS_S: [f64; 16] = [
    0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0,
    10.0, 30.0,
];

/// Histograms keep every sample until it is counted.
const UPKEEP_EVERY_MS: u64 = 5_000;

/// The metrics of the process, to be rendered. Cloning gives the same ones.
#[derive(Clone)]
pub struct Metrics {
    handle: PrometheusHandle,
    /// The recorder, where it is not the global one.
    detached: Option<Arc<PrometheusRecorder>>,
}

/// Begins to trace and to count, and sends panics into the trace. Once a process.
///
/// # Errors
/// Where `KENG_LOG` or `KENG_LOG_FORMAT` is wrong, or it was called before.
pub fn start() -> Result<Metrics, ConfigError> {
    let filter = filter_of(env::var(LOG).ok().as_deref())?;
    let json = json_of(env::var(LOG_FORMAT).ok().as_deref(), stderr().is_terminal())?;
    tracing::dispatcher::set_global_default(dispatch(filter, json, stderr))
        .map_err(|error| ConfigError::Wrong { name: LOG, why: error.to_string() })?;
    panic::set_hook(Box::new(log_panic));
    let recorder = recorder();
    let handle = recorder.handle();
    metrics::set_global_recorder(recorder)
        .map_err(|error| ConfigError::Wrong { name: "metrics", why: error.to_string() })?;
    Ok(Metrics { handle, detached: None })
}

impl Metrics {
    /// Metrics of their own, not those of the process; for tests and benches.
    #[must_use]
    pub fn detached() -> Self {
        let recorder = Arc::new(recorder());
        Self { handle: recorder.handle(), detached: Some(recorder) }
    }

    /// Does `work`, with what it counts on this thread going here where these are detached.
    pub fn record<T>(&self, work: impl FnOnce() -> T) -> T {
        match &self.detached {
            Some(recorder) => metrics::with_local_recorder(recorder.as_ref(), work),
            None => work(),
        }
    }

    /// The text that Prometheus reads.
    #[must_use]
    pub fn render(&self) -> String {
        self.handle.render()
    }

    /// Keeps the memory of the histograms bounded, until the process drains.
    pub fn keep_up(&self, drain: &Drain) {
        let (handle, draining) = (self.handle.clone(), drain.token());
        drain.spawn("metrics", async move {
            loop {
                tokio::select! {
                    () = draining.cancelled() => return,
                    () = tokio::time::sleep(Duration::from_millis(UPKEEP_EVERY_MS)) => {}
                }
                handle.run_upkeep();
            }
        });
    }
}

fn recorder() -> PrometheusRecorder {
    // Only an empty list of buckets is refused.
    let builder = PrometheusBuilder::new().set_buckets(&BUCKETS_S).unwrap_or_default();
    builder.build_recorder()
}

fn filter_of(text: Option<&str>) -> Result<EnvFilter, ConfigError> {
    EnvFilter::try_new(text.filter(|text| !text.is_empty()).unwrap_or("info"))
        .map_err(|error| ConfigError::Wrong { name: LOG, why: error.to_string() })
}

fn json_of(text: Option<&str>, terminal: bool) -> Result<bool, ConfigError> {
    match text {
        None | Some("") => Ok(!terminal),
        Some("json") => Ok(true),
        Some("text") => Ok(false),
        Some(other) => {
            Err(ConfigError::Wrong { name: LOG_FORMAT, why: format!("{other:?}: json, text") })
        }
    }
}

fn dispatch<W>(filter: EnvFilter, json: bool, writer: W) -> tracing::Dispatch
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let registry = tracing_subscriber::registry().with(filter);
    let format = tracing_subscriber::fmt::layer().with_writer(writer);
    if json {
        registry.with(format.json().flatten_event(true)).into()
    } else {
        registry.with(format.with_ansi(stderr().is_terminal())).into()
    }
}

/// A message that was formatted may hold what it stumbled over (a piece of a headline, say) and
/// stays out of the trace; the place is enough to find it.
fn log_panic(info: &panic::PanicHookInfo<'_>) {
    let message = info.payload().downcast_ref::<&'static str>().copied().unwrap_or("(withheld)");
    let place = info.location().map(ToString::to_string).unwrap_or_default();
    let thread = std::thread::current();
    let backtrace = Backtrace::capture();
    let backtrace =
        (backtrace.status() == BacktraceStatus::Captured).then(|| backtrace.to_string());
    metrics::counter!("keng_panics_total").increment(1);
    tracing::error!(message, place, thread = thread.name(), backtrace, "panic");
}

#[cfg(test)]
mod tests {
    use std::{
        io::{self, Write},
        sync::{Mutex, PoisonError},
    };

    use super::*;

    #[derive(Clone, Default)]
    struct Written(Arc<Mutex<Vec<u8>>>);

    impl Write for Written {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap_or_else(PoisonError::into_inner).write(bytes)
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn traces_are_json_with_their_fields() {
        let written = Written::default();
        let writer = written.clone();
        let dispatch = dispatch(filter_of(None).unwrap(), true, move || writer.clone());
        tracing::dispatcher::with_default(&dispatch, || {
            tracing::info!(commune = "25126", "relayed");
            tracing::debug!("not shown");
        });
        let lines = String::from_utf8(written.0.lock().unwrap().clone()).unwrap();
        assert_eq!(lines.lines().count(), 1);
        let line: serde_json::Value = serde_json::from_str(&lines).unwrap();
        assert_eq!((&line["commune"], &line["message"]), (&"25126".into(), &"relayed".into()));
    }

    #[test]
    fn wrong_variables_are_said() {
        assert!(json_of(None, false).unwrap());
        assert!(!json_of(None, true).unwrap());
        assert!(!json_of(Some("text"), false).unwrap());
        assert!(json_of(Some("xml"), false).unwrap_err().to_string().contains(LOG_FORMAT));
        assert!(filter_of(Some("keng=loud=very")).is_err());
    }
}
