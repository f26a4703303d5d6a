//! The configuration file, and the order of preference: flag, environment, file, default.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::args::{ColorChoice, Global};
use crate::error::{CliError, Result};

#[derive(Debug, Default, Deserialize, PartialEq)]
#[serde(deny_unknown_fields, default)]
struct File {
    server: Server,
    policy: Policy,
    output: Output,
}

#[derive(Debug, Default, Deserialize, PartialEq)]
#[serde(deny_unknown_fields, default)]
struct Server {
    url: Option<String>,
}

#[derive(Debug, Default, Deserialize, PartialEq)]
#[serde(deny_unknown_fields, default)]
struct Policy {
    path: Option<PathBuf>,
}

#[derive(Debug, Default, Deserialize, PartialEq)]
#[serde(deny_unknown_fields, default)]
struct Output {
    format: Option<OutputFormat>,
    color: Option<ColorChoice>,
}

#[derive(Clone, Copy, Debug, Deserialize, PartialEq)]
#[serde(rename_all = "lowercase")]
enum OutputFormat {
    Auto,
    Json,
}

/// Every setting after the order of preference has been applied.
#[derive(Debug, PartialEq)]
pub(crate) struct Settings {
    pub(crate) server: Option<String>,
    pub(crate) policy: Option<PathBuf>,
    pub(crate) json: bool,
    pub(crate) color: ColorChoice,
}

/// Reads the environment and the first configuration file found.
///
/// # Errors
///
/// When the file cannot be read, or holds a mistake: its line and column are named.
pub(crate) fn load(global: &Global) -> Result<Settings> {
    load_with(global, |name| env::var_os(name).filter(|v| !v.is_empty()))
}

fn load_with(global: &Global, var: impl Fn(&str) -> Option<OsString>) -> Result<Settings> {
    let file = match find(global, &var) {
        Some(path) => {
            let bytes = fs::read(&path).map_err(|e| CliError::file("read configuration", &path, &e))?;
            let text = crate::io::decode(bytes).map_err(|e| e.at(&path.display().to_string()))?;
            parse(&text, &path)?
        }
        None => File::default(),
    };
    let text_var = |name: &str| var(name).and_then(|v| v.into_string().ok());
    Ok(Settings {
        server: global.server.clone().or_else(|| text_var("MASKER_SERVER")).or(file.server.url),
        policy: global
            .policy
            .clone()
            .or_else(|| var("MASKER_POLICY_PATH").map(PathBuf::from))
            .or(file.policy.path),
        json: global.json || file.output.format == Some(OutputFormat::Json),
        color: global
            .color
            .or_else(|| var("NO_COLOR").map(|_| ColorChoice::Never))
            .or(file.output.color)
            .unwrap_or(ColorChoice::Auto),
    })
}

fn find(global: &Global, var: &impl Fn(&str) -> Option<OsString>) -> Option<PathBuf> {
    // A file that was asked for by name must exist; the other two are looked for.
    if let Some(path) = global.config.clone().or_else(|| var("MASKER_CONFIG").map(PathBuf::from)) {
        return Some(path);
    }
    let base = var("XDG_CONFIG_HOME")
        .map(PathBuf::from)
        .or_else(|| var("HOME").map(|home| Path::new(&home).join(".config")))
        .map(|base| base.join("masker").join("config.toml"));
    [Some(PathBuf::from("masker.toml")), base].into_iter().flatten().find(|path| path.is_file())
}

fn parse(text: &str, path: &Path) -> Result<File> {
    toml::from_str(text).map_err(|error| {
        let (line, column) = position(text, error.span().map_or(0, |s| s.start));
        // The parser's message may run over several lines; the first says what is wrong.
        let reason = error.message().lines().next().unwrap_or("not TOML").to_owned();
        CliError::usage(format!("{}:{line}:{column}: {reason}", path.display()))
            .hint("known settings: [server] url, [policy] path, [output] format and color")
    })
}

/// Line and column of a byte, from 1, columns in characters.
fn position(text: &str, offset: usize) -> (usize, usize) {
    let before = text.get(..offset).unwrap_or(text);
    let line_start = before.rfind('\n').map_or(0, |i| i + 1);
    (before.matches('\n').count() + 1, before[line_start..].chars().count() + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn global() -> Global {
        Global::default()
    }

    #[test]
    fn flag_beats_environment_beats_file_beats_default() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("c.toml");
        fs::write(&path, "[policy]\npath = 'file.yaml'\n[output]\ncolor = 'always'\nformat = 'json'\n[server]\nurl = 'https://file.example.com'").unwrap();
        let none = |_: &str| None;
        let env = |name: &str| match name {
            "MASKER_POLICY_PATH" => Some("env.yaml".into()),
            "MASKER_SERVER" => Some("https://env.example.com".into()),
            "NO_COLOR" => Some("1".into()),
            _ => None,
        };
        let mut flags = Global { config: Some(path), ..global() };
        let from_file = load_with(&flags, none).unwrap();
        assert_eq!(from_file.policy, Some("file.yaml".into()));
        assert_eq!(from_file.color, ColorChoice::Always);
        assert!(from_file.json);
        let from_env = load_with(&flags, env).unwrap();
        assert_eq!(from_env.policy, Some("env.yaml".into()));
        assert_eq!(from_env.server.as_deref(), Some("https://env.example.com"));
        assert_eq!(from_env.color, ColorChoice::Never);
        flags.policy = Some("flag.yaml".into());
        flags.color = Some(ColorChoice::Always);
        let from_flag = load_with(&flags, env).unwrap();
        assert_eq!(from_flag.policy, Some("flag.yaml".into()));
        assert_eq!(from_flag.color, ColorChoice::Always);
    }

    #[test]
    fn an_unknown_key_is_named_with_line_and_column() {
        let error = parse("[output]\nformat = 'json'\n  colour = 'auto'\n", Path::new("m.toml")).unwrap_err();
        let text = error.render();
        assert!(text.starts_with("error: m.toml:3:3: unknown field `colour`"), "{text}");
    }

    #[test]
    fn an_unknown_table_and_a_bad_value_are_errors_too() {
        for text in ["[outputs]\n", "[output]\ncolor = 'blue'\n", "[output\n", "x = 1\n"] {
            assert!(parse(text, Path::new("m.toml")).is_err(), "{text}");
        }
    }
}
