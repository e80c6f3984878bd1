//! Peak memory of this process.

/// Largest resident set of this process so far in MiB; `None` on systems without `/proc` (all but Linux).
pub fn peak_rss_mb() -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kib: f64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib / 1024.0)
}

/// Resets the largest resident set to the memory that is resident now, so that consecutive runs of one process each
/// report their own peak. Returns false on systems that cannot (all but Linux).
pub fn reset_peak_rss() -> bool {
    std::fs::write("/proc/self/clear_refs", "5").is_ok()
}
