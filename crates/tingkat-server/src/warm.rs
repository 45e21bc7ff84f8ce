//! `tingkat warm`: loads what customers are about to ask for, on a node that runs or into Redis. What
//! `serve` needs to do the same by itself is here as well.

mod accesses;
mod begin;
mod command;
mod in_process;
mod listed;
mod on_node;
mod order;
mod request;
mod told;

pub(crate) use accesses::Accesses;
pub(crate) use command::run;
pub(crate) use order::{Keys, Orders};
