//! What coherence costs, in figures: for `cargo xtask soak --figures`, and for nobody to fail by.

mod delay;
mod triggers;
