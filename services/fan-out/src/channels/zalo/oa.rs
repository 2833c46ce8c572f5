//! The channel `zalo-oa`: one follower, who may be written to within seven days of the last word.
//!
//! Whether the window is open is Zalo's to say: past it the target is gone (-230), and the group's
//! fallback is used. A receipt (`user_received_message`) says that it arrived.

use std::sync::Arc;

use domain::channel::ChannelType;
use futures::future::{BoxFuture, FutureExt};
use registry::Address;
use rendering::Unit;

use super::{
    Account, PER_MINUTE, TEXT_CHARS_MAX, api::Recipient, note, photos::PHOTO_BYTES_MAX, render,
};
use crate::channels::{
    Caps, Channel, Confirms, Health, Intent, NotReceived, NotRendered, PhotoRule, RawRequest,
    Received, Reconciled, Rendered, Repeats, Sent, View,
};

const CAPS: Caps = Caps {
    channel_type: ChannelType::ZaloOa,
    text_max: TEXT_CHARS_MAX,
    unit: Unit::Chars,
    confirms: Confirms::Delivered,
    repeats: Repeats::ShownTwice,
    photo: PhotoRule::ByUpload { bytes_max: PHOTO_BYTES_MAX },
    shares_account: true,
    per_minute: Some(PER_MINUTE),
    per_minute_a_target: None,
};

/// One follower of the account, by `user_id`.
pub(super) struct Oa(pub(super) Arc<Account>);

impl Channel for Oa {
    fn caps(&self) -> &Caps {
        &CAPS
    }

    fn render(&self, view: &View<'_>) -> Result<Rendered, NotRendered> {
        render(view)
    }

    fn note(&self, text: &str, _: &str) -> Option<Rendered> {
        note(text)
    }

    fn send<'a>(
        &'a self,
        message: &'a Rendered,
        to: &'a Address,
        intent: Intent<'a>,
    ) -> BoxFuture<'a, Sent> {
        self.0.send(Recipient::UserId(&to.to), message, intent).boxed()
    }

    fn reconcile<'a>(
        &'a self,
        message: &'a Rendered,
        to: &'a Address,
        intent: Intent<'a>,
    ) -> BoxFuture<'a, Reconciled> {
        self.0.reconcile(Recipient::UserId(&to.to), message, intent).boxed()
    }

    fn receive(&self, request: RawRequest<'_>) -> Result<Received, NotReceived> {
        self.0.receive(request)
    }

    fn probe(&self) -> BoxFuture<'_, Health> {
        self.0.probe().boxed()
    }
}
