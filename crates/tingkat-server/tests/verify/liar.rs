//! A proxy before a node that can lie about its answers.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tingkat_lab::{Method, Target};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

/// What a client asks.
pub(crate) struct Asked {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
}

impl Asked {
    pub(crate) fn is(&self, method: &str, begin: &str) -> bool {
        self.method == method && self.path.starts_with(begin)
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(it, _)| it == name);
        found.map(|(_, value)| value.as_str())
    }
}

/// What it is told.
pub(crate) struct Told {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
    /// Before it is told.
    pub(crate) pause: Duration,
}

impl Told {
    /// Another answer.
    pub(crate) fn becomes(&mut self, status: u16, body: &str) {
        self.status = status;
        body.clone_into(&mut self.body);
    }

    pub(crate) fn replace(&mut self, what: &str, by: &str) {
        self.body = self.body.replace(what, by);
    }
}

/// What a lie remembers.
pub(crate) type Memory = HashMap<String, String>;

/// Changes an answer. Nothing is sent on of a request for which it is true beforehand.
#[derive(Clone, Copy)]
pub(crate) struct Lie {
    /// Requests that the node never sees; what is told of them begins as `200 {}`.
    pub(crate) swallows: fn(&Asked) -> bool,
    pub(crate) tells: fn(&Asked, &mut Told, &mut Memory),
}

impl Lie {
    pub(crate) const fn of(tells: fn(&Asked, &mut Told, &mut Memory)) -> Self {
        Self {
            swallows: |_| false,
            tells,
        }
    }
}

/// The proxy. It stops on drop.
pub(crate) struct Liar {
    pub(crate) address: SocketAddr,
    lie: Arc<Mutex<Option<(Lie, Memory)>>>,
    _tasks: JoinSet<()>,
}

impl Liar {
    pub(crate) async fn before(node: Arc<Target>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let lie = Arc::<Mutex<Option<(Lie, Memory)>>>::default();
        let mut tasks = JoinSet::new();
        let shared = Arc::clone(&lie);
        tasks.spawn(async move {
            let mut clients = JoinSet::new();
            while let Ok((client, _)) = listener.accept().await {
                client.set_nodelay(true).unwrap();
                let (node, lie) = (Arc::clone(&node), Arc::clone(&shared));
                clients.spawn(async move {
                    // A client that goes away ends it.
                    let _ = serve(client, &node, &lie).await;
                });
            }
        });
        Self {
            address,
            lie,
            _tasks: tasks,
        }
    }

    /// From now on it tells this.
    pub(crate) fn tell(&self, lie: Lie) {
        *self.lie.lock().unwrap() = Some((lie, Memory::new()));
    }

    /// From now on it tells the truth.
    pub(crate) fn tell_the_truth(&self) {
        *self.lie.lock().unwrap() = None;
    }
}

async fn serve(
    mut client: TcpStream,
    node: &Target,
    lie: &Mutex<Option<(Lie, Memory)>>,
) -> std::io::Result<()> {
    let mut buffer = Vec::new();
    while let Some(asked) = read(&mut client, &mut buffer).await? {
        let is_swallowed = lie
            .lock()
            .unwrap()
            .as_ref()
            .is_some_and(|(lie, _)| (lie.swallows)(&asked));
        let mut told = if is_swallowed {
            let json = ("content-type".to_owned(), "application/json".to_owned());
            Told {
                status: 200,
                headers: vec![json],
                body: "{}".to_owned(),
                pause: Duration::ZERO,
            }
        } else {
            let Some(told) = truth(node, &asked).await else {
                return Ok(());
            };
            told
        };
        if let Some((lie, memory)) = lie.lock().unwrap().as_mut() {
            (lie.tells)(&asked, &mut told, memory);
        }
        tokio::time::sleep(told.pause).await;
        let mut head = format!("HTTP/1.1 {} Told\r\n", told.status);
        for (name, value) in &told.headers {
            head.push_str(name);
            head.push_str(": ");
            head.push_str(value);
            head.push_str("\r\n");
        }
        let has_body = told.status != 304;
        if has_body {
            head.push_str("content-length: ");
            head.push_str(&told.body.len().to_string());
            head.push_str("\r\n");
        }
        head.push_str("\r\n");
        if has_body {
            head.push_str(&told.body);
        }
        client.write_all(head.as_bytes()).await?;
    }
    Ok(())
}

async fn truth(node: &Target, asked: &Asked) -> Option<Told> {
    let own = ["host", "content-length", "content-type"];
    let headers: Vec<(&str, &str)> = asked
        .headers
        .iter()
        .filter(|(name, _)| !own.contains(&name.as_str()))
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    let method: Method = asked.method.parse().unwrap();
    let answer = node.send_with(method, &asked.path, &headers, asked.body.clone());
    let answer = answer.await.ok()?;
    let dropped = ["content-length", "transfer-encoding", "connection"];
    let headers = answer
        .headers
        .iter()
        .filter(|(name, _)| !dropped.contains(&name.as_str()))
        .map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()));
    Some(Told {
        status: answer.status.as_u16(),
        headers: headers.collect(),
        body: answer.text(),
        pause: Duration::ZERO,
    })
}

/// The next request, unless the client has gone.
async fn read(client: &mut TcpStream, buffer: &mut Vec<u8>) -> std::io::Result<Option<Asked>> {
    let end = loop {
        if let Some(end) = buffer.windows(4).position(|four| four == b"\r\n\r\n") {
            break end;
        }
        if client.read_buf(buffer).await? == 0 {
            return Ok(None);
        }
    };
    let head = String::from_utf8_lossy(&buffer[..end]).into_owned();
    let mut lines = head.split("\r\n");
    let mut first = lines.next().unwrap().split(' ');
    let (method, path) = (first.next().unwrap(), first.next().unwrap());
    let headers: Vec<(String, String)> = lines
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_lowercase(), value.to_owned()))
        .collect();
    let mut asked = Asked {
        method: method.to_owned(),
        path: path.to_owned(),
        headers,
        body: String::new(),
    };
    let length = asked
        .header("content-length")
        .map_or(0, |it| it.parse().unwrap());
    while buffer.len() < end + 4 + length {
        if client.read_buf(buffer).await? == 0 {
            return Ok(None);
        }
    }
    asked.body = String::from_utf8_lossy(&buffer[end + 4..end + 4 + length]).into_owned();
    buffer.drain(..end + 4 + length);
    Ok(Some(asked))
}
