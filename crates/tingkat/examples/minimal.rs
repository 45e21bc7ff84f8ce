//! The smallest program that uses the cache well.
#![allow(clippy::print_stdout, reason = "an example")]

use tingkat::Cache;
use tingkat::ports::Loaded;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), tingkat::GetError> {
    let prices: Cache<String, u32> = Cache::builder("price")
        .load(|sku: String| async move { Ok(Loaded::value(u32::from(sku.len() > 3) * 100)) })
        .build();
    let price = prices.get(&"teapot".to_owned()).await?;
    println!("a teapot costs {price:?}");
    Ok(())
}
