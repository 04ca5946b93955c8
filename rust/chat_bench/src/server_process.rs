//! CPU time and memory of the server, from `/proc`: all its threads and descendants.

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
        let family = self.family(&processes)?;
        Ok(TICK * family.iter().map(|pid| processes[pid].ticks).sum())
    }

    /// What is in physical memory now, files mapped by the program included.
    pub(crate) fn resident_bytes(self) -> Result<u64, BenchError> {
        let mut bytes = 0;
        for pid in self.family(&list_processes()?)? {
            let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
            bytes += parse_resident_bytes(&status).ok_or_else(|| BenchError::Process {
                pid,
                reason: "its status has no VmRSS".to_owned(),
            })?;
        }
        Ok(bytes)
    }

    /// The process and its descendants.
    fn family(self, processes: &HashMap<u32, Stat>) -> Result<Vec<u32>, BenchError> {
        if !processes.contains_key(&self.pid) {
            return Err(BenchError::Process {
                pid: self.pid,
                reason: "it has ended".to_owned(),
            });
        }
        let mut family = vec![self.pid];
        let mut next = 0;
        while let Some(&parent) = family.get(next) {
            let children = processes.iter().filter(|(_, child)| child.parent == parent);
            family.extend(children.map(|(pid, _)| *pid));
            next += 1;
        }
        Ok(family)
    }
}

/// CPU time of this process, the client.
pub(crate) fn own_cpu_time() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    // It counts from zero, up.
    Duration::try_from(time).unwrap_or_default()
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

/// proc(5): a line such as `VmRSS:     5420 kB`.
fn parse_resident_bytes(status: &str) -> Option<u64> {
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kilobytes: u64 = line.trim().strip_suffix(" kB")?.parse().ok()?;
    Some(kilobytes * 1024)
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
        let this = ServerProcess::new(std::process::id());
        assert!(this.cpu_time().is_ok());
        assert!(this.resident_bytes().expect("readable") > 100_000);
        assert!(ServerProcess::new(u32::MAX).cpu_time().is_err());
    }
}
