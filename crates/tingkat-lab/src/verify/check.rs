//! What a check is.

use std::pin::Pin;
use std::time::Duration;

use super::end::End;
use super::scene::Scene;

/// What a check found: what it saw, or how else it ended.
pub(crate) type Found = Result<String, End>;

/// The judging itself.
pub(crate) type Judge = for<'a> fn(&'a Scene) -> Pin<Box<dyn Future<Output = Found> + 'a>>;

/// One promise, and how it is looked at.
#[derive(Clone, Copy)]
pub struct Check {
    /// What programs know it by; also its place in docs/verify.md.
    pub id: &'static str,
    /// What it belongs to.
    pub group: Group,
    /// The promise.
    pub sentence: &'static str,
    /// What to do where it is broken.
    pub remedy: &'static str,
    /// After so long there is no verdict.
    pub within: Duration,
    pub(crate) judge: Judge,
}

impl Check {
    /// What to do, and where more is said about it.
    pub fn hint(&self) -> String {
        format!("{} (docs/verify.md#{})", self.remedy, self.id)
    }
}

impl std::fmt::Debug for Check {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Check")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

/// What checks are about, in the order in which they are made: each rests on those before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Group {
    Configuration,
    Redis,
    Database,
    Postcodes,
    Products,
    Categories,
    Freshness,
    Stampede,
    Warming,
    Health,
    Failure,
    Limits,
}

impl Group {
    /// All of them, in order.
    pub const ALL: [Self; 12] = [
        Self::Configuration,
        Self::Redis,
        Self::Database,
        Self::Postcodes,
        Self::Products,
        Self::Categories,
        Self::Freshness,
        Self::Stampede,
        Self::Warming,
        Self::Health,
        Self::Failure,
        Self::Limits,
    ];

    /// What programs know it by.
    pub const fn id(self) -> &'static str {
        match self {
            Self::Configuration => "configuration",
            Self::Redis => "redis",
            Self::Database => "database",
            Self::Postcodes => "postcodes",
            Self::Products => "products",
            Self::Categories => "categories",
            Self::Freshness => "freshness",
            Self::Stampede => "stampede",
            Self::Warming => "warming",
            Self::Health => "health",
            Self::Failure => "failure",
            Self::Limits => "limits",
        }
    }

    /// What people read.
    pub const fn title(self) -> &'static str {
        match self {
            Self::Configuration => "Configuration",
            Self::Redis => "Redis tier",
            Self::Database => "Database and change log",
            Self::Postcodes => "Postcodes",
            Self::Products => "Products",
            Self::Categories => "Categories",
            Self::Freshness => "Freshness",
            Self::Stampede => "Stampede",
            Self::Warming => "Warming",
            Self::Health => "Health",
            Self::Failure => "Failure",
            Self::Limits => "Limits and security",
        }
    }
}
