//! Whom TLS trusts, who we are, and what a failed handshake means in plain words.

use std::error::Error as _;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use redis::{Client, ClientTlsConfig, ConnectionAddr, RedisError, TlsCertificates};
use rustls::{AlertDescription, CertificateError, Error as RustlsError};

/// What a certificate in PEM begins with.
const CERTIFICATE: &str = "-----BEGIN CERTIFICATE-----";

/// The files and names that an operator gives; what is left out is as the system has it.
#[derive(Clone, Debug, Default)]
pub struct TlsFiles {
    /// Certificates of the authorities to trust (PEM); nothing for those of the system.
    pub authority: Option<PathBuf>,
    /// Our own certificate and its chain (PEM).
    pub certificate: Option<PathBuf>,
    /// The private key of it (PEM).
    pub key: Option<PathBuf>,
    /// The name that the servers' certificates must have; nothing for the host of each.
    pub server_name: Option<String>,
}

/// Whom TLS trusts and who we are. Shows neither.
#[derive(Clone, Default)]
pub struct Tls {
    /// An address that has them; the client gives its own type for them no name.
    like: Option<ConnectionAddr>,
    server_name: Option<String>,
}

/// Why the files can not be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct TlsError(String);

impl Tls {
    /// Reads the files, as `read` gives them.
    ///
    /// # Errors
    /// One can not be read or holds something else; says which, and what is wrong.
    pub fn read(
        files: &TlsFiles,
        read: impl Fn(&Path) -> io::Result<Vec<u8>>,
    ) -> Result<Self, TlsError> {
        if let Some(name) = &files.server_name
            && rustls::pki_types::ServerName::try_from(name.as_str()).is_err()
        {
            return Err(TlsError(format!("{name:?} is no name of a server")));
        }
        let certificates = |path: &Path| pem(path, &read, CERTIFICATE, "certificate");
        let root_cert = files.authority.as_deref().map(certificates).transpose()?;
        let client_tls = match (&files.certificate, &files.key) {
            (None, None) => None,
            (Some(certificate), Some(key)) => Some(ClientTlsConfig {
                client_cert: certificates(certificate)?,
                client_key: pem(key, &read, "PRIVATE KEY", "private key")?,
            }),
            (Some(_), None) => {
                return Err(TlsError("the client certificate lacks its key".to_owned()));
            }
            (None, Some(_)) => {
                return Err(TlsError("the client key lacks its certificate".to_owned()));
            }
        };
        let like = if root_cert.is_none() && client_tls.is_none() {
            None
        } else {
            Some(parsed(TlsCertificates {
                client_tls,
                root_cert,
            })?)
        };
        Ok(Self {
            like,
            server_name: files.server_name.clone(),
        })
    }

    /// How to reach a server that proves its name.
    pub(crate) fn addr(&self, host: &str, port: u16) -> ConnectionAddr {
        let tls_params = match &self.like {
            Some(ConnectionAddr::TcpTls { tls_params, .. }) => tls_params.clone(),
            _ => None,
        };
        ConnectionAddr::TcpTls {
            host: self.server_name().unwrap_or(host).to_owned(),
            port,
            insecure: false,
            tls_params,
        }
    }

    /// For servers whose certificates have this name.
    pub(crate) fn named(mut self, name: &str) -> Self {
        self.server_name = Some(name.to_owned());
        self
    }

    pub(crate) fn server_name(&self) -> Option<&str> {
        self.server_name.as_deref()
    }
}

/// The file, if it has at least one such block: the client takes a file without any for an
/// authority that vouches for nobody.
fn pem(
    path: &Path,
    read: impl Fn(&Path) -> io::Result<Vec<u8>>,
    mark: &str,
    what: &str,
) -> Result<Vec<u8>, TlsError> {
    let bytes = read(path)
        .map_err(|error| TlsError(format!("failed to read {}: {error}", path.display())))?;
    if String::from_utf8_lossy(&bytes).contains(mark) {
        return Ok(bytes);
    }
    let text = format!("{} holds no {what} in PEM", path.display());
    Err(TlsError(text))
}

/// What the client makes of them. It says only for a whole client what it accepts.
fn parsed(certificates: TlsCertificates) -> Result<ConnectionAddr, TlsError> {
    let client = Client::build_with_tls("rediss://localhost", certificates)
        .map_err(|error| TlsError(error.to_string()))?;
    Ok(client.get_connection_info().addr().clone())
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls")
            .field("server_name", &self.server_name)
            .finish_non_exhaustive()
    }
}

/// What a failed handshake means and what helps, if the error comes from one.
pub(crate) fn explain(error: &RedisError) -> Option<String> {
    let cause = error.source()?;
    let shared = cause.downcast_ref::<Arc<dyn std::error::Error + Send + Sync>>()?;
    let io = shared.downcast_ref::<io::Error>()?;
    let tls = io.get_ref()?.downcast_ref::<RustlsError>()?;
    Some(meaning(tls))
}

#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "rustls knows many failures, and more with each release; these have a remedy"
)]
fn meaning(error: &RustlsError) -> String {
    match error {
        RustlsError::InvalidCertificate(problem) => refused(problem),
        RustlsError::AlertReceived(alert) => told(*alert),
        RustlsError::InvalidMessage(_) => {
            "the server does not speak TLS here: use its TLS port, or redis:// instead of rediss://"
                .to_owned()
        }
        other => format!("TLS: {other}"),
    }
}

/// Why we do not believe the server.
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "rustls knows many failures, and more with each release; these have a remedy"
)]
fn refused(problem: &CertificateError) -> String {
    match problem {
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            "the server's certificate has expired".to_owned()
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            "the server's certificate is not valid yet".to_owned()
        }
        CertificateError::NotValidForNameContext {
            expected,
            presented,
        } => format!(
            "the server's certificate is not for {} but for {}: connect by that name, or set redis.tls.server_name",
            expected.to_str(),
            presented.join(", "),
        ),
        CertificateError::NotValidForName => {
            "the server's certificate is for another name: connect by that name, or set redis.tls.server_name"
                .to_owned()
        }
        CertificateError::UnknownIssuer => {
            "the server's certificate comes from an authority that is not trusted: name that authority in redis.tls.ca"
                .to_owned()
        }
        other => format!("the server's certificate is refused: {other}"),
    }
}

/// Why the server does not believe us.
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "rustls knows many failures, and more with each release; these have a remedy"
)]
fn told(alert: AlertDescription) -> String {
    match alert {
        AlertDescription::CertificateRequired => {
            "the server wants a client certificate: set redis.tls.certificate and redis.tls.key"
                .to_owned()
        }
        // What TLS 1.2 says in the same case, and in others.
        AlertDescription::HandshakeFailure => {
            "the server breaks the handshake off: it may want a client certificate (redis.tls.certificate and redis.tls.key)"
                .to_owned()
        }
        AlertDescription::UnknownCA => {
            "the server does not trust the authority of our client certificate".to_owned()
        }
        AlertDescription::CertificateExpired => "our client certificate has expired".to_owned(),
        AlertDescription::BadCertificate
        | AlertDescription::UnsupportedCertificate
        | AlertDescription::CertificateUnknown
        | AlertDescription::CertificateRevoked
        | AlertDescription::AccessDenied => {
            format!("the server refuses our client certificate ({alert:?})")
        }
        AlertDescription::ProtocolVersion => {
            "the server speaks only versions of TLS before 1.2".to_owned()
        }
        other => format!("the server ends TLS with the alert {other:?}"),
    }
}
