//! Configuration files and environments, as somebody might have written them.
//!
//! The program is asked, since the loader is a part of it: what it ends with is its verdict.
#![no_main]

use std::fs;
use std::process::Command;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (&str, Vec<(&str, &str)>)| {
    let (text, variables) = input;
    let folder = std::env::temp_dir().join(format!("tingkat-fuzz-{}", std::process::id()));
    if fs::create_dir_all(&folder).is_err() || fs::write(folder.join("tingkat.toml"), text).is_err() {
        return;
    }
    let program = std::env::var("TINGKAT").unwrap_or_else(|_| "tingkat".to_owned());
    let named = variables.iter().filter(|(name, value)| {
        !name.is_empty() && !name.contains(['=', '\0']) && !value.contains('\0')
    });
    let ended = Command::new(program)
        .args(["config", "check"])
        .current_dir(&folder)
        .env_clear()
        .envs(named.map(|(name, value)| (format!("TINGKAT__{name}"), value)))
        .output();
    let code = ended.map(|ended| ended.status.code());
    assert!(matches!(code, Ok(Some(0 | 78))), "{code:?}");
});
