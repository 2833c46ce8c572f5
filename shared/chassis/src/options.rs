//! The options of every server command, and the settings that follow from them.
//!
//! A flag wins over its variable, that over the configuration file, that over the default. The
//! file is TOML with the names of the flags; a key that nobody knows is an error.

use std::{
    ffi::OsStr,
    fmt, fs,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    path::{Path, PathBuf},
    str::FromStr,
};

use clap::{
    Args, Command,
    builder::{BoolishValueParser, TypedValueParser},
    error::ErrorKind,
};
use serde::{Deserialize, Deserializer, de::Error};

use crate::{data_dir::Kind, exit::ConfigError, key_file::KeyFile};

const DISK_RESERVE_BYTES: u64 = 1024 * 1024 * 1024;

/// The options as given; the documentation of each is its help.
#[derive(Debug, Clone, Default, PartialEq, Eq, Args)]
pub struct ServerOptions {
    /// Thư mục dữ liệu / Data directory [default: keng-data; with --demo: keng-demo]
    #[arg(long, env = "KENG_DATA", value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// Địa chỉ HTTP / Address of HTTP
    /// [default: 127.0.0.1:8080; alerting 8082, fan-out 8084, audit 8086]
    #[arg(long, env = "KENG_HTTP", value_name = "ADDR")]
    pub http: Option<SocketAddr>,
    /// Địa chỉ gRPC / Address of gRPC [default: the port after that of HTTP]
    #[arg(long, env = "KENG_GRPC", value_name = "ADDR")]
    pub grpc: Option<SocketAddr>,
    /// Chứng chỉ TLS của cổng HTTP / Certificates of the HTTP port (PEM); read again when changed
    #[arg(long, env = "KENG_TLS_CERT", value_name = "FILE")]
    pub tls_cert: Option<PathBuf>,
    /// Khóa của chứng chỉ / Key of the certificate (PEM)
    #[arg(long, env = "KENG_TLS_KEY", value_name = "FILE")]
    pub tls_key: Option<PathBuf>,
    /// Có máy trung gian lo TLS / A proxy before this port has TLS, and nobody passes it by
    #[arg(long, env = "KENG_BEHIND_PROXY", num_args = 0..=1,
        require_equals = true, default_missing_value = "true",
        value_parser = BoolishValueParser::new(), value_name = "BOOL")]
    pub behind_proxy: Option<bool>,
    /// Máy chủ NATS / NATS server, as nats://host:4222
    #[arg(long, env = "KENG_NATS", value_name = "URL", hide_env_values = true,
        value_parser = NatsUrlParser)]
    pub nats: Option<NatsUrl>,
    /// Cổng giám sát của NATS / Monitor of the NATS server, as http://host:8222
    #[arg(long, env = "KENG_NATS_MONITOR", value_name = "URL")]
    pub nats_monitor: Option<MonitorUrl>,
    /// Dùng cả máy chủ NATS chưa kiểm chứng được / Use a broker that is not known to sync
    #[arg(long, env = "KENG_ACCEPT_UNVERIFIED_BROKER", num_args = 0..=1,
        require_equals = true, default_missing_value = "true",
        value_parser = BoolishValueParser::new(), value_name = "BOOL")]
    pub accept_unverified_broker: Option<bool>,
    /// Khóa công khai của nhật ký kiểm toán / The audit log's public key, whose proofs are believed
    /// [default: that of the audit that answers first]
    #[arg(long, env = "KENG_AUDIT_KEY", value_name = "VKEY")]
    pub audit_key: Option<String>,
    /// Bản đồ các xã / Map of the communes [default: built in]
    #[arg(long, env = "KENG_REGISTRY", value_name = "FILE")]
    pub registry: Option<PathBuf>,
    /// Các nhóm, nạp khi khởi động / Groups, imported at start
    #[arg(long, env = "KENG_GROUPS", value_name = "FILE")]
    pub groups: Option<PathBuf>,
    /// Quy định của các xã / Policies of the communes (TOML) [default: built in]
    #[arg(long, env = "KENG_POLICY", value_name = "FILE")]
    pub policy: Option<PathBuf>,
    /// Các ngôn ngữ khác của trang / Folder of further languages of the pages: `TAG.ftl` each,
    /// Fluent [default: none]
    #[arg(long, value_name = "DIR", env = "KENG_TEXTS")]
    pub texts: Option<PathBuf>,
    /// Ga, bến và các chuyến giữa chúng / Stations and the rides between them
    /// [default: the North–South railway, built in]
    #[arg(long, env = "KENG_CORRIDORS", value_name = "FILE")]
    pub corridors: Option<PathBuf>,
    /// Tài khoản ở các nhà cung cấp / Accounts with providers of channels (TOML)
    #[arg(long, env = "KENG_CHANNELS", value_name = "FILE")]
    pub channels: Option<PathBuf>,
    /// Nơi cất ảnh / Where pictures lie: file:///DIR or s3://BUCKET/PREFIX, with the usual AWS_
    /// variables; the same for every process [default: photos in the data directory]
    #[arg(long, env = "KENG_PHOTOS", value_name = "URL")]
    pub photos: Option<PhotosUrl>,
    /// Tệp khóa mã hóa dữ liệu / File of the keys under which what is sealed is encrypted; `none`
    /// encrypts nothing [default: the data directory's name and .key, made where it is missing]
    #[arg(long, env = "KENG_KEY_FILE", value_name = "FILE")]
    pub key_file: Option<KeyFile>,
    /// Tệp ghi những gì đã xoá, để ngoài thư mục dữ liệu / Where it is kept, outside of the data,
    /// what was erased; up without a broker only [default: the data directory's name and .erasures]
    #[arg(long, env = "KENG_ERASURES", value_name = "FILE")]
    pub erasures: Option<PathBuf>,
    /// Nhân chứng của nhật ký kiểm toán / Witnesses of the audit log, and how many are enough
    /// (C2SP tlog-policy) [default: none]
    #[arg(long, env = "KENG_WITNESSES", value_name = "FILE")]
    pub witnesses: Option<PathBuf>,
    /// Nơi cấp dấu thời gian / Authority of time stamps over the audit log (RFC 3161)
    /// [default: none]
    #[arg(long, env = "KENG_TSA", value_name = "URL")]
    pub tsa: Option<WebUrl>,
    /// Tệp cấu hình / Configuration file (TOML)
    #[arg(long, env = "KENG_CONFIG", value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Cho phép webhook tới địa chỉ nội bộ / Allow webhooks to loopback and private addresses
    #[arg(long, env = "KENG_ALLOW_PRIVATE_TARGETS", num_args = 0..=1,
        require_equals = true, default_missing_value = "true",
        value_parser = BoolishValueParser::new(), value_name = "BOOL")]
    pub allow_private_targets: Option<bool>,
    /// Số bản sao của mỗi luồng NATS / Servers that keep each stream; 3 in a cluster [default: 1]
    #[arg(long, env = "KENG_NATS_REPLICAS", value_name = "N",
        value_parser = clap::value_parser!(u8).range(1..=5))]
    pub nats_replicas: Option<u8>,
    /// Địa chỉ công khai để kiểm tra tin / Address of intake that people verify alerts at
    /// [default: up: its own HTTP address; fan-out: <http://127.0.0.1:8080>]
    #[arg(long, env = "KENG_PUBLIC_URL", value_name = "URL")]
    pub public_url: Option<WebUrl>,
    /// Dung lượng đĩa dự trữ / Free space below which nothing is raised, in bytes
    /// [default: 1073741824]
    #[arg(long, env = "KENG_DISK_RESERVE", value_name = "BYTES")]
    pub disk_reserve: Option<u64>,
}

/// The same names, in the file. `config` is not among them.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
struct ConfigFile {
    data: Option<PathBuf>,
    http: Option<SocketAddr>,
    grpc: Option<SocketAddr>,
    tls_cert: Option<PathBuf>,
    tls_key: Option<PathBuf>,
    behind_proxy: Option<bool>,
    nats: Option<NatsUrl>,
    nats_monitor: Option<MonitorUrl>,
    accept_unverified_broker: Option<bool>,
    audit_key: Option<String>,
    registry: Option<PathBuf>,
    groups: Option<PathBuf>,
    policy: Option<PathBuf>,
    texts: Option<PathBuf>,
    corridors: Option<PathBuf>,
    channels: Option<PathBuf>,
    photos: Option<PhotosUrl>,
    key_file: Option<KeyFile>,
    erasures: Option<PathBuf>,
    witnesses: Option<PathBuf>,
    tsa: Option<WebUrl>,
    allow_private_targets: Option<bool>,
    nats_replicas: Option<u8>,
    public_url: Option<WebUrl>,
    disk_reserve: Option<u64>,
}

/// A server command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Service {
    /// `keng up`: all in one process; the only one that works without NATS.
    Up,
    /// `keng intake`.
    Intake,
    /// `keng alerting`.
    Alerting,
    /// `keng fan-out`.
    FanOut,
    /// `keng audit`.
    Audit,
}

impl Service {
    /// The name of the command.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Up => "up",
            Self::Intake => "intake",
            Self::Alerting => "alerting",
            Self::FanOut => "fan-out",
            Self::Audit => "audit",
        }
    }

    fn http_port(self) -> u16 {
        match self {
            Self::Up | Self::Intake => 8080,
            Self::Alerting => 8082,
            Self::FanOut => 8084,
            Self::Audit => 8086,
        }
    }
}

/// What a server works with: every option has its value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// The data directory; it need not be there yet.
    pub data: PathBuf,
    /// What the data directory is for.
    pub kind: Kind,
    /// Where HTTP listens; port 0 means any free one.
    pub http: SocketAddr,
    /// Where gRPC listens; port 0 means any free one.
    pub grpc: SocketAddr,
    /// TLS on the port of HTTP; `None` means none.
    pub tls: Option<TlsFiles>,
    /// Somebody before the port of HTTP has TLS.
    pub behind_proxy: bool,
    /// The broker; `None` means the embedded log.
    pub nats: Option<NatsUrl>,
    /// The broker's monitor.
    pub nats_monitor: Option<MonitorUrl>,
    /// Publish also where the broker is not known to sync.
    pub accept_unverified_broker: bool,
    /// The key of the audit log over the broker, as a C2SP vkey; `None` means the first that
    /// answers.
    pub audit_key: Option<String>,
    /// The map; `None` means the one built in.
    pub registry: Option<PathBuf>,
    /// Groups to import.
    pub groups: Option<PathBuf>,
    /// What communes have set otherwise; `None` means the defaults.
    pub policy: Option<PathBuf>,
    /// Where further languages of the pages are.
    pub texts: Option<PathBuf>,
    /// Stations and rides; `None` means those built in.
    pub corridors: Option<PathBuf>,
    /// Accounts with providers; `None` means that only webhooks are set up.
    pub channels: Option<PathBuf>,
    /// Where pictures lie; `None` means a folder of the data directory.
    pub photos: Option<PhotosUrl>,
    /// Under which keys what is sealed is encrypted.
    pub key_file: KeyFile,
    /// Where erasures are kept; `None` means beside the data directory.
    pub erasures: Option<PathBuf>,
    /// Who witnesses the audit log; `None` means nobody.
    pub witnesses: Option<PathBuf>,
    /// Who stamps it with the time; `None` means nobody.
    pub tsa: Option<WebUrl>,
    /// Webhooks may go to loopback and private addresses.
    pub allow_private_targets: bool,
    /// Servers that keep each stream.
    pub nats_replicas: u8,
    /// Where people verify alerts; `None` means this process' own HTTP address, or intake's
    /// default where this process is none.
    pub public_url: Option<WebUrl>,
    /// Free space of the data directory below which nothing new is raised.
    pub disk_reserve_bytes: u64,
}

/// A certificate with those above it, and its key; both PEM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    /// The certificates, that of the server first.
    pub cert: PathBuf,
    /// The key.
    pub key: PathBuf,
}

impl TlsFiles {
    fn of(cert: Option<PathBuf>, key: Option<PathBuf>) -> Result<Option<Self>, ConfigError> {
        let missing = |name, with| {
            let why = format!("bắt buộc đi cùng {with} / is required with {with}");
            Err(ConfigError::Wrong { name, why })
        };
        match (cert, key) {
            (Some(cert), Some(key)) => Ok(Some(Self { cert, key })),
            (None, None) => Ok(None),
            (Some(_), None) => missing("--tls-key", "--tls-cert"),
            (None, Some(_)) => missing("--tls-cert", "--tls-key"),
        }
    }
}

impl ServerOptions {
    /// Reads the configuration file, if one is named, and fills in what is not given. Paths are
    /// relative to the working directory, those in the file too.
    ///
    /// # Errors
    /// Where the file or the whole makes no sense. Nothing has been opened or bound by then.
    pub fn resolve(self, service: Service, kind: Kind) -> Result<Settings, ConfigError> {
        let file = self.config.as_deref().map(read_file).transpose()?.unwrap_or_default();
        let default_data = match kind {
            Kind::Demo => "keng-demo",
            Kind::Real => "keng-data",
        };
        let default_http = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), service.http_port());
        let http = self.http.or(file.http).unwrap_or(default_http);
        let grpc = match self.grpc.or(file.grpc) {
            Some(grpc) => grpc,
            None => SocketAddr::new(http.ip(), port_after(http.port())?),
        };
        if http == grpc && http.port() != 0 {
            return Err(ConfigError::SameAddress(http));
        }
        let tls = TlsFiles::of(self.tls_cert.or(file.tls_cert), self.tls_key.or(file.tls_key))?;
        let behind_proxy = self.behind_proxy.or(file.behind_proxy).unwrap_or(false);
        let public_url = self.public_url.or(file.public_url);
        let is_https = public_url.as_ref().is_some_and(|url| url.as_str().starts_with("https://"));
        if !(http.ip().is_loopback() || tls.is_some() || behind_proxy || is_https) {
            let why = "ra ngoài máy này thì cần --tls-cert và --tls-key, hoặc --behind-proxy / \
                       beyond this machine it needs --tls-cert and --tls-key, or --behind-proxy";
            return Err(ConfigError::Wrong { name: "--http", why: why.to_owned() });
        }
        let nats = self.nats.or(file.nats);
        if nats.is_none() && service != Service::Up {
            return Err(ConfigError::Missing { service: service.as_str(), name: "--nats" });
        }
        let data = self.data.or(file.data).unwrap_or_else(|| default_data.into());
        if data.as_os_str().is_empty() {
            return Err(ConfigError::Wrong { name: "--data", why: "trống / empty".to_owned() });
        }
        Ok(Settings {
            data,
            kind,
            http,
            grpc,
            tls,
            behind_proxy,
            nats,
            nats_monitor: self.nats_monitor.or(file.nats_monitor),
            accept_unverified_broker: self
                .accept_unverified_broker
                .or(file.accept_unverified_broker)
                .unwrap_or(false),
            audit_key: self.audit_key.or(file.audit_key),
            registry: self.registry.or(file.registry),
            groups: self.groups.or(file.groups),
            policy: self.policy.or(file.policy),
            texts: self.texts.or(file.texts),
            corridors: self.corridors.or(file.corridors),
            channels: self.channels.or(file.channels),
            photos: self.photos.or(file.photos),
            key_file: self.key_file.or(file.key_file).unwrap_or_default(),
            erasures: self.erasures.or(file.erasures),
            witnesses: self.witnesses.or(file.witnesses),
            tsa: self.tsa.or(file.tsa),
            allow_private_targets: self
                .allow_private_targets
                .or(file.allow_private_targets)
                .unwrap_or(false),
            nats_replicas: self.nats_replicas.or(file.nats_replicas).unwrap_or(1),
            public_url,
            disk_reserve_bytes: self
                .disk_reserve
                .or(file.disk_reserve)
                .unwrap_or(DISK_RESERVE_BYTES),
        })
    }
}

fn port_after(port: u16) -> Result<u16, ConfigError> {
    match port {
        0 => Ok(0),
        _ => port.checked_add(1).ok_or_else(|| ConfigError::Wrong {
            name: "--http",
            why: "không có cổng kế tiếp cho gRPC / no port after it for gRPC".to_owned(),
        }),
    }
}

fn read_file(path: &Path) -> Result<ConfigFile, ConfigError> {
    let wrong = |why: String| ConfigError::File { path: path.to_owned(), why };
    let text = fs::read_to_string(path).map_err(|error| wrong(error.to_string()))?;
    // The message of an error without the line itself, which may hold a password.
    toml::from_str(&text).map_err(|error| {
        let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
        let line = before.matches('\n').count() + 1;
        let key = key_before(before).map(|key| format!(", {key}")).unwrap_or_default();
        wrong(format!("dòng {line} (line {line}){key}: {}", error.message()))
    })
}

/// The key whose value begins behind this text; `None` where it is no plain `key =`.
fn key_before(text: &str) -> Option<&str> {
    let key = text.rsplit('\n').next()?.trim_end().strip_suffix('=')?.trim();
    let is_key = !key.is_empty() && key.bytes().all(|b| b.is_ascii_lowercase() || b == b'-');
    is_key.then_some(key)
}

/// The address of a NATS server: `host:port`, or a URL of scheme nats, tls, ws or wss; several
/// with commas between. It may hold a password, and is therefore never shown whole.
#[derive(Clone, PartialEq, Eq)]
pub struct NatsUrl(String);

/// The address of a NATS server's monitor: a URL of scheme http; several
/// with commas between.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MonitorUrl(String);

/// The address of a web server: a URL of scheme http or https, without a slash at its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebUrl(String);

/// Where pictures lie: a folder, or a bucket and the beginning of names in it. It never holds a
/// login.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PhotosUrl {
    /// An absolute path.
    Folder(PathBuf),
    /// `s3://BUCKET` or `s3://BUCKET/PREFIX`, without a slash at its end.
    Bucket(String),
}

/// What cannot be an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("không phải địa chỉ {0} / not an address {0}")]
pub struct NotAnAddress(&'static str);

impl NatsUrl {
    /// The address, with its password, for the client of the broker only.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl WebUrl {
    /// The address.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl MonitorUrl {
    /// The address.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for NatsUrl {
    type Err = NotAnAddress;
    fn from_str(text: &str) -> Result<Self, NotAnAddress> {
        let is_one = |one: &str| match one.split_once("://") {
            Some((scheme, rest)) => {
                matches!(scheme, "nats" | "tls" | "ws" | "wss") && leads_to_host(rest)
            }
            None => !one.contains(['/', '?', '#']) && leads_to_host(one),
        };
        let fits = text.split(',').all(is_one);
        fits.then(|| Self(text.to_owned())).ok_or(NotAnAddress("nats://HOST:PORT"))
    }
}

impl FromStr for MonitorUrl {
    type Err = NotAnAddress;
    fn from_str(text: &str) -> Result<Self, NotAnAddress> {
        // The monitor speaks plain HTTP, and stands beside the server.
        let is_monitor = |one: &str| one.strip_prefix("http://").is_some_and(leads_to_host);
        let fits = text.split(',').all(is_monitor);
        fits.then(|| Self(text.trim_end_matches('/').to_owned()))
            .ok_or(NotAnAddress("http://HOST:PORT"))
    }
}

impl FromStr for PhotosUrl {
    type Err = NotAnAddress;
    fn from_str(text: &str) -> Result<Self, NotAnAddress> {
        let is_bucket = |rest: &str| {
            leads_to_host(rest) && !rest.contains(['@', '?', '#', ':']) && !rest.contains("..")
        };
        match text.split_once("://") {
            Some(("file", path)) if path.len() > 1 && path.starts_with('/') => {
                Ok(Self::Folder(path.into()))
            }
            Some(("s3", rest)) if is_bucket(rest) => {
                Ok(Self::Bucket(text.trim_end_matches('/').to_owned()))
            }
            _ => Err(NotAnAddress("file:///DIR, s3://BUCKET/PREFIX")),
        }
    }
}

impl FromStr for WebUrl {
    type Err = NotAnAddress;
    fn from_str(text: &str) -> Result<Self, NotAnAddress> {
        let rest = text.strip_prefix("http://").or_else(|| text.strip_prefix("https://"));
        rest.filter(|rest| leads_to_host(rest))
            .map(|_| Self(text.trim_end_matches('/').to_owned()))
            .ok_or(NotAnAddress("https://HOST"))
    }
}

/// Parses `--nats` without repeating what was given, which may hold a password.
#[derive(Clone)]
struct NatsUrlParser;

impl TypedValueParser for NatsUrlParser {
    type Value = NatsUrl;

    fn parse_ref(
        &self,
        command: &Command,
        _: Option<&clap::Arg>,
        value: &OsStr,
    ) -> Result<NatsUrl, clap::Error> {
        value.to_str().unwrap_or_default().parse().map_err(|why: NotAnAddress| {
            clap::Error::raw(ErrorKind::ValueValidation, format!("--nats: {why}\n"))
                .with_cmd(command)
        })
    }
}

/// What follows the scheme of a URL: a login or none, a host, a port from 1 or none, a path or none
/// (RFC 3986, section 3.2).
fn leads_to_host(text: &str) -> bool {
    let authority = text.split(['/', '?', '#']).next().unwrap_or_default();
    let host = authority.rsplit_once('@').map_or(authority, |(_login, host)| host);
    let (host, port) = match host.strip_prefix('[').and_then(|host| host.split_once(']')) {
        Some((address, port)) if address.parse::<Ipv6Addr>().is_ok() => ("", port),
        Some(_) => return false,
        None => match host.find(':') {
            Some(0) => return false,
            Some(place) => host.split_at(place),
            None if host.is_empty() => return false,
            None => (host, ""),
        },
    };
    let is_port = |port: &str| {
        port.bytes().all(|b| b.is_ascii_digit()) && port.parse::<u16>().is_ok_and(|port| port > 0)
    };
    host.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_'))
        && (port.is_empty() || port.strip_prefix(':').is_some_and(is_port))
        && text.bytes().all(|b| b.is_ascii_graphic())
}

impl fmt::Display for NatsUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, one) in self.0.split(',').enumerate() {
            let (scheme, rest) = one.split_once("://").unwrap_or(("nats", one));
            let host = rest.rsplit_once('@').map_or(rest, |(_, host)| host);
            write!(f, "{}{scheme}://{host}", if place == 0 { "" } else { "," })?;
        }
        Ok(())
    }
}

impl fmt::Debug for NatsUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

macro_rules! from_text {
    ($name:ident) => {
        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
            }
        }
    };
}
from_text!(NatsUrl);
from_text!(MonitorUrl);
from_text!(WebUrl);
from_text!(PhotosUrl);
