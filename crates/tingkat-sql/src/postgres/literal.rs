//! Values as literals in SQL, and where in a statement they belong.

use std::fmt::Write as _;

/// A text. `E''` means the same whatever `standard_conforming_strings` is.
pub(crate) fn text(value: &str) -> Result<String, sqlx::Error> {
    let mut literal = String::with_capacity(value.len() + 4);
    literal.push_str("E'");
    push_escaped(&mut literal, value)?;
    literal.push('\'');
    Ok(literal)
}

/// A list of texts, as one literal: however many there are, it stays the same statement for
/// `pg_stat_statements`.
pub(crate) fn texts(values: &[String]) -> Result<String, sqlx::Error> {
    let mut array = String::from("{");
    for (index, value) in values.iter().enumerate() {
        if index > 0 {
            array.push(',');
        }
        array.push('"');
        for character in value.chars() {
            if matches!(character, '"' | '\\') {
                array.push('\\');
            }
            array.push(character);
        }
        array.push('"');
    }
    array.push('}');
    text(&array)
}

/// A list of numbers, as the text of an array.
pub(crate) fn numbers(values: &[u64]) -> String {
    let mut literal = String::from("'{");
    for (index, value) in values.iter().enumerate() {
        let comma = if index > 0 { "," } else { "" };
        // Writing to a `String` can not fail.
        let _ = write!(literal, "{comma}{value}");
    }
    literal.push_str("}'");
    literal
}

fn push_escaped(out: &mut String, value: &str) -> Result<(), sqlx::Error> {
    for character in value.chars() {
        match character {
            '\0' => return Err(sqlx::Error::Encode("a text with a zero byte".into())),
            '\'' => out.push_str("''"),
            '\\' => out.push_str("\\\\"),
            other => out.push(other),
        }
    }
    Ok(())
}

/// A statement with its literals for `$1`, `$2` and so on, wherever PostgreSQL would read a
/// parameter: not in strings, quoted names and comments, which are left out.
pub(crate) fn bound(sql: &str, literals: &[String]) -> String {
    let mut out =
        String::with_capacity(sql.len() + literals.iter().map(String::len).sum::<usize>());
    let mut rest = sql;
    let mut before = None;
    while let Some(character) = rest.chars().next() {
        let token = token(rest, character, before);
        let (text, after) = rest.split_at(token.length);
        match token.kind {
            Kind::Comment => out.push(' '),
            Kind::Parameter(number) => {
                match number.checked_sub(1).and_then(|at| literals.get(at)) {
                    Some(literal) => out.push_str(literal),
                    None => out.push_str(text),
                }
            }
            Kind::Other => out.push_str(text),
        }
        before = text.chars().next_back();
        rest = after;
    }
    out
}

/// What there is in a text of SQL.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Outline {
    /// The largest number of a parameter.
    pub(crate) highest_parameter: usize,
    /// Statements that are not empty.
    pub(crate) statements: usize,
}

/// Looks over a text as [`bound`] would.
pub(crate) fn outline(sql: &str) -> Outline {
    let mut found = Outline::default();
    let mut rest = sql;
    let mut before = None;
    let mut is_empty = true;
    while let Some(character) = rest.chars().next() {
        let token = token(rest, character, before);
        let (text, after) = rest.split_at(token.length);
        match token.kind {
            Kind::Comment => {}
            Kind::Other if text == ";" => is_empty = true,
            Kind::Other if text.trim().is_empty() => {}
            Kind::Other | Kind::Parameter(_) => {
                found.statements += usize::from(is_empty);
                is_empty = false;
            }
        }
        if let Kind::Parameter(number) = token.kind {
            found.highest_parameter = found.highest_parameter.max(number);
        }
        before = text.chars().next_back();
        rest = after;
    }
    found
}

struct Token {
    length: usize,
    kind: Kind,
}

enum Kind {
    Comment,
    Parameter(usize),
    Other,
}

/// What begins here, as far as it matters.
fn token(rest: &str, first: char, before: Option<char>) -> Token {
    let in_word = before.is_some_and(|c| c.is_alphanumeric() || matches!(c, '_' | '$'));
    let token = |length, kind| Token { length, kind };
    match first {
        '-' if rest.starts_with("--") => {
            token(rest.find('\n').unwrap_or(rest.len()), Kind::Comment)
        }
        '/' if rest.starts_with("/*") => token(comment(rest), Kind::Comment),
        '\'' => {
            let escapes = before.is_some_and(|c| c.eq_ignore_ascii_case(&'e'));
            token(quoted(rest, '\'', escapes), Kind::Other)
        }
        '"' => token(quoted(rest, '"', false), Kind::Other),
        '$' if !in_word => {
            let digits = rest
                .chars()
                .skip(1)
                .take_while(char::is_ascii_digit)
                .count();
            if digits > 0 {
                let number = rest.get(1..=digits).and_then(|text| text.parse().ok());
                token(1 + digits, number.map_or(Kind::Other, Kind::Parameter))
            } else {
                token(dollar_quoted(rest), Kind::Other)
            }
        }
        other => token(other.len_utf8(), Kind::Other),
    }
}

/// The length of a comment; they nest.
fn comment(rest: &str) -> usize {
    let (mut depth, mut at) = (0_usize, 0);
    while let Some(tail) = rest.get(at..).filter(|tail| !tail.is_empty()) {
        if tail.starts_with("/*") {
            depth += 1;
            at += 2;
        } else if tail.starts_with("*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += tail.chars().next().map_or(1, char::len_utf8);
        }
    }
    rest.len()
}

/// The length of what is between quotes, quotes included.
fn quoted(rest: &str, quote: char, escapes: bool) -> usize {
    let mut characters = rest.char_indices().skip(1).peekable();
    while let Some((at, character)) = characters.next() {
        if escapes && character == '\\' {
            characters.next();
        } else if character == quote && characters.next_if(|(_, next)| *next == quote).is_none() {
            return at + quote.len_utf8();
        }
    }
    rest.len()
}

/// The length of `$tag$…$tag$`, or of the dollar alone.
fn dollar_quoted(rest: &str) -> usize {
    let is_tag = |c: &char| c.is_alphanumeric() || *c == '_';
    let tag: usize = rest
        .chars()
        .skip(1)
        .take_while(is_tag)
        .map(char::len_utf8)
        .sum();
    let opening = rest.get(..tag + 2).filter(|opening| opening.ends_with('$'));
    let Some(opening) = opening else { return 1 };
    let body = rest.get(opening.len()..).unwrap_or_default();
    body.find(opening)
        .map_or(rest.len(), |at| at + 2 * opening.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bind(sql: &str) -> String {
        bound(sql, &["<1>".to_owned(), "<2>".to_owned()])
    }

    #[test]
    fn parameters_are_replaced_where_the_server_would_read_them() {
        assert_eq!(
            bind("SELECT $1, $2::int, a$1, $3"),
            "SELECT <1>, <2>::int, a$1, $3"
        );
        assert_eq!(bind("($1)"), "(<1>)");
        for untouched in [
            "'$1'",
            "'it''s $1'",
            r"E'\'$1'",
            r#""$1""#,
            "$$ $1 $$",
            "$body$ $1 $$ $body$",
            "'open $1",
        ] {
            assert_eq!(bind(untouched), untouched);
        }
        assert_eq!(bind(r"'\' || $1"), r"'\' || <1>");
    }

    #[test]
    fn a_key_can_not_break_out_of_a_comment() {
        assert_eq!(bind("-- $1 text\n$1"), " \n<1>");
        assert_eq!(bind("/* $1 /* nested */ $1 */$2"), " <2>");
    }

    #[test]
    fn parameters_and_statements_are_counted_where_the_server_would_see_them() {
        let seen = |sql| {
            let found = outline(sql);
            (found.highest_parameter, found.statements)
        };
        for nothing in ["", " \n", "-- $1;\n", "/* ; */ ; -- x", ";;"] {
            assert_eq!(seen(nothing), (0, 0), "{nothing}");
        }
        assert_eq!(seen("SELECT $2, $1 -- $9"), (2, 1));
        assert_eq!(seen("SELECT ';$3' ; -- the end"), (0, 1));
        assert_eq!(seen("SELECT $1; SELECT 2;"), (1, 2));
        assert_eq!(seen("$1"), (1, 1));
    }

    #[test]
    fn texts_are_escaped() {
        assert_eq!(text(r"a'b\c").unwrap(), r"E'a''b\\c'");
        let list = ["a".to_owned(), r#"",\'"#.to_owned()];
        assert_eq!(texts(&list).unwrap(), r#"E'{"a","\\",\\\\''"}'"#);
        assert_eq!(numbers(&[]), "'{}'");
        assert_eq!(numbers(&[7, 9]), "'{7,9}'");
        assert!(text("a\0b").is_err());
    }
}
