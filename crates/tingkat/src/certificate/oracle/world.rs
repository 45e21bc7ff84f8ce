//! A database that keeps everything for ever, and what one node was told of it.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::rc::Rc;
use std::time::Duration;

use proptest::prelude::*;
use proptest::sample::Index;

use super::*;
use crate::ports::{History, Poll, Tick, Written};

/// What may happen around a node. Numbers pick among what there is.
#[derive(Clone, Debug)]
pub(super) enum Step {
    /// A write begins; it may stay under way for long.
    Begin,
    /// One of those under way commits.
    Commit(Index, Vec<Change>),
    /// The node itself writes, in a transaction of its own.
    OwnWrite(Vec<Change>),
    /// The node asks for what is new.
    Ask,
    /// The node asks for all that the log knows. There may be more of it than fits.
    AskAll { overflow: bool },
    /// What was asked for last is answered, as of when it was asked.
    Hear,
    /// Everything that is known is forgotten.
    ColdReset,
    /// The log folds what every snapshot from now on has seen.
    Compact,
    /// The log is lost, with all that is under way. Ids may be given out again.
    Crash,
    /// One thing is written again and again; by the node itself, or by others.
    Hammer {
        change: Change,
        times: usize,
        is_own: bool,
    },
    /// More patterns than are kept.
    ManyPatterns,
    /// More deps than are remembered.
    ManyDeps,
}

pub(super) type Seen = BTreeSet<u64>;

/// A database, and what one node may have heard of it.
pub(super) struct World {
    pub(super) knowledge: Knowledge,
    life: u8,
    next_xid: u64,
    under_way: BTreeSet<u64>,
    /// Every change of every life, for ever.
    all: Vec<(u8, u64, Change)>,
    log: Vec<(u64, Change)>,
    compacted: BTreeMap<String, (u64, Change)>,
    floor: Option<Position>,
    /// With how many own writes noted, and when.
    pending: Option<(History, bool, u64)>,
    pub(super) told: Told,
    /// Snapshots that loads took.
    loads: Vec<Certificate>,
    /// When which entry was accepted last.
    accepted: HashMap<(Certificate, usize), Acceptance>,
    seconds: u64,
}

/// When an entry was accepted last, and what the node had seen then.
#[derive(Debug)]
struct Acceptance {
    epoch: u64,
    seen: Rc<Seen>,
    /// How often the node had started over before.
    histories: u32,
}

/// What the node was told, as sets.
#[derive(Default)]
pub(super) struct Told {
    life: Option<u8>,
    /// What its cursor has seen.
    seen: Seen,
    own: Vec<(u8, u64, Change)>,
    pub(super) floor: Option<Seen>,
    /// Whether something was folded, cut or told by less than it was.
    is_folded: bool,
    /// Whether that may refuse even what had just been accepted.
    is_coarse: bool,
    histories: u32,
}

fn seen(position: &Position) -> Seen {
    (0..position.xmax())
        .filter(|xid| !position.xip().contains(xid))
        .collect()
}

fn incarnation(life: u8) -> Incarnation {
    Incarnation::from_bytes([life; 16])
}

/// A `*` stands for anything, at an end of the pattern only: tried with every way to cut the text.
fn matches_by_trying(pattern: &str, text: &str) -> bool {
    let (starts_open, rest) = match pattern.strip_prefix('*') {
        Some(rest) => (true, rest),
        None => (false, pattern),
    };
    let (ends_open, middle) = match rest.strip_suffix('*') {
        Some(middle) => (true, middle),
        None => (false, rest),
    };
    (0..=text.len()).any(|from| {
        (from..=text.len()).any(|to| {
            &text[from..to] == middle
                && (from == 0 || starts_open)
                && (to == text.len() || ends_open)
        })
    })
}

impl World {
    pub(super) fn new() -> Self {
        Self::remembering(MOST_DEPS)
    }

    /// A node that remembers so many deps.
    pub(super) fn remembering(most_deps: usize) -> Self {
        let knowledge = Knowledge::empty(Duration::from_secs(1));
        Self {
            knowledge: knowledge.remembering(most_deps),
            life: 1,
            next_xid: 10,
            under_way: BTreeSet::new(),
            all: Vec::new(),
            log: Vec::new(),
            compacted: BTreeMap::new(),
            floor: None,
            pending: None,
            told: Told::default(),
            loads: Vec::new(),
            accepted: HashMap::new(),
            seconds: 1,
        }
    }

    /// As PostgreSQL tells it: the newest below `xmax` has ended.
    fn position(&self) -> Position {
        let ended = |xid: &u64| !self.under_way.contains(xid);
        let xmax = (10..self.next_xid)
            .rev()
            .find(ended)
            .map_or(10, |xid| xid + 1);
        let open: Vec<u64> = self.under_way.range(..xmax).copied().collect();
        let xmin = open.first().copied().unwrap_or(xmax);
        Position::snapshot(xmin, xmax, open).unwrap()
    }

    fn begin(&mut self) -> u64 {
        let xid = self.next_xid;
        self.next_xid += 1;
        self.under_way.insert(xid);
        xid
    }

    fn commit(&mut self, xid: u64, changes: Vec<Change>) {
        self.under_way.remove(&xid);
        let rows = changes.into_iter().map(|change| (xid, change));
        for row in rows {
            if !self.log.contains(&row) {
                self.all.push((self.life, row.0, row.1.clone()));
                self.log.push(row);
            }
        }
        self.loads.push(Certificate {
            incarnation: incarnation(self.life),
            position: self.position(),
        });
    }

    fn poll(&self, is_new: impl Fn(u64) -> bool) -> Poll {
        let visible = seen(&self.position());
        let is_wanted = |xid: u64| visible.contains(&xid) && is_new(xid);
        let rows = self.log.iter().filter(|(xid, _)| is_wanted(*xid));
        Poll {
            incarnation: incarnation(self.life),
            position: self.position(),
            floor: self.floor.clone(),
            changes: rows.cloned().collect(),
            overflow: false,
        }
    }

    pub(super) fn take(&mut self, step: Step) {
        self.seconds += 1;
        match step {
            Step::Begin => {
                self.begin();
            }
            Step::Commit(pick, changes) => {
                let under_way: Vec<u64> = self.under_way.iter().copied().collect();
                if !under_way.is_empty() {
                    self.commit(*pick.get(&under_way), changes);
                }
            }
            Step::OwnWrite(changes) => self.own_write(changes),
            Step::Ask => self.ask(),
            Step::AskAll { overflow } => self.ask_all(overflow),
            Step::Hear => self.hear(),
            Step::ColdReset => self.reset(),
            Step::Compact => self.compact(),
            Step::Crash => self.crash(),
            Step::Hammer {
                change,
                times,
                is_own,
            } => {
                for _ in 0..times {
                    let changes = vec![change.clone()];
                    if is_own {
                        self.own_write(changes);
                    } else {
                        let xid = self.begin();
                        self.commit(xid, changes);
                    }
                }
            }
            Step::ManyPatterns => {
                let pattern = |n: usize| Change {
                    dep: Dep::new(format!("product:none{n}*")),
                    kind: ChangeKind::Pattern,
                };
                let xid = self.begin();
                self.commit(xid, (0..=MOST_PATTERNS).map(pattern).collect());
            }
            Step::ManyDeps => {
                let change = |n: usize| Change {
                    dep: Dep::new(format!("tag:{n}")),
                    kind: ChangeKind::Forget,
                };
                let xid = self.begin();
                self.under_way.remove(&xid);
                // Not looked for among those that there are: they are half a million.
                self.log.extend((0..=MOST_DEPS).map(|n| (xid, change(n))));
            }
        }
    }

    fn own_write(&mut self, changes: Vec<Change>) {
        let xid = self.begin();
        self.commit(xid, changes.clone());
        let written = Written {
            incarnation: incarnation(self.life),
            xid,
        };
        self.knowledge.own_write(written, &changes);
        if self.told.life != Some(self.life) {
            self.forget_told();
        }
        let own = changes.into_iter().map(|change| (self.life, xid, change));
        self.told.own.extend(own);
        self.note_folding();
    }

    /// The feed asks for everything where there is no cursor, or the log has folded what came after
    /// it, or has turned into another one.
    fn ask(&mut self) {
        let cursor = self.knowledge.cursor();
        match cursor {
            Some(cursor)
                if cursor.incarnation == incarnation(self.life)
                    && self
                        .floor
                        .iter()
                        .all(|floor| cursor.position.contains(floor)) =>
            {
                let poll = self.poll(|xid| !cursor.position.covers(xid));
                let compacted = Vec::new();
                self.pending = Some((History { poll, compacted }, false, 0));
            }
            _ => self.ask_all(false),
        }
    }

    fn ask_all(&mut self, overflow: bool) {
        let mut poll = self.poll(|_| true);
        if overflow {
            poll.overflow = true;
            poll.changes.truncate(1);
        }
        let compacted = self.compacted.values().cloned().collect();
        let heard = self.knowledge.strays();
        self.pending = Some((History { poll, compacted }, true, heard));
    }

    fn hear(&mut self) {
        let Some((history, is_history, heard)) = self.pending.take() else {
            return;
        };
        let poll = &history.poll;
        let sent_at = Tick::from_nanos(0).after(Duration::from_secs(self.seconds));
        if is_history {
            self.knowledge.apply_history(&history, sent_at, heard);
        } else {
            self.knowledge.apply_poll(poll, sent_at);
        }
        let cursor = self.knowledge.cursor();
        if cursor.as_ref().map(|cursor| &cursor.position) != Some(&poll.position) {
            // An answer that continues nothing. That the oracle knows no more keeps it strict.
            return;
        }
        let told = &mut self.told;
        told.life = cursor.map(|cursor| cursor.incarnation.to_bytes()[0]);
        told.seen = seen(&poll.position);
        if is_history {
            told.floor = None;
            told.histories += 1;
        }
        // Own writes since are remembered beside what a poll brings.
        let new = poll.changes.iter().map(|(_, change)| change);
        let mut numbers: HashMap<&Change, usize> = HashMap::new();
        for change in new.chain(told.own.iter().map(|row| &row.2)) {
            *numbers.entry(change).or_default() += 1;
        }
        told.is_coarse |= numbers.len() > self.knowledge.most_deps()
            || numbers.values().any(|&number| number > 8);
        told.is_folded |= self.knowledge.most_deps() < MOST_DEPS;
        let is_too_much = poll.changes.len() > MOST_DEPS;
        if poll.overflow || is_too_much {
            told.floor = Some(seen(&poll.position));
        }
        told.is_folded |= poll.floor.is_some();
        self.note_folding();
    }

    /// Lists are cut, and patterns become deps, above a number.
    fn note_folding(&mut self) {
        let mut numbers: BTreeMap<&str, usize> = BTreeMap::new();
        for (_, _, change) in &self.all {
            *numbers.entry(change.dep.name()).or_default() += 1;
        }
        let patterns = self
            .all
            .iter()
            .filter(|row| row.2.kind == ChangeKind::Pattern);
        let too_many = patterns.count() > MOST_PATTERNS;
        self.told.is_folded |= too_many || numbers.values().any(|&number| number > 8);
        // A pattern that became a change of its entity refuses more than it is about.
        self.told.is_coarse |= too_many;
    }

    fn reset(&mut self) {
        self.knowledge.cold_reset();
        self.pending = None;
        self.forget_told();
    }

    fn forget_told(&mut self) {
        self.told = Told {
            own: std::mem::take(&mut self.told.own),
            is_folded: self.told.is_folded,
            is_coarse: self.told.is_coarse,
            histories: self.told.histories + 1,
            ..Told::default()
        };
    }

    fn compact(&mut self) {
        let floor = self.position();
        for (xid, change) in std::mem::take(&mut self.log) {
            if xid < floor.xmin() {
                let name = format!("{:?} {}", change.kind, change.dep);
                let folded = self.compacted.entry(name).or_insert((xid, change));
                folded.0 = folded.0.max(xid);
            } else {
                self.log.push((xid, change));
            }
        }
        self.floor = Some(floor);
    }

    fn crash(&mut self) {
        self.life += 1;
        self.next_xid = self.under_way.first().copied().unwrap_or(self.next_xid);
        self.under_way.clear();
        self.log.clear();
        self.compacted.clear();
        self.floor = None;
    }

    /// The changes that the node was told and a load had not seen.
    fn unseen(&self, certificate: &Certificate) -> Vec<&Change> {
        let load = seen(&certificate.position);
        let life = certificate.incarnation.to_bytes()[0];
        let polled = self
            .all
            .iter()
            .filter(|row| self.told.seen.contains(&row.1));
        let told = polled.chain(&self.told.own).filter(|row| row.0 == life);
        told.filter(|(_, xid, _)| !load.contains(xid))
            .map(|(_, _, change)| change)
            .collect()
    }

    /// What the protocol says of an entry, by sets.
    fn verdict(&self, entry: &Entry<'_>, unseen: &[&Change]) -> Verdict {
        let certificate = entry.certificate;
        if self.told.life.map(incarnation) != Some(certificate.incarnation) {
            return Verdict::Refused(Refusal::Incarnation);
        }
        let load = seen(&certificate.position);
        // What was accepted before a history tells nothing about it.
        let before = entry
            .acceptance
            .filter(|acceptance| acceptance.histories == self.told.histories)
            .map(|acceptance| &*acceptance.seen);
        let has_seen = |floor: &Seen| {
            floor.is_subset(&load) || before.is_some_and(|before| floor.is_subset(before))
        };
        if !self.told.floor.iter().all(has_seen) {
            return Verdict::Refused(Refusal::Floor);
        }
        let unseen = unseen.iter().filter(|change| entry.is_named_by(change));
        let kinds: Vec<ChangeKind> = unseen.map(|change| change.kind).collect();
        if kinds.iter().any(|kind| *kind != ChangeKind::Expire) {
            Verdict::Refused(Refusal::Forgotten)
        } else if kinds.is_empty() {
            Verdict::Accepted
        } else {
            Verdict::Refused(Refusal::Expired)
        }
    }

    /// Asks both about every entry that there could be, of the newest loads and some older ones.
    pub(super) fn compare(&mut self, strangers: &[Position]) -> Result<(), TestCaseError> {
        let strange = strangers.iter().map(|position| Certificate {
            incarnation: incarnation(self.life),
            position: position.clone(),
        });
        let newest = self.loads.iter().rev().take(8);
        let older = self.loads.iter().step_by(self.loads.len() / 16 + 1);
        let loads: Vec<Certificate> = newest.chain(older).cloned().chain(strange).collect();
        let deps = [
            Vec::new(),
            vec![Dep::new(TAGS[0])],
            vec![Dep::new(TAGS[1]), Dep::new(TAGS[2])],
        ];
        let entries: Vec<_> = ENTITIES
            .iter()
            .flat_map(|entity| KEYS.map(|key| (*entity, key)))
            .flat_map(|(entity, key)| deps.iter().map(move |deps| (entity, key, deps)))
            .collect();
        let now = Rc::new(self.told.seen.clone());
        let epoch = self.knowledge.observe().epoch;
        let mut accepted = HashMap::new();
        for certificate in &loads {
            let unseen = self.unseen(certificate);
            for (number, (entity, key, deps)) in entries.iter().enumerate() {
                let name = (certificate.clone(), number);
                let acceptance = self.accepted.get(&name);
                let entry = Entry::new(entity, key, deps, certificate, acceptance);
                if self.compare_one(&entry, &unseen)? == Verdict::Accepted {
                    let acceptance = Acceptance {
                        epoch,
                        seen: Rc::clone(&now),
                        histories: self.told.histories,
                    };
                    accepted.insert(name, acceptance);
                }
            }
        }
        self.accepted.extend(accepted);
        Ok(())
    }

    fn compare_one(&self, entry: &Entry<'_>, unseen: &[&Change]) -> Result<Verdict, TestCaseError> {
        let found = self.knowledge.judge(Evidence {
            entity: entry.entity,
            key: &|| entry.key.to_owned(),
            watched: &Watched::new(entry.entity, entry.key, entry.deps),
            certificate: entry.certificate,
            accepted_in: entry.acceptance.map_or(0, |acceptance| acceptance.epoch),
        });
        let right = self.verdict(entry, unseen);
        let forgets = self.knowledge.most_deps() < MOST_DEPS;
        match right {
            // What was accepted when it was last looked at is so still.
            Verdict::Accepted if self.told.is_folded => {
                let is_known = entry.acceptance.is_some_and(|acceptance| {
                    acceptance.histories == self.told.histories && !self.told.is_coarse
                });
                prop_assert!(!is_known || found == right, "{:?}: {:?}", entry, found);
            }
            // Folding may refuse too much, and for a graver reason.
            Verdict::Refused(Refusal::Expired) if self.told.is_folded => {
                prop_assert_ne!(found, Verdict::Accepted, "{:?}", entry);
            }
            // What is not remembered refuses for another reason.
            Verdict::Refused(_) if forgets => {
                prop_assert_ne!(found, Verdict::Accepted, "{:?}", entry);
            }
            Verdict::Accepted | Verdict::Refused(_) => {
                prop_assert_eq!(found, right, "{:?}", entry);
            }
        }
        Ok(found)
    }
}

/// An entry by its names.
#[derive(Debug)]
struct Entry<'a> {
    entity: &'a str,
    key: &'a str,
    deps: &'a [Dep],
    certificate: &'a Certificate,
    acceptance: Option<&'a Acceptance>,
    own: String,
    names: Vec<String>,
}

impl<'a> Entry<'a> {
    fn new(
        entity: &'a str,
        key: &'a str,
        deps: &'a [Dep],
        certificate: &'a Certificate,
        acceptance: Option<&'a Acceptance>,
    ) -> Self {
        let own = format!("{entity}:{key}");
        let names = [own.clone(), format!("{entity}.*"), "*".to_owned()];
        Self {
            entity,
            key,
            deps,
            certificate,
            acceptance,
            own,
            names: names
                .into_iter()
                .chain(deps.iter().map(Dep::to_string))
                .collect(),
        }
    }

    fn is_named_by(&self, change: &Change) -> bool {
        let name = change.dep.name();
        if change.kind != ChangeKind::Pattern {
            return self.names.iter().any(|own| own == name);
        }
        // `entity:*7` is about the keys of an entity.
        match name.split_once(':') {
            Some((named, glob)) if named == self.entity => matches_by_trying(glob, self.key),
            _ => matches_by_trying(name, &self.own),
        }
    }
}
