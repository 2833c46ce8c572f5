//! The groups file: JSON Lines, one group a line (`keng groups import FILE`, `--groups FILE`).
//!
//! R29: a target without a working channel is an error at configuration time, not at the alarm.

use std::{
    collections::{BTreeSet, HashMap},
    path::Path,
};

use domain::{
    directory::{ChannelFacts, ChannelUse, GroupFacts},
    ids::{GroupId, Home, NotAnId, ProvinceCode},
    text::{Shape, plain},
    values::GroupKind,
};
use serde::Deserialize;
use wire::{
    directory::group_said,
    v1::{self, ChannelAddress, GroupText},
};

use crate::{
    channels::{ChannelEntry, ChannelLine, Place, channel, url},
    fault::{Collector, Faults, ReadError, none_of, not_text, read},
    group::content_sha256,
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
/// The most channels of a group; with `channels::URL_BYTES_MAX` a group fits into one record.
pub const CHANNELS_MAX: usize = 16;
/// The most members of a group.
pub const MEMBERS_MAX: u32 = 1_000_000;

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
    /// Where anybody may join it, `https`; empty: by invitation only.
    pub join: String,
    /// The ways to reach it: at least one, and at least one that is always used.
    pub channels: Vec<ChannelEntry>,
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
            account: channel.account.clone(),
            via: channel.via.map_or_else(String::new, |via| via.as_str().to_owned()),
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
            to: channel.address.to.to_string(),
        };
        GroupText {
            name: self.name.clone(),
            channels: self.channels.iter().map(address).collect(),
            join: self.join.clone(),
        }
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
    #[serde(default)]
    join: String,
    channels: Vec<OnlyObject<ChannelLine>>,
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
        let join = self.note("join", join(&line.join));
        let channels = self.channels(line.channels);
        Some(GroupEntry {
            id: id?,
            home: home?,
            name: name?,
            kind: kind?,
            members: line.members,
            exercises: line.exercises,
            join: join?,
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
            let at = Place { number: self.number, place };
            let read = channel(at, line, &default_id, self.faults);
            let Some(channel) = read else { continue };
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

/// An address that anybody may be sent to; empty where there is none.
fn join(address: &str) -> Result<String, String> {
    if !address.is_empty() && !address.starts_with("https://") {
        return Err("không bắt đầu bằng https:// / does not begin with https://".to_owned());
    }
    if !address.is_empty() {
        url(address)?;
    }
    Ok(address.to_owned())
}

fn not_a_group(not: NotAnId) -> String {
    format!("không phải mã nhóm: 1 đến 64 ký tự A-Z a-z 0-9 - _ : / {not}")
}

pub(crate) fn more_than(most: impl std::fmt::Display) -> String {
    format!("nhiều hơn {most} / are more than {most}")
}

fn kinds() -> String {
    let words: Vec<_> = GroupKind::ALL.iter().map(|kind| kind.as_str()).collect();
    none_of(&words.join(", "))
}
