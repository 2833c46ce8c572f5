//! `keng channels` and `keng dead-letters`: what keeps the channels working.

use anyhow::{Context, anyhow};
use chassis::ExitCode;
use clap::{Args as ClapArgs, Subcommand};
use reqwest::Method;
use serde_json::Value;
use uuid::Uuid;

use crate::{
    Failed,
    args::{Format, ServerArgs},
    client::{Client, send},
    feeds::line,
    preflight::at,
    write::{aside, let_go},
};

#[derive(Debug, ClapArgs)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub(crate) struct ChannelsArgs {
    #[command(subcommand)]
    command: Option<ChannelsCommand>,
    #[command(flatten)]
    server: ServerArgs,
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

#[derive(Debug, Subcommand)]
enum ChannelsCommand {
    /// Ngừng mọi tin qua kênh này / Stop all that would leave on it
    Stop(SwitchArgs),
    /// Cho gửi lại / Let it go on
    Start(SwitchArgs),
}

#[derive(Debug, ClapArgs)]
struct SwitchArgs {
    #[command(flatten)]
    server: ServerArgs,
    /// Loại kênh, hoặc account:TÊN / A type of channel, as sms, or account:NAME
    name: String,
    /// Khóa chống gửi trùng / Idempotency key [default: a new one]
    #[arg(long)]
    key: Option<String>,
}

#[derive(Debug, ClapArgs)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub(crate) struct DeadLettersArgs {
    #[command(subcommand)]
    command: Option<DeadLettersCommand>,
    #[command(flatten)]
    server: ServerArgs,
    /// Mã xã / Of one commune alone
    #[arg(long, value_name = "CODE")]
    commune: Option<String>,
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

#[derive(Debug, Subcommand)]
enum DeadLettersCommand {
    /// Gửi lại / Try again
    Requeue(RequeueArgs),
}

#[derive(Debug, ClapArgs)]
struct RequeueArgs {
    #[command(flatten)]
    server: ServerArgs,
    /// Mã lượt gửi / Ids of deliveries
    #[arg(value_name = "ID", required_unless_present = "all")]
    ids: Vec<String>,
    /// Tất cả của một xã / All of a commune
    #[arg(long, requires = "commune", conflicts_with = "ids")]
    all: bool,
    /// Mã xã / Code of the commune, with --all
    #[arg(long, value_name = "CODE", requires = "all")]
    commune: Option<String>,
}

/// `keng channels`, `keng channels stop|start NAME`.
pub(crate) async fn channels(args: ChannelsArgs) -> Result<u8, Failed> {
    match args.command {
        Some(ChannelsCommand::Stop(args)) => switch("stop", args).await,
        Some(ChannelsCommand::Start(args)) => switch("start", args).await,
        None => {
            let client = running(&args.server).await?;
            let seen = get(&client, "/v1/channels", None).await?;
            list(&seen, "channels").iter().for_each(|one| print(one, args.format, channel));
            Ok(ExitCode::DONE)
        }
    }
}

async fn switch(action: &str, args: SwitchArgs) -> Result<u8, Failed> {
    let name = in_path(&args.name)?;
    let client = running(&args.server).await?;
    let key = args.key.clone().unwrap_or_else(|| Uuid::now_v7().to_string());
    send(client.post(&format!("/v1/channels/{name}/{action}"), &key)).await?;
    line(&match action {
        "stop" => format!("đã ngừng / stopped {name}"),
        _ => format!("gửi lại được / started {name}"),
    });
    Ok(ExitCode::DONE)
}

/// `keng dead-letters`, `keng dead-letters requeue …`: 1 where some were not taken.
pub(crate) async fn dead_letters(args: DeadLettersArgs) -> Result<u8, Failed> {
    if let Some(DeadLettersCommand::Requeue(args)) = args.command {
        return requeue(args).await;
    }
    let client = running(&args.server).await?;
    let seen = get(&client, "/v1/dead-letters", args.commune.as_deref()).await?;
    list(&seen, "dead_letters").iter().for_each(|one| print(one, args.format, letter));
    more(&seen);
    Ok(ExitCode::DONE)
}

async fn requeue(args: RequeueArgs) -> Result<u8, Failed> {
    let ids = args.ids.iter().map(|id| in_path(id)).collect::<Result<Vec<_>, _>>()?;
    let mut ids: Vec<String> = ids.into_iter().map(str::to_owned).collect();
    let client = running(&args.server).await?;
    if args.all {
        let seen = get(&client, "/v1/dead-letters", args.commune.as_deref()).await?;
        let id = |one: &Value| one.get("id").and_then(Value::as_str).map(str::to_owned);
        ids = list(&seen, "dead_letters").iter().filter_map(id).collect();
        more(&seen);
    }
    let mut code = ExitCode::DONE;
    for id in &ids {
        let key = Uuid::now_v7().to_string();
        // One that is refused keeps no other from being tried.
        match send(client.post(&format!("/v1/deliveries/{id}/requeue"), &key)).await {
            Ok(answer) => {
                let answer: Value = answer.json().await.context("the answer")?;
                line(&requeued(id, &answer));
            }
            Err(Failed::Refused(why)) => {
                code = ExitCode::FAILED;
                line(&format!("{id}  KHÔNG ĐƯỢC / NOT DONE: {why}"));
            }
            Err(trouble) => return Err(trouble),
        }
    }
    if ids.is_empty() {
        aside("không có gì để gửi lại / there is nothing to try again");
    }
    Ok(code)
}

/// A server that runs. A directory that none holds has no channels.
async fn running(server: &ServerArgs) -> Result<Client, Failed> {
    let (client, direct) = Client::new(server).await?;
    if direct.is_some() {
        let_go(direct).await;
        let none = "không có máy chủ nào đang chạy / no server is running";
        return Err(Failed::Trouble(anyhow!(none)));
    }
    Ok(client)
}

async fn get(client: &Client, path: &str, commune: Option<&str>) -> Result<Value, Failed> {
    let mut request = client.request(Method::GET, path);
    if let Some(commune) = commune {
        request = request.query(&[("commune", commune)]);
    }
    Ok(send(request).await?.json().await.context("the answer")?)
}

/// A name that stands in a path as it is.
fn in_path(name: &str) -> Result<&str, Failed> {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"-_:.".contains(&byte);
    if !name.is_empty() && name.bytes().all(fits) {
        return Ok(name);
    }
    Err(Failed::Usage(format!("không phải tên hay mã / no name or id: {name}")))
}

fn more(seen: &Value) {
    if seen.get("more").and_then(Value::as_bool).unwrap_or_default() {
        aside("còn nữa, gọi lại lần nữa / there are more: call again");
    }
}

fn print(one: &Value, format: Format, text: fn(&Value) -> String) {
    match format {
        Format::Json => line(&one.to_string()),
        Format::Text => line(&text(one)),
    }
}

fn channel(channel: &Value) -> String {
    let state = match word(channel, "state") {
        "works" => "hoạt động / works",
        "down" => "HỎNG / DOWN",
        "asking" => "đang thử lại / asking again",
        "stopped" => "ĐÃ NGỪNG / STOPPED",
        other => other,
    };
    let waiting = channel.get("waiting").and_then(Value::as_u64).unwrap_or_default();
    let account = Some(word(channel, "account")).filter(|account| !account.is_empty());
    let mut said = format!(
        "{}\t{}\t{state}\tchờ / waiting {waiting}",
        account.unwrap_or("-"),
        word(channel, "type"),
    );
    if channel.get("why").is_some_and(Value::is_string) {
        said.push_str(&format!("\ttừ / since {}: {}", at(channel, "/since"), word(channel, "why")));
    }
    said
}

fn letter(letter: &Value) -> String {
    let arrived = match letter.get("may_have_arrived").and_then(Value::as_bool) {
        Some(true) => "có thể đã đến / may have arrived",
        _ => "chưa đến / did not arrive",
    };
    let attempts = letter.get("attempts").and_then(Value::as_u64).unwrap_or_default();
    format!(
        "{}\t{}\t{}\t{}\t{}\t{attempts} lần / attempts\t{}\t{arrived}",
        word(letter, "id"),
        word(letter, "commune"),
        word(letter, "type"),
        word(letter, "state"),
        word(letter, "trouble"),
        at(letter, "/last_attempt_at"),
    )
}

fn requeued(id: &str, answer: &Value) -> String {
    match answer.get("requeued").and_then(Value::as_bool) {
        Some(true) => format!("{id}  gửi lại / is tried again"),
        _ => format!("{id}  không còn kẹt / is not stuck any more"),
    }
}

fn list<'a>(of: &'a Value, name: &str) -> &'a [Value] {
    of.get(name).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

fn word<'a>(of: &'a Value, name: &str) -> &'a str {
    of.get(name).and_then(Value::as_str).unwrap_or("-")
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use serde_json::json;

    use super::*;
    use crate::args::Args;

    #[test]
    fn what_keeps_the_channels_working_is_typed_like_this() {
        for (typed, is_one) in [
            ("channels", true),
            ("channels --format json", true),
            ("channels stop sms", true),
            ("channels start account:esms --key k", true),
            ("channels stop", false),
            ("channels restart sms", false),
            ("dead-letters", true),
            ("dead-letters --commune 25126 --format json", true),
            ("dead-letters requeue x:1:g:webhook-1 y:1:g:webhook-1", true),
            ("dead-letters requeue --all --commune 25126", true),
            ("dead-letters requeue", false),
            // All of every commune is nothing that anybody has looked at.
            ("dead-letters requeue --all", false),
            ("dead-letters requeue --commune 25126", false),
            ("dead-letters requeue x --all --commune 25126", false),
        ] {
            let parsed = Args::try_parse_from(["keng"].into_iter().chain(typed.split(' ')));
            assert_eq!(parsed.is_ok(), is_one, "{typed}");
        }
    }

    #[test]
    fn only_a_name_goes_into_a_path() {
        assert_eq!(in_path("account:esms-2").unwrap(), "account:esms-2");
        for wrong in ["", "../tokens", "a b", "sms/stop", "sms?x", "tổng-đài"] {
            assert!(matches!(in_path(wrong), Err(Failed::Usage(_))), "{wrong}");
        }
    }

    #[test]
    fn accounts_and_dead_letters_have_a_line_each() {
        let works = json!({ "account": "", "type": "webhook", "state": "works", "waiting": 0 });
        assert_eq!(channel(&works), "-\twebhook\thoạt động / works\tchờ / waiting 0");
        let down = json!({ "account": "esms", "type": "sms", "state": "down", "waiting": 7,
                           "since": "2026-11-22T01:00:00Z", "why": "credentials" });
        assert_eq!(
            channel(&down),
            "esms\tsms\tHỎNG / DOWN\tchờ / waiting 7\ttừ / since 2026-11-22 08:00: credentials"
        );
        let dead = json!({
            "id": "x:1:g:sms-1", "commune": "25126", "type": "sms", "state": "needs-person",
            "attempts": 1, "trouble": "timeout", "last_attempt_at": "2026-11-22T01:00:00Z",
            "may_have_arrived": true,
        });
        assert_eq!(
            letter(&dead),
            "x:1:g:sms-1\t25126\tsms\tneeds-person\ttimeout\t1 lần / attempts\t2026-11-22 08:00\t\
             có thể đã đến / may have arrived"
        );
        assert!(requeued("x", &json!({ "requeued": true })).contains("is tried again"));
        assert!(requeued("x", &json!({ "requeued": false })).contains("not stuck"));
    }
}
