//! The recipe of `docs/purging.md`, run by Node.js as it stands there.

use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use tingkat_testkit::eventually;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::program::{Folder, PATIENCE, Program};
use crate::stores::installed;
use crate::wire::{TOKENS, patch};

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/examples/purge.mjs");

/// The tags that a product's page has there.
fn tags_of_page(id: &str) -> Vec<String> {
    let recipes = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/purging.md");
    let recipes = std::fs::read_to_string(recipes).unwrap();
    let (_, tags) = recipes.split_once("tags: [`product:${id}`").unwrap();
    let (tags, _) = tags.split_once(']').unwrap();
    let others = tags.split('\'').skip(1).step_by(2).map(str::to_owned);
    others.chain([format!("product:{id}")]).collect()
}

/// A page cache that remembers what it was told to purge.
#[derive(Clone, Default)]
struct PageCache(Arc<Mutex<Vec<Value>>>);

impl PageCache {
    async fn serve(self, listener: TcpListener) {
        while let Ok((stream, _)) = listener.accept().await {
            self.answer(stream).await;
        }
    }

    async fn answer(&self, mut stream: TcpStream) {
        let mut text = String::new();
        let mut bytes = [0; 4096];
        // The body of a purge is its last line.
        while !text.ends_with('}') {
            let count = stream.read(&mut bytes).await.unwrap();
            assert!(count > 0, "{text}");
            text.push_str(std::str::from_utf8(&bytes[..count]).unwrap());
        }
        assert!(text.contains("authorization: Bearer hush"), "{text}");
        let body = text.rsplit("\r\n\r\n").next().unwrap();
        self.0
            .lock()
            .unwrap()
            .push(serde_json::from_str(body).unwrap());
        let answer = b"HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n";
        stream.write_all(answer).await.unwrap();
    }

    /// Waits until it was told to purge the page of a product.
    async fn loses_page(&self, id: &str) {
        let page = tags_of_page(id);
        let is_so = eventually(PATIENCE, async || {
            let purges = self.0.lock().unwrap();
            let tags = purges.iter().filter_map(|it| it["tags"].as_array());
            tags.flatten()
                .any(|tag| page.iter().any(|of_page| tag == of_page.as_str()))
        });
        let is_so = is_so.await.is_ok();
        assert!(is_so, "{page:?} are not in {:?}", self.0.lock().unwrap());
    }

    async fn was_told(&self, purge: Value, times: usize) {
        let is_so = eventually(PATIENCE, async || {
            let purges = self.0.lock().unwrap();
            purges.iter().filter(|it| **it == purge).count() >= times
        });
        let is_so = is_so.await.is_ok();
        assert!(is_so, "{purge} is not in {:?}", self.0.lock().unwrap());
    }
}

/// A run of the script, which does not outlive this value.
struct Script(std::process::Child);

impl Drop for Script {
    fn drop(&mut self) {
        // Both fail only for a process that has ended.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[tokio::test]
async fn the_recipe_purges_what_changed_twice_and_resumes_where_it_was() {
    if Command::new("node").arg("--version").output().is_err() {
        eprintln!("not run: there is no `node` on this machine");
        return;
    }
    let database = installed().await;
    let folder = Folder::new();
    let serve = || {
        Program::serve(&Folder::new())
            .with("DATABASE_URL", database.url())
            .with("TINGKAT__SERVER__TOKENS", TOKENS)
    };
    let node = serve().listening().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let purge_url = format!("http://{}/purge", listener.local_addr().unwrap());
    let pages = PageCache::default();
    let mut tasks = tokio::task::JoinSet::new();
    tasks.spawn(pages.clone().serve(listener));

    let run = |address: std::net::SocketAddr| {
        let child = Command::new("node")
            .arg(SCRIPT)
            .current_dir(folder.path())
            .env("TINGKAT_URL", format!("http://{address}"))
            .env("PURGE_URL", &purge_url)
            .env("PURGE_TOKEN", "hush")
            .env("PURGE_AGAIN_AFTER", "50")
            .stdin(Stdio::null())
            .spawn();
        Script(child.unwrap())
    };
    let script = run(node.target.address());
    pages.was_told(json!({"everything": true}), 2).await;
    assert_eq!(patch(&node, "7", r#"{"stock":21}"#).await.status, 200);
    pages.was_told(json!({"tags": ["product:7"]}), 2).await;
    // A page shows the names of its categories as well.
    pages.0.lock().unwrap().clear();
    let rename = "UPDATE category SET name = 'Renamed' WHERE id =
        (SELECT category_id FROM product_category WHERE product_id = '7' LIMIT 1)";
    database.psql(rename).await.unwrap();
    pages.loses_page("7").await;
    eventually(PATIENCE, async || folder.names() == ["purge.cursor"])
        .await
        .unwrap();
    drop(script);

    // Nobody follows while this happens; another process tells it.
    let sql = "UPDATE product SET stock_quantity = 22 WHERE id = '8'";
    database.psql(sql).await.unwrap();
    let other = serve().listening().await;
    let _script = run(other.target.address());
    pages.was_told(json!({"tags": ["product:8"]}), 1).await;
    let resets = json!({"everything": true});
    let purges = pages.0.lock().unwrap();
    assert_eq!(purges.iter().filter(|it| **it == resets).count(), 0);
}
