//! What goes wrong in a run, and when.

use super::Scene;
use crate::history::{At, Fault, Harm, now};
use crate::reach::Remote;
use crate::report::Again;

/// A fault that lasts.
#[derive(Clone, Copy)]
#[must_use = "a fault ends by `Scene::is_over` or `Scene::mends`"]
pub(crate) struct Ongoing(usize);

impl<R: Remote> Scene<R> {
    /// Says that something is wrong from now on: of one node, or of all.
    pub(crate) fn fault(&self, name: &'static str, harm: Harm, node: Option<usize>) -> Ongoing {
        let mut faults = self.faults.lock().unwrap();
        let from = now();
        faults.push(Fault {
            name,
            harm,
            node,
            from,
            begun: from,
            ending: At::MAX,
            to: At::MAX,
        });
        Ongoing(faults.len() - 1)
    }

    /// Says that it is wrong no more.
    pub(crate) fn is_over(&self, ongoing: Ongoing) {
        self.change(ongoing, |fault| {
            fault.to = now();
            fault.ending = fault.ending.min(fault.to);
        });
    }

    /// Lets something go wrong; it is not in full effect before that is done.
    pub(crate) async fn hurts(
        &self,
        name: &'static str,
        harm: Harm,
        node: Option<usize>,
        hurt: impl Future<Output = ()>,
    ) -> Ongoing {
        let ongoing = self.fault(name, harm, node);
        hurt.await;
        self.change(ongoing, |fault| fault.begun = now());
        ongoing
    }

    /// Mends it; while that is done, some of it may be well already.
    pub(crate) fn mends<'a>(
        &'a self,
        ongoing: Ongoing,
        mend: impl Future<Output = ()> + 'a,
    ) -> impl Future<Output = ()> + 'a {
        // A server that starts is a large future.
        let mend = Box::pin(mend);
        async move {
            self.change(ongoing, |fault| fault.ending = now());
            mend.await;
            self.is_over(ongoing);
        }
    }

    /// Says that Redis is used again, after this fault.
    pub(crate) fn is_used_again(&self, Ongoing(index): Ongoing) {
        let fault = *self.faults.lock().unwrap().get(index).unwrap();
        self.used_again.lock().unwrap().push(Again {
            after_end: now().saturating_sub(fault.to),
            after_beginning: now().saturating_sub(fault.from),
        });
    }

    fn change(&self, Ongoing(index): Ongoing, change: impl FnOnce(&mut Fault)) {
        let mut faults = self.faults.lock().unwrap();
        change(faults.get_mut(index).unwrap());
    }
}
