//! Prints the description of the interface, which is kept as `docs/openapi.json`.

#[expect(clippy::print_stdout, reason = "this is what it is for")]
fn main() {
    print!("{}", tingkat_http::openapi());
}
