//! Forgetting everything that shows one thing, without knowing the keys.
#![allow(clippy::print_stdout, reason = "an example")]

use tingkat::Cache;
use tingkat::certificate::Dep;
use tingkat::ports::Loaded;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let cities: Cache<u32, String> = Cache::builder("city")
        .load(|postcode: u32| async move {
            let state = if postcode < 50_000 { "SGR" } else { "KUL" };
            Ok(Loaded::value(format!("city of {postcode}"))
                .deps([Dep::new(format!("state:{state}"))]))
        })
        .build();
    cities.get_many(&[40_000, 41_000, 50_450]).await;
    // One row, however many entries there are.
    cities.forget_tag("state:SGR").await?;
    for postcode in [40_000, 41_000, 50_450] {
        println!(
            "{postcode} is in memory: {}",
            cities.peek(&postcode).is_some()
        );
    }
    Ok(())
}
