//! Many keys at once: one batch for the source, and an answer of its own for each key.
#![allow(clippy::print_stdout, reason = "an example")]

use tingkat::Cache;
use tingkat::error::SourceError;
use tingkat::ports::Loaded;

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let squares: Cache<u32, u32> = Cache::builder("square")
        .load(|number: u32| async move {
            match number {
                13 => Err(SourceError::transient("nobody squares thirteen")),
                number => Ok(Loaded::value(number * number)),
            }
        })
        .build();
    let numbers = [2, 13, 4, 2];
    for (number, answer) in numbers.iter().zip(squares.get_many(&numbers).await) {
        match answer {
            Ok(square) => println!("{number}: {square:?}"),
            Err(error) => println!("{number}: {error}"),
        }
    }
    println!("keys loaded: {}", squares.stats().loaded_keys.get());
}
