//! The switches of channels: at one that is turned off nothing leaves, whatever waits.

use domain::{
    channel::ChannelType,
    ids::{RecordId, SwitchId},
    rights::Asker,
};
use wire::actor::person;

use crate::{
    Host, Problem,
    admin::{administers, invalid, of_clerk},
};

/// In front of the name of an account.
const ACCOUNT: &str = "account:";

/// Where a switch is turned.
#[must_use]
pub fn switch_path(name: &str, stopped: bool) -> String {
    format!("/v1/channels/{name}/{}", if stopped { "stop" } else { "start" })
}

/// Stops all that would leave on a type of channel or by an account (`account:NAME`), or lets it
/// go on. It holds here when this returns.
///
/// # Errors
/// The asker does not administer, it is no such name, or it could not be stored.
pub async fn switch_channel(
    host: &Host,
    asker: &Asker,
    command: RecordId,
    (name, stopped): (&str, bool),
) -> Result<(), Problem> {
    administers(asker)?;
    let is_account = name.strip_prefix(ACCOUNT).is_some_and(|account| !account.is_empty());
    let switch = name.parse::<SwitchId>().ok();
    let switch = switch.filter(|_| is_account || name.parse::<ChannelType>().is_ok());
    let switch = switch.ok_or_else(|| {
        let wanted = "phải là loại kênh, hoặc account:TÊN / a type of channel, or account:NAME";
        invalid("invalid-fields").with_field("name", wanted)
    })?;
    let now = host.clock.now();
    let written = host.clerk.switch_channel(command, person(asker), (&switch, stopped), now).await;
    written.map_err(of_clerk)?;
    tracing::info!(channel = name, stopped, by = %asker.officer, "a channel was switched");
    Ok(())
}
