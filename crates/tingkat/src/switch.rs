//! Rules of the protocol that a build for tests can switch off, to show that its checkers notice.
//!
//! Without the feature `broken-rules` every rule holds, always, and nothing of this is left in the
//! program.

#![cfg_attr(
    not(feature = "broken-rules"),
    expect(
        unreachable_pub,
        reason = "only that feature shows the rules to callers"
    )
)]

/// A rule of the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Rule {
    /// R2: an entry is accepted only if it covers all that the node knows of its deps.
    Accept,
    /// R3: what was accepted is served only while the node is anchored.
    Anchor,
    /// R4: a load enters memory only if it is accepted when it comes in.
    JudgeLoad,
    /// R5: a flight is joined only while it is young enough and nothing changed meanwhile.
    Join,
    /// R7: another incarnation, or a database that went back in time, is a cold reset.
    ColdReset,
    /// Changes that the log has compacted are folded, not forgotten.
    Fold,
    /// What is known moves before the epoch, and the epoch before the anchor.
    PublicationOrder,
}

/// Which rules hold.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Switches {
    #[cfg(feature = "broken-rules")]
    off: Option<Rule>,
}

impl Switches {
    /// Whether a rule holds.
    #[cfg(not(feature = "broken-rules"))]
    #[expect(clippy::unused_self, reason = "with the feature there is a choice")]
    pub(crate) const fn holds(self, _rule: Rule) -> bool {
        true
    }

    /// Whether a rule holds.
    #[cfg(feature = "broken-rules")]
    pub(crate) fn holds(self, rule: Rule) -> bool {
        self.off != Some(rule)
    }

    /// All rules but one.
    #[cfg(feature = "broken-rules")]
    pub(crate) const fn without(rule: Rule) -> Self {
        Self { off: Some(rule) }
    }
}
