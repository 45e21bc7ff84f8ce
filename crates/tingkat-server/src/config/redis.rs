//! Where Redis is, put together from a URL, its parts, and what stands beside it.

use std::path::{Path, PathBuf};

use percent_encoding::percent_decode_str;
use secrecy::{ExposeSecret as _, SecretString};
use tingkat_redis::{Address, Config, Mode, Sentinels, Tls, TlsFiles};

use super::origin::Origin;
use super::problem::Problem;
use super::rules::PLAIN_REDIS;
use super::settings::{Environment, Settings};

const DEFAULT: &str = "redis://127.0.0.1:6379";
const URL: &str = "redis.url";
pub(super) const SENTINEL_HOSTS: &str = "redis.sentinel.hosts";
const HOST: &str = "redis.host";
const PARTS: [&str; 3] = [HOST, "redis.port", "redis.db"];

/// A Sentinel's usual port.
const SENTINEL_PORT: u16 = 26_379;

/// Whether Redis is switched off.
pub(crate) fn is_off(settings: &Settings) -> bool {
    url(settings).0.expose_secret() == "off"
}

/// Where it is, with its login, and the key that says so; nothing when it is off or malformed.
pub(crate) fn address(settings: &Settings) -> Option<(Address, &'static str)> {
    let (text, path) = url(settings);
    let text = text.expose_secret();
    let address: Address = text.parse().ok().filter(|_| text != "off")?;
    let login = address.login(
        settings.text("redis.username"),
        settings.secret("redis.password"),
    );
    Some((login, path))
}

/// The Sentinels that stand beside the URL, whose servers then have hosts that only they know.
pub(crate) fn sentinels(settings: &Settings) -> Option<Address> {
    let (address, _) = address(settings)?;
    let hosts = settings.text(SENTINEL_HOSTS)?;
    let is_encrypted = settings.flag("redis.sentinel.tls");
    let is_encrypted = is_encrypted.unwrap_or_else(|| address.is_encrypted());
    // The key takes nothing else.
    let sentinels = Address::of_hosts(hosts, SENTINEL_PORT).ok()?;
    Some(sentinels.encrypted(is_encrypted).login(
        settings.text("redis.sentinel.username"),
        settings.secret("redis.sentinel.password"),
    ))
}

/// The URL, which may have a password in it, and the key that it comes from.
fn url(settings: &Settings) -> (SecretString, &'static str) {
    let rank = |path: &str| settings.get(path).map(|it| it.origin.rank());
    // A port or a number alone says nothing of where Redis is, and takes the place of no URL.
    if let Some(url) = settings.secret(URL)
        && rank(URL) >= rank(HOST)
    {
        return (url.clone(), URL);
    }
    if PARTS.iter().all(|path| rank(path).is_none()) {
        return (DEFAULT.into(), URL);
    }
    let host = settings.text(HOST).unwrap_or("127.0.0.1");
    let bare = host.contains(':') && !host.starts_with('[');
    let host = if bare {
        format!("[{host}]")
    } else {
        host.to_owned()
    };
    let port = settings.number_if_set("redis.port").unwrap_or(6379);
    let db = settings.number("redis.db");
    let url = format!("redis://{host}:{port}/{db}");
    (url.into(), HOST)
}

/// What the tier is told; nothing when Redis is off.
pub(super) fn build(settings: &Settings, problems: &mut Vec<Problem>) -> Option<Config> {
    let mut beside = Beside { settings, problems };
    beside.parts();
    beside.login();
    if is_off(settings) {
        return None;
    }
    let Some((address, path)) = address(settings) else {
        beside.no_address();
        return None;
    };
    let mode = mode(settings, &address)?;
    if mode == Mode::Cluster && address.database() != 0 {
        let number = address.database();
        beside.tell(path, |name, _| {
            (
                format!("{name}: a cluster has no databases, and this names the number {number}"),
                "take the number off".to_owned(),
            )
        });
    }
    let sentinels = beside.sentinels(mode);
    let is_encrypted = |address: &Address| address.is_encrypted();
    let has_tls = address.is_encrypted() || sentinels.address.as_ref().is_some_and(is_encrypted);
    Some(Config {
        mode,
        sentinels,
        tls: beside.tls(path, has_tls),
        connect_timeout: settings.time("redis.connect_timeout"),
        ..Config::new(address, "")
    })
}

/// What stands there, as far as it is said. In production the traffic of a server of this machine need not be
/// encrypted, and that of others which such a server would name has to be: those are asked for by name.
fn mode(settings: &Settings, address: &Address) -> Option<Mode> {
    let mode: Mode = settings.text("redis.mode")?.parse().ok()?;
    let is_alone = mode == Mode::Auto && !names_others(settings);
    Some(if is_alone && stays_here(settings, address) {
        Mode::Standalone
    } else {
        mode
    })
}

/// Whether what is said lets the servers name others: those of a cluster, or a master.
pub(super) fn names_others(settings: &Settings) -> bool {
    let mut of_sentinels = [SENTINEL_HOSTS, "redis.sentinel.master"].into_iter();
    let is_named = of_sentinels.any(|path| settings.text(path).is_some());
    is_named || matches!(settings.text("redis.mode"), Some("sentinel" | "cluster"))
}

/// Whether nothing may leave this machine: production, without TLS and without leave to do without.
fn stays_here(settings: &Settings, address: &Address) -> bool {
    let is_waived = settings.list("allow").iter().any(|it| it == PLAIN_REDIS);
    settings.environment == Environment::Production && !address.is_encrypted() && !is_waived
}

/// What stands beside the URL, and must fit it.
struct Beside<'a> {
    settings: &'a Settings,
    problems: &'a mut Vec<Problem>,
}

impl Beside<'_> {
    /// What is wrong, and what helps.
    fn tell(&mut self, path: &str, told: impl FnOnce(&str, &Origin) -> (String, String)) {
        let origin = self.settings.get(path).map(|it| it.origin.clone());
        let origin = origin.unwrap_or(Origin::Base);
        let name = origin.called(path);
        let (text, help) = told(&name, &origin);
        let told = Problem::new(path, Some(origin), text);
        self.problems.push(told.helped(Some(help)));
    }

    /// What a key is called by whoever set it.
    fn called(&self, path: &str) -> String {
        let origin = self.settings.get(path).map(|it| &it.origin);
        origin.map_or_else(|| path.to_owned(), |origin| origin.called(path))
    }

    /// A host that is no host makes a URL that is none.
    fn no_address(&mut self) {
        self.tell("redis.host", |name, _| {
            (
                format!("{name}: expected a host, such as cache.internal"),
                "write the name or the address alone; the port stands in redis.port".to_owned(),
            )
        });
    }

    fn parts(&mut self) {
        let Some(url) = self.settings.chosen(URL).map(Origin::rank) else {
            return;
        };
        let rank = |path: &str| self.settings.chosen(path).map(Origin::rank);
        if rank(HOST) > Some(url) {
            return;
        }
        let called = self.called(URL);
        for path in PARTS {
            if self.settings.chosen(path).map(Origin::rank) >= Some(url) {
                self.tell(path, |name, _| {
                    (
                        format!("{name}: {called} is set as well, and says all that it says"),
                        format!("take {name} or {called} out"),
                    )
                });
            }
        }
    }

    /// A login fills what the URL leaves out, and may not contradict it.
    fn login(&mut self) {
        let (text, _) = url(self.settings);
        let (user, password) = login_of(text.expose_secret());
        let called = self.called(URL);
        if let (Some(user), Some(other)) = (user, self.settings.text("redis.username"))
            && user != other
        {
            self.tell("redis.username", |name, _| {
                (
                    format!("{name}: {called} names another user"),
                    format!("take {name} out, or the user out of {called}"),
                )
            });
        }
        if let (Some(password), Some(other)) = (password, self.settings.secret("redis.password"))
            && password.expose_secret() != other.expose_secret()
        {
            self.tell("redis.password", |name, _| {
                (
                    format!("{name}: {called} has another password"),
                    format!("take {name} out, or the password out of {called}"),
                )
            });
        }
    }

    fn sentinels(&mut self, mode: Mode) -> Sentinels {
        let settings = self.settings;
        let is_watched = matches!(mode, Mode::Auto | Mode::Sentinel);
        let set = ["hosts", "master", "username", "password"]
            .map(|name| format!("redis.sentinel.{name}"))
            .into_iter()
            .find(|path| settings.get(path).is_some());
        if let Some(path) = set.filter(|_| !is_watched) {
            self.tell(&path, |name, origin| {
                let mode = origin.name_of("redis.mode");
                (
                    format!("{name}: has a meaning only with {mode}=sentinel or auto"),
                    format!("take it out, or set {mode} to sentinel"),
                )
            });
            return Sentinels::default();
        }
        let master = settings.text("redis.sentinel.master").map(str::to_owned);
        let address = sentinels(settings);
        let login = ["redis.sentinel.username", "redis.sentinel.password"]
            .into_iter()
            .find(|path| settings.get(path).is_some());
        if let Some(path) = login.filter(|_| address.is_none()) {
            self.tell(path, |name, origin| {
                let hosts = origin.name_of(SENTINEL_HOSTS);
                (
                    format!("{name}: needs {hosts}, so that the password goes nowhere else"),
                    format!("set {hosts}, such as one:26379,two:26379"),
                )
            });
        }
        Sentinels { address, master }
    }

    fn tls(&mut self, url: &str, has_tls: bool) -> Tls {
        let settings = self.settings;
        let path = |name: &str| settings.text(&format!("redis.tls.{name}"));
        let set = ["ca", "certificate", "key", "server_name"]
            .into_iter()
            .find(|name| path(name).is_some());
        let Some(first) = set else {
            return Tls::default();
        };
        let first = format!("redis.tls.{first}");
        if !has_tls {
            let url = self.called(url);
            self.tell(&first, |_, origin| {
                let section = origin.name_of("redis.tls");
                (
                    format!("{section}: has a meaning only with TLS"),
                    format!("begin {url} with rediss://, or take {section} out"),
                )
            });
            return Tls::default();
        }
        let file = |name| path(name).map(PathBuf::from);
        let files = TlsFiles {
            authority: file("ca"),
            certificate: file("certificate"),
            key: file("key"),
            server_name: path("server_name").map(str::to_owned),
        };
        let read = |path: &Path| settings.files.bytes(path);
        Tls::read(&files, read).unwrap_or_else(|error| {
            self.tell(&first, |_, origin| {
                let section = origin.name_of("redis.tls");
                let help = "ca, certificate and key are files in PEM that this user may read, and a certificate comes with its key";
                (format!("{section}: {error}"), help.to_owned())
            });
            Tls::default()
        })
    }
}

/// The user and the password that a URL has in it.
pub(super) fn login_of(url: &str) -> (Option<String>, Option<SecretString>) {
    let decoded = |text: &str| {
        let text = percent_decode_str(text).decode_utf8().ok()?;
        Some(text.into_owned()).filter(|text| !text.is_empty())
    };
    let rest = url.split_once("://").map_or("", |(_, rest)| rest);
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let authority = rest.get(..end).unwrap_or_default();
    let Some((login, _)) = authority.rsplit_once('@') else {
        return (None, None);
    };
    let (user, password) = login.split_once(':').unwrap_or((login, ""));
    (decoded(user), decoded(password).map(SecretString::from))
}
