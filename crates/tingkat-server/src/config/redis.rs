//! What the environment says about Redis. Secrets come by a variable or by the file that it names
//! with `_FILE`, never by a flag.

use std::path::PathBuf;

use tingkat_redis::{Address, Config, Mode, Sentinels, Tls, TlsFiles};

use super::{first_of, secret};
use crate::exit::{Code, Failure};

const DEFAULT: &str = "redis://127.0.0.1:6379";

const MODE: &str = "TINGKAT__REDIS__MODE";
const HOSTS: &str = "TINGKAT__REDIS__SENTINEL__HOSTS";
const MASTER: &str = "TINGKAT__REDIS__SENTINEL__MASTER";
const USERNAME: &str = "TINGKAT__REDIS__SENTINEL__USERNAME";
const PASSWORD: &str = "TINGKAT__REDIS__SENTINEL__PASSWORD";
const SENTINEL_TLS: &str = "TINGKAT__REDIS__SENTINEL__TLS";
const AUTHORITY: &str = "TINGKAT__REDIS__TLS__CA";
const CERTIFICATE: &str = "TINGKAT__REDIS__TLS__CERTIFICATE";
const KEY: &str = "TINGKAT__REDIS__TLS__KEY";
const SERVER_NAME: &str = "TINGKAT__REDIS__TLS__SERVER_NAME";

/// A Sentinel's usual port.
const SENTINEL_PORT: u16 = 26_379;

/// Where Redis is; nothing when it is switched off.
pub(super) fn load() -> Result<Option<Config>, Failure> {
    let url = secret(&["TINGKAT__REDIS__URL", "REDIS_URL"])?;
    let (name, url) = url.unwrap_or_else(|| ("REDIS_URL", DEFAULT.to_owned()));
    if url == "off" {
        return Ok(None);
    }
    let address: Address = url
        .parse()
        .map_err(|error| Failure::chained(Code::Configuration, name, &error))?;
    let mode = mode()?;
    if mode == Mode::Cluster && address.database() != 0 {
        return Err(Failure::configuration(format!(
            "{name}: a cluster has no databases: take the number {} off",
            address.database()
        )));
    }
    let sentinels = sentinels(&address, mode)?;
    let is_encrypted = |address: &Address| address.is_encrypted();
    let has_tls = address.is_encrypted() || sentinels.address.as_ref().is_some_and(is_encrypted);
    Ok(Some(Config {
        mode,
        sentinels,
        tls: tls(name, has_tls)?,
        ..Config::new(address, "")
    }))
}

fn value(name: &'static str) -> Result<Option<String>, Failure> {
    Ok(first_of(&[name])?.map(|(_, text)| text))
}

fn mode() -> Result<Mode, Failure> {
    let mode = value(MODE)?.map(|text| text.parse()).transpose();
    let mode = mode.map_err(|error: tingkat_redis::ModeError| {
        Failure::chained(Code::Configuration, MODE, &error)
    })?;
    Ok(mode.unwrap_or_default())
}

fn sentinels(address: &Address, mode: Mode) -> Result<Sentinels, Failure> {
    let (hosts, master) = (value(HOSTS)?, value(MASTER)?);
    let (username, password) = (value(USERNAME)?, secret(&[PASSWORD])?);
    let password = password.map(|(_, password)| password);
    let set = [
        (HOSTS, hosts.is_some()),
        (MASTER, master.is_some()),
        (USERNAME, username.is_some()),
        (PASSWORD, password.is_some()),
    ];
    let is_watched = matches!(mode, Mode::Auto | Mode::Sentinel);
    if let Some((name, _)) = set.iter().find(|(_, is_set)| *is_set && !is_watched) {
        return Err(Failure::configuration(format!(
            "{name}: has a meaning only with {MODE}=sentinel or auto"
        )));
    }
    let is_encrypted = match value(SENTINEL_TLS)?.as_deref() {
        None => address.is_encrypted(),
        Some("true") => true,
        Some("false") => false,
        Some(other) => {
            return Err(Failure::configuration(format!(
                "{SENTINEL_TLS}: expected true or false; found {other:?}"
            )));
        }
    };
    let Some(hosts) = hosts else {
        if let Some((name, _)) = set.iter().skip(2).find(|(_, is_set)| *is_set) {
            return Err(Failure::configuration(format!(
                "{name}: needs {HOSTS}, so that the password goes nowhere else"
            )));
        }
        return Ok(Sentinels {
            address: None,
            master,
        });
    };
    let address = Address::of_hosts(&hosts, SENTINEL_PORT).map_err(|_| {
        Failure::configuration(format!(
            "{HOSTS}: expected hosts such as one:26379,two:26379; found {hosts:?}"
        ))
    })?;
    let address = address
        .encrypted(is_encrypted)
        .login(username.as_deref(), password.as_deref());
    Ok(Sentinels {
        address: Some(address),
        master,
    })
}

fn tls(url: &str, has_tls: bool) -> Result<Tls, Failure> {
    let path = |name| Ok::<_, Failure>(value(name)?.map(PathBuf::from));
    let files = TlsFiles {
        authority: path(AUTHORITY)?,
        certificate: path(CERTIFICATE)?,
        key: path(KEY)?,
        server_name: value(SERVER_NAME)?,
    };
    let is_set = files.authority.is_some()
        || files.certificate.is_some()
        || files.key.is_some()
        || files.server_name.is_some();
    if is_set && !has_tls {
        return Err(Failure::configuration(format!(
            "TINGKAT__REDIS__TLS: has a meaning only with TLS; begin {url} with rediss://"
        )));
    }
    Tls::read(&files)
        .map_err(|error| Failure::chained(Code::Configuration, "TINGKAT__REDIS__TLS", &error))
}
