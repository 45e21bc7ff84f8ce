//! Certificates for servers and clients of one test, good ones and each kind of bad one.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair, KeyUsagePurpose, date_time_ymd,
};
use tempfile::TempDir;

use crate::error::{Error, Result};

/// A certificate authority and what it has issued, as PEM files in a temporary folder. Clones share
/// the folder, which goes with the last of them.
#[derive(Clone, Debug)]
pub struct Certificates {
    dir: Arc<TempDir>,
}

/// Whose certificate, or what is wrong with it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Identity {
    /// A server on `localhost` and 127.0.0.1.
    #[default]
    Server,
    /// A client named `client`.
    Client,
    /// A server whose certificate ended in 2001.
    Expired,
    /// A server whose certificate begins in 2090.
    NotYet,
    /// A server on `elsewhere.invalid`.
    WrongName,
    /// A server like the first, vouched for by an authority that nobody trusts.
    UnknownAuthority,
}

impl Certificates {
    /// Makes new keys and certificates.
    pub fn generate() -> Result<Self> {
        let dir = tempfile::Builder::new()
            .prefix("tingkat-tls-")
            .tempdir()
            .map_err(Error::io("create a temporary folder"))?;
        let certificates = Self { dir: Arc::new(dir) };
        let trusted = authority("Tingkat test authority")?;
        let unknown = authority("Unknown test authority")?;
        write(&certificates.authority(), &trusted.pem())?;
        for identity in Identity::ALL {
            let issuer = if identity == Identity::UnknownAuthority {
                &unknown
            } else {
                &trusted
            };
            let key = KeyPair::generate().map_err(|e| failed(&e))?;
            let certificate = identity
                .params()?
                .signed_by(&key, issuer)
                .map_err(|e| failed(&e))?;
            write(&certificates.certificate(identity), &certificate.pem())?;
            write(&certificates.key(identity), &key.serialize_pem())?;
        }
        Ok(certificates)
    }

    /// The authority that clients and servers trust.
    pub fn authority(&self) -> PathBuf {
        self.dir.path().join("authority.pem")
    }

    /// The certificate of this identity.
    pub fn certificate(&self, identity: Identity) -> PathBuf {
        self.dir
            .path()
            .join(format!("{}.pem", identity.file_name()))
    }

    /// The private key of this identity; its owner alone may read it.
    pub fn key(&self, identity: Identity) -> PathBuf {
        self.dir
            .path()
            .join(format!("{}.key", identity.file_name()))
    }
}

impl Identity {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::Server,
        Self::Client,
        Self::Expired,
        Self::NotYet,
        Self::WrongName,
        Self::UnknownAuthority,
    ];

    fn file_name(self) -> &'static str {
        match self {
            Self::Server => "server",
            Self::Client => "client",
            Self::Expired => "expired",
            Self::NotYet => "not-yet",
            Self::WrongName => "wrong-name",
            Self::UnknownAuthority => "unknown-authority",
        }
    }

    fn params(self) -> Result<CertificateParams> {
        let names: &[&str] = match self {
            Self::Server | Self::Expired | Self::NotYet | Self::UnknownAuthority => {
                &["localhost", "127.0.0.1"]
            }
            Self::Client => &["client"],
            Self::WrongName => &["elsewhere.invalid"],
        };
        let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
        let mut params = CertificateParams::new(names).map_err(|e| failed(&e))?;
        params
            .distinguished_name
            .push(DnType::CommonName, self.file_name());
        params.not_before = if self == Self::NotYet {
            date_time_ymd(2090, 1, 1)
        } else {
            date_time_ymd(2000, 1, 1)
        };
        params.not_after = if self == Self::Expired {
            date_time_ymd(2001, 1, 1)
        } else {
            date_time_ymd(2100, 1, 1)
        };
        params.use_authority_key_identifier_extension = true;
        params.key_usages.push(KeyUsagePurpose::DigitalSignature);
        // Both uses: a Redis server is a client of its master and of the other nodes.
        params.extended_key_usages = vec![
            ExtendedKeyUsagePurpose::ServerAuth,
            ExtendedKeyUsagePurpose::ClientAuth,
        ];
        Ok(params)
    }
}

fn authority(name: &str) -> Result<CertifiedIssuer<'static, KeyPair>> {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let key = KeyPair::generate().map_err(|e| failed(&e))?;
    CertifiedIssuer::self_signed(params, key).map_err(|e| failed(&e))
}

fn failed(error: &rcgen::Error) -> Error {
    Error::new(format!("failed to make a certificate: {error}"))
}

fn write(path: &Path, pem: &str) -> Result<()> {
    fs::File::options()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
        .and_then(|mut file| file.write_all(pem.as_bytes()))
        .map_err(Error::io(format!("write {}", path.display())))
}
