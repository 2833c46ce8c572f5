//! The channel `zalo-gmf`: one group that belongs to the account, at any hour, without a template.
//!
//! No receipt is documented for groups: that Zalo took it, and its echo, is the most that a machine
//! knows.

use std::sync::Arc;

use domain::channel::ChannelType;
use futures::future::{BoxFuture, FutureExt};
use registry::Address;
use rendering::Unit;

use super::{Account, PER_MINUTE, TEXT_CHARS_MAX, api::Recipient, photos::PHOTO_BYTES_MAX, render};
use crate::channels::{
    Caps, Channel, Confirms, Health, Intent, NotReceived, NotRendered, PhotoRule, RawRequest,
    Received, Reconciled, Rendered, Repeats, Sent, View,
};

const CAPS: Caps = Caps {
    channel_type: ChannelType::ZaloGmf,
    text_max: TEXT_CHARS_MAX,
    unit: Unit::Chars,
    confirms: Confirms::Accepted,
    repeats: Repeats::ShownTwice,
    photo: PhotoRule::ByUpload { bytes_max: PHOTO_BYTES_MAX },
    shares_account: true,
    per_minute: Some(PER_MINUTE),
    per_minute_a_target: None,
};

/// One group of the account, by `group_id`.
pub(super) struct Gmf(pub(super) Arc<Account>);

impl Channel for Gmf {
    fn caps(&self) -> &Caps {
        &CAPS
    }

    fn render(&self, view: &View<'_>) -> Result<Rendered, NotRendered> {
        render(view)
    }

    fn send<'a>(
        &'a self,
        message: &'a Rendered,
        to: &'a Address,
        intent: Intent<'a>,
    ) -> BoxFuture<'a, Sent> {
        self.0.send(Recipient::GroupId(&to.to), message, intent).boxed()
    }

    fn reconcile<'a>(
        &'a self,
        message: &'a Rendered,
        to: &'a Address,
        intent: Intent<'a>,
    ) -> BoxFuture<'a, Reconciled> {
        self.0.reconcile(Recipient::GroupId(&to.to), message, intent).boxed()
    }

    fn receive(&self, request: RawRequest<'_>) -> Result<Received, NotReceived> {
        self.0.receive(request)
    }

    fn probe(&self) -> BoxFuture<'_, Health> {
        self.0.probe().boxed()
    }
}
