//! Who the service proves to be, and for how long clients believe it.

use std::path::Path;

use jiff::Timestamp;
use serde_json::{Value, json};
use tingkat::ports::Clock;
use tingkat_http::{Tls, Validity};

use super::problem::Problem;
use super::settings::Settings;

pub(crate) const CERTIFICATE: &str = "server.tls.certificate";
const KEY: &str = "server.tls.key";

/// With fewer days left a certificate should have been renewed: those who renew by themselves do so a
/// third of its life before its end, which is a month of the usual ninety days.
const SOON_DAYS: i64 = 14;

/// Whether a key is about this.
pub(crate) fn is_concerned(path: &str) -> bool {
    path == CERTIFICATE || path == KEY
}

/// Reads the certificate and its key; nothing where neither is set.
pub(super) fn build(settings: &Settings, problems: &mut Vec<Problem>) -> Option<Tls> {
    let mut tell = |path: &str, what: &str, help: &str| {
        let origin = settings.get(path).map(|it| it.origin.clone());
        let name = origin.as_ref().map(|it| it.called(path));
        let name = name.unwrap_or_else(|| path.to_owned());
        let told = Problem::new(path, origin, format!("{name}: {what}"));
        problems.push(told.helped(Some(help.to_owned())));
    };
    match (settings.text(CERTIFICATE), settings.text(KEY)) {
        (None, None) => None,
        (Some(certificate), Some(key)) => {
            let read = |path: &Path| settings.files.bytes(path);
            Tls::read(Path::new(certificate), Path::new(key), read)
                .map_err(|error| tell(CERTIFICATE, &error.to_string(), PEM))
                .ok()
        }
        (Some(_), None) => {
            let help = "set it to the file with the private key, in PEM";
            tell(CERTIFICATE, "lacks its key, server.tls.key", help);
            None
        }
        (None, Some(_)) => {
            let help = "set it to the file with the certificate and its chain, in PEM";
            tell(KEY, "lacks its certificate, server.tls.certificate", help);
            None
        }
    }
}

const PEM: &str = "both are files in PEM that this user may read, and the first certificate of the one is that of the key in the other";

/// For how long clients believe a certificate, at this moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Term {
    validity: Validity,
    state: State,
    /// Whole days until its end; fewer than none after it.
    days_left: i64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    NotYet,
    Valid,
    Soon,
    Expired,
}

impl Term {
    /// That of the certificate by this clock, as far as it is known.
    pub(crate) fn of(tls: &Tls, clock: &dyn Clock) -> Option<Self> {
        let ms = i64::try_from(clock.wall_ms()).ok()?;
        let now = Timestamp::from_millisecond(ms).ok()?;
        Some(Self::at(tls.validity()?, now))
    }

    fn at(validity: Validity, now: Timestamp) -> Self {
        const DAY: i64 = 24 * 60 * 60;
        let seconds = validity.until.as_second() - now.as_second();
        let days_left = seconds.div_euclid(DAY);
        let state = if now < validity.from {
            State::NotYet
        } else if now > validity.until {
            State::Expired
        } else if days_left < SOON_DAYS {
            State::Soon
        } else {
            State::Valid
        };
        Self {
            validity,
            state,
            days_left,
        }
    }

    /// Whether somebody has to do something.
    pub(crate) const fn is_due(&self) -> bool {
        !matches!(self.state, State::Valid)
    }

    /// Why clients refuse the certificate, if they do.
    pub(super) fn refused(&self) -> Option<String> {
        matches!(self.state, State::NotYet | State::Expired).then(|| self.told())
    }

    /// In words, as a fragment about the certificate.
    pub(crate) fn told(&self) -> String {
        let Validity { from, until } = self.validity;
        match self.state {
            State::NotYet => format!("the certificate is not valid before {from}"),
            State::Expired => format!("the certificate has expired at {until}"),
            State::Valid | State::Soon => {
                let days = match self.days_left {
                    0 => "less than a day".to_owned(),
                    1 => "1 day".to_owned(),
                    days => format!("{days} days"),
                };
                format!("the certificate is valid until {until}, {days} left")
            }
        }
    }

    /// For programs.
    pub(super) fn object(&self) -> Value {
        json!({
            "valid_from": self.validity.from.to_string(),
            "valid_until": self.validity.until.to_string(),
            "days_left": self.days_left,
            "is_due": self.is_due(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_told_when_a_certificate_counts_and_when_somebody_has_to_renew_it() {
        let validity = Validity {
            from: "2026-01-01T00:00:00Z".parse().unwrap(),
            until: "2026-04-01T00:00:00Z".parse().unwrap(),
        };
        for (now, is_due, is_refused, words) in [
            (
                "2025-12-31T23:59:59Z",
                true,
                true,
                "not valid before 2026-01-01T00:00:00Z",
            ),
            (
                "2026-01-01T00:00:00Z",
                false,
                false,
                "until 2026-04-01T00:00:00Z, 90 days left",
            ),
            ("2026-03-18T00:00:00Z", false, false, "14 days left"),
            ("2026-03-18T00:00:01Z", true, false, "13 days left"),
            ("2026-03-30T12:00:00Z", true, false, "1 day left"),
            ("2026-03-31T12:00:00Z", true, false, "less than a day left"),
            ("2026-04-01T00:00:00Z", true, false, "less than a day left"),
            (
                "2026-04-01T00:00:01Z",
                true,
                true,
                "has expired at 2026-04-01T00:00:00Z",
            ),
        ] {
            let term = Term::at(validity, now.parse().unwrap());
            assert!(term.told().ends_with(words), "{now}: {}", term.told());
            assert_eq!(
                (term.is_due(), term.refused().is_some()),
                (is_due, is_refused),
                "{now}"
            );
        }
    }
}
