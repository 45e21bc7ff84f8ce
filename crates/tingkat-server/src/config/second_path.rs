//! What is configured here for whoever looks at the database and Redis past a service.

use secrecy::{ExposeSecret as _, SecretString};

use super::redis;
use super::settings::Settings;

/// What stands for where Redis is.
const REDIS: [&str; 4] = [
    "redis.url",
    "redis.host",
    "redis.port",
    "redis.sentinel.hosts",
];

/// Shorter ones are found in pages by chance.
const SHORTEST: usize = 6;

/// What is known here of the neighbours of a service.
pub(crate) struct SecondPath {
    /// Whether anybody says here where the database is.
    pub(crate) names_database: bool,
    /// Whether anybody says here where Redis is.
    pub(crate) names_redis: bool,
    /// Passwords, each with what it is.
    pub(crate) secrets: Vec<(String, SecretString)>,
}

impl SecondPath {
    /// What these settings say.
    pub(crate) fn of(settings: &Settings) -> Self {
        let is_chosen = |path: &str| settings.chosen(path).is_some();
        let urls = ["source.url", "redis.url"].into_iter().filter_map(|path| {
            let url = settings.secret(path)?.expose_secret();
            Some((path, SecretString::from(password(url)?)))
        });
        let plain = ["redis.password", "redis.sentinel.password"];
        let plain = plain
            .into_iter()
            .filter_map(|path| Some((path, settings.secret(path)?.clone())));
        let is_long = |secret: &SecretString| secret.expose_secret().len() >= SHORTEST;
        let secrets = urls.chain(plain).filter(|(_, secret)| is_long(secret));
        Self {
            names_database: is_chosen("source.url"),
            names_redis: REDIS.into_iter().any(is_chosen) && !redis::is_off(settings),
            secrets: secrets
                .map(|(path, secret)| (format!("the password of {path}"), secret))
                .collect(),
        }
    }

    /// Whether anything is configured here at all.
    pub(crate) fn is_there(&self, settings: &Settings) -> bool {
        settings.file.is_some() || self.names_database || self.names_redis
    }
}

/// The password of a URL, as it stands there.
pub(super) fn password(url: &str) -> Option<&str> {
    let (_, rest) = url.split_once("://")?;
    let (login, _) = rest.rsplit_once('@')?;
    let (_, password) = login.split_once(':')?;
    Some(password)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_password_of_a_url_is_what_stands_between_user_and_host() {
        for (url, found) in [
            ("postgres://shop:hunter2@db/shop", Some("hunter2")),
            ("redis://:a:b@c@cache:6379", Some("a:b@c")),
            ("redis://cache:6379", None),
            ("postgres://shop@db/shop", None),
            ("sqlite:tingkat.db", None),
        ] {
            assert_eq!(password(url), found, "{url}");
        }
    }
}
