//! `keng witness`: a small server of its own, for whoever does not run the log that it watches.

use std::{net::SocketAddr, path::PathBuf, sync::Arc};

use chassis::{DataDir, Drain, Health, Kind, SystemClock, operators, telemetry};
use clap::Args;
use witness::{OpenError, Options, Witness, log_keys, router};

use crate::{Failed, feeds, open::wrong, serving};

#[derive(Debug, Args)]
pub(crate) struct WitnessArgs {
    /// Thư mục dữ liệu: khóa và các điểm đã đồng ký / Data directory: the key, what was cosigned
    #[arg(long, env = "KENG_DATA", value_name = "DIR", default_value = "keng-witness")]
    data: PathBuf,
    /// Địa chỉ HTTP / Address of HTTP
    #[arg(long, env = "KENG_HTTP", value_name = "ADDR", default_value = "127.0.0.1:8088")]
    http: SocketAddr,
    /// Tên của nhân chứng / Name of the witness, a URL without scheme, as witness.example.vn
    #[arg(long, env = "KENG_WITNESS_NAME", value_name = "NAME")]
    name: String,
    /// Khóa của nhật ký được theo dõi; dùng được nhiều lần / Key of a log that is watched, as
    /// the first line of `/v1/audit/key` shows it; may be repeated, in the variable with spaces
    /// between
    #[arg(
        long = "log",
        env = "KENG_WITNESS_LOGS",
        value_name = "VKEY",
        required = true,
        value_delimiter = ' '
    )]
    logs: Vec<String>,
}

/// Serves until the process is told to end.
pub(crate) async fn serve(args: WitnessArgs) -> Result<u8, Failed> {
    let logs = log_keys(&args.logs).map_err(|why| wrong("--log", why))?;
    let metrics = telemetry::start()?;
    let data = DataDir::open(&args.data, Kind::Real)?;
    let health = Health::new(&[]);
    let drain = Drain::new(health.clone());
    metrics.keep_up(&drain);
    drain.listen().map_err(|error| Failed::Trouble(error.into()))?;
    let options = Options {
        dir: data.path().to_owned(),
        name: args.name,
        logs,
        clock: Arc::new(SystemClock),
        health: health.clone(),
        drain: drain.clone(),
    };
    let witness = Witness::open(options).map_err(|why| match why {
        OpenError::Key(_) | OpenError::OtherName { .. } => wrong("--name", why),
        OpenError::File { .. } => Failed::Trouble(why.into()),
    })?;
    let key = witness.key().to_string();
    tracing::info!(key, "witness");
    let listener = serving::listen(args.http).await?;
    let http = listener.local_addr().map_err(|error| Failed::Trouble(error.into()))?;
    let routes = operators::router(health.clone(), metrics).merge(router(witness));
    serving::serve_http(listener, serving::dressed(routes, &health), &drain);
    feeds::line(&format!("ready http=http://{http}"));
    drain.finished().await;
    Ok(drain.exit_code())
}
