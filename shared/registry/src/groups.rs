//! The groups file: JSON Lines, one group a line (`keng groups import FILE`, `--groups FILE`).
//!
//! R29: a target without a working channel is an error at configuration time, not at the alarm.

use std::{
    collections::{BTreeSet, HashMap},
    path::Path,
};

use base64::{Engine, prelude::BASE64_STANDARD};
use domain::{
    directory::{ChannelFacts, ChannelUse, GroupFacts},
    ids::{ChannelId, GroupId, Home, NotAnId, ProvinceCode},
    text::{Shape, plain},
    values::GroupKind,
};
use serde::Deserialize;
use wire::{
    directory::group_said,
    v1::{self, ChannelAddress, GroupText},
};

use crate::{
    fault::{Collector, Faults, ReadError, none_of, not_text, read},
    group::{Address, content_sha256},
    lines::{OnlyObject, numbered, parse, present},
    map::{Map, not_in_map},
    map_line::{not_a_commune, not_a_province},
};

/// The most characters of a group's name.
pub const NAME_CHARS_MAX: usize = 160;
/// The largest groups file that is read.
pub const GROUPS_BYTES_MAX: u64 = 64 << 20;
/// The most groups in one file.
pub const GROUPS_MAX: usize = 100_000;
/// The most channels of a group; with [`URL_BYTES_MAX`] a group fits into one record.
pub const CHANNELS_MAX: usize = 16;
/// The most members of a group.
pub const MEMBERS_MAX: u32 = 1_000_000;
/// The longest URL.
pub const URL_BYTES_MAX: usize = 2_000;
/// The longest that a fallback may wait: a day.
pub const AFTER_S_MAX: u32 = 86_400;
/// The sizes of a secret that Standard Webhooks allows.
const SECRET_BYTES: std::ops::RangeInclusive<usize> = 24..=64;

/// A group as a file names it, free of faults.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupEntry {
    /// The id.
    pub id: GroupId,
    /// The commune that it belongs to; of a province's group the commune is `00000`.
    pub home: Home,
    /// The name, in NFC.
    pub name: String,
    /// What holds its people together.
    pub kind: GroupKind,
    /// How many people; 0 where the file does not say.
    pub members: u32,
    /// Whether it takes part in drills.
    pub exercises: bool,
    /// The ways to reach it: at least one, and at least one that is always used.
    pub channels: Vec<ChannelEntry>,
}

/// A channel as a file names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChannelEntry {
    /// The id; `<type>-<n>`, n from 1, where the file does not say.
    pub id: ChannelId,
    /// The type.
    pub channel_type: ChannelType,
    /// When it is used.
    pub used: ChannelUse,
    /// Where it leads.
    pub address: Address,
}

/// The types of channel that can be configured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChannelType {
    /// A POST signed by Standard Webhooks.
    Webhook,
}

impl ChannelType {
    /// The word in files and records.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Webhook => "webhook",
        }
    }
}

impl GroupEntry {
    /// The open part of the record.
    #[must_use]
    pub fn facts(&self) -> v1::GroupFacts {
        group_said(&self.open())
    }

    fn open(&self) -> GroupFacts {
        let channel = |channel: &ChannelEntry| ChannelFacts {
            id: channel.id.clone(),
            channel_type: channel.channel_type.as_str().to_owned(),
            used: channel.used,
        };
        GroupFacts {
            id: self.id.clone(),
            home: self.home,
            kind: self.kind,
            members: self.members,
            exercises: self.exercises,
            channels: self.channels.iter().map(channel).collect(),
        }
    }

    /// The sealed part of the record: the name, each channel's address and secret.
    #[must_use]
    pub fn text(&self) -> GroupText {
        let address = |channel: &ChannelEntry| ChannelAddress {
            id: channel.id.to_string(),
            url: channel.address.url.to_string(),
            secret: channel.address.secret.to_string(),
        };
        GroupText { name: self.name.clone(), channels: self.channels.iter().map(address).collect() }
    }

    /// What [`crate::Group::content_sha256`] is once this entry is recorded.
    #[must_use]
    pub fn content_sha256(&self) -> [u8; 32] {
        content_sha256(&self.open(), &self.text())
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct GroupLine {
    id: String,
    #[serde(default, deserialize_with = "present")]
    commune: Option<String>,
    #[serde(default, deserialize_with = "present")]
    province: Option<String>,
    name: String,
    kind: String,
    #[serde(default)]
    members: u32,
    #[serde(default)]
    exercises: bool,
    channels: Vec<OnlyObject<ChannelLine>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ChannelLine {
    #[serde(default, deserialize_with = "present")]
    id: Option<String>,
    #[serde(rename = "type")]
    channel_type: String,
    #[serde(default, rename = "use", deserialize_with = "present")]
    used: Option<String>,
    #[serde(default, deserialize_with = "present")]
    after_s: Option<u32>,
    #[serde(default, deserialize_with = "present")]
    url: Option<String>,
    #[serde(default, deserialize_with = "present")]
    secret: Option<String>,
}

/// Reads a groups file.
pub fn read_groups(path: &Path, map: &Map) -> Result<Vec<GroupEntry>, ReadError> {
    read(path, GROUPS_BYTES_MAX, |bytes| parse_groups(bytes, map))
}

/// Reads groups from JSON Lines, in the order of the lines.
pub fn parse_groups(bytes: &[u8], map: &Map) -> Result<Vec<GroupEntry>, Faults> {
    let mut faults = Collector::default();
    let lines = numbered(bytes, &mut faults);
    faults.check()?;
    let mut entries = Vec::new();
    let mut seen: HashMap<String, usize> = HashMap::new();
    for (number, text) in lines {
        if number > GROUPS_MAX {
            let most = GROUPS_MAX;
            let reason = format!("tệp có tối đa {most} nhóm / a file has at most {most} groups");
            faults.add(number, "", reason);
        }
        if faults.is_full() {
            break;
        }
        match parse::<GroupLine>(number, text) {
            Err(fault) => faults.push(fault),
            Ok(line) => {
                match seen.get(&line.id) {
                    Some(first) => {
                        let id = &line.id;
                        let reason = format!(
                            "{id} đã có ở dòng {first} / {id} stands in line {first} already"
                        );
                        faults.add(number, "id", reason);
                    }
                    None => {
                        seen.insert(line.id.clone(), number);
                    }
                }
                entries.extend(Reading { number, faults: &mut faults }.group(line, map));
            }
        }
    }
    faults.check()?;
    Ok(entries)
}

/// One line being looked at.
struct Reading<'f> {
    number: usize,
    faults: &'f mut Collector,
}

impl Reading<'_> {
    fn note<T, E: std::fmt::Display>(&mut self, field: &str, result: Result<T, E>) -> Option<T> {
        self.faults.note(self.number, field, result)
    }

    fn group(&mut self, line: GroupLine, map: &Map) -> Option<GroupEntry> {
        let id = self.note("id", line.id.parse::<GroupId>().map_err(not_a_group));
        let (field, home) = home(line.commune.as_deref(), line.province.as_deref(), map);
        let home = self.note(field, home);
        let name =
            self.note("name", plain(&line.name, Shape::Line, NAME_CHARS_MAX).map_err(not_text));
        let kind = self.note("kind", line.kind.parse().map_err(|_| kinds()));
        if line.members > MEMBERS_MAX {
            self.faults.add(self.number, "members", more_than(MEMBERS_MAX));
        }
        let channels = self.channels(line.channels);
        Some(GroupEntry {
            id: id?,
            home: home?,
            name: name?,
            kind: kind?,
            members: line.members,
            exercises: line.exercises,
            channels,
        })
    }

    fn channels(&mut self, lines: Vec<OnlyObject<ChannelLine>>) -> Vec<ChannelEntry> {
        let count = lines.len();
        if count == 0 {
            let reason = "nhóm cần ít nhất một kênh thì mới nhận được tin / \
                          a group needs at least one channel, or no alert reaches it";
            self.faults.add(self.number, "channels", reason);
        }
        if count > CHANNELS_MAX {
            self.faults.add(self.number, "channels", more_than(CHANNELS_MAX));
            return Vec::new();
        }
        let mut ids = BTreeSet::new();
        let mut types: HashMap<String, usize> = HashMap::new();
        let mut channels = Vec::with_capacity(count);
        for (place, OnlyObject(line)) in lines.into_iter().enumerate() {
            let ordinal = types.entry(line.channel_type.clone()).or_default();
            *ordinal += 1;
            let default_id = format!("{}-{ordinal}", line.channel_type);
            let Some(channel) = self.channel(place, line, &default_id) else { continue };
            if !ids.insert(channel.id.clone()) {
                let id = &channel.id;
                let reason =
                    format!("{id} là mã của kênh ở trên / {id} is the id of an earlier channel");
                self.faults.add(self.number, format!("channels[{place}].id"), reason);
            }
            channels.push(channel);
        }
        let waits = |channel: &ChannelEntry| channel.used != ChannelUse::Always;
        if !channels.is_empty() && channels.len() == count && channels.iter().all(waits) {
            let reason = "phải có một kênh use `always` để kênh dự phòng theo sau / \
                          one channel must have use `always`: a fallback follows something";
            self.faults.add(self.number, "channels", reason);
        }
        channels
    }

    fn channel(
        &mut self,
        place: usize,
        line: ChannelLine,
        default_id: &str,
    ) -> Option<ChannelEntry> {
        let field = |name: &str| format!("channels[{place}].{name}");
        let channel_type = self.note(&field("type"), channel_type(&line.channel_type))?;
        let id =
            line.id.as_deref().unwrap_or(default_id).parse::<ChannelId>().map_err(not_a_channel);
        let id = self.note(&field("id"), id);
        let used = used(line.used.as_deref(), line.after_s);
        let used = used.map_err(|(name, reason)| self.faults.add(self.number, field(name), reason));
        let url = self.note(&field("url"), url(line.url.as_deref()));
        let secret = self.note(&field("secret"), secret(line.secret.as_deref()));
        let address = Address { url: url?.into(), secret: secret?.into() };
        Some(ChannelEntry { id: id?, channel_type, used: used.ok()?, address })
    }
}

/// The commune or the province that a line names, and the field at fault where it names none.
pub(crate) fn home(
    commune: Option<&str>,
    province: Option<&str>,
    map: &Map,
) -> (&'static str, Result<Home, String>) {
    match (commune, province) {
        (Some(code), None) => ("commune", commune_home(code, map)),
        (None, Some(code)) => ("province", province_home(code, map)),
        (None, None) => (
            "commune",
            Err("thiếu trường này / missing field `commune` (or `province`)".to_owned()),
        ),
        (Some(_), Some(_)) => {
            let reason = "thuộc một xã hoặc một tỉnh / belongs to a commune or to a province";
            ("province", Err(reason.to_owned()))
        }
    }
}

fn commune_home(code: &str, map: &Map) -> Result<Home, String> {
    let commune = code.parse().map_err(|_| not_a_commune(code))?;
    map.home(commune).ok_or_else(|| not_in_map(code))
}

fn province_home(code: &str, map: &Map) -> Result<Home, String> {
    let province: ProvinceCode = code.parse().map_err(|_| not_a_province(code))?;
    let known = map.province_name(province).map(|_| Home::of_province(province));
    known.ok_or_else(|| not_in_map(code))
}

fn not_a_group(not: NotAnId) -> String {
    format!("không phải mã nhóm: 1 đến 64 ký tự A-Z a-z 0-9 - _ : / {not}")
}

fn not_a_channel(not: NotAnId) -> String {
    format!("không phải mã kênh: 1 đến 32 ký tự A-Z a-z 0-9 - _ : / {not}")
}

fn more_than(most: impl std::fmt::Display) -> String {
    format!("nhiều hơn {most} / are more than {most}")
}

fn kinds() -> String {
    let words: Vec<_> = GroupKind::ALL.iter().map(|kind| kind.as_str()).collect();
    none_of(&words.join(", "))
}

fn channel_type(text: &str) -> Result<ChannelType, String> {
    match text {
        "webhook" => Ok(ChannelType::Webhook),
        _ => Err(none_of("webhook")),
    }
}

fn used(used: Option<&str>, after_s: Option<u32>) -> Result<ChannelUse, (&'static str, String)> {
    match (used, after_s) {
        (None | Some("always"), None) => Ok(ChannelUse::Always),
        (None | Some("always"), Some(_)) => {
            Err(("after_s", "chỉ đi với use `fallback` / goes with use `fallback` only".to_owned()))
        }
        (Some("fallback"), Some(after_s)) if (1..=AFTER_S_MAX).contains(&after_s) => {
            Ok(ChannelUse::Fallback { after_s })
        }
        (Some("fallback"), Some(_)) => {
            let most = AFTER_S_MAX;
            let reason = format!("phải từ 1 đến {most} / is not between 1 and {most}");
            Err(("after_s", reason))
        }
        (Some("fallback"), None) => {
            let reason = "thiếu trường này, use `fallback` cần có / \
                          missing field `after_s`: use `fallback` needs it";
            Err(("after_s", reason.to_owned()))
        }
        (Some(_), _) => Err(("use", none_of("always, fallback"))),
    }
}

/// The text of a reason must not repeat the URL: it may hold a capability.
fn url(url: Option<&str>) -> Result<&str, String> {
    let url =
        url.ok_or("thiếu trường này, webhook cần có / missing field `url`: a webhook needs one")?;
    let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"));
    let rest = rest.ok_or(
        "không bắt đầu bằng http:// hay https:// / does not begin with http:// or https://",
    )?;
    if url.len() > URL_BYTES_MAX {
        return Err(format!("dài hơn {URL_BYTES_MAX} byte / is longer than {URL_BYTES_MAX} bytes"));
    }
    if !url.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err("có ký tự không phải ASCII in được / \
                    has a character that is not printable ASCII"
            .to_owned());
    }
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    if authority.contains('@') {
        return Err("có tên người dùng; webhook được ký bằng secret / \
                    has a user in it; webhooks are signed with the secret"
            .to_owned());
    }
    // A literal IPv6 address has colons of its own, inside brackets.
    let (host, port) = match authority.strip_prefix('[') {
        Some(literal) => literal.split_once(']').unwrap_or_default(),
        None => authority.split_at(authority.find(':').unwrap_or(authority.len())),
    };
    if host.is_empty() || host.contains('\\') {
        return Err("không có tên máy / names no host".to_owned());
    }
    let port_fits = match port.strip_prefix(':') {
        Some(digits) => digits.parse::<u16>().is_ok_and(|port| port > 0),
        None => port.is_empty(),
    };
    if port_fits {
        Ok(url)
    } else {
        Err("có cổng không hợp lệ / has a port that is none".to_owned())
    }
}

fn secret(secret: Option<&str>) -> Result<&str, String> {
    let secret = secret
        .ok_or("thiếu trường này, webhook cần có / missing field `secret`: a webhook needs one")?;
    let text = secret
        .strip_prefix("whsec_")
        .ok_or("không bắt đầu bằng whsec_ / does not begin with whsec_")?;
    let bytes = BASE64_STANDARD
        .decode(text)
        .map_err(|_| "không phải whsec_ và base64 / is not whsec_ and base64")?;
    if !SECRET_BYTES.contains(&bytes.len()) {
        let count = bytes.len();
        return Err(format!(
            "có {count} byte, phải từ 24 đến 64 / has {count} bytes and not 24 to 64"
        ));
    }
    Ok(secret)
}
