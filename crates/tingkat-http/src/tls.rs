//! TLS of the service itself: who we are, read from files and replaced while connections are taken.

use std::fmt;
use std::io;
use std::path::Path;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use jiff::Timestamp;
use rustls::client::verify_server_cert_signed_by_trust_anchor;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, Error as RustlsError, RootCertStore, ServerConfig};
use sha2::{Digest as _, Sha256};
use tokio_rustls::TlsAcceptor;

/// Our certificate and its key. Clones share them; neither is shown.
#[derive(Clone)]
pub struct Tls(Arc<RwLock<Identity>>);

/// What connections are shown.
#[derive(Clone)]
struct Identity {
    acceptor: TlsAcceptor,
    /// Of the certificate and its chain.
    digest: [u8; 32],
    validity: Option<Validity>,
}

/// From when until when a certificate counts, both included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Validity {
    /// Before that clients refuse it.
    pub from: Timestamp,
    /// After that clients refuse it.
    pub until: Timestamp,
}

/// Why the files can not be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct TlsError(String);

impl Tls {
    /// Reads a certificate with its chain, and its private key (PEM), as `read` gives them.
    ///
    /// # Errors
    /// One can not be read, holds something else, or they do not belong together.
    pub fn read(
        certificate: &Path,
        key: &Path,
        read: impl Fn(&Path) -> io::Result<Vec<u8>>,
    ) -> Result<Self, TlsError> {
        let failed = |path: &Path, error: &dyn fmt::Display| {
            TlsError(format!("failed to read {}: {error}", path.display()))
        };
        let bytes = |path: &Path| read(path).map_err(|error| failed(path, &error));
        let chain = CertificateDer::pem_slice_iter(&bytes(certificate)?)
            .collect::<Result<Vec<_>, _>>()
            .map_err(|error| failed(certificate, &error))?;
        let Some(own) = chain.first() else {
            let path = certificate.display();
            return Err(TlsError(format!("{path} holds no certificate in PEM")));
        };
        let validity = Validity::of(own);
        let digest = digest(&chain);
        let secret =
            PrivateKeyDer::from_pem_slice(&bytes(key)?).map_err(|error| failed(key, &error))?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .and_then(|it| it.with_no_client_auth().with_single_cert(chain, secret))
            .map_err(|error| {
                let (certificate, key) = (certificate.display(), key.display());
                TlsError(format!("{certificate} and {key} do not fit: {error}"))
            })?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        let identity = Identity {
            acceptor: TlsAcceptor::from(Arc::new(config)),
            digest,
            validity,
        };
        Ok(Self(Arc::new(RwLock::new(identity))))
    }

    /// From now on new connections see the certificate of `other`, for every clone; whether it is
    /// another one than before.
    pub fn replace(&self, other: &Self) -> bool {
        let new = other.identity();
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let is_another = known.digest != new.digest;
        *known = new;
        is_another
    }

    /// From when until when the certificate counts, as far as it says so in a way that we can read.
    pub fn validity(&self) -> Option<Validity> {
        self.identity().validity
    }

    pub(crate) fn acceptor(&self) -> TlsAcceptor {
        self.identity().acceptor
    }

    fn identity(&self) -> Identity {
        let identity = self.0.read().unwrap_or_else(PoisonError::into_inner);
        identity.clone()
    }
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tls")
    }
}

impl Validity {
    /// The verifier of rustls reads both times and gives them to nobody, but in its refusals: so it is
    /// asked for the end of time and for the beginning. It looks at the times before it looks for an
    /// authority.
    fn of(certificate: &CertificateDer<'_>) -> Option<Self> {
        let at_the_end = refusal(certificate, Duration::from_secs(u64::MAX))?;
        let CertificateError::ExpiredContext {
            not_after: until, ..
        } = at_the_end
        else {
            return None;
        };
        let at_the_beginning = refusal(certificate, Duration::ZERO)?;
        let from = if let CertificateError::NotValidYetContext { not_before, .. } = at_the_beginning
        {
            not_before
        } else {
            // Valid since the beginning.
            UnixTime::since_unix_epoch(Duration::ZERO)
        };
        Some(Self {
            from: timestamp(from),
            until: timestamp(until),
        })
    }
}

/// Why a certificate is refused by who trusts nobody, so long after the epoch.
fn refusal(certificate: &CertificateDer<'_>, at: Duration) -> Option<CertificateError> {
    let parsed = ParsedCertificate::try_from(certificate).ok()?;
    let known = rustls::crypto::ring::default_provider().signature_verification_algorithms;
    let judged = verify_server_cert_signed_by_trust_anchor(
        &parsed,
        &RootCertStore::empty(),
        &[],
        UnixTime::since_unix_epoch(at),
        known.all,
    );
    match judged {
        Err(RustlsError::InvalidCertificate(why)) => Some(why),
        Ok(()) | Err(_) => None,
    }
}

/// A certificate says no time that there is no timestamp for.
fn timestamp(time: UnixTime) -> Timestamp {
    let seconds = i64::try_from(time.as_secs()).unwrap_or(i64::MAX);
    Timestamp::from_second(seconds).unwrap_or(Timestamp::MAX)
}

fn digest(chain: &[CertificateDer<'_>]) -> [u8; 32] {
    let mut hash = Sha256::new();
    for certificate in chain {
        hash.update(certificate.as_ref());
    }
    hash.finalize().into()
}
