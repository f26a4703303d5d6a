//! What the figures were taken on.

use std::process::Command;

use crate::shell;

/// Processor, cores, system, compiler and how busy the machine was, in one line.
pub(crate) fn line() -> Result<String, String> {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let cpu = read("/proc/cpuinfo");
    let model = cpu.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let model = model.map_or("unknown processor", |(_, name)| name.trim());
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let load = read("/proc/loadavg");
    let load = load.split(' ').next().filter(|load| !load.is_empty()).unwrap_or("unknown");
    let compiler = shell::capture(Command::new("rustc").arg("--version"))?;
    let compiler = compiler.split(' ').take(2).collect::<Vec<_>>().join(" ");
    Ok(format!(
        "{model}, {cores} cores, {} {}, {compiler}, load before {load}",
        std::env::consts::OS,
        std::env::consts::ARCH
    ))
}
