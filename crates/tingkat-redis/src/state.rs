//! Whether the tier can be used, and if not, why: in one line for people, without a secret.

use std::fmt;

/// Whether the tier can be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// The first attempt is under way.
    Connecting,
    /// All of it can be used.
    Up,
    /// Some of it can be used, and this is wrong with the rest: a node is away, a right is missing.
    Limited(String),
    /// It can not be used, for this reason.
    Down(String),
}

impl State {
    /// Whether at least some of it can be used.
    pub const fn is_usable(&self) -> bool {
        matches!(self, Self::Up | Self::Limited(_))
    }

    /// What is wrong, if anything is.
    pub fn trouble(&self) -> Option<&str> {
        match self {
            Self::Connecting | Self::Up => None,
            Self::Limited(why) | Self::Down(why) => Some(why),
        }
    }
}

impl State {
    /// The same without the name of the user, for pages that anybody may see.
    pub fn for_anybody(&self) -> Option<String> {
        let mut words: Vec<&str> = self.trouble()?.split(' ').collect();
        let users: Vec<usize> = words
            .iter()
            .enumerate()
            .filter(|(_, word)| **word == "SETUSER")
            .map(|(index, _)| index + 1)
            .collect();
        for index in users {
            if let Some(user) = words.get_mut(index) {
                *user = "USER";
            }
        }
        Some(words.join(" "))
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connecting => f.write_str("connecting"),
            Self::Up => f.write_str("up"),
            Self::Limited(why) => write!(f, "limited: {why}"),
            Self::Down(why) => write!(f, "down: {why}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_for_anybody_names_no_user() {
        let line =
            "a: the user lacks x; this grants it: ACL SETUSER shop +x; b: ACL SETUSER shop +y";
        let shown = State::Limited(line.to_owned()).for_anybody().unwrap();
        assert_eq!(shown, line.replace("shop", "USER"));
        assert_eq!(State::Up.for_anybody(), None);
    }
}
