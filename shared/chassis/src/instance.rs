//! The instance's id: a UUIDv7 in the data directory, so that a restarted process is the one it
//! was, and goes on with the leases it held.

use uuid::Uuid;

use crate::{data_dir::DataDir, durable_file, exit::ConfigError};

const FILE: &str = "instance";

/// Reads the id, or makes it, durably. Blocks for a moment.
///
/// # Errors
/// Where the file cannot be read or written, or holds no id.
pub fn instance_of(data: &DataDir) -> Result<Uuid, ConfigError> {
    let path = data.path().join(FILE);
    let unusable = |source| ConfigError::Unusable { path: path.clone(), source };
    if let Some(text) = durable_file::read(&path).map_err(unusable)? {
        return text
            .trim_end()
            .parse()
            .map_err(|_| ConfigError::Damaged { path, why: "it holds no id; remove it" });
    }
    let id = Uuid::now_v7();
    durable_file::write(data.path(), FILE, format!("{id}\n")).map_err(unusable)?;
    Ok(id)
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::PermissionsExt};

    use super::*;
    use crate::data_dir::Kind;

    #[test]
    fn an_instance_stays_who_it_is() {
        let dir = tempfile::tempdir().unwrap();
        let data = DataDir::open(dir.path(), Kind::Real).unwrap();
        let id = instance_of(&data).unwrap();
        assert_eq!(id.get_version_num(), 7);
        assert_eq!(instance_of(&data).unwrap(), id);
        let file = dir.path().join(FILE);
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        fs::write(&file, "x").unwrap();
        assert!(matches!(instance_of(&data), Err(ConfigError::Damaged { .. })));
    }
}
