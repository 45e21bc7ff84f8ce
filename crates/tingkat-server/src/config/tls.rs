//! Who the service proves to be.

use std::path::Path;

use tingkat_http::Tls;

use super::problem::Problem;
use super::settings::Settings;

const CERTIFICATE: &str = "server.tls.certificate";
const KEY: &str = "server.tls.key";

/// Reads the certificate and its key; nothing where neither is set.
pub(super) fn build(settings: &Settings, problems: &mut Vec<Problem>) -> Option<Tls> {
    let mut tell = |path: &str, what: &str| {
        let origin = settings.get(path).map(|it| it.origin.clone());
        let name = origin.as_ref().map(|it| it.called(path));
        let name = name.unwrap_or_else(|| path.to_owned());
        problems.push(Problem::new(path, origin, format!("{name}: {what}")));
    };
    match (settings.text(CERTIFICATE), settings.text(KEY)) {
        (None, None) => None,
        (Some(certificate), Some(key)) => Tls::read(Path::new(certificate), Path::new(key))
            .map_err(|error| tell(CERTIFICATE, &error.to_string()))
            .ok(),
        (Some(_), None) => {
            tell(CERTIFICATE, "lacks its key, server.tls.key");
            None
        }
        (None, Some(_)) => {
            tell(KEY, "lacks its certificate, server.tls.certificate");
            None
        }
    }
}
