//! Sentinels: who the master is, asked and told.
//!
//! When asked, no single Sentinel is believed: it may be cut off from the others. What most of them
//! name comes first, and only a server that calls itself master is used. The message of a failover
//! is followed at once, whoever sends it: most of them had to agree to the failover.

mod quorum;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::future::join_all;
use redis::aio::MultiplexedConnection;
use redis::{PushInfo, PushKind, Value};
use tingkat::ports::Clock;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::address::Address;
use crate::config::Config;
use crate::dial::{Pauses, dial};
use crate::link::Link;
use crate::place::Place;
use crate::refusal;

/// What is told on it: the name of a master, its old place and its new one.
const CHANNEL: &str = "+switch-master";

/// A message may be lost with its connection; this often each Sentinel is asked.
const ASKED_EVERY: Duration = Duration::from_secs(2);

/// The Sentinels of one master.
pub(crate) struct Sentinels {
    config: Arc<Config>,
    clock: Arc<dyn Clock>,
    address: Address,
    /// Where the last message said that the master is; comes before what they answer.
    told: Mutex<Option<Place>>,
    /// What is wrong with each of them.
    troubles: Mutex<Vec<Option<String>>>,
    /// Told of every change of the troubles.
    changed: Arc<Notify>,
}

impl Sentinels {
    pub(crate) fn new(config: Arc<Config>, clock: Arc<dyn Clock>, changed: Arc<Notify>) -> Self {
        let address = match &config.sentinels.address {
            Some(address) => address.clone(),
            None => config.address.without_login(),
        };
        Self {
            troubles: Mutex::new(vec![None; address.places().len()]),
            config,
            clock,
            address,
            told: Mutex::new(None),
            changed,
        }
    }

    /// Where the master may be, the likeliest place first.
    ///
    /// # Errors
    /// No Sentinel names one; says what each of them answered.
    pub(crate) async fn masters(&self) -> Result<Vec<Place>, String> {
        let told = self
            .told
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        let asked = self.address.places().iter().map(|place| async move {
            let mut connection = self.dial(place, |_| ()).await?;
            self.ask(&mut connection).await
        });
        let answers = join_all(asked).await;
        let mut votes: Vec<(Place, usize)> = Vec::new();
        let mut reasons = Vec::new();
        for (sentinel, answer) in self.address.places().iter().zip(answers) {
            match answer {
                Ok(place) => match votes.iter_mut().find(|(named, _)| *named == place) {
                    Some((_, count)) => *count += 1,
                    None => votes.push((place, 1)),
                },
                Err(why) => reasons.push(format!("{sentinel}: {why}")),
            }
        }
        votes.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        let mut places: Vec<Place> = told.into_iter().collect();
        for (place, _) in votes {
            if !places.contains(&place) {
                places.push(place);
            }
        }
        if places.is_empty() {
            return Err(format!(
                "no Sentinel names a master: {}",
                reasons.join("; ")
            ));
        }
        Ok(places)
    }

    /// What is wrong with some of them, if anything is.
    pub(crate) fn trouble(&self) -> Option<String> {
        let troubles = self.troubles.lock().unwrap_or_else(PoisonError::into_inner);
        let lines: Vec<String> = self
            .address
            .places()
            .iter()
            .zip(&*troubles)
            .filter_map(|(place, why)| Some(format!("Sentinel {place}: {}", why.as_ref()?)))
            .collect();
        (!lines.is_empty()).then(|| lines.join("; "))
    }

    /// Listens to all of them for ever, and sends the link to where the master goes.
    pub(crate) async fn watch(&self, link: &Link) {
        let watches = (0..self.address.places().len()).map(|index| self.watch_one(index, link));
        join_all(watches).await;
    }

    async fn watch_one(&self, index: usize, link: &Link) {
        let Some(place) = self.address.places().get(index) else {
            return;
        };
        let mut pauses = Pauses::new();
        loop {
            let since = self.clock.now();
            let why = self.stay_with(index, place, link).await;
            self.set(index, Some(why));
            pauses.held(self.clock.now().since(since));
            self.clock.sleep(pauses.next(&*self.clock)).await;
        }
    }

    /// Listens to one of them as long as it answers; why it ended.
    async fn stay_with(&self, index: usize, place: &Place, link: &Link) -> String {
        let gone = CancellationToken::new();
        let news = Arc::new(News::default());
        let pushed = {
            let (gone, news) = (gone.clone(), Arc::clone(&news));
            let master = self.config.sentinels.master.clone();
            move |push: PushInfo| match (push.kind, push.data.as_slice()) {
                (PushKind::Disconnection, _) => gone.cancel(),
                (PushKind::Message, [_, Value::BulkString(message)]) => {
                    if let Some(place) = new_master(message, master.as_deref()) {
                        news.tell(place);
                    }
                }
                _ => {}
            }
        };
        let mut connection = match self.dial(place, pushed).await {
            Ok(connection) => connection,
            Err(why) => return why,
        };
        if let Err(error) = connection.subscribe(CHANNEL).await {
            return refusal::describe(&error);
        }
        loop {
            match self.ask(&mut connection).await {
                Ok(named) => self.compare(&named, link).await,
                Err(why) => return why,
            }
            self.set(index, None);
            let news_or_time = async {
                tokio::select! {
                    place = news.next() => Some(place),
                    () = self.clock.sleep(ASKED_EVERY) => None,
                }
            };
            match gone.run_until_cancelled(news_or_time).await {
                None => return "the connection is closed".to_owned(),
                Some(None) => {}
                Some(Some(place)) => {
                    let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
                    *told = Some(place.clone());
                    drop(told);
                    link.leave_for(&place);
                }
            }
        }
    }

    /// Takes in where one of them says that the master is, in case that nobody told: most of them
    /// must say so.
    async fn compare(&self, named: &Place, link: &Link) {
        if link.place().is_none_or(|present| present == *named) {
            return;
        }
        if let Ok(places) = self.masters().await
            && let Some(first) = places.first()
        {
            link.leave_for(first);
        }
    }

    async fn dial(
        &self,
        place: &Place,
        pushed: impl Fn(PushInfo) + Send + Sync + 'static,
    ) -> Result<MultiplexedConnection, String> {
        dial(place, &self.address, &self.config, pushed).await
    }

    /// Where one of them says that the master is.
    async fn ask(&self, connection: &mut MultiplexedConnection) -> Result<Place, String> {
        let name = match &self.config.sentinels.master {
            Some(name) => name.clone(),
            None => only_master(connection).await?,
        };
        let mut command = redis::cmd("SENTINEL");
        command.arg("GET-MASTER-ADDR-BY-NAME").arg(&name);
        let named: Option<(String, u16)> = command
            .query_async(connection)
            .await
            .map_err(|error| refusal::describe(&error))?;
        let (host, port) = named.ok_or_else(|| {
            format!("it watches no master named {name:?}; redis.sentinel.master must be one that it does")
        })?;
        Ok(Place::net(host, port))
    }

    fn set(&self, index: usize, trouble: Option<String>) {
        let mut troubles = self.troubles.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(present) = troubles
            .get_mut(index)
            .filter(|present| **present != trouble)
        {
            *present = trouble;
            drop(troubles);
            self.changed.notify_one();
        }
    }
}

/// The name of the master, where there is but one.
async fn only_master(connection: &mut MultiplexedConnection) -> Result<String, String> {
    let mut command = redis::cmd("SENTINEL");
    command.arg("MASTERS");
    let masters: Vec<HashMap<String, String>> = command
        .query_async(connection)
        .await
        .map_err(|error| refusal::describe(&error))?;
    let mut names: Vec<&String> = masters
        .iter()
        .filter_map(|master| master.get("name"))
        .collect();
    names.sort();
    match names.as_slice() {
        [name] => Ok((*name).clone()),
        [] => Err("it watches no master".to_owned()),
        [first, second, ..] => Err(format!(
            "it watches several masters, such as {first} and {second}; redis.sentinel.master must name one"
        )),
    }
}

/// Where the message says that the master is now, if it is about ours.
fn new_master(message: &[u8], master: Option<&str>) -> Option<Place> {
    let text = std::str::from_utf8(message).ok()?;
    let mut words = text.split(' ');
    let name = words.next()?;
    let mut words = words.skip(2);
    let (host, port) = (words.next()?, words.next()?.parse().ok()?);
    let is_ours = master.is_none_or(|master| master == name);
    is_ours.then(|| Place::net(host, port))
}

/// The last message, until somebody looks.
#[derive(Default)]
struct News {
    place: Mutex<Option<Place>>,
    came: Notify,
}

impl News {
    fn tell(&self, place: Place) {
        *self.place.lock().unwrap_or_else(PoisonError::into_inner) = Some(place);
        self.came.notify_one();
    }

    async fn next(&self) -> Place {
        loop {
            self.came.notified().await;
            let place = self
                .place
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .take();
            if let Some(place) = place {
                return place;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_names_the_new_place_of_our_master_alone() {
        let message = b"main 127.0.0.1 1 127.0.0.1 2";
        let place = Some(Place::net("127.0.0.1", 2));
        assert_eq!(new_master(message, Some("main")), place);
        assert_eq!(new_master(message, None), place);
        assert_eq!(new_master(message, Some("other")), None);
        for rubbish in [&b""[..], b"main", b"main a 1 b x", b"\xff a 1 b 2"] {
            assert_eq!(new_master(rubbish, Some("main")), None);
        }
    }
}
