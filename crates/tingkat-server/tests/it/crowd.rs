//! Many callers of one node at the same time.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tingkat_lab::{Answer, AskError, Target};
use tingkat_testkit::eventually;
use tokio::task::JoinSet;

use crate::program::PATIENCE;
use crate::question::Question;

/// Callers at the same time, each with its own connection.
pub(crate) const CALLERS: usize = 16;

/// Callers under way.
pub(crate) struct Crowd {
    callers: JoinSet<Vec<Asked>>,
    asked: Arc<AtomicUsize>,
}

/// A question and what came of it.
pub(crate) struct Asked {
    pub(crate) question: Question,
    pub(crate) result: Result<Answer, AskError>,
}

impl Crowd {
    /// Asks each question once, in about their order.
    pub(crate) fn ask(target: &Arc<Target>, questions: Vec<Question>) -> Self {
        let asked = Arc::new(AtomicUsize::new(0));
        let questions = Arc::new(Mutex::new(questions.into_iter()));
        let mut callers = JoinSet::new();
        for _ in 0..CALLERS {
            let (target, asked) = (Arc::clone(target), Arc::clone(&asked));
            let questions = Arc::clone(&questions);
            let next = move || questions.lock().unwrap().next();
            callers.spawn(async move {
                let mut results = Vec::new();
                while let Some(question) = next() {
                    let result = target.get(&question.path).await;
                    // Somebody only waits for it to grow.
                    asked.fetch_add(1, Ordering::Relaxed);
                    results.push(Asked { question, result });
                }
                results
            });
        }
        Self { callers, asked }
    }

    /// Waits until so many questions were asked.
    pub(crate) async fn has_asked(&self, count: usize) {
        eventually(PATIENCE, || {
            std::future::ready(self.asked.load(Ordering::Relaxed) >= count)
        })
        .await
        .unwrap();
    }

    /// Waits until all were.
    pub(crate) async fn finished(self) -> Report {
        Report(
            self.callers
                .join_all()
                .await
                .into_iter()
                .flatten()
                .collect(),
        )
    }
}

/// All that was asked.
pub(crate) struct Report(pub(crate) Vec<Asked>);

impl Report {
    /// The answers, of which there must be one to every question, all of them right.
    pub(crate) fn right(&self) -> Vec<&Answer> {
        let wrong: Vec<String> = self.0.iter().filter_map(Asked::trouble).collect();
        let (few, count) = (wrong.get(..10).unwrap_or(&wrong), wrong.len());
        let all = self.0.len();
        assert!(
            wrong.is_empty(),
            "{count} of {all} are wrong:\n{}",
            few.join("\n")
        );
        self.0
            .iter()
            .filter_map(|it| it.result.as_ref().ok())
            .collect()
    }
}

impl Asked {
    fn trouble(&self) -> Option<String> {
        match &self.result {
            Ok(answer) => self.question.check(answer).err(),
            Err(error) => Some(format!("{}: {error}", self.question.path)),
        }
    }
}

/// How many of these took so long or longer.
pub(crate) fn slower_than(answers: &[&Answer], time: Duration) -> usize {
    answers.iter().filter(|answer| answer.took >= time).count()
}
