//! Where people find these pages, and what follows from it.

/// The place of these pages in the web. Passkeys are for its host, and for no other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Site {
    /// Scheme, host and port, as `https://keng.example.vn`.
    pub origin: String,
    /// Whether an access token signs in. Only where nobody but this machine reaches the pages: a
    /// token that is typed into a page can be typed into somebody else's.
    pub takes_tokens: bool,
}

impl Site {
    /// The host's name: what passkeys are for.
    #[must_use]
    pub fn rp(&self) -> &str {
        let place = self.origin.split_once("://").map_or("", |(_, place)| place);
        place.split([':', '/']).next().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passkeys_are_for_the_host() {
        for (origin, rp) in [
            ("https://keng.example.vn", "keng.example.vn"),
            ("https://keng.example.vn:8443/", "keng.example.vn"),
            ("http://localhost:8080", "localhost"),
            ("keng", ""),
        ] {
            let site = Site { origin: origin.to_owned(), takes_tokens: false };
            assert_eq!(site.rp(), rp, "{origin}");
        }
    }
}
