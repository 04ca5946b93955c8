//! The load client of the benchmarks: it plays many chat clients and counts.
//!
//! Not a part of the service. It reads one JSON line from standard input that
//! says what to do (see `plan`), writes one JSON line per result to standard
//! output, and ends with status 1 if anything was lost, doubled, out of order
//! or refused. All sockets are served by one thread, without a task or a buffer
//! per socket, so that the server keeps a core to itself on small machines and
//! the client is not what is measured. `tests/bench` starts the servers and
//! makes the tables.

mod churn;
mod disturb;
mod error;
mod frame;
mod handshake;
mod ledger;
mod load;
mod marker;
mod network;
mod plan;
mod requests;
mod server_process;
mod session;
mod signalling;
mod socket;
mod socket_io;
mod timer;

use std::io::{BufRead, BufReader};
use std::process::ExitCode;

use serde::Serialize;

use crate::error::BenchError;
use crate::plan::Scenario;

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
    let mut input = BufReader::new(std::io::stdin());
    let mut line = String::new();
    input.read_line(&mut line)?;
    match serde_json::from_str(&line)? {
        Scenario::Sockets(plan) => session::run(&plan, input),
        Scenario::Churn(plan) => churn::run(&plan),
        Scenario::Disturb(plan) => disturb::run(&plan, input),
        Scenario::Requests(plan) => requests::run(&plan),
    }
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
