//! What else must be seen with real servers: what coherence costs, and what a crowd does not cost.

mod black_hole;
mod cold;
mod hang;
mod old_price;
mod quiet;
mod stampede;
