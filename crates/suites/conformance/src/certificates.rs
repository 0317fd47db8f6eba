//! Certificates made on the spot, and the PEM files in which nodes look for them.

use std::fs;
use std::path::PathBuf;
use std::process;
use std::sync::atomic::{AtomicUsize, Ordering};

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    date_time_ymd,
};
use tidings_driver::Tls;

/// One that signs certificates.
#[derive(Debug)]
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

/// A certificate and its key, as PEM.
pub struct Identity {
    /// The certificate.
    pub certificate: String,
    /// Its private key.
    pub key: String,
}

impl Authority {
    /// A new authority with a key of its own.
    ///
    /// # Panics
    ///
    /// There is no randomness for a key.
    #[must_use]
    pub fn new(name: &str) -> Authority {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        params.distinguished_name.push(DnType::CommonName, name);
        let key = KeyPair::generate().expect("a key");
        let pem = params.self_signed(&key).expect("a certificate").pem();
        Authority { issuer: Issuer::new(params, key), pem }
    }

    /// Its own certificate, as PEM.
    #[must_use]
    pub fn pem(&self) -> &str {
        &self.pem
    }

    /// A certificate for these DNS names and IP addresses.
    ///
    /// # Panics
    ///
    /// A name can stand in no certificate.
    #[must_use]
    pub fn certify(&self, names: &[&str]) -> Identity {
        self.sign(params(names))
    }

    /// A certificate that was good until the end of 2020.
    pub(crate) fn certify_until_2020(&self, names: &[&str]) -> Identity {
        let mut params = params(names);
        params.not_before = date_time_ymd(2020, 1, 1);
        params.not_after = date_time_ymd(2020, 12, 31);
        self.sign(params)
    }

    fn sign(&self, params: CertificateParams) -> Identity {
        let key = KeyPair::generate().expect("a key");
        let certificate = params.signed_by(&key, &self.issuer).expect("a certificate").pem();
        Identity { certificate, key: key.serialize_pem() }
    }
}

fn params(names: &[&str]) -> CertificateParams {
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let mut params = CertificateParams::new(names).expect("names that can stand in a certificate");
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    // A node dials and listens.
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
    params.use_authority_key_identifier_extension = true;
    params
}

/// A folder with what a node needs for TLS; removed when it is dropped.
#[derive(Debug)]
pub struct Files {
    folder: PathBuf,
}

impl Files {
    /// Writes the files of a node that trusts these authorities.
    ///
    /// # Panics
    ///
    /// There is no room for them.
    #[must_use]
    pub fn new(identity: &Identity, authorities: &[&Authority]) -> Files {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let folder = std::env::temp_dir().join(format!("tidings-certificates-{}-{count}", process::id()));
        fs::create_dir_all(&folder).expect("a folder for certificates");
        let files = Files { folder };
        files.certify(identity);
        files.trust(authorities);
        files
    }

    /// Replaces the certificate and its key.
    pub(crate) fn certify(&self, identity: &Identity) {
        self.write("certificates.pem", &identity.certificate);
        self.write("key.pem", &identity.key);
    }

    /// Replaces the authorities.
    pub(crate) fn trust(&self, authorities: &[&Authority]) {
        let pem: Vec<&str> = authorities.iter().map(|authority| authority.pem()).collect();
        self.write("authorities.pem", &pem.concat());
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).expect("a file for certificates");
    }

    /// Where one of the files is: `certificates.pem`, `key.pem` or `authorities.pem`.
    #[must_use]
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// What a builder takes.
    pub fn tls(&self) -> Tls {
        Tls::from_pem_files(self.path("certificates.pem"), self.path("key.pem"), self.path("authorities.pem"))
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}
