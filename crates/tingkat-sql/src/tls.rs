//! Why a database was not believed to be the right one, in words.

use std::error::Error as StdError;
use std::io;

use rustls::{CertificateError, Error as RustlsError};

/// What is wrong with the server's certificate, if that is why the connection failed.
pub(crate) fn refused(error: &sqlx::Error) -> Option<&'static str> {
    let mut cause: Option<&(dyn StdError + 'static)> = Some(error);
    while let Some(error) = cause {
        if let Some(found) = certificate(error) {
            return Some(found);
        }
        cause = error.source();
    }
    None
}

fn certificate(error: &(dyn StdError + 'static)) -> Option<&'static str> {
    let error = match error.downcast_ref::<io::Error>() {
        // The connection has its own errors in a box of the system's.
        Some(outer) => outer.get_ref()?.downcast_ref::<RustlsError>()?,
        None => error.downcast_ref::<RustlsError>()?,
    };
    let RustlsError::InvalidCertificate(problem) = error else {
        return None;
    };
    Some(words(problem))
}

#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "rustls knows many failures, and more with each release; these have a remedy"
)]
const fn words(problem: &CertificateError) -> &'static str {
    match problem {
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            "the database's certificate has expired"
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            "the database's certificate is not valid yet"
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            "the database's certificate is for another name: connect by the name that it has"
        }
        CertificateError::UnknownIssuer => {
            "the database's certificate comes from an authority that is not trusted: name that \
             authority in sslrootcert"
        }
        _ => "the database's certificate is refused",
    }
}
