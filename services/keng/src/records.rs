//! Commands that work on files alone.

use chassis::ExitCode;

use crate::{
    Failed,
    args::{RegistryArgs, RegistryCommand},
    feeds::line,
    open::check_map,
};

/// `keng registry check FILE`.
pub(crate) fn registry(args: &RegistryArgs) -> Result<u8, Failed> {
    let RegistryCommand::Check { file } = &args.command;
    let map = check_map(file)?;
    let borders: usize = map.communes().map(|c| map.neighbours(c.code).len()).sum();
    let islands = map.communes().filter(|c| map.neighbours(c.code).is_empty()).count();
    let provinces = map.provinces().len();
    line(&format!(
        "{} xã / communes, {provinces} tỉnh / provinces, {} ranh giới / borders, \
         {islands} không giáp xã nào / without a neighbour",
        map.len(),
        borders / 2,
    ));
    let sha256 = map.sha256();
    line(&format!("sha256 {}", sha256.iter().map(|b| format!("{b:02x}")).collect::<String>()));
    Ok(ExitCode::DONE)
}
