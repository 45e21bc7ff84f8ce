//! The binary `tingkat`.

mod bench;
mod cli;
mod config;
mod exit;
mod forget;
mod health;
mod healthcheck;
mod inspect;
mod logging;
mod output;
mod panics;
mod running_node;
mod schema;
mod serve;
mod signals;
mod verify;
mod warm;

use std::process::ExitCode;

use clap::Parser as _;

use crate::cli::{Cli, Command};
use crate::config::Surroundings;
use crate::exit::Failure;
use crate::running_node::RunningNode;

/// The system's allocator gives freed memory back slowly and suffers under many threads.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    panics::tell();
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return usage(&error),
    };
    match run(&cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}

/// Somebody may have written a URL with a password where it does not belong.
#[expect(clippy::print_stderr, reason = "what is wrong with the command line")]
fn usage(error: &clap::Error) -> ExitCode {
    if !error.use_stderr() || !error.to_string().contains('@') {
        error.exit();
    }
    eprint!("{}", config::without_logins(&error.to_string()));
    ExitCode::from(exit::Code::Usage as u8)
}

fn run(cli: &Cli) -> Result<(), Failure> {
    // Two providers are linked in; every TLS connection of this process shall use this one.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let flags = cli.flags();
    let surroundings = Surroundings::here();
    let loaded = config::load(&flags, &surroundings);
    panics::keep(config::Secrets::of(&loaded.settings).and_others(&surroundings));
    if let Command::Config(command) = &cli.command {
        return config::commands::run(command, &loaded);
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::unexpected(format!("failed to start the runtime: {error}")))?;
    match &cli.command {
        Command::Serve(arguments) => {
            let settings = loaded.for_start()?;
            let level = logging::start(&settings);
            let config = config::Config::build(settings)?;
            runtime.block_on(serve::run(
                arguments,
                config,
                serve::Reload { flags, level },
            ))
        }
        Command::Schema(command) => {
            logging::start(&loaded.settings);
            runtime.block_on(schema::run(command, loaded.source()))
        }
        Command::Forget(arguments) => {
            let service = RunningNode::find(&arguments.service, loaded, &surroundings);
            runtime.block_on(forget::run(arguments, service?))
        }
        Command::Health(arguments) => {
            let service = RunningNode::find(&arguments.service(), loaded, &surroundings);
            runtime.block_on(health::run(arguments, service?))
        }
        Command::Bench(arguments) => runtime.block_on(bench::run(arguments, loaded, &surroundings)),
        Command::Inspect(arguments) => {
            let service = RunningNode::find(&arguments.service, loaded, &surroundings);
            runtime.block_on(inspect::run(arguments, service?))
        }
        Command::Verify(arguments) => {
            // The nodes that are started have much to say about the faults that they are to bear.
            if loaded.settings.chosen("log.level").is_some() {
                logging::start(&loaded.settings);
            }
            runtime.block_on(verify::run(arguments, loaded, &surroundings))
        }
        Command::Healthcheck(arguments) => {
            let place = config::Place::find(arguments.url.as_deref(), loaded)?;
            runtime.block_on(healthcheck::run(arguments, place))
        }
        Command::Warm(arguments) => runtime.block_on(warm::run(arguments, loaded, &surroundings)),
        Command::Config(_) => Ok(()),
    }
}
