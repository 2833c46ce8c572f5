//! Who may do what: the table of roles of the interfaces, and nothing beside it.

use crate::{
    ids::{CommuneCode, Home, OfficerId, ProvinceCode},
    values::Role,
};

/// Somebody who asks: an officer with the role and the place of the token used.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Asker {
    /// One id is one person, whatever tokens it has.
    pub officer: OfficerId,
    /// Role and place.
    pub standing: Standing,
}

/// A role and where it holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Standing {
    /// Of one commune.
    Officer(Home),
    /// Of one commune.
    Commander(Home),
    /// Of one province.
    Province(ProvinceCode),
    /// Reads the audit, everywhere.
    Auditor,
    /// Keeps the directory, everywhere.
    Admin,
    /// The owner of the server's machine over the Unix socket: auditor and admin.
    Local,
}

impl Standing {
    /// The role's word.
    #[must_use]
    pub fn role(self) -> Role {
        match self {
            Self::Officer(_) => Role::Officer,
            Self::Commander(_) => Role::Commander,
            Self::Province(_) => Role::Province,
            Self::Auditor => Role::Auditor,
            Self::Admin | Self::Local => Role::Admin,
        }
    }

    /// The commune, where the role has one.
    #[must_use]
    pub fn commune(self) -> Option<CommuneCode> {
        match self {
            Self::Officer(home) | Self::Commander(home) => Some(home.commune),
            _ => None,
        }
    }

    /// The province, where the role has one.
    #[must_use]
    pub fn province(self) -> Option<ProvinceCode> {
        match self {
            Self::Officer(home) | Self::Commander(home) => Some(home.province),
            Self::Province(province) => Some(province),
            _ => None,
        }
    }

    /// Raise, update, correct, cancel, resolve for `home`; answer for `home`.
    #[must_use]
    pub fn acts_for(self, home: Home) -> bool {
        match self {
            Self::Officer(own) | Self::Commander(own) => own.commune == home.commune,
            Self::Province(own) => own == home.province,
            Self::Auditor | Self::Admin | Self::Local => false,
        }
    }

    /// Approve what another person of `home` asked for.
    #[must_use]
    pub fn approves_for(self, home: Home) -> bool {
        !matches!(self, Self::Officer(_)) && self.acts_for(home)
    }

    /// Whether this is a role that reads alerts at all.
    #[must_use]
    pub fn reads_alerts(self) -> bool {
        matches!(self, Self::Officer(_) | Self::Commander(_) | Self::Province(_))
    }

    /// Read the audit.
    #[must_use]
    pub fn reads_audit(self) -> bool {
        matches!(self, Self::Auditor | Self::Local)
    }

    /// Directory, tokens, policies.
    #[must_use]
    pub fn administers(self) -> bool {
        matches!(self, Self::Admin | Self::Local)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn home(province: &str, commune: &str) -> Home {
        Home { province: province.parse().unwrap(), commune: commune.parse().unwrap() }
    }

    #[test]
    fn the_table_of_roles_holds() {
        let own = home("68", "25126");
        let other = home("68", "25135");
        let far = home("38", "15961");
        for (standing, acts_own, acts_other, acts_far, approves) in [
            (Standing::Officer(own), true, false, false, false),
            (Standing::Commander(own), true, false, false, true),
            (Standing::Province(own.province), true, true, false, true),
            (Standing::Auditor, false, false, false, false),
            (Standing::Admin, false, false, false, false),
            (Standing::Local, false, false, false, false),
        ] {
            assert_eq!(standing.acts_for(own), acts_own, "{standing:?}");
            assert_eq!(standing.acts_for(other), acts_other, "{standing:?}");
            assert_eq!(standing.acts_for(far), acts_far, "{standing:?}");
            assert_eq!(standing.approves_for(own), approves, "{standing:?}");
        }
        assert!(Standing::Local.administers() && Standing::Local.reads_audit());
        assert!(!Standing::Admin.reads_audit() && !Standing::Auditor.administers());
    }
}
