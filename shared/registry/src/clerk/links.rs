//! The clerk makes the key of links, and turns the switches of channels.

use bytes::Bytes;
use domain::ids::{EntityName, Home, Millis, RecordId, SwitchId};
use event_log::command::Draft;
use uuid::Uuid;
use wire::{
    seal::{salt, seal},
    v1::{self, command::Body, sealed_content::Content},
};

use super::{Clerk, ClerkError, draft};

impl Clerk {
    /// Makes the key by which links are signed, where there is none. Two processes may ask at
    /// once: one wins, and both have that one's key when this returns.
    ///
    /// # Errors
    /// [`ClerkError`]: ask again.
    pub async fn make_link_key(&self, actor: v1::Actor, now: Millis) -> Result<(), ClerkError> {
        let entity = EntityName::link_key();
        // Not "there is no key": one that was erased is not made anew in silence.
        if self.directory.read().version(&entity) > 0 {
            return Ok(());
        }
        let random = || salt().map_err(|why| ClerkError::Unavailable(why.to_string()));
        let key = Bytes::copy_from_slice(&random()?);
        let content = v1::SealedContent {
            request_sha256: Bytes::new(),
            content: Some(Content::LinkKey(v1::LinkKey { key })),
        };
        let body = Body::MakeLinkKey(v1::MakeLinkKey {});
        let id = RecordId(Uuid::now_v7());
        let draft = Draft {
            sealing: Some(seal(&content, random()?)),
            sealed_fields: vec!["key".to_owned()],
            ..draft(id, entity, Home::NATION, &actor, now, body)
        };
        self.write(vec![draft], now).await?;
        Ok(())
    }

    /// Stops all that would leave at this switch, or lets it go on. It holds here when this
    /// returns, and everywhere that has seen it.
    ///
    /// # Errors
    /// [`ClerkError`]: ask again.
    pub async fn switch_channel(
        &self,
        id: RecordId,
        actor: v1::Actor,
        (switch, stopped): (&SwitchId, bool),
        now: Millis,
    ) -> Result<(), ClerkError> {
        let body = Body::SwitchChannel(v1::SwitchChannel { channel: switch.to_string(), stopped });
        let entity = EntityName::channel(switch);
        let draft = draft(id, entity, Home::NATION, &actor, now, body);
        self.write(vec![draft], now).await?;
        Ok(())
    }
}
