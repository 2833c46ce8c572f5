//! The types of channel, and what each promises to the deciders. Source: `channels.md`, 9 and 10.
//!
//! How a channel speaks on the wire is fan-out's, one file a channel.

use crate::values::{AlertKind, News, words};

words! {
    /// A way to reach a group.
    ChannelType {
        /// A POST signed by Standard Webhooks.
        Webhook = "webhook",
        /// A person who posts by hand where no machine may: the ordinary Zalo group.
        Poster = "poster",
        /// A follower of a Zalo Official Account.
        ZaloOa = "zalo-oa",
        /// A group that belongs to a Zalo Official Account.
        ZaloGmf = "zalo-gmf",
        /// A chat with a Zalo bot in it.
        ZaloBot = "zalo-bot",
        /// A browser's push subscription.
        WebPush = "web-push",
        /// E-mail.
        Email = "email",
        /// SMS, by whichever provider the account is with.
        Sms = "sms",
        /// A Telegram chat; off unless it is switched on.
        Telegram = "telegram",
        /// A loudspeaker of the commune, over MQTT.
        Loudspeaker = "loudspeaker",
        /// A board of lights, over MQTT.
        Led = "led",
    }
}

impl ChannelType {
    /// Whether the plan is the record of the first attempt: a repeat shows nothing twice, and
    /// nothing has to be known of an attempt that left no receipt. On every other channel each
    /// attempt has a record of its own, durable before it is made.
    #[must_use]
    pub fn plan_begins(self) -> bool {
        matches!(self, Self::Webhook | Self::WebPush)
    }

    /// Whether people read it as it comes: they are told nothing of an expiry.
    #[must_use]
    pub fn is_read_by_people(self) -> bool {
        !matches!(self, Self::Webhook | Self::Loudspeaker | Self::Led)
    }

    /// Whether it needs an account with somebody, set up by the operator.
    #[must_use]
    pub fn needs_account(self) -> bool {
        !matches!(self, Self::Webhook)
    }
}

/// What is done where nobody can tell whether an attempt arrived, and a repeat would show twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum WhenUnknown {
    /// It is told again: that it shows twice harms nobody, that it shows never may.
    TellAgain,
    /// A person looks, and decides.
    AskAPerson,
}

/// The policy of a kind, and of what sets right: a lost child may be posted twice, a scam notice
/// goes to a person. That something was wrong, or is over, may always be said twice.
#[must_use]
pub fn when_unknown(kind: AlertKind, news: News) -> WhenUnknown {
    match kind {
        _ if news.sets_right() => WhenUnknown::TellAgain,
        AlertKind::LostChild
        | AlertKind::FoundChild
        | AlertKind::MissingPerson
        | AlertKind::FoundPerson
        | AlertKind::Suspect
        | AlertKind::Hazard => WhenUnknown::TellAgain,
        AlertKind::LostProperty
        | AlertKind::FoundProperty
        | AlertKind::ScamWarning
        | AlertKind::Notice => WhenUnknown::AskAPerson,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_looked_for_may_be_told_of_twice_and_a_scam_goes_to_a_person() {
        assert_eq!(when_unknown(AlertKind::LostChild, News::Issued), WhenUnknown::TellAgain);
        assert_eq!(when_unknown(AlertKind::ScamWarning, News::Issued), WhenUnknown::AskAPerson);
        assert_eq!(when_unknown(AlertKind::ScamWarning, News::Cancelled), WhenUnknown::TellAgain);
    }

    #[test]
    fn a_type_has_one_word() {
        for channel_type in ChannelType::ALL {
            assert_eq!(channel_type.as_str().parse(), Ok(*channel_type));
        }
    }
}
