//! The rules of the protocol, each of which can be switched off to see what it is for.

/// What a model does without, when it is told to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    Anchor,
    JudgeRemote,
    Tags,
    Incarnation,
    Floor,
    LoadedAtSnapshot,
    FreshAtSend,
    JudgeOnEntry,
    JoinAge,
    JoinChange,
    JoinLateChange,
    JoinProof,
    HintsOnlyWake,
    ColdReset,
    OwnWrites,
    SnapshotDifference,
    HistoryAtBoot,
    KeepRecent,
    OldMaxBelowXmin,
    CutNeedsCursor,
    AcceptedSince,
    FoldBelowTick,
    ReloadAfterSleep,
    SnapshotFirst,
    KnowledgeBeforeEpoch,
    EpochBeforeFreshAt,
    FreshAtReadFirst,
    EpochBeforeJudgement,
    AnchorBeforeJudgement,
}

impl Rule {
    pub const ALL: [Self; 29] = [
        Self::Anchor,
        Self::JudgeRemote,
        Self::Tags,
        Self::Incarnation,
        Self::Floor,
        Self::LoadedAtSnapshot,
        Self::FreshAtSend,
        Self::JudgeOnEntry,
        Self::JoinAge,
        Self::JoinChange,
        Self::JoinLateChange,
        Self::JoinProof,
        Self::HintsOnlyWake,
        Self::ColdReset,
        Self::OwnWrites,
        Self::SnapshotDifference,
        Self::HistoryAtBoot,
        Self::KeepRecent,
        Self::OldMaxBelowXmin,
        Self::CutNeedsCursor,
        Self::AcceptedSince,
        Self::FoldBelowTick,
        Self::ReloadAfterSleep,
        Self::SnapshotFirst,
        Self::KnowledgeBeforeEpoch,
        Self::EpochBeforeFreshAt,
        Self::FreshAtReadFirst,
        Self::EpochBeforeJudgement,
        Self::AnchorBeforeJudgement,
    ];

    /// What is done instead when it is switched off.
    pub const fn without(self) -> &'static str {
        match self {
            Self::Anchor => "R1: served however long ago the last poll was",
            Self::JudgeRemote => "R2: what Redis holds is served unseen",
            Self::Tags => "R2: only the entry's own key is looked at",
            Self::Incarnation => "R2: ids of another incarnation are compared",
            Self::Floor => "R2: older than the node's memory, and served",
            Self::LoadedAtSnapshot => "R3: a load counts as young from its end on",
            Self::FreshAtSend => "§3: fresh_at is when the poll's answer is applied",
            Self::JudgeOnEntry => "R4: a load enters memory unseen",
            Self::JoinAge => "R5: a load of any age is joined",
            Self::JoinChange => "R5: a refused load answers all who joined it",
            Self::JoinLateChange => "R5: an accepted load answers all who joined it",
            Self::JoinProof => "R1, R5: a find in Redis answers all who joined it",
            Self::HintsOnlyWake => "R6: a hint moves the cursor",
            Self::ColdReset => "R7: another incarnation is gone on with",
            Self::OwnWrites => "R8: own writes wait for the poll",
            Self::SnapshotDifference => "§2: polls by the largest id seen",
            Self::HistoryAtBoot => "§3: a new node polls forward only",
            Self::KeepRecent => "§3: recent ids are told by their maximum",
            Self::OldMaxBelowXmin => "§3: folded ids are told by their maximum",
            Self::AcceptedSince => "§4: an acceptance counts for what was learnt after it as well",
            Self::CutNeedsCursor => "§3: what is cut off the list is forgotten",
            Self::FoldBelowTick => "§2: rows are folded by age, not by visibility",
            Self::ReloadAfterSleep => "§3: slept past the floor, and polls on",
            Self::SnapshotFirst => "§5: the snapshot is taken after the read",
            Self::KnowledgeBeforeEpoch => "§4: the epoch moves before what is known",
            Self::EpochBeforeFreshAt => "§4: fresh_at moves before the epoch",
            Self::FreshAtReadFirst => "§4: the epoch is read before fresh_at",
            Self::EpochBeforeJudgement => "§4: an entry gets the epoch after its check",
            Self::AnchorBeforeJudgement => "R3: fresh_at is read after the check",
        }
    }
}

/// All rules, or all but one.
#[derive(Clone, Copy, Debug, Default)]
pub struct Rules {
    off: Option<Rule>,
}

impl Rules {
    pub const ALL: Self = Self { off: None };

    /// All but this one.
    pub const fn without(rule: Rule) -> Self {
        Self { off: Some(rule) }
    }

    /// Whether it is followed.
    pub fn follow(self, rule: Rule) -> bool {
        self.off != Some(rule)
    }
}
