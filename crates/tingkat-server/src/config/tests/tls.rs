//! Certificates: files like all others that a configuration names, and such as end.

use std::fs;

use tingkat_testkit::{Certificates, Identity};

use super::Case;
use crate::config::rules;

/// A right configuration whose service shows this certificate, with the key of another.
fn showing(who: Identity, key: Identity) -> Case {
    let certificates = Certificates::generate().unwrap();
    let text = |path| fs::read_to_string(path).unwrap();
    Case::file("[server.tls]\ncertificate = \"/tls/own.pem\"\nkey = \"/tls/own.key\"\n")
        .and_file("/tls/own.pem", &text(certificates.certificate(who)))
        .and_file("/tls/own.key", &text(certificates.key(key)))
        .and_file("/tls/authority.pem", &text(certificates.authority()))
        .and(
            "TINGKAT__ALLOW",
            "embedded-database,tokens-unset,redis-unset,key-prefix-unset",
        )
}

fn told(case: &Case) -> Vec<String> {
    let problems = case.load().problems.into_iter();
    problems.map(|problem| problem.message).collect()
}

#[test]
fn a_certificate_that_is_not_valid_now_is_refused_in_production_and_warned_of_elsewhere() {
    for (who, words) in [
        (
            Identity::Expired,
            "server.tls.certificate: the certificate has expired at 2001-01-01T00:00:00Z",
        ),
        (
            Identity::NotYet,
            "server.tls.certificate: the certificate is not valid before 2090-01-01T00:00:00Z",
        ),
    ] {
        let case = showing(who, who);
        let loaded = case.load();
        assert!(loaded.problems.is_empty(), "{:?}", loaded.problems);
        assert!(loaded.term.is_some_and(|term| term.is_due()));
        for environment in ["staging", "production"] {
            let case = case.clone().and("TINGKAT_ENV", environment);
            assert_eq!(told(&case), [words]);
            // It is no reason not to find, to probe or to reload a node that runs.
            assert!(case.load().for_start().is_err());
            assert!(case.load().into_settings().is_ok());
            let waiver = "embedded-database,tokens-unset,redis-unset,certificate-out-of-date";
            let loaded = case.and("TINGKAT__ALLOW", waiver).load();
            let rules = rules::waived(&loaded.settings, loaded.term.as_ref());
            assert!(rules.contains(&"certificate-out-of-date"), "{rules:?}");
            assert!(loaded.term.is_some_and(|term| term.is_due()));
        }
    }
    let right = showing(Identity::Server, Identity::Server).and("TINGKAT_ENV", "production");
    let loaded = right.load();
    assert!(loaded.problems.is_empty(), "{:?}", loaded.problems);
    assert!(loaded.term.is_some_and(|term| !term.is_due()));
}

#[test]
fn what_is_wrong_with_the_files_of_a_certificate_is_told_with_their_names() {
    let fits = |case: Case, words: &str| {
        let told = told(&case);
        assert!(told.len() == 1 && told[0].contains(words), "{told:?}");
    };
    let (server, client) = (Identity::Server, Identity::Client);
    fits(
        showing(server, client),
        "/tls/own.pem and /tls/own.key do not fit",
    );
    let missing = "failed to read /tls/nowhere.pem: entity not found";
    let variable = "TINGKAT__SERVER__TLS__CERTIFICATE";
    fits(
        showing(server, server).and(variable, "/tls/nowhere.pem"),
        missing,
    );
    let none = "/tls/own.key holds no certificate in PEM";
    fits(showing(server, server).and(variable, "/tls/own.key"), none);
    let long = showing(server, server).and_file("/tls/own.pem", &"x".repeat((1 << 20) + 1));
    fits(
        long,
        "failed to read /tls/own.pem: it is longer than 1048576 bytes",
    );
}

#[test]
fn the_certificates_of_redis_are_read_as_all_other_files() {
    let case = showing(Identity::Server, Identity::Server).and("REDIS_URL", "rediss://cache");
    let authority = "TINGKAT__REDIS__TLS__CA";
    assert_eq!(
        told(&case.clone().and(authority, "/tls/authority.pem")),
        [""; 0]
    );
    let own = [
        ("TINGKAT__REDIS__TLS__CERTIFICATE", "/tls/own.pem"),
        ("TINGKAT__REDIS__TLS__KEY", "/tls/own.key"),
    ];
    let mutual = own
        .iter()
        .fold(case.clone(), |case, (name, value)| case.and(name, value));
    assert_eq!(told(&mutual), [""; 0]);
    let told = told(&case.and(authority, "/tls/nowhere.pem"));
    assert_eq!(
        told,
        ["TINGKAT__REDIS__TLS: failed to read /tls/nowhere.pem: entity not found"]
    );
}
