//! The bodies of requests and answers, as types that are never made: utoipa reads their schemas.
//!
//! The types that are written are elsewhere, borrow, and belong to the crates of the store. Tests hold
//! every answer against these.

mod health;
mod operating;
mod probes;
mod shop;
mod warming;

use utoipa::openapi::ComponentsBuilder;

/// Adds every shape.
pub(super) fn add_to(components: ComponentsBuilder) -> ComponentsBuilder {
    let components = shop::add_to(components);
    let components = operating::add_to(components);
    let components = health::add_to(components);
    let components = warming::add_to(components);
    probes::add_to(components)
}

/// Adds some shapes by their names.
macro_rules! adder {
    ($($shape:ident)*) => {
        pub(super) fn add_to(
            components: utoipa::openapi::ComponentsBuilder,
        ) -> utoipa::openapi::ComponentsBuilder {
            components$(.schema_from::<$shape>())*
        }
    };
}
use adder;
