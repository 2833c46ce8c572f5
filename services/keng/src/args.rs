//! The command line, as people type it.

use std::path::PathBuf;

use chassis::{KeyFile, ServerOptions};
use clap::{Args as ClapArgs, Parser, Subcommand, ValueEnum};
use domain::ids::ProvinceCode;
use registry::boundaries::{MIN_BORDER_M, SNAP_M};

use crate::{
    alert::AlertArgs,
    answer_args::{AnswerArgs, InstructArgs, OnwardArgs},
    channels::{ChannelsArgs, DeadLettersArgs},
    drill::DrillArgs,
    erase::{EraseArgs, LegalHoldArgs},
    freeze::{FreezeArgs, RecallArgs},
    key_file::KeyFileArgs,
    keys::KeyArgs,
    matches::{MatchArgs, MatchesArgs},
    photo::PhotoArgs,
    preflight::{OfficersArgs, PreflightArgs},
    proof::{ExportArgs, VerifyArgs},
    signing::SignArgs,
    witness::WitnessArgs,
};

/// Kẻng: tiếng kẻng báo động của các xã Việt Nam / the alarm gong of Viet Nam's communes
#[derive(Debug, Parser)]
#[command(name = "keng", version, about, propagate_version = true)]
pub(crate) struct Args {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Chạy tất cả trong một tiến trình / All services in one process
    Up(UpArgs),
    /// Tiếp nhận / The service that takes alerts (needs --nats)
    Intake(ServerOptions),
    /// Quyết định / The service that decides (needs --nats)
    Alerting(ServerOptions),
    /// Phát tin / The service that delivers (needs --nats)
    FanOut(ServerOptions),
    /// Kiểm toán / The service that keeps the audit (needs --nats)
    Audit(ServerOptions),
    /// Làm nhân chứng cho nhật ký của nơi khác / Witness other people's audit logs
    Witness(WitnessArgs),
    /// Báo tin / Raise an alert
    Raise(RaiseArgs),
    /// Duyệt, xem lại, sửa, mở rộng, giữ, kết thúc / What is asked of an alert that is there
    Alert(AlertArgs),
    /// Xác nhận tin của xã khác / Acknowledge an alert relayed to the own commune
    Acknowledge(AnswerArgs),
    /// Từ chối tin của xã khác / Refuse an alert relayed to the own commune
    Refuse(AnswerArgs),
    /// Hướng dẫn thêm cho các nhóm của xã / Instruct the own groups about a relayed alert
    Instruct(InstructArgs),
    /// Chuyển tiếp tin của xã khác / Relay an alert onward to further communes
    Relay(OnwardArgs),
    /// Các tin có thể là một / What may be the same: found and missing, one incident twice
    Matches(MatchesArgs),
    /// Trả lời đề xuất / Answer a proposal: confirm or dismiss
    Match(MatchArgs),
    /// Xoá dữ liệu cá nhân của một tin / Erase an alert's personal data, by two persons
    Erase(EraseArgs),
    /// Giữ lại theo pháp luật / Keep an alert's data from erasure, by two persons
    LegalHold(LegalHoldArgs),
    /// Khóa phát tin của một cán bộ, một xã / Freeze an officer or a commune, by two persons
    Freeze(FreezeArgs),
    /// Thu hồi mọi tin của một cán bộ, một xã / Recall everything raised since a time
    Recall(RecallArgs),
    /// Gửi ảnh, in mã ảnh / Send a picture; prints the id by which an alert names it
    Photo(PhotoArgs),
    /// Theo dõi tin của một xã / Watch a commune's alerts
    Watch(WatchArgs),
    /// Mã truy cập / Make, list and revoke bearer tokens
    Token(TokenArgs),
    /// Khóa để ký / Keys to sign by: make, register, confirm, revoke, list
    Key(KeyArgs),
    /// Khóa mã hóa dữ liệu / The key file that encrypts what is sealed
    KeyFile(KeyFileArgs),
    /// Bản đồ các xã / The map of communes
    Registry(RegistryArgs),
    /// Các nhóm / The groups
    Groups(GroupsArgs),
    /// Cán bộ, đầu mối, lịch trực / Officers, contacts, duty rosters
    Officers(OfficersArgs),
    /// Sẵn sàng cho tin thật chưa / Is this installation fit for a real alert
    Preflight(PreflightArgs),
    /// Diễn tập, đo xem đến được ai / Run an exercise, and measure whom it reaches
    Drill(DrillArgs),
    /// Các kênh gửi / Channels and accounts: list, stop, start
    Channels(ChannelsArgs),
    /// Tin gửi không được / What could not be delivered: list, try again
    DeadLetters(DeadLettersArgs),
    /// Xem lại lịch sử / Replay history
    Replay(ReplayArgs),
    /// Xuất nhật ký đã ký / The signed log as files, or one alert's records with their proofs
    Export(ExportArgs),
    /// Kiểm tra nhật ký / Whether a log is whole, from its checkpoint to its records
    Verify(VerifyArgs),
    /// Các mốc giờ của một tin / The times of an alert that matter
    Timeline(TimelineArgs),
}

impl Command {
    /// Whether it serves, rather than asks a server or works on a file.
    pub(crate) fn is_server(&self) -> bool {
        match self {
            Self::Up(_)
            | Self::Intake(_)
            | Self::Alerting(_)
            | Self::FanOut(_)
            | Self::Audit(_)
            | Self::Witness(_) => true,
            Self::Raise(_)
            | Self::Alert(_)
            | Self::Acknowledge(_)
            | Self::Refuse(_)
            | Self::Instruct(_)
            | Self::Relay(_)
            | Self::Matches(_)
            | Self::Match(_)
            | Self::Erase(_)
            | Self::LegalHold(_)
            | Self::Freeze(_)
            | Self::Recall(_)
            | Self::Photo(_)
            | Self::Watch(_)
            | Self::Token(_)
            | Self::Key(_)
            | Self::KeyFile(_)
            | Self::Registry(_)
            | Self::Groups(_)
            | Self::Officers(_)
            | Self::Preflight(_)
            | Self::Drill(_)
            | Self::Channels(_)
            | Self::DeadLetters(_)
            | Self::Replay(_)
            | Self::Export(_)
            | Self::Verify(_)
            | Self::Timeline(_) => false,
        }
    }
}

#[derive(Debug, ClapArgs)]
pub(crate) struct UpArgs {
    #[command(flatten)]
    pub(crate) options: ServerOptions,
    /// Chạy thử với dữ liệu mẫu / Run a demonstration on sample data
    #[arg(long)]
    pub(crate) demo: bool,
}

/// Where a client command finds its server.
#[derive(Debug, Clone, ClapArgs)]
pub(crate) struct ServerArgs {
    /// Địa chỉ máy chủ / Address of the server, as <http://127.0.0.1:8080>
    #[arg(long, env = "KENG_SERVER", value_name = "URL")]
    pub(crate) server: Option<String>,
    /// Mã truy cập / Bearer token
    #[arg(long, env = "KENG_TOKEN", value_name = "TOKEN", hide_env_values = true)]
    pub(crate) bearer: Option<String>,
    /// Thư mục dữ liệu của máy chủ trên máy này / Data directory of the server on this machine
    #[arg(long, env = "KENG_DATA", value_name = "DIR", default_value = "keng-data")]
    pub(crate) data: PathBuf,
    /// Tệp khóa của dữ liệu ấy khi không có máy chủ chạy / The key file of those data, while no
    /// server runs on them [default: the directory's name and .key]
    #[arg(long, env = "KENG_KEY_FILE", value_name = "FILE")]
    pub(crate) key_file: Option<KeyFile>,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct RaiseArgs {
    /// Loại tin / Kind, as lost-child
    pub(crate) kind: String,
    #[command(flatten)]
    pub(crate) server: ServerArgs,
    /// Mã xã / Code of the own commune
    #[arg(long)]
    pub(crate) commune: String,
    /// Tiêu đề / Headline, at most 160 characters
    #[arg(long)]
    pub(crate) headline: String,
    /// actual, exercise, test
    #[arg(long)]
    pub(crate) status: String,
    /// Mô tả / Description
    #[arg(long)]
    pub(crate) description: Option<String>,
    /// Việc cần làm / Instruction
    #[arg(long)]
    pub(crate) instruction: Option<String>,
    /// Nơi thấy lần cuối / Place where last seen
    #[arg(long)]
    pub(crate) place: Option<String>,
    /// Vĩ độ, kinh độ nơi thấy lần cuối / Latitude,longitude where last seen
    #[arg(long, value_name = "LAT,LON")]
    pub(crate) at: Option<String>,
    /// Thời điểm thấy lần cuối / When last seen, RFC 3339
    #[arg(long, value_name = "TIME")]
    pub(crate) seen: Option<String>,
    /// Tuổi / Age in years
    #[arg(long)]
    pub(crate) age: Option<u8>,
    /// male, female, unknown
    #[arg(long)]
    pub(crate) sex: Option<String>,
    /// Cách đi lại / on-foot, bicycle, motorbike, car, public-transport, unknown
    #[arg(long)]
    pub(crate) travel: Option<String>,
    /// Căn cứ pháp lý / Legal basis; required for suspect
    #[arg(long)]
    pub(crate) legal_basis: Option<String>,
    /// Hết hạn / Expiry, RFC 3339 [default: in 24 hours]
    #[arg(long, value_name = "TIME")]
    pub(crate) expires: Option<String>,
    /// auto, province, rings:N, or communes with commas between
    #[arg(long, default_value = "auto")]
    pub(crate) reach: String,
    /// Khóa chống gửi trùng / Idempotency key [default: a new one]
    #[arg(long)]
    pub(crate) key: Option<String>,
    #[command(flatten)]
    pub(crate) sign: SignArgs,
    /// Chỉ xem trước, không gửi / Show who would be told and what is missing; send nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct WatchArgs {
    #[command(flatten)]
    pub(crate) server: ServerArgs,
    /// Mã xã / Code of the commune
    #[arg(long)]
    pub(crate) commune: String,
}

#[derive(Debug, ClapArgs)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub(crate) struct TokenArgs {
    #[command(subcommand)]
    pub(crate) command: Option<TokenCommand>,
    #[command(flatten)]
    pub(crate) server: ServerArgs,
    /// Mã cán bộ / Id of the officer; an unknown one is created
    #[arg(long, required = true)]
    pub(crate) officer: Option<String>,
    /// officer, commander, province, auditor, admin
    #[arg(long, required = true)]
    pub(crate) role: Option<String>,
    /// Mã xã / Code of the commune, for officer and commander
    #[arg(long)]
    pub(crate) commune: Option<String>,
    /// Mã tỉnh / Code of the province, for province
    #[arg(long)]
    pub(crate) province: Option<String>,
    /// Hết hạn / Expiry, RFC 3339 [default: none]
    #[arg(long, value_name = "TIME")]
    pub(crate) expires: Option<String>,
    /// Liên kết đăng ký khóa đăng nhập / A link to enrol a passkey: works once, for a day
    #[arg(long)]
    pub(crate) enrol: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum TokenCommand {
    /// Liệt kê / List all tokens
    List(ServerArgs),
    /// Thu hồi / Revoke one, at once
    Revoke {
        #[command(flatten)]
        server: ServerArgs,
        /// Mã số / Id of the token
        id: String,
    },
}

#[derive(Debug, ClapArgs)]
pub(crate) struct RegistryArgs {
    #[command(subcommand)]
    pub(crate) command: RegistryCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum RegistryCommand {
    /// Kiểm tra tệp bản đồ / Check a map
    Check {
        /// Tệp JSON Lines / The file
        file: PathBuf,
    },
    /// Tính xã giáp ranh từ đa giác / Make a map from polygons: who borders whom
    // Its `--version` is the map's.
    #[command(disable_version_flag = true)]
    Import(ImportArgs),
}

#[derive(Debug, ClapArgs)]
pub(crate) struct ImportArgs {
    /// Tệp GeoJSON, WGS84 / The boundaries: a FeatureCollection, each feature a commune
    pub(crate) boundaries: PathBuf,
    /// Ghi bản đồ vào đây / The map to write, as JSON Lines
    #[arg(long, value_name = "FILE")]
    pub(crate) out: PathBuf,
    /// Giáp ranh nếu chung hơn chừng này mét / A shared border longer than this counts; metres
    #[arg(long, value_name = "M", default_value_t = MIN_BORDER_M, value_parser = metres)]
    pub(crate) min_border_m: f64,
    /// Hai nét cách nhau tối đa chừng này mét là một / Lines no farther apart are one; metres
    #[arg(long, value_name = "M", default_value_t = SNAP_M, value_parser = metres)]
    pub(crate) snap_m: f64,
    /// Mã tỉnh khi tệp không ghi / Code of the province where the file does not say
    #[arg(long, value_name = "PP")]
    pub(crate) province: Option<ProvinceCode>,
    /// Phiên bản của bản đồ / The map's version, as 2025-07-01
    #[arg(long, value_name = "TEXT", requires = "valid_from")]
    pub(crate) version: Option<String>,
    /// Có hiệu lực từ ngày này / The day from which on it is in force, as 2025-07-01
    #[arg(long, value_name = "DAY", requires = "version")]
    pub(crate) valid_from: Option<String>,
    /// Hết hiệu lực từ ngày này / The day on which another arrangement takes its place
    #[arg(long, value_name = "DAY", requires = "version")]
    pub(crate) valid_to: Option<String>,
    /// Ghi cả đa giác / Write the polygons too
    #[arg(long)]
    pub(crate) with_polygons: bool,
}

/// The most that may be called a border's length or a tolerance; metres.
const METRES_MAX: f64 = 1_000.0;

fn metres(text: &str) -> Result<f64, String> {
    let metres = text.parse().ok().filter(|metres| (0.0..=METRES_MAX).contains(metres));
    metres.ok_or_else(|| format!("0 … {METRES_MAX} m"))
}

#[derive(Debug, ClapArgs)]
pub(crate) struct GroupsArgs {
    #[command(subcommand)]
    pub(crate) command: GroupsCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum GroupsCommand {
    /// Nạp tệp các nhóm / Import groups
    Import {
        #[command(flatten)]
        server: ServerArgs,
        /// Tệp JSON Lines / The file
        file: PathBuf,
    },
}

/// How history is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people.
    Text,
    /// One object a line.
    Json,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct ReplayArgs {
    #[command(flatten)]
    pub(crate) server: ServerArgs,
    /// Mã tin / Id of one alert, with its relays, deliveries and receipts
    #[arg(long, value_name = "ID")]
    pub(crate) alert: Option<String>,
    /// Mã xã / What concerns one commune
    #[arg(long)]
    pub(crate) commune: Option<String>,
    /// Từ / From, RFC 3339
    #[arg(long, value_name = "TIME")]
    pub(crate) from: Option<String>,
    /// Đến / To, RFC 3339
    #[arg(long, value_name = "TIME")]
    pub(crate) to: Option<String>,
    /// Lúc đó đã biết gì / What was known at that moment, RFC 3339: of a commune, or of an alert
    #[arg(long, value_name = "TIME", conflicts_with_all = ["from", "to"])]
    pub(crate) as_known_at: Option<String>,
    /// So trạng thái đang giữ với nhật ký / Compare what the live services hold with the log
    #[arg(long, conflicts_with_all = ["alert", "commune", "from", "to", "as_known_at"])]
    pub(crate) check: bool,
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub(crate) format: Format,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct TimelineArgs {
    #[command(flatten)]
    pub(crate) server: ServerArgs,
    /// Mã tin / Id of the alert
    pub(crate) id: String,
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub(crate) format: Format,
}
