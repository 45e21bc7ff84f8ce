//! The smallest program that uses the cache well: the one in the README.

use tingkat::{Cache, ports::Loaded};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), tingkat::GetError> {
    let prices: Cache<String, usize> = Cache::builder("price")
        .load(|sku: String| async move { Ok(Loaded::value(sku.len() * 100)) })
        .build();
    let price = prices.get(&"mug".to_owned()).await?;
    assert_eq!(price.as_deref(), Some(&300));
    Ok(())
}
