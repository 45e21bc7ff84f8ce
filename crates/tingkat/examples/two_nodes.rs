//! Two nodes that share a remote tier and follow one change log. Both stand-ins live in memory; a
//! service uses the crates for Redis and SQL instead.
#![allow(clippy::print_stdout, reason = "an example")]

use std::sync::Arc;
use std::time::Duration;

use tingkat::{Cache, Node, Options};
use tingkat_testkit::fakes::{FakeDatabase, FakeRedis, FakeSource, Versioned};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), tingkat::GetError> {
    let (database, redis) = (FakeDatabase::new(), FakeRedis::new());
    database.write("product", "7", 1);
    let source = FakeSource::new(&database, "product");
    let node = || {
        let node = Node::builder()
            .remote(Arc::new(redis.handle()))
            .change_log(Arc::new(database.log()))
            .build();
        let cache: Cache<String, Versioned> = Cache::builder("product")
            .node(&node)
            .source(Arc::new(source.clone()))
            .build();
        cache
    };
    let (left, right) = (node(), node());
    let key = "7".to_owned();
    for (name, cache) in [("left", &left), ("right", &right)] {
        let answer = cache.look_up(&key, Options::default()).await?;
        println!(
            "{name}: {:?} from {:?}",
            answer.value(),
            answer.trail().tier
        );
    }

    // Somebody writes to the database; the change is a row of its log.
    database.write("product", "7", 2);
    tokio::time::sleep(Duration::from_millis(300)).await;
    for (name, cache) in [("left", &left), ("right", &right)] {
        let answer = cache.look_up(&key, Options::default()).await?;
        println!(
            "{name}: {:?} from {:?}",
            answer.value(),
            answer.trail().tier
        );
    }
    println!("loads in all: {}", source.loads(&key));
    Ok(())
}
