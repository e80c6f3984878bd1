//! The identity of this machine and of processes, for files that several machines share.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::fs;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

/// A process of any machine. The number of a process is used again after its end, so its start belongs to it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProcessId {
    /// Name of the machine.
    pub host: String,
    /// Identity of the machine.
    pub machine: String,
    /// Identity of the machine since it was started.
    pub boot: String,
    /// The namespace of process numbers: that of a container differs.
    pub namespace: String,
    /// Number of the process.
    pub pid: u32,
    /// Start of the process, in ticks since the start of the machine.
    pub started: String,
    /// The job of Slurm to which the process belongs, and how often Slurm has started it again; none outside of Slurm.
    pub slurm_job: Option<(String, u32)>,
}

impl ProcessId {
    /// This process.
    pub fn this() -> Self {
        let pid = std::process::id();
        Self {
            host: host().unwrap_or_else(|| "unknown".into()),
            machine: machine(),
            boot: boot(),
            namespace: namespace(),
            pid,
            started: start_of(pid).unwrap_or_default(),
            slurm_job: slurm_job(),
        }
    }

    /// Reads what [`fmt::Display`] wrote.
    pub fn parse(text: &str) -> Option<Self> {
        serde_json::from_str(text).ok()
    }

    /// Whether it is a process whose end this one can see: of this machine since its start, outside of other
    /// containers.
    pub fn is_local(&self) -> bool {
        self.boot == boot() && self.namespace == namespace()
    }

    /// Whether it is known that the process has ended: this machine has no such process, it was started again, or Slurm
    /// has started the same job again.
    pub fn has_ended(&self) -> bool {
        // Systems without /proc do not tell when a process started.
        let is_gone = self.is_local()
            && !self.started.is_empty()
            && start_of(self.pid).is_none_or(|started| started != self.started);
        // Machines with the same image may have the same identity, but not the same name.
        let is_same_machine = self.machine == machine() && Some(&self.host) == host().as_ref();
        let is_rebooted = is_same_machine && self.boot != boot();
        let is_restarted = self
            .slurm_job
            .as_ref()
            .zip(slurm_job())
            .is_some_and(|((old_job, old), (job, restarts))| *old_job == job && *old < restarts);
        is_gone || is_rebooted || is_restarted
    }
}

impl fmt::Display for ProcessId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&serde_json::to_string(self).map_err(|_| fmt::Error)?)
    }
}

/// The name of this machine.
pub fn host() -> Option<String> {
    let name = fs::read_to_string("/proc/sys/kernel/hostname").ok().or_else(|| std::env::var("COMPUTERNAME").ok());
    name.map(|name| name.trim().into())
}

/// A name beside a file that no other process of any machine uses, for a temporary file.
pub fn unique_name(path: &Path) -> String {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    format!("{name}.{}.new", unique())
}

/// A text that no other process of any machine makes: machine, process and time.
pub fn unique() -> String {
    let host = host().unwrap_or_default().replace(|c: char| !c.is_ascii_alphanumeric(), "-");
    let time = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_nanos());
    format!("{host}-{}-{time}", std::process::id())
}

/// How often Slurm has started the job of this process again. The variable does not exist at the first start.
pub fn slurm_restarts() -> u32 {
    std::env::var("SLURM_RESTART_COUNT").ok().and_then(|count| count.parse().ok()).unwrap_or(0)
}

fn slurm_job() -> Option<(String, u32)> {
    Some((std::env::var("SLURM_JOB_ID").ok()?, slurm_restarts()))
}

fn machine() -> String {
    let id = fs::read_to_string("/etc/machine-id").ok().filter(|id| !id.trim().is_empty());
    id.map_or_else(|| host().unwrap_or_default(), |id| id.trim().into())
}

fn namespace() -> String {
    fs::read_link("/proc/self/ns/pid").map(|link| link.to_string_lossy().into_owned()).unwrap_or_default()
}

fn boot() -> String {
    let id = fs::read_to_string("/proc/sys/kernel/random/boot_id").ok();
    id.map_or_else(|| host().unwrap_or_default(), |id| id.trim().into())
}

/// The start of a process of this machine, in ticks since the start of the machine; none if it has ended.
fn start_of(pid: u32) -> Option<String> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name of the process, in parentheses, may contain spaces. The start is the 22nd field, the 20th after the
    // name.
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
    let state = fields.next()?;
    (!["Z", "X"].contains(&state)).then(|| fields.nth(18).map(Into::into))?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_is_local_and_has_not_ended() {
        let this = ProcessId::this();
        assert_eq!(ProcessId::parse(&this.to_string()), Some(this.clone()));
        assert!(this.is_local() && !this.has_ended());
        assert!(ProcessId { started: "x".into(), ..this.clone() }.has_ended());
        let rebooted = ProcessId { boot: "x".into(), ..this.clone() };
        assert!(rebooted.has_ended());
        assert!(!ProcessId { machine: "x".into(), ..rebooted }.has_ended());
        assert!(!ProcessId { namespace: "x".into(), started: "x".into(), ..this }.has_ended());
    }

    #[test]
    fn names_are_unique() {
        assert_ne!(unique_name(Path::new("a/b")), unique_name(Path::new("a/b")));
        assert!(unique_name(Path::new("a/b")).starts_with("b."));
    }
}
