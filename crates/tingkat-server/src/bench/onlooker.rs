//! For whoever sits there and waits: a line that changes, at a terminal; a line for each phase elsewhere.

use std::io::IsTerminal as _;
use std::sync::{Mutex, PoisonError};

use indicatif::{ProgressBar, ProgressStyle};
use tingkat_lab::bench::Progress;

const LINE: &str = "{bar:20} {wide_msg}";

/// The steps of the bar.
const STEPS: u64 = 1_000;

/// Tells how it goes, on standard error.
pub(super) struct Onlooker {
    is_told: bool,
    bar: Option<ProgressBar>,
    /// What is under way.
    what: Mutex<String>,
}

impl Onlooker {
    pub(super) fn new(is_told: bool, may_change: bool) -> Self {
        let is_shown = is_told && may_change && std::io::stderr().is_terminal();
        let bar = is_shown.then(|| {
            let style = ProgressStyle::with_template(LINE);
            // The template is a constant.
            let style = style.unwrap_or_else(|_| ProgressStyle::default_bar());
            ProgressBar::new(STEPS).with_style(style)
        });
        Self {
            is_told,
            bar,
            what: Mutex::default(),
        }
    }

    #[expect(clippy::print_stderr, reason = "progress is no result")]
    pub(super) fn hear(&self, progress: Progress<'_>) {
        if !self.is_told {
            return;
        }
        let mut what = self.what.lock().unwrap_or_else(PoisonError::into_inner);
        match (progress, &self.bar) {
            (Progress::Begins(begins), None) => eprintln!("tingkat: {begins}"),
            (Progress::Begins(begins), Some(bar)) => {
                begins.clone_into(&mut what);
                bar.set_position(0);
                bar.set_message(begins.to_owned());
            }
            (Progress::Goes(now), Some(bar)) => {
                bar.set_position(steps(now.done));
                bar.set_message(format!("{what}  {now}"));
            }
            (Progress::Goes(_), None) => {}
        }
    }

    /// Removes the line.
    pub(super) fn end(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "a share of a thousand"
)]
fn steps(share: f64) -> u64 {
    (share.clamp(0.0, 1.0) * STEPS as f64) as u64
}
