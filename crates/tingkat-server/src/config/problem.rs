//! What is wrong with a configuration, for people and for programs.

use std::fmt;

use miette::{
    Diagnostic, GraphicalReportHandler, GraphicalTheme, LabeledSpan, MietteError,
    MietteSpanContents, SourceCode, SourceSpan, SpanContents,
};
use serde_json::{Value, json};

use super::origin::Origin;
use super::rules::OUT_OF_DATE;

/// What a problem is about that is about no key, but about all of the file.
const FILE: &str = "file";

/// One thing that is wrong.
#[derive(Clone, Debug)]
pub(crate) struct Problem {
    /// What it is about: a key, or the word for the file.
    pub(crate) about: String,
    is_about_the_file: bool,
    pub(crate) origin: Option<Origin>,
    /// One line without a secret.
    pub(crate) message: String,
    pub(crate) help: Option<Box<str>>,
    /// The name by which it can be waived.
    pub(crate) rule: Option<&'static str>,
}

impl Problem {
    pub(crate) fn new(about: &str, origin: Option<Origin>, message: impl Into<String>) -> Self {
        Self {
            about: about.to_owned(),
            is_about_the_file: false,
            origin,
            message: message.into(),
            help: None,
            rule: None,
        }
    }

    /// One of a file of which nobody knows what it says.
    pub(crate) fn of_file(origin: Option<Origin>, message: impl Into<String>) -> Self {
        Self {
            is_about_the_file: true,
            ..Self::new(FILE, origin, message)
        }
    }

    pub(crate) fn helped(self, help: Option<String>) -> Self {
        Self {
            help: help.map(Into::into),
            ..self
        }
    }

    pub(crate) fn waivable(self, rule: &'static str) -> Self {
        Self {
            rule: Some(rule),
            ..self
        }
    }

    /// Whether it hides what else may be said: of a file that can not be read nobody knows what it sets.
    pub(crate) const fn is_about_the_file(&self) -> bool {
        self.is_about_the_file
    }

    /// Whether nobody made a mistake, but time went by.
    pub(crate) fn is_about_time(&self) -> bool {
        self.rule == Some(OUT_OF_DATE)
    }

    fn help_line(&self) -> Option<String> {
        let waiver = self
            .rule
            .map(|rule| format!("or allow it: allow = [\"{rule}\"]"));
        match (self.help.as_deref().map(str::to_owned), waiver) {
            (Some(help), Some(waiver)) => Some(format!("{help}; {waiver}")),
            (help, waiver) => help.or(waiver),
        }
    }

    /// For people: with the line of the file, if it stands in one.
    pub(crate) fn told(&self, has_colour: bool) -> String {
        if !matches!(self.origin, Some(Origin::File { .. })) {
            let help = self.help_line();
            let help = help.map_or_else(String::new, |help| format!("\n  help: {help}"));
            return format!("tingkat: {}{help}\n", self.message);
        }
        let theme = if has_colour {
            GraphicalTheme::unicode()
        } else {
            GraphicalTheme::unicode_nocolor()
        };
        let handler = GraphicalReportHandler::new_themed(theme)
            .with_links(false)
            // The lines around it have nothing to do with it, and may have secrets.
            .with_context_lines(0)
            .with_width(100);
        let mut text = String::new();
        match handler.render_report(&mut text, &Shown::of(self)) {
            Ok(()) => format!("tingkat: {}\n", text.trim_start().trim_end()),
            Err(_) => format!("tingkat: {}\n", self.message),
        }
    }

    /// For programs.
    pub(crate) fn object(&self) -> Value {
        let (file, line) = match &self.origin {
            Some(Origin::File { source, span }) => {
                (Some(source.name.clone()), Some(source.line(span.start)))
            }
            _ => (None, None),
        };
        json!({
            "key": self.about,
            "origin": self.origin.as_ref().map(ToString::to_string),
            "file": file,
            "line": line,
            "message": self.message,
            "help": self.help,
            "rule": self.rule,
        })
    }
}

/// A problem with the file in which it stands.
#[derive(Debug)]
struct Shown {
    message: String,
    help: Option<String>,
    source: Option<Line>,
    label: Option<LabeledSpan>,
}

impl Shown {
    fn of(problem: &Problem) -> Self {
        let (source, label) = match &problem.origin {
            Some(Origin::File { source, span }) => {
                let (text, span) = source.censored(span);
                let label = LabeledSpan::at(span, "here");
                let name = source.name.clone();
                (Some(Line { name, text }), Some(label))
            }
            _ => (None, None),
        };
        Self {
            message: problem.message.clone(),
            help: problem.help_line(),
            source,
            label,
        }
    }
}

/// A file of which only the line is read in which something stands.
#[derive(Debug)]
struct Line {
    name: String,
    text: String,
}

impl SourceCode for Line {
    fn read_span<'a>(
        &'a self,
        span: &SourceSpan,
        _lines_before: usize,
        _lines_after: usize,
    ) -> Result<Box<dyn SpanContents<'a> + 'a>, MietteError> {
        let at = span.offset();
        let (before, after) = self
            .text
            .split_at_checked(at)
            .ok_or(MietteError::OutOfBounds)?;
        let begin = before.rfind('\n').map_or(0, |newline| newline + 1);
        let inner = after.get(span.len()..).unwrap_or_default();
        let end = self.text.len() - inner.len() + inner.find('\n').unwrap_or(inner.len());
        let data = self.text.get(begin..end).unwrap_or_default();
        let line = before.matches('\n').count();
        Ok(Box::new(MietteSpanContents::new_named(
            self.name.clone(),
            data.as_bytes(),
            SourceSpan::new(begin.into(), data.len()),
            line,
            0,
            data.matches('\n').count() + 1,
        )))
    }
}

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Shown {}

impl Diagnostic for Shown {
    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        let help = self.help.as_ref()?;
        Some(Box::new(help))
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        self.source.as_ref().map(|it| it as &dyn SourceCode)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        let label = self.label.clone()?;
        Some(Box::new(std::iter::once(label)))
    }
}
