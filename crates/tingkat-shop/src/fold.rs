//! Texts as people compare them: without case and accents.

use unicode_normalization::UnicodeNormalization as _;
use unicode_normalization::char::is_combining_mark;

/// The text in small letters, without accents and without more white space than there must be.
pub(crate) fn folded(text: &str) -> String {
    let plain: String = text
        .nfkd()
        .filter(|&character| !is_combining_mark(character))
        .flat_map(char::to_lowercase)
        .collect();
    let words: Vec<&str> = plain.split_whitespace().collect();
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn case_accents_and_white_space_are_gone() {
        for text in [
            "Alor Setar",
            "  ALOR\u{a0} setar ",
            "\u{c0}l\u{f3}r  S\u{e9}tar",
        ] {
            assert_eq!(folded(text), "alor setar");
        }
        // A letter and its mark apart, and a letter of another width.
        assert_eq!(folded("e\u{301}\u{ff21}"), "ea");
    }
}
