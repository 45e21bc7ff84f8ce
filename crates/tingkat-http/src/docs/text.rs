//! Texts of the description as HTML, and JSON as people read it.

use std::fmt;

use crate::page::Escaped;

/// A text in which code stands between backticks.
pub(super) struct Marked<'a>(pub(super) &'a str);

impl fmt::Display for Marked<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, part) in self.0.split('`').enumerate() {
            if at % 2 == 0 {
                write!(f, "{}", Escaped(part))?;
            } else {
                write!(f, "<code>{}</code>", Escaped(part))?;
            }
        }
        Ok(())
    }
}

/// A JSON text with a line for each member and each thing of a list, in the order that it has.
pub(super) fn indented(json: &str) -> String {
    let mut out = String::with_capacity(json.len() * 2);
    let mut depth = 0_usize;
    let (mut in_text, mut escaped) = (false, false);
    let mut characters = json.chars().peekable();
    while let Some(character) = characters.next() {
        if in_text {
            in_text = escaped || character != '"';
            escaped = !escaped && character == '\\';
            out.push(character);
            continue;
        }
        match character {
            '{' | '[' => {
                out.push(character);
                if characters
                    .peek()
                    .is_some_and(|next| matches!(next, '}' | ']'))
                {
                    continue;
                }
                depth += 1;
                new_line(&mut out, depth);
            }
            '}' | ']' => {
                let is_empty = out.ends_with(['{', '[']);
                if !is_empty {
                    depth = depth.saturating_sub(1);
                    new_line(&mut out, depth);
                }
                out.push(character);
            }
            ',' => {
                out.push(character);
                new_line(&mut out, depth);
            }
            ':' => out.push_str(": "),
            ' ' | '\n' | '\r' | '\t' => {}
            _ => {
                in_text = character == '"';
                out.push(character);
            }
        }
    }
    out
}

fn new_line(out: &mut String, depth: usize) {
    out.push('\n');
    out.extend(std::iter::repeat_n("  ", depth));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_is_marked_and_markup_is_shown() {
        let text = Marked("a `b<c` & d").to_string();
        assert_eq!(text, "a <code>b&lt;c</code> &amp; d");
    }

    #[test]
    fn json_is_indented_as_by_another_printer_and_keeps_its_order() {
        let json = r#"{"b":[],"a":[1,{"x":"{,:[\\\"]"}],"c":{},"d":null}"#;
        let shown = indented(json);
        let lines: Vec<&str> = shown.lines().map(str::trim).collect();
        assert_eq!(lines[1], r#""b": [],"#);
        assert_eq!(lines.last(), Some(&"}"));
        let value: serde_json::Value = serde_json::from_str(json).unwrap();
        let again: serde_json::Value = serde_json::from_str(&shown).unwrap();
        assert_eq!(value, again);
        // Members in the order of the alphabet, as the other printer has them.
        let json = r#"{"a":[1,{"x":"{,:[\\\"]"}],"b":[],"c":{},"d":null}"#;
        let value: serde_json::Value = serde_json::from_str(json).unwrap();
        let other = serde_json::to_string_pretty(&value).unwrap();
        assert_eq!(indented(json), other);
    }
}
