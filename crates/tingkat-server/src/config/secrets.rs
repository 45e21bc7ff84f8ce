//! What is secret in the configuration, to be taken out of texts that somebody else wrote.

use std::borrow::Cow;
use std::ops::Range;

use percent_encoding::{NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use secrecy::{ExposeSecret as _, SecretString};

use super::kind::{Kind, Value};
use super::redis::login_of;
use super::second_path::password;
use super::settings::Settings;
use super::surroundings::Surroundings;

/// A shorter one is found in words by chance, so that it is a secret only where it stands alone.
const SHORTEST_IN_WORDS: usize = 6;

/// What is shown in the place of a secret.
const MASK: &str = "***";

/// Secrets in each form in which a text may have them. As many as a configuration has room for.
#[derive(Clone, Debug, Default)]
pub(crate) struct Secrets(Vec<SecretString>);

impl Secrets {
    /// All that any layer of the settings has, also where another layer wins.
    pub(crate) fn of(settings: &Settings) -> Self {
        let mut secrets = Self::default();
        for key in settings.keys().filter(|key| key.kind.is_secret()) {
            for setting in settings.layers(&key.path) {
                if let Value::Secret(secret) = &setting.value {
                    secrets.add_value(key.kind, secret.expose_secret());
                }
            }
        }
        secrets
    }

    /// One more.
    pub(crate) fn and(mut self, secret: &SecretString) -> Self {
        self.add(secret.expose_secret());
        self
    }

    /// Those that are no part of the configuration as well, if there are any: the token of commands, and what
    /// the client of PostgreSQL takes for a password. What is wrong with them is told elsewhere.
    pub(crate) fn and_others(self, surroundings: &Surroundings) -> Self {
        let of_client = surroundings.variable("PGPASSWORD").ok().flatten();
        let token = surroundings.token().ok().flatten();
        let others = [token, of_client.map(SecretString::from)];
        others.iter().flatten().fold(self, Self::and)
    }

    fn add_value(&mut self, kind: Kind, text: &str) {
        let (is_url, is_list) = (
            matches!(kind, Kind::Redis | Kind::Database),
            matches!(kind, Kind::Tokens),
        );
        if is_list {
            for token in text.split(',') {
                let hash = token.rsplit_once(':').map_or(token, |(_, hash)| hash);
                self.add(hash.trim());
            }
        } else if is_url {
            if text.contains("://") {
                self.add_url(text);
            }
        } else {
            self.add(text);
        }
    }

    /// Of a URL the password and the parameters are secret: what a host is called is not.
    fn add_url(&mut self, url: &str) {
        if let Some(password) = password(url) {
            self.add_encoded(password);
        }
        if let (_, Some(password)) = login_of(url) {
            self.add(password.expose_secret());
        }
        let (_, query) = url.split_once('?').unwrap_or_default();
        for parameter in query.split('&') {
            if let Some((name, value)) = parameter.split_once('=')
                && name.to_ascii_lowercase().contains("pass")
            {
                self.add_encoded(value);
            }
        }
    }

    /// As it is written in a URL, and as it is meant.
    fn add_encoded(&mut self, text: &str) {
        self.add(text);
        if let Ok(decoded) = percent_decode_str(text).decode_utf8() {
            self.add(&decoded);
        }
    }

    /// As it is, as `{:?}` writes it, and as a URL does.
    fn add(&mut self, text: &str) {
        let forms = [
            text.to_owned(),
            text.escape_debug().to_string(),
            utf8_percent_encode(text, NON_ALPHANUMERIC).to_string(),
        ];
        for form in forms.into_iter().map(SecretString::from) {
            let is_same = |it: &SecretString| it.expose_secret() == form.expose_secret();
            if !form.expose_secret().is_empty() && !self.0.iter().any(is_same) {
                self.0.push(form);
            }
        }
    }

    /// The first `most` bytes of the text, or all of it, without any of all these: also where one begins
    /// in another, and where one is cut off by the end.
    pub(crate) fn taken_out_of<'a>(all: &[Self], text: &'a str, most: usize) -> Cow<'a, str> {
        let secrets = || all.iter().flat_map(|secrets| &secrets.0);
        let longest = secrets().map(|it| it.expose_secret().len()).max();
        let seen = most.saturating_add(longest.unwrap_or(0));
        let seen = text.get(..text.floor_char_boundary(seen)).unwrap_or(text);
        let end = text.floor_char_boundary(most);
        let found = secrets().flat_map(|secret| places(seen, secret.expose_secret()));
        let mut found: Vec<Range<usize>> = found.collect();
        if found.is_empty() {
            return Cow::Borrowed(text.get(..end).unwrap_or(text));
        }
        found.sort_by_key(|place| place.start);
        let (mut shown, mut from) = (String::new(), 0);
        for place in found.into_iter().filter(|place| place.start < end) {
            if place.start >= from {
                shown.push_str(text.get(from..place.start).unwrap_or_default());
                shown.push_str(MASK);
            }
            from = from.max(place.end);
        }
        shown.push_str(text.get(from..end).unwrap_or_default());
        Cow::Owned(shown)
    }
}

/// Where a secret is in a text.
fn places(text: &str, secret: &str) -> Vec<Range<usize>> {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let found = text
        .match_indices(secret)
        .map(|(at, _)| at..at + secret.len());
    let counts = |place: &Range<usize>| {
        let before = text
            .get(..place.start)
            .and_then(|it| it.chars().next_back());
        let after = text.get(place.end..).and_then(|it| it.chars().next());
        let is_alone = !before.is_some_and(is_word) && !after.is_some_and(is_word);
        is_alone || secret.len() >= SHORTEST_IN_WORDS
    };
    found.filter(counts).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(secrets: &[(Kind, &str)], text: &str) -> String {
        let mut all = Secrets::default();
        for (kind, secret) in secrets {
            all.add_value(*kind, secret);
        }
        Secrets::taken_out_of(&[all], text, 1_000).into_owned()
    }

    #[test]
    fn a_secret_is_taken_out_in_whatever_form_it_stands() {
        let url = "postgres://shop:hun%40ter2@db/shop?sslmode=verify-full&sslpassword=other%20one";
        let token = "write:2c26b46b68ffc68ff99b453c,operate:fcde2b2edba56bf408601fb7";
        for (kind, secret, text, expected) in [
            (Kind::Secret, "hunter2", "a hunter2b", "a ***b"),
            (
                Kind::Secret,
                "hun\"ter2",
                r#"Some("hun\"ter2")"#,
                r#"Some("***")"#,
            ),
            (Kind::Secret, "hun ter2", "hun%20ter2", "***"),
            (
                Kind::Database,
                url,
                "hun@ter2 and hun%40ter2",
                "*** and ***",
            ),
            (
                Kind::Database,
                url,
                "shop at db: other one",
                "shop at db: ***",
            ),
            (Kind::Redis, "redis://:a:b@cache", "a:b@cache", "***@cache"),
            (Kind::Redis, "off", "it is off", "it is off"),
            (Kind::Database, "sqlite:shop.db", "shop.db", "shop.db"),
            (Kind::Tokens, token, "fcde2b2edba56bf408601fb7", "***"),
            // Of a short one nothing is given away by what words it is not in.
            (Kind::Secret, "ab", "ab cable (ab)", "*** cable (***)"),
        ] {
            assert_eq!(shown(&[(kind, secret)], text), expected, "{secret}");
        }
    }

    #[test]
    fn secrets_that_begin_in_each_other_leave_nothing() {
        let secrets = [(Kind::Secret, "hunter2"), (Kind::Secret, "ter2-and-more")];
        assert_eq!(shown(&secrets, "hunter2-and-more, hunter2"), "***, ***");
        let secrets = [
            (Kind::Secret, "hunter2"),
            (Kind::Secret, "hunter2-and-more"),
        ];
        assert_eq!(shown(&secrets, "hunter2-and-more"), "***");
    }

    #[test]
    fn a_text_that_is_cut_off_keeps_no_beginning_of_a_secret() {
        let secrets = [Secrets::default().and(&"hunter2".into())];
        let taken_out_of = |text, most| Secrets::taken_out_of(&secrets, text, most).into_owned();
        let text = format!("{}hunter2 and more", "é".repeat(10));
        for most in 0..=text.len() {
            let shown = taken_out_of(&text, most);
            assert!(!shown.contains("hu"), "{most}: {shown}");
        }
        assert_eq!(taken_out_of(&text, 3), "é");
        assert_eq!(taken_out_of("hunter2 and more", 9), "*** a");
    }
}
