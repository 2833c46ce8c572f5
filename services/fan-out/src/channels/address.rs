//! Where a webhook may lead: never into the network that Kẻng itself stands in (SSRF).
//!
//! A literal address in the URL is checked as such; a name is resolved once, each of its
//! addresses is checked, and the connection goes to just those. No redirects: see `webhook`.
//! Beside it: whether a provider's address, as the operator wrote it, keeps what is sent there.
//! Ranges: IANA's special-purpose registries for IPv4 and IPv6, and the clouds' metadata services.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
};

use reqwest::{
    Url,
    dns::{Addrs, Name, Resolve, Resolving},
};

/// Why a URL is not called. Names neither the URL nor its host: both are sealed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotCalled {
    /// The operator must correct the directory.
    #[error("not an http or https URL with a host and without a user")]
    NotAnAddress,
    /// The operator must correct the directory, or allow private targets.
    #[error("leads to an address that must not be called")]
    Blocked,
}

impl NotCalled {
    /// The stable code.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::NotAnAddress => "address",
            Self::Blocked => "blocked",
        }
    }
}

/// The guard at the way out; a resolver for reqwest, and a check of URLs before it.
#[derive(Debug, Clone, Copy)]
pub struct Guard {
    allow_private_targets: bool,
}

/// What an address belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Realm {
    /// The open internet.
    Open,
    /// This machine, or a network of somebody's own; allowed by the operator's word.
    Private,
    /// Nothing that is ever called: link-local and with it the metadata services of clouds,
    /// multicast, unspecified, reserved, documentation, other forms of writing IPv4.
    Never,
}

impl Guard {
    /// A guard that lets loopback and private addresses pass only with `allow_private_targets`.
    #[must_use]
    pub fn new(allow_private_targets: bool) -> Self {
        Self { allow_private_targets }
    }

    /// Whether this address may be connected to.
    #[must_use]
    pub fn may_call(self, address: IpAddr) -> bool {
        match realm(address) {
            Realm::Open => true,
            Realm::Private => self.allow_private_targets,
            Realm::Never => false,
        }
    }

    /// The URL, parsed: http or https, no user in it, and no literal address that is refused.
    /// Octal, hexadecimal and decimal ways of writing IPv4 are normalised by the parser, as the
    /// connection's are.
    ///
    /// # Errors
    /// The URL is not to be called.
    pub fn target(self, url: &str) -> Result<Url, NotCalled> {
        let url = Url::parse(url).map_err(|_| NotCalled::NotAnAddress)?;
        let has_user = !url.username().is_empty() || url.password().is_some();
        if !matches!(url.scheme(), "http" | "https") || has_user {
            return Err(NotCalled::NotAnAddress);
        }
        let host = url.host_str().filter(|host| !host.is_empty()).ok_or(NotCalled::NotAnAddress)?;
        let unbracketed = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
        match unbracketed.unwrap_or(host).parse::<IpAddr>() {
            Ok(literal) if !self.may_call(literal) => Err(NotCalled::Blocked),
            Ok(_) => Ok(url),
            // What is in brackets and no address would be resolved as a name by nobody.
            Err(_) if unbracketed.is_some() => Err(NotCalled::NotAnAddress),
            Err(_) => Ok(url),
        }
    }

    /// All or none: a name that leads inside as well as outside is not a name to trust.
    fn check(self, addresses: &[SocketAddr]) -> Result<(), NotCalled> {
        let all_may = addresses.iter().all(|address| self.may_call(address.ip()));
        if all_may { Ok(()) } else { Err(NotCalled::Blocked) }
    }
}

impl Resolve for Guard {
    fn resolve(&self, name: Name) -> Resolving {
        let guard = *self;
        Box::pin(async move {
            // Port 0 stands for the URL's own.
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let addresses: Vec<SocketAddr> = found.collect();
            if addresses.is_empty() {
                return Err(io::Error::from(io::ErrorKind::NotFound).into());
            }
            guard.check(&addresses)?;
            Ok(Box::new(addresses.into_iter()) as Addrs)
        })
    }
}

/// Whether it leads to this machine, by its host as it is written: a name may lead anywhere.
#[must_use]
pub fn stays_here(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    let literal = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    host == "localhost" || literal.is_ok_and(|address| address.is_loopback())
}

/// An address that the operator gave in `field`, without a slash at the end: of a provider, or the
/// beginning of one at which a provider calls us. Keys, numbers and words go there: plain http only
/// where nothing leaves this machine.
///
/// # Errors
/// What is wrong, with the field's name, and not the address: it may hold a key.
pub fn base(field: &str, text: &str) -> Result<String, String> {
    let url = Url::parse(text).ok().filter(|url| {
        let has_user = !url.username().is_empty() || url.password().is_some();
        let goes_on = url.query().is_some() || url.fragment().is_some();
        let is_sealed = url.scheme() == "https" || (url.scheme() == "http" && stays_here(url));
        is_sealed && url.has_host() && !has_user && !goes_on
    });
    url.map(|_| text.trim_end_matches('/').to_owned()).ok_or_else(|| {
        format!(
            "{field}: phải là https://… (http:// chỉ với chính máy này) / \
             must be https://… (http:// only on this machine)"
        )
    })
}

fn realm(address: IpAddr) -> Realm {
    match address {
        IpAddr::V4(address) => realm_v4(address),
        IpAddr::V6(address) => realm_v6(address),
    }
}

fn realm_v4(address: Ipv4Addr) -> Realm {
    match address.octets() {
        // Azure answers for its machines under an address of the open internet, Alibaba under
        // one of carrier-grade NAT; everybody else's metadata is link-local, below.
        [168, 63, 129, 16] | [100, 100, 100, 200] => Realm::Never,
        [10 | 127, ..] | [192, 168, ..] => Realm::Private,
        [172, second, ..] if second & 0xf0 == 16 => Realm::Private,
        // Carrier-grade NAT, and networks for measurements.
        [100, second, ..] if second & 0xc0 == 64 => Realm::Private,
        [198, 18 | 19, ..] => Realm::Private,
        // "This network", link-local, protocol assignments, relays to 6to4.
        [0, ..] | [169, 254, ..] | [192, 0, 0, _] | [192, 88, 99, _] => Realm::Never,
        // Documentation.
        [192, 0, 2, _] | [198, 51, 100, _] | [203, 0, 113, _] => Realm::Never,
        // Multicast, reserved, broadcast.
        [224..=255, ..] => Realm::Never,
        _ => Realm::Open,
    }
}

fn realm_v6(address: Ipv6Addr) -> Realm {
    let parts = address.segments();
    match parts {
        [0, 0, 0, 0, 0, 0, 0, 1] => Realm::Private,
        // EC2's metadata over IPv6.
        [0xfd00, 0x0ec2, 0, 0, 0, 0, 0, 0x0254] => Realm::Never,
        [first, ..] if first & 0xfe00 == 0xfc00 => Realm::Private,
        // NAT64 and 6to4 lead to the IPv4 address that they carry.
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] => realm_v4(embedded(high, low)),
        [0x2002, high, low, ..] => realm_v4(embedded(high, low)),
        // Protocol assignments with Teredo, and documentation.
        [0x2001, second, ..] if second < 0x0200 => Realm::Never,
        [0x2001, 0x0db8, ..] => Realm::Never,
        [0x3fff, second, ..] if second < 0x1000 => Realm::Never,
        // Global unicast. Everything else, mapped and compatible IPv4 included, is never called.
        [first, ..] if first & 0xe000 == 0x2000 => Realm::Open,
        _ => Realm::Never,
    }
}

fn embedded(high: u16, low: u16) -> Ipv4Addr {
    Ipv4Addr::from_bits((u32::from(high) << 16) | u32::from(low))
}

#[cfg(test)]
mod tests {
    use super::*;

    const OPEN: [&str; 7] = [
        "8.8.8.8",
        "172.15.0.1",
        "172.32.0.1",
        "100.63.0.1",
        "2606:4700::1111",
        "64:ff9b::808:808",
        "2002:808:808::1",
    ];

    const PRIVATE: [&str; 13] = [
        "127.0.0.1",
        "127.9.9.9",
        "10.1.2.3",
        "172.16.0.1",
        "172.31.255.255",
        "192.168.1.1",
        "100.64.0.1",
        "198.19.0.1",
        "::1",
        "fc00::1",
        "fd12:3456::1",
        "64:ff9b::7f00:1",
        "2002:c0a8:101::1",
    ];

    const NEVER: [&str; 33] = [
        "0.0.0.0",
        "0.1.2.3",
        "169.254.169.254",
        "169.254.1.1",
        "168.63.129.16",
        "100.100.100.200",
        "192.0.0.192",
        "192.0.2.1",
        "198.51.100.1",
        "203.0.113.1",
        "192.88.99.1",
        "224.0.0.1",
        "239.255.255.250",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::ffff:127.0.0.1",
        "::ffff:8.8.8.8",
        "::127.0.0.1",
        "::8.8.8.8",
        "::ffff:0:127.0.0.1",
        "64:ff9b::a9fe:a9fe",
        "64:ff9b:1::7f00:1",
        "2002:a9fe:a9fe::1",
        "2001::1",
        "2001:10::1",
        "2001:db8::1",
        "3fff::1",
        "fd00:ec2::254",
        "fe80::1",
        "fec0::1",
        "ff02::1",
        "100::1",
    ];

    #[test]
    fn an_address_belongs_where_the_registries_put_it() {
        let (strict, lenient) = (Guard::new(false), Guard::new(true));
        for (addresses, may) in
            [(&OPEN[..], (true, true)), (&PRIVATE[..], (false, true)), (&NEVER, (false, false))]
        {
            for text in addresses {
                let address = text.parse().unwrap();
                assert_eq!((strict.may_call(address), lenient.may_call(address)), may, "{text}");
            }
        }
    }

    #[test]
    fn a_url_is_checked_in_whatever_way_its_address_is_written() {
        let guard = Guard::new(false);
        for url in [
            "http://127.0.0.1/",
            "http://127.0.0.1./",
            "http://2130706433/",
            "http://0x7f000001/",
            "http://0x7f.1/",
            "http://0177.0.0.1/",
            "http://127.1/",
            "http://１２７.0.0.1/",
            "https://[::1]:8443/x",
            "http://[::ffff:7f00:1]/",
            "http://[64:ff9b::7f00:1]/",
            "http://169.254.169.254/latest/meta-data",
        ] {
            assert_eq!(guard.target(url), Err(NotCalled::Blocked), "{url}");
        }
        for url in [
            "ftp://8.8.8.8/",
            "file:///etc/passwd",
            "http://an@8.8.8.8/",
            "http://an:secret@8.8.8.8/",
            "http://:secret@8.8.8.8/",
            "http://",
            "8.8.8.8",
            "",
        ] {
            assert_eq!(guard.target(url), Err(NotCalled::NotAnAddress), "{url}");
        }
        for url in ["https://example.org/g/1?x=1", "http://8.8.8.8:8080/", "http://[2606:4700::1]/"]
        {
            assert!(guard.target(url).is_ok(), "{url}");
        }
        assert!(Guard::new(true).target("http://127.0.0.1:9/").is_ok());
    }

    #[tokio::test]
    async fn a_name_that_leads_inside_is_not_resolved() {
        let resolved = Guard::new(false).resolve("localhost".parse().unwrap()).await;
        let error = resolved.err().unwrap();
        assert_eq!(error.downcast_ref(), Some(&NotCalled::Blocked));
        let resolved = Guard::new(true).resolve("localhost".parse().unwrap()).await;
        assert!(resolved.is_ok_and(|mut found| found.all(|address| address.ip().is_loopback())));
    }

    #[test]
    fn a_provider_is_called_over_tls_or_on_this_machine() {
        for (text, told) in [
            ("https://rest.esms.vn/a/", "https://rest.esms.vn/a"),
            ("http://127.0.0.1:9/", "http://127.0.0.1:9"),
            ("http://[::1]:9", "http://[::1]:9"),
            ("http://localhost", "http://localhost"),
        ] {
            assert_eq!(base("url", text).as_deref(), Ok(told));
        }
        for text in [
            "",
            "rest.esms.vn",
            "ftp://127.0.0.1",
            "http://rest.esms.vn",
            "http://10.0.0.1",
            "http://0.0.0.0:8080",
            "http://localhost.example.org",
            "https://s3cret@rest.esms.vn",
            "https://rest.esms.vn/?key=s3cret",
            "https://rest.esms.vn/#s3cret",
        ] {
            let why = base("base-url", text).unwrap_err();
            assert!(why.starts_with("base-url: ") && !why.contains("s3cret"), "{text}: {why}");
        }
    }

    #[test]
    fn one_address_inside_is_one_too_many() {
        let mixed = ["8.8.8.8:0".parse().unwrap(), "10.0.0.1:0".parse().unwrap()];
        assert_eq!(Guard::new(false).check(&mixed), Err(NotCalled::Blocked));
        assert_eq!(Guard::new(true).check(&mixed), Ok(()));
    }
}
