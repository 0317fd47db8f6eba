//! Who the peer at the other end of a connection is, and as whom it may speak.

use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;
use core::net::IpAddr;

use crate::id::NodeId;

/// Who the peer at the other end of a connection is, as far as the connection proves it.
///
/// The caller has verified the certificate: that it is genuine, in force, signed by an authority that the cluster
/// trusts, and, where the peer was dialled, good for the name that was expected. What it then means for the protocol is
/// decided here alone, from plain data, so that a recorded run can be played again.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "record", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum PeerIdentity {
    /// No TLS. The peer may speak as any node.
    #[default]
    Plaintext,
    /// TLS, but only the dialled side shows a certificate, and this peer dialled. It may speak as any node.
    Anonymous,
    /// TLS, and the peer showed a certificate, where the cluster does not demand one of everybody: it may speak as a node
    /// whose `tls_name` the certificate holds, or as one without `tls_name`.
    Shown(Arc<CertificateNames>),
    /// TLS on both sides: the peer may only speak as a node whose `tls_name` the certificate holds.
    Demanded(Arc<CertificateNames>),
}

impl PeerIdentity {
    /// Whether the peer has proved to be the node that it speaks as; if not, the names that its certificate holds.
    pub(crate) fn check(&self, speaks_as: &NodeId) -> Result<(), &Arc<CertificateNames>> {
        let (names, may_have_none) = match self {
            PeerIdentity::Plaintext | PeerIdentity::Anonymous => return Ok(()),
            PeerIdentity::Shown(names) => (names, true),
            PeerIdentity::Demanded(names) => (names, false),
        };
        if speaks_as.tls_name().map_or(may_have_none, |tls_name| names.hold(tls_name)) {
            return Ok(());
        }
        Err(names)
    }

    /// Whether a certificate says that the peer is the node that it speaks as, once that is [checked](PeerIdentity::check).
    pub(crate) fn proves(&self, speaks_as: &NodeId) -> bool {
        let shows_certificate = matches!(self, PeerIdentity::Shown(_) | PeerIdentity::Demanded(_));
        shows_certificate && speaks_as.tls_name().is_some()
    }
}

/// The names that a certificate holds: those of its subject alternative names that are DNS names or IP addresses. A
/// common name is none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "record", derive(serde::Serialize, serde::Deserialize))]
pub struct CertificateNames {
    dns_names: Vec<String>,
    ip_addresses: Vec<IpAddr>,
}

impl CertificateNames {
    /// The names as they stand in the certificate; a DNS name may begin with `*.`.
    #[must_use]
    pub fn new(dns_names: Vec<String>, ip_addresses: Vec<IpAddr>) -> CertificateNames {
        CertificateNames { dns_names, ip_addresses }
    }

    /// Whether the certificate is good for a node with this `tls_name`, a DNS name or an IP address.
    ///
    /// It follows RFC 6125 as strictly as webpki does: DNS names are compared without regard to case; `*.` stands for
    /// exactly one label, and two more have to follow it; a dot at the end of `tls_name` means nothing.
    #[must_use]
    pub fn hold(&self, tls_name: &str) -> bool {
        match tls_name.parse::<IpAddr>() {
            Ok(ip_address) => self.ip_addresses.contains(&ip_address),
            Err(_) => {
                let tls_name = tls_name.strip_suffix('.').unwrap_or(tls_name);
                is_dns_name(tls_name) && self.dns_names.iter().any(|held| dns_name_matches(held, tls_name))
            }
        }
    }
}

/// As many as a line of a log can take, separated by commas.
impl fmt::Display for CertificateNames {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SHOWN: usize = 8;
        let total = self.dns_names.len() + self.ip_addresses.len();
        if total == 0 {
            return f.write_str("no name");
        }
        let names = self.dns_names.iter().map(|name| name as &dyn fmt::Debug);
        let names = names.chain(self.ip_addresses.iter().map(|ip_address| ip_address as &dyn fmt::Debug));
        for (position, name) in names.take(SHOWN).enumerate() {
            let comma = if position == 0 { "" } else { ", " };
            // Escaped: the peer wrote it.
            write!(f, "{comma}{name:?}")?;
        }
        if total > SHOWN { write!(f, " and {} more", total - SHOWN) } else { Ok(()) }
    }
}

/// Whether a name that a certificate holds stands for `tls_name`, which is a valid name.
fn dns_name_matches(held: &str, tls_name: &str) -> bool {
    let Some(held_parent) = held.strip_prefix("*.") else { return held.eq_ignore_ascii_case(tls_name) };
    let parent = tls_name.split_once('.').map(|(_, parent)| parent);
    held_parent.contains('.') && parent.is_some_and(|parent| held_parent.eq_ignore_ascii_case(parent))
}

/// Whether this is a DNS name as a certificate can hold it, without wildcard and without a dot at its end.
fn is_dns_name(text: &str) -> bool {
    let is_label = |label: &str| {
        let is_made_of_letters = label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_');
        (1..=63).contains(&label.len()) && is_made_of_letters && !label.starts_with('-') && !label.ends_with('-')
    };
    let last = text.rsplit('.').next().unwrap_or(text);
    text.len() <= 253 && text.split('.').all(is_label) && !last.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::Address;
    use alloc::string::ToString;

    fn names() -> Arc<CertificateNames> {
        let dns_names = ["n1.example", "*.nodes.example", "*.example"].map(String::from);
        let ip_addresses = ["10.0.0.7", "fd00::7"].map(|text| text.parse().unwrap());
        Arc::new(CertificateNames::new(dns_names.into(), ip_addresses.into()))
    }

    fn node(tls_name: Option<&str>) -> NodeId {
        NodeId::with_tls_name("n", 1, Address::new("h", 1), tls_name.map(String::from))
    }

    #[test]
    fn a_name_is_held_as_webpki_would_have_it() {
        let names = names();
        for held in ["n1.example", "N1.Example", "n1.example.", "a.nodes.example", "A_1.NODES.example"] {
            assert!(names.hold(held), "{held}");
        }
        let label_of_64 = alloc::format!("{}.nodes.example", "a".repeat(64));
        let long = alloc::format!("{}nodes.example", "a.".repeat(121));
        for other in ["", ".", "n2.example", "xn1.example", "n1.example.org", "nodes.example", "a.b.nodes.example"] {
            assert!(!names.hold(other), "{other}");
        }
        for invalid in ["*.nodes.example", "n1.example..", ".nodes.example", "-a.nodes.example", "a .nodes.example"] {
            assert!(!names.hold(invalid), "{invalid}");
        }
        assert!(!names.hold(&label_of_64) && !names.hold(&long));
        // One label after the wildcard would be a whole top-level domain.
        assert!(!names.hold("other.example"));
    }

    #[test]
    fn an_ip_address_is_an_address_however_it_is_written() {
        let names = names();
        assert!(names.hold("10.0.0.7") && names.hold("fd00:0::0007"));
        for other in ["10.0.0.8", "fd00::8", "10.0.0.7.", "::ffff:10.0.0.7"] {
            assert!(!names.hold(other), "{other}");
        }
        let textual = CertificateNames::new(alloc::vec!["10.0.0.7".into()], Vec::new());
        assert!(!textual.hold("10.0.0.7"), "a DNS name is no address");
    }

    #[test]
    fn who_shows_a_certificate_speaks_in_its_names_only() {
        let (shown, demanded) = (PeerIdentity::Shown(names()), PeerIdentity::Demanded(names()));
        for proves in [&shown, &demanded] {
            proves.check(&node(Some("n1.example"))).unwrap();
            assert!(proves.check(&node(Some("n2.example"))).is_err());
        }
        shown.check(&node(None)).unwrap();
        assert!(demanded.check(&node(None)).is_err());
        for proves_nothing in [PeerIdentity::Plaintext, PeerIdentity::Anonymous] {
            proves_nothing.check(&node(Some("n2.example"))).unwrap();
            proves_nothing.check(&node(None)).unwrap();
        }
    }

    #[test]
    fn names_are_shown_escaped_and_not_without_end() {
        assert_eq!(CertificateNames::default().to_string(), "no name");
        assert_eq!(names().to_string(), r#""n1.example", "*.nodes.example", "*.example", 10.0.0.7, fd00::7"#);
        let evil = CertificateNames::new((0..20).map(|n| alloc::format!("n{n}\n")).collect(), Vec::new());
        let text = evil.to_string();
        assert!(text.starts_with(r#""n0\n", "n1\n""#) && text.ends_with(r#""n7\n" and 12 more"#), "{text}");
    }
}
