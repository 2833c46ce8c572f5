//! The clerk writes what is asked of keys that sign.

use domain::{
    ids::{EntityName, Home, KeyId, Millis, RecordId},
    key::KeyFacts,
};
use wire::{
    key::key_said,
    v1::{self, command::Body},
};

use super::{Clerk, ClerkError, draft};

impl Clerk {
    /// Asks for a key of one's own; a second person confirms it.
    ///
    /// # Errors
    /// [`ClerkError`]; `key-taken`, `key-revoked` or `role-missing` where it cannot be had.
    pub async fn register_key(
        &self,
        id: RecordId,
        actor: v1::Actor,
        facts: &KeyFacts,
        now: Millis,
    ) -> Result<(), ClerkError> {
        let body = Body::RegisterKey(v1::RegisterKey { facts: Some(key_said(facts)) });
        self.of_key(id, actor, (facts.id(), body), now).await
    }

    /// A second person's yes. The key is good here when this returns.
    ///
    /// # Errors
    /// [`ClerkError`]; `same-person` or `role-missing` for who may not confirm it.
    pub async fn confirm_key(
        &self,
        id: RecordId,
        actor: v1::Actor,
        key: KeyId,
        now: Millis,
    ) -> Result<(), ClerkError> {
        let body = Body::ConfirmKey(v1::ConfirmKey { id: key.to_string() });
        self.of_key(id, actor, (key, body), now).await
    }

    /// Ends a key. It is refused everywhere that has seen this, here when this returns.
    ///
    /// # Errors
    /// [`ClerkError`]; `role-missing` for who may not end it.
    pub async fn revoke_key(
        &self,
        id: RecordId,
        actor: v1::Actor,
        key: KeyId,
        now: Millis,
    ) -> Result<(), ClerkError> {
        let body = Body::RevokeKey(v1::RevokeKey { id: key.to_string() });
        self.of_key(id, actor, (key, body), now).await
    }

    async fn of_key(
        &self,
        id: RecordId,
        actor: v1::Actor,
        (key, body): (KeyId, Body),
        now: Millis,
    ) -> Result<(), ClerkError> {
        let draft = draft(id, EntityName::key(key), Home::NATION, &actor, now, body);
        self.write(vec![draft], now).await?;
        Ok(())
    }
}
