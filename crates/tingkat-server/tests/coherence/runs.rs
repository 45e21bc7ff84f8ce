//! The runs: one function for each kind of trouble.

mod calm;
