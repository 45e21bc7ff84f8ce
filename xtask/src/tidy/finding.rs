//! What a check has to say: where, what is wrong, and what would be right.

use std::fmt;

#[derive(Debug, PartialEq, Eq)]
pub(super) struct Finding {
    place: String,
    problem: String,
    remedy: String,
    weight: Weight,
}

#[derive(Debug, PartialEq, Eq)]
enum Weight {
    Violation,
    Note,
}

impl Finding {
    /// Something that must change.
    pub(super) fn violation(
        place: impl Into<String>,
        problem: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        Self {
            place: place.into(),
            problem: problem.into(),
            remedy: remedy.into(),
            weight: Weight::Violation,
        }
    }

    /// Something to know.
    pub(super) fn note(
        place: impl Into<String>,
        problem: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        Self {
            weight: Weight::Note,
            ..Self::violation(place, problem, remedy)
        }
    }

    pub(super) fn is_violation(&self) -> bool {
        self.weight == Weight::Violation
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let weight = match self.weight {
            Weight::Violation => "",
            Weight::Note => "note: ",
        };
        let Self {
            place,
            problem,
            remedy,
            ..
        } = self;
        write!(f, "{weight}{place}: {problem}\n    {remedy}")
    }
}
