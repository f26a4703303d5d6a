use std::fs;

/// What of this process lies in memory now, in kilobytes; nothing where the system does not say it the way Linux does.
pub fn resident_kb() -> Option<u64> {
    status("VmRSS:")
}

/// The most that ever lay in memory, in kilobytes; nothing where the system does not say it the way Linux does.
pub fn peak_kb() -> Option<u64> {
    status("VmHWM:")
}

fn status(field: &str) -> Option<u64> {
    let text = fs::read_to_string("/proc/self/status").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix(field))?;
    line.trim().strip_suffix(" kB")?.trim().parse().ok()
}
