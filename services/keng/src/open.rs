//! Opening what a server works on, in an order in which nothing is bound or written before the
//! configuration is known to be right.

use std::{path::Path, sync::Arc};

use anyhow::Context;
use audit::{Anchors, BadAnchors};
use chassis::{
    Clock, ConfigError, DataDir, PhotosUrl, Settings, SystemClock, data_dir::make_folder,
    erasures::Erasures, instance::instance_of, key_file,
};
use domain::{maps::NotInForce, reach::corridors::Corridors};
use journal::Reserve;
use keyring::Keyring;
use local_state::LocalState;
use photos::Photos;
use registry::{
    GroupEntry, Map, Policies, corridors, groups::read_groups, policies::read_policies,
};

use crate::{Failed, local_time::local};

/// Bytes kept so that corrections can still be written when the disk is full.
const RESERVE_BYTES: u64 = 32 << 20;

/// What a server works on.
pub(crate) struct Opened {
    pub(crate) map: Arc<Map>,
    pub(crate) policies: Arc<Policies>,
    pub(crate) corridors: Arc<Corridors>,
    pub(crate) groups: Vec<GroupEntry>,
    pub(crate) anchors: Anchors,
    pub(crate) data: DataDir,
    pub(crate) instance: Arc<str>,
    pub(crate) reserve: Option<Arc<Reserve>>,
    pub(crate) keyring: Keyring,
    /// `None` where the log is a broker's, which knows what was erased.
    pub(crate) erasures: Option<Arc<Erasures>>,
    pub(crate) local: Option<LocalState>,
}

/// Reads the map, the corridors, the groups, the policies and who witnesses, and takes the data
/// directory.
pub(crate) fn open(settings: &Settings) -> Result<Opened, Failed> {
    let map = match &settings.registry {
        Some(file) => Map::read(file).map_err(|why| Failed::Usage(why.to_string()))?,
        None => Map::builtin().map_err(|why| Failed::Usage(why.to_string()))?,
    };
    if let Some(not) = map.not_in_force(SystemClock.now()) {
        return Err(wrong("--registry", not_in_force(not)));
    }
    let groups = match &settings.groups {
        Some(file) => read_groups(file, &map).map_err(|why| Failed::Usage(why.to_string()))?,
        None => vec![],
    };
    let policies = match &settings.policy {
        Some(file) => read_policies(file, &map).map_err(|why| Failed::Usage(why.to_string()))?,
        None => Policies::default(),
    };
    let corridors = match &settings.corridors {
        Some(file) => corridors::read_corridors(file, &map)
            .map(Arc::new)
            .map_err(|why| Failed::Usage(why.to_string()))?,
        None => corridors::builtin(),
    };
    let tsa = settings.tsa.as_ref().map(|url| url.as_str());
    let anchors = Anchors::read(settings.witnesses.as_deref(), tsa).map_err(anchors)?;
    let data = DataDir::open(&settings.data, settings.kind)?;
    let keyring = key_file::open(&data, &settings.key_file)?;
    let erasures = match settings.nats {
        Some(_) => None,
        None => Some(erasures(settings, &data)?),
    };
    let instance = instance_of(&data)?.to_string().into();
    let reserve = reserve(data.path()).context("the reserve cannot be made")?;
    // A cache: where it cannot be had, everything is read from the log.
    let local = LocalState::open(&data.path().join("local-state"))
        .map_err(|why| tracing::warn!(%why, "there is no local state"))
        .ok()
        .map(|(local, _)| local);
    let (map, policies) = (Arc::new(map), Arc::new(policies));
    let reserve = Some(Arc::new(reserve));
    Ok(Opened {
        map,
        policies,
        corridors,
        groups,
        anchors,
        data,
        instance,
        reserve,
        keyring,
        erasures,
        local,
    })
}

/// What was erased, beside the data: as configured, or under the directory's own name.
fn erasures(settings: &Settings, data: &DataDir) -> Result<Arc<Erasures>, ConfigError> {
    let beside = || key_file::beside(data.path(), "erasures");
    let file = settings.erasures.clone().unwrap_or_else(beside);
    Erasures::open(&file).map(Arc::new)
}

fn anchors(why: BadAnchors) -> Failed {
    match why {
        BadAnchors::Tsa => wrong("--tsa", why),
        BadAnchors::NoHttp(_) => Failed::Trouble(why.into()),
        _ => wrong("--witnesses", why),
    }
}

fn reserve(data: &Path) -> Result<Reserve, std::io::Error> {
    Reserve::create(&data.join("reserve"), RESERVE_BYTES)
}

/// Where pictures lie: as configured, or in the data directory. All that were encrypted can be
/// decrypted here; `takes`: this process puts some there.
pub(crate) async fn photos(
    settings: &Settings,
    opened: &Opened,
    takes: bool,
) -> Result<Photos, Failed> {
    let data = &opened.data;
    let store = match &settings.photos {
        Some(PhotosUrl::Bucket(url)) => {
            let text = |text: std::ffi::OsString| text.into_string().ok();
            let all = std::env::vars_os();
            Photos::in_bucket(
                url,
                all.filter_map(|(name, value)| Some((text(name)?, text(value)?))),
            )
        }
        other => {
            let folder = match other {
                Some(PhotosUrl::Folder(folder)) => folder.clone(),
                _ => subdirectory(data, "photos"),
            };
            make_folder(&folder)?;
            Photos::in_folder(&folder)
        }
    };
    let photos = store.map_err(|why| wrong("--photos", why))?;
    let photos = photos.encrypted(opened.keyring.clone());
    let known = match photos.lacks().await {
        Ok(None) if takes => photos.note_key().await,
        Ok(None) => Ok(()),
        Ok(Some(key)) => {
            let why = format!(
                "ảnh mã hóa bằng khóa {key} không có trong tệp / \
                 pictures are encrypted under key {key}, which the file does not hold"
            );
            return Err(wrong("--key-file", why));
        }
        Err(why) => Err(why),
    };
    // Alerts wait for no store of pictures.
    if let Err(why) = known {
        tracing::warn!(%why, "whether every picture can be decrypted is not known");
    }
    Ok(photos)
}

/// Where accounts with providers remember what they must, as rotating tokens.
pub(crate) fn accounts(data: &DataDir) -> Result<std::path::PathBuf, Failed> {
    let folder = subdirectory(data, "accounts");
    make_folder(&folder)?;
    Ok(folder)
}

/// A file of the map, checked.
pub(crate) fn check_map(file: &Path) -> Result<Map, Failed> {
    Map::read(file).map_err(|why| Failed::Trouble(anyhow::anyhow!("{why}")))
}

fn not_in_force(not: NotInForce) -> String {
    match not {
        NotInForce::NotYet(from) => {
            let from = local(from);
            format!("bản đồ chưa có hiệu lực, đến {from} / the map is not in force before {from}")
        }
        NotInForce::NoLonger(to) => {
            let to = local(to);
            format!("bản đồ đã hết hiệu lực từ {to} / the map is no longer in force since {to}")
        }
    }
}

/// Where in the data directory what lies.
pub(crate) fn subdirectory(data: &DataDir, name: &str) -> std::path::PathBuf {
    data.path().join(name)
}

/// A wrong option, as the configuration names it.
pub(crate) fn wrong(name: &'static str, why: impl ToString) -> Failed {
    ConfigError::Wrong { name, why: why.to_string() }.into()
}
