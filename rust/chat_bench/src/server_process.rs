//! CPU time of the server, from `/proc`: all its threads and descendants.

use std::collections::HashMap;
use std::fs;
use std::time::Duration;

use crate::error::BenchError;

/// `USER_HZ`: 100 on every architecture Linux runs on today.
const TICK: Duration = Duration::from_millis(10);

/// The process that is paid by the measured work.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ServerProcess {
    pid: u32,
}

impl ServerProcess {
    pub(crate) fn new(pid: u32) -> Self {
        Self { pid }
    }

    /// User plus system time used so far, ended threads and reaped children included.
    pub(crate) fn cpu_time(self) -> Result<Duration, BenchError> {
        let processes = list_processes()?;
        let mut family = vec![self.pid];
        let mut ticks = 0;
        while let Some(pid) = family.pop() {
            let Some(process) = processes.get(&pid) else {
                return Err(BenchError::Process {
                    pid,
                    reason: "it has ended".to_owned(),
                });
            };
            ticks += process.ticks;
            let children = processes.iter().filter(|(_, child)| child.parent == pid);
            family.extend(children.map(|(pid, _)| *pid));
        }
        Ok(TICK * ticks)
    }
}

#[derive(Debug, PartialEq, Eq)]
struct Stat {
    parent: u32,
    ticks: u32,
}

fn list_processes() -> Result<HashMap<u32, Stat>, BenchError> {
    let mut processes = HashMap::new();
    for entry in fs::read_dir("/proc")? {
        let name = entry?.file_name();
        let Some(pid) = name.to_str().and_then(|name| name.parse().ok()) else {
            continue;
        };
        // Processes that end meanwhile are not the server's.
        if let Some(stat) = fs::read_to_string(format!("/proc/{pid}/stat"))
            .ok()
            .as_deref()
            .and_then(parse_stat)
        {
            processes.insert(pid, stat);
        }
    }
    Ok(processes)
}

/// proc(5): after the name in brackets, which may hold anything, the state and
/// then numbers; ppid is field 4, utime, stime, cutime and cstime are 14 to 17.
fn parse_stat(line: &str) -> Option<Stat> {
    let fields: Vec<&str> = line.rsplit_once(')')?.1.split_ascii_whitespace().collect();
    let number = |index: usize| fields.get(index)?.parse::<u32>().ok();
    Some(Stat {
        parent: number(1)?,
        ticks: number(11)? + number(12)? + number(13)? + number(14)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stat_line_with_an_odd_name_is_read() {
        let line = "12 (a) b (c)) S 7 1 1 0 -1 4194304 5 6 7 8 100 20 3 1 20 0 4 0 9 10 11";
        let stat = Stat {
            parent: 7,
            ticks: 124,
        };
        assert_eq!(parse_stat(line), Some(stat));
    }

    #[test]
    fn this_process_is_found_and_a_dead_one_is_an_error() {
        assert!(ServerProcess::new(std::process::id()).cpu_time().is_ok());
        assert!(ServerProcess::new(u32::MAX).cpu_time().is_err());
    }
}
