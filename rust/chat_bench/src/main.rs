//! The load client of the benchmarks: it plays many chat clients and counts.
//!
//! Not a part of the service. It reads one JSON line from standard input that
//! says what to do (see `config`), writes one JSON line per result to standard
//! output, and ends with status 1 if anything was lost, doubled, out of order
//! or refused. One thread, so that the server keeps a core to itself on small
//! machines. `tests/bench` starts the servers and makes the tables.

mod config;
mod error;
mod fan_out;
mod histogram;
mod idle;
mod ledger;
mod marker;
mod requests;
mod server_process;
mod sockets;

use std::process::ExitCode;

use serde::Serialize;

use crate::config::Scenario;
use crate::error::BenchError;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            report_failure(&error);
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), BenchError> {
    let mut line = String::new();
    std::io::stdin().read_line(&mut line)?;
    let scenario: Scenario = serde_json::from_str(&line)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    tokio::task::LocalSet::new().block_on(&runtime, async {
        match scenario {
            Scenario::FanOut(plan) => fan_out::run(&plan).await,
            Scenario::Idle(plan) => idle::run(&plan).await,
            Scenario::Requests(plan) => requests::run(&plan).await,
        }
    })
}

/// One line of the answer; line by line, because the driver acts on each.
#[expect(clippy::print_stdout, reason = "the results go to the driver")]
fn report(result: &impl Serialize) -> Result<(), BenchError> {
    println!("{}", serde_json::to_string(result)?);
    Ok(())
}

#[expect(clippy::print_stderr, reason = "the driver shows it to a person")]
fn report_failure(error: &BenchError) {
    eprintln!("chat_bench: {error}");
}
