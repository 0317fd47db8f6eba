//! The names in a certificate.

use std::net::IpAddr;

use rustls::pki_types::CertificateDer;
use tidings_core::CertificateNames;
use x509_cert::Certificate;
use x509_cert::der::{Decode, Error};
use x509_cert::ext::pkix::SubjectAltName;
use x509_cert::ext::pkix::name::GeneralName;

/// The DNS names and IP addresses among the subject alternative names of `certificate`, which is verified elsewhere.
pub(super) fn names_of(certificate: &CertificateDer<'_>) -> Result<CertificateNames, Error> {
    let certificate = Certificate::from_der(certificate)?;
    let (mut dns_names, mut ip_addresses) = (Vec::new(), Vec::new());
    if let Some((_critical, SubjectAltName(names))) = certificate.tbs_certificate().get_extension()? {
        for name in names {
            match name {
                GeneralName::DnsName(name) => dns_names.push(name.as_str().to_owned()),
                GeneralName::IpAddress(octets) => ip_addresses.extend(ip_address(octets.as_bytes())),
                _ => {}
            }
        }
    }
    Ok(CertificateNames::new(dns_names, ip_addresses))
}

/// Octets of another length are no address, and no name.
fn ip_address(octets: &[u8]) -> Option<IpAddr> {
    let v4 = <[u8; 4]>::try_from(octets).ok().map(IpAddr::from);
    v4.or_else(|| <[u8; 16]>::try_from(octets).ok().map(IpAddr::from))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rcgen::{CertificateParams, DnType, KeyPair, SanType};
    use rustls::pki_types::ServerName;

    fn certificate(names: &[&str]) -> CertificateDer<'static> {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let mut params = CertificateParams::new(names).unwrap();
        // Neither of these is a name of a node.
        params.distinguished_name.push(DnType::CommonName, "common.example");
        params.subject_alt_names.push(SanType::URI("spiffe://uri.example/node".try_into().unwrap()));
        params.subject_alt_names.push(SanType::Rfc822Name("mail.example".try_into().unwrap()));
        let key = KeyPair::generate().unwrap();
        params.self_signed(&key).unwrap().der().clone()
    }

    #[test]
    fn the_names_are_the_dns_names_and_ip_addresses() {
        let names = names_of(&certificate(&["n1.example", "*.nodes.example", "10.0.0.7", "fd00::7"])).unwrap();
        let dns_names = ["n1.example", "*.nodes.example"].map(String::from);
        let ip_addresses = ["10.0.0.7", "fd00::7"].map(|text| text.parse().unwrap());
        assert_eq!(names, CertificateNames::new(dns_names.into(), ip_addresses.into()));
        assert_eq!(names_of(&certificate(&[])).unwrap(), CertificateNames::default());
    }

    #[test]
    fn what_is_no_certificate_has_no_names() {
        let whole = certificate(&["n1.example"]);
        for bytes in [&[][..], b"not a certificate", &whole[..whole.len() - 1]] {
            assert!(names_of(&CertificateDer::from(bytes)).is_err());
        }
    }

    /// What rustls accepts as the name of a node that is dialled, and what the core accepts as the name of a node that
    /// speaks, must be the same.
    #[test]
    fn the_core_and_webpki_agree_on_who_holds_a_name() {
        let label_of_64 = format!("{}.example.org", "a".repeat(64));
        let held = [
            "n1",
            "N2.Example",
            "*.example.org",
            "*.org",
            "*",
            "a_b.example",
            "a-b.example",
            "10.0.0.7",
            "fd00::7",
            "*.x.example.net",
            "w*.example.net",
            "-a.example",
            "dot.example.",
            "1.2.3",
            "xn--nxasmq6b.example",
        ];
        let claimed = [
            "n1",
            "N1",
            "n1.",
            "n2.example",
            "n2.example.",
            "a.example.org",
            "A.EXAMPLE.ORG.",
            "example.org",
            "a.b.example.org",
            ".example.org",
            "*.example.org",
            "-a.example.org",
            "a-.example.org",
            "a_.example.org",
            "é.example.org",
            "a b.example.org",
            "1.example.org",
            "a.org",
            "org",
            "a_b.example",
            "a-b.example",
            "10.0.0.7",
            "10.0.0.8",
            "fd00::7",
            "fd00:0:0::7",
            "fd00::8",
            "::ffff:10.0.0.7",
            "a.x.example.net",
            "x.example.net",
            "w1.example.net",
            "w*.example.net",
            "-a.example",
            "dot.example",
            "dot.example.",
            "1.2.3",
            "xn--nxasmq6b.example",
            "common.example",
            "uri.example",
            "mail.example",
            "",
            ".",
            "a..example.org",
            &label_of_64,
        ];
        let mut agreed_to_hold = 0;
        for held in held {
            let der = certificate(&[held]);
            let names = names_of(&der).unwrap();
            let by_webpki = webpki::EndEntityCert::try_from(&der).unwrap();
            for claimed in claimed {
                let expected = ServerName::try_from(claimed)
                    .is_ok_and(|name| by_webpki.verify_is_valid_for_subject_name(&name).is_ok());
                assert_eq!(names.hold(claimed), expected, "a certificate for {held:?} and the name {claimed:?}");
                agreed_to_hold += usize::from(expected);
            }
        }
        assert!(agreed_to_hold > 15, "{agreed_to_hold}");
    }
}
