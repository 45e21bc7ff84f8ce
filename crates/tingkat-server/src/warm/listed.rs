//! Keys that somebody wrote down: in a file of their own, or as requests in an access log.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read as _};
use std::path::Path;

use tingkat::warm::Frequent;
use tokio::sync::oneshot;

use super::Keys;
use super::command::name_of;
use super::request::{asked_for, path_in};
use crate::cli::Warm;
use crate::exit::{Code, Failure};

/// Keys that are taken of a file.
const MOST_KEYS: usize = 1_000_000;

/// Different requests of a log that are counted at a time.
const MOST_COUNTED: usize = 200_000;

/// The longest line.
const LONGEST: usize = 16 << 10;

/// Lines that are shown as examples of what is wrong.
const EXAMPLES: usize = 3;

/// Characters of one that are shown.
const SHOWN: usize = 60;

/// What was read.
#[derive(Debug, Default)]
struct Listed {
    keys: Keys,
    /// All lines but those that are empty or a comment.
    lines: usize,
    /// Lines that name no key.
    wrong: usize,
    /// Some of them, with their numbers.
    examples: Vec<String>,
}

/// The keys of the file that the command line names, if it names one. Complains about lines of it that
/// are none.
#[expect(clippy::print_stderr, reason = "the result is about the other lines")]
pub(super) async fn given(
    arguments: &Warm,
    most: usize,
    is_entity: impl Fn(&str) -> bool + Send + 'static,
) -> Result<Option<Keys>, Failure> {
    let (path, is_log) = match (&arguments.from_file, &arguments.from_access_log) {
        (Some(path), _) => (path.clone(), false),
        (None, Some(path)) => (path.clone(), true),
        (None, None) => return Ok(None),
    };
    let entity = match &arguments.entities[..] {
        [entity] => Some(entity.clone()),
        _ => None,
    };
    let listed = aside(move || {
        let listed = if is_log {
            requests(&path, most, is_entity)?
        } else {
            keys(&path, entity.as_deref(), is_entity)?
        };
        let complaint = listed.complaint(&path);
        Ok((listed.keys, complaint))
    });
    let (keys, complaint) = listed.await?;
    if let Some(complaint) = complaint {
        eprintln!("tingkat: {complaint}");
    }
    Ok(Some(keys))
}

/// Reads in a thread of its own. A pipe may say nothing for ever: nobody waits for the thread, not even
/// the end of the command, as one would for a thread of the runtime.
async fn aside<T: Send + 'static>(
    read: impl FnOnce() -> Result<T, Failure> + Send + 'static,
) -> Result<T, Failure> {
    let (done, outcome) = oneshot::channel();
    let thread = std::thread::Builder::new().name("read list".to_owned());
    let started = thread.spawn(move || {
        // Whoever asked may be gone.
        let _ = done.send(read());
    });
    started.map_err(|error| Failure::unexpected(format!("failed to start a thread: {error}")))?;
    let broken = |_| Failure::unexpected("the list was not read to its end");
    outcome.await.map_err(broken)?
}

/// Reads a list of keys: lines of an entity and a key, or of keys alone where the entity is given.
fn keys(
    path: &Path,
    entity: Option<&str>,
    is_entity: impl Fn(&str) -> bool,
) -> Result<Listed, Failure> {
    let read = open(path).and_then(|file| read_keys(file, entity, is_entity));
    let listed = read.map_err(|error| unreadable(path, &error))?;
    listed.checked(
        path,
        "a line is such as `product 7`, or with --entity a key alone",
    )
}

/// Reads an access log: what was asked for most.
fn requests(path: &Path, most: usize, is_entity: impl Fn(&str) -> bool) -> Result<Listed, Failure> {
    let read = open(path).and_then(|file| read_requests(file, most, is_entity));
    let listed = read.map_err(|error| unreadable(path, &error))?;
    listed.checked(path, "a line has a request such as `GET /v1/products/7`")
}

fn open(path: &Path) -> io::Result<Box<dyn BufRead>> {
    if path.as_os_str() == "-" {
        return Ok(Box::new(io::stdin().lock()));
    }
    Ok(Box::new(BufReader::new(File::open(path)?)))
}

fn unreadable(path: &Path, error: &io::Error) -> Failure {
    let name = name_of(path);
    Failure::new(Code::Usage, format!("failed to read {name}: {error}"))
}

impl Listed {
    /// What is to be warmed, unless it is nothing at all.
    fn checked(self, path: &Path, right: &str) -> Result<Self, Failure> {
        if self.keys.is_empty() {
            let (name, lines) = (name_of(path), self.lines);
            let examples = self.examples();
            let line = format!("{name}: none of {lines} lines names a key{examples}; {right}");
            return Err(Failure::new(Code::Usage, line));
        }
        Ok(self)
    }

    /// What to say about lines that name no key, if there are some.
    fn complaint(&self, path: &Path) -> Option<String> {
        let (name, examples) = (name_of(path), self.examples());
        let (wrong, lines) = (self.wrong, self.lines);
        (wrong > 0).then(|| format!("{name}: {wrong} of {lines} lines name no key{examples}"))
    }

    fn examples(&self) -> String {
        let examples = self.examples.iter().map(|it| format!("; {it}"));
        examples.collect()
    }

    fn is_wrong(&mut self, number: usize, line: &str) {
        self.wrong += 1;
        if self.examples.len() < EXAMPLES {
            let shown: String = line.chars().take(SHOWN).collect();
            self.examples.push(format!("line {number}: {shown:?}"));
        }
    }
}

fn read_keys(
    mut file: impl BufRead,
    entity: Option<&str>,
    is_entity: impl Fn(&str) -> bool,
) -> io::Result<Listed> {
    let (mut listed, mut number, mut count) = (Listed::default(), 0, 0);
    while let Some(line) = next_line(&mut file)? {
        number += 1;
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        listed.lines += 1;
        let named = match entity {
            Some(entity) => Some((entity, line)),
            None => line.split_once(char::is_whitespace),
        };
        let named = named.map(|(entity, key)| (entity, key.trim()));
        let is_known = |(entity, key): &(&str, &str)| is_entity(entity) && !key.is_empty();
        let Some((entity, key)) = named.filter(is_known) else {
            listed.is_wrong(number, line);
            continue;
        };
        count += 1;
        if count > MOST_KEYS {
            let error = format!("it has more than the {MOST_KEYS} keys that are taken at a time");
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, error));
        }
        let keys = listed.keys.entry(entity.to_owned()).or_default();
        keys.push(key.to_owned());
    }
    Ok(listed)
}

fn read_requests(
    mut file: impl BufRead,
    most: usize,
    is_entity: impl Fn(&str) -> bool,
) -> io::Result<Listed> {
    let (mut listed, mut number) = (Listed::default(), 0);
    let mut counts: Frequent<(String, String)> = Frequent::new(MOST_COUNTED);
    while let Some(line) = next_line(&mut file)? {
        number += 1;
        if line.trim().is_empty() {
            continue;
        }
        listed.lines += 1;
        let asked = path_in(&line).map(asked_for).unwrap_or_default();
        if asked.is_empty() {
            // A log has other requests as well; a line that is none is something else.
            if !line.contains('/') {
                listed.is_wrong(number, &line);
            }
            continue;
        }
        for named in asked.into_iter().filter(|(entity, _)| is_entity(entity)) {
            counts.add(&named, 1);
        }
    }
    let mut counts = counts.take();
    counts.sort_by(|one, two| two.1.cmp(&one.1).then_with(|| one.0.cmp(&two.0)));
    let mut keys: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for ((entity, key), _) in counts {
        let keys = keys.entry(entity).or_default();
        if keys.len() < most {
            keys.push(key);
        }
    }
    listed.keys = keys;
    Ok(listed)
}

/// The next line, without what is beyond the longest one.
fn next_line(file: &mut impl BufRead) -> io::Result<Option<String>> {
    let mut bytes = Vec::new();
    let most = LONGEST as u64;
    if file.by_ref().take(most).read_until(b'\n', &mut bytes)? == 0 {
        return Ok(None);
    }
    if bytes.len() == LONGEST && !bytes.ends_with(b"\n") {
        skip_line(file)?;
    }
    Ok(Some(String::from_utf8_lossy(&bytes).into_owned()))
}

fn skip_line(file: &mut impl BufRead) -> io::Result<()> {
    loop {
        let buffer = file.fill_buf()?;
        if buffer.is_empty() {
            return Ok(());
        }
        let end = buffer.iter().position(|byte| *byte == b'\n');
        let count = end.map_or(buffer.len(), |end| end + 1);
        file.consume(count);
        if end.is_some() {
            return Ok(());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn any(_: &str) -> bool {
        true
    }

    fn pairs(keys: &Keys) -> Vec<String> {
        let flat =
            |(entity, keys): (&String, &Vec<String>)| format!("{entity}: {}", keys.join(" "));
        keys.iter().map(flat).collect()
    }

    #[test]
    fn a_list_names_entities_and_keys() {
        let text = "# popular\nproduct 7\n\n  postcode\t50450 \nproduct a b\nproduct\n7\n";
        let listed = read_keys(text.as_bytes(), None, |it| it != "basket").unwrap();
        assert_eq!(pairs(&listed.keys), ["postcode: 50450", "product: 7 a b"]);
        assert_eq!((listed.lines, listed.wrong), (5, 2));
        let complaint = listed.complaint(Path::new("keys.txt")).unwrap();
        assert_eq!(
            complaint,
            "keys.txt: 2 of 5 lines name no key; line 6: \"product\"; line 7: \"7\""
        );
        let listed = read_keys("7\na b\n".as_bytes(), Some("product"), any).unwrap();
        assert_eq!(pairs(&listed.keys), ["product: 7 a b"]);
        assert_eq!(listed.complaint(Path::new("-")), None);
    }

    #[test]
    fn a_million_lines_of_rubbish_are_counted_and_a_few_are_shown() {
        let mut rubbish = "\u{fffd}rubbish \u{7}\n".repeat(1_000_000).into_bytes();
        rubbish.extend([0xff, 0xfe, b'\n']);
        rubbish.extend(vec![b'x'; 3 * LONGEST]);
        rubbish.extend(b"\nproduct 7");
        let listed = read_keys(&rubbish[..], None, |it| it == "product").unwrap();
        assert_eq!(pairs(&listed.keys), ["product: 7"], "nothing is lost");
        assert_eq!((listed.lines, listed.wrong), (1_000_003, 1_000_002));
        assert!(listed.complaint(Path::new("-")).unwrap().len() < 400);
        let end = rubbish.len() - 10;
        let listed = read_keys(&rubbish[..end], None, |it| it == "product").unwrap();
        let error = listed
            .checked(Path::new("k"), "a line is such as `product 7`")
            .unwrap_err();
        let line = error.lines().remove(0);
        assert!(
            line.starts_with("k: none of 1000002 lines names a key; line 1: "),
            "{line}"
        );
        assert!(line.ends_with("a line is such as `product 7`") && line.len() < 500);
    }

    #[test]
    fn an_access_log_tells_what_was_asked_for_most() {
        let log = r#"
10.0.0.1 - - [27/Nov/2026:10:00:00 +0800] "GET /v1/products/7 HTTP/1.1" 200 512 "-" "curl"
10.0.0.1 - - [27/Nov/2026:10:00:00 +0800] "GET /v1/products/8?tier=member HTTP/1.1" 200 512
{"level":"info","path":"/v1/products/8","status":200}
10.0.0.1 "GET /v1/products?sku=85%20123A HTTP/1.1" 200
10.0.0.1 "GET /v1/products?limit=2&slug=white-lamp HTTP/1.1" 200
10.0.0.1 "GET /v1/products?ids=8,9 HTTP/1.1" 200
10.0.0.1 "GET /v1/postcodes/50450 HTTP/1.1" 304
10.0.0.1 "GET /v1/categories/7/products HTTP/1.1" 200
10.0.0.1 "GET /v1/x/shipping_rate/50 HTTP/1.1" 200
10.0.0.1 "GET /v1/x/basket/1 HTTP/1.1" 404
10.0.0.1 "GET /favicon.ico HTTP/1.1" 404
segmentation fault
"#;
        let listed = read_requests(log.as_bytes(), 2, |it| it != "basket").unwrap();
        assert_eq!(
            pairs(&listed.keys),
            [
                "categories: all",
                "postcode: 50450",
                "product: 8 7",
                "product.list: category=7&sort=newest",
                "product.sku: 85 123A",
                "product.slug: white-lamp",
                "shipping_rate: 50"
            ]
        );
        assert_eq!((listed.lines, listed.wrong), (12, 1));
    }
}
