//! What a person sees: warnings, tables, colours, progress. What a program sees: JSON.

use std::fmt::Write as _;
use std::io::{self, IsTerminal, Write};
use std::time::Duration;

use anstyle::{AnsiColor, Style};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use masker_core::Kind;
use serde::Serialize;
use serde_json::Value;

use crate::args::{ColorChoice, Global};
use crate::config::Settings;
use crate::error::{CliError, Result};

/// The two output streams and how to write to them.
#[derive(Debug)]
pub(crate) struct Ui {
    stdout_is_terminal: bool,
    stderr_is_terminal: bool,
    color: bool,
    json: bool,
    quiet: bool,
    verbose: u8,
}

impl Ui {
    pub(crate) fn new(global: &Global, settings: &Settings) -> Self {
        let stdout_is_terminal = io::stdout().is_terminal();
        Self {
            stdout_is_terminal,
            stderr_is_terminal: io::stderr().is_terminal(),
            color: match settings.color {
                ColorChoice::Auto => stdout_is_terminal,
                ColorChoice::Always => true,
                ColorChoice::Never => false,
            },
            json: settings.json,
            quiet: global.quiet,
            verbose: global.verbose,
        }
    }

    /// Whether a person reads stdout and did not ask for JSON.
    pub(crate) fn wants_table(&self) -> bool {
        self.stdout_is_terminal && !self.json
    }

    pub(crate) fn stdout_is_terminal(&self) -> bool {
        self.stdout_is_terminal
    }

    /// Whether stdout is coloured.
    pub(crate) fn color(&self) -> bool {
        self.color
    }

    /// Says something on stderr that the user should act on.
    pub(crate) fn warn(&self, message: &str) {
        if !self.quiet {
            let _ = writeln!(io::stderr().lock(), "warning: {message}");
        }
    }

    /// Says something on stderr about how the result came about.
    pub(crate) fn remark(&self, message: &str) {
        if !self.quiet {
            let _ = writeln!(io::stderr().lock(), "note: {message}");
        }
    }

    /// Says something on stderr that the user may want to know, with `-v`.
    pub(crate) fn note(&self, message: &str) {
        if self.verbose > 0 {
            self.remark(message);
        }
    }

    /// Tells a person in front of an empty prompt what is awaited.
    pub(crate) fn awaiting_input(&self) {
        if !self.quiet && self.stderr_is_terminal {
            let _ = writeln!(
                io::stderr().lock(),
                "reading text from the terminal; end it with Ctrl-D on a line of its own"
            );
        }
    }

    /// Prints one JSON document: indented on a terminal, one line otherwise.
    pub(crate) fn print_json(&self, value: &impl Serialize) -> Result<()> {
        self.print(&self.json_text(value))
    }

    /// One JSON document with its newline, as [`Ui::print_json`] prints it.
    pub(crate) fn json_text(&self, value: &impl Serialize) -> String {
        json_text(value, self.stdout_is_terminal)
    }

    /// Prints text as it is.
    #[expect(clippy::unused_self, reason = "all printing goes through the one value that knows the streams")]
    pub(crate) fn print(&self, text: &str) -> Result<()> {
        let mut out = io::stdout().lock();
        out.write_all(text.as_bytes()).and_then(|()| out.flush()).map_err(|e| CliError::stdout(&e))
    }

    /// A progress bar on stderr, counting bytes towards `length` where that is known; hidden where nobody sees it.
    pub(crate) fn progress(&self, length: Option<u64>) -> ProgressBar {
        if self.quiet || !self.stderr_is_terminal {
            return ProgressBar::hidden();
        }
        let (bar, template) = match length {
            Some(length) => {
                (ProgressBar::new(length), "{bar:32} {bytes}/{total_bytes} {bytes_per_sec} {eta}")
            }
            None => (ProgressBar::new_spinner(), "{spinner} {bytes} {bytes_per_sec}"),
        };
        bar.set_draw_target(ProgressDrawTarget::stderr_with_hz(8));
        bar.with_style(ProgressStyle::with_template(template).expect("the templates are constants and parse"))
    }

    /// A sign of life on stderr while one long text is worked on.
    pub(crate) fn spinner(&self, what: &str) -> ProgressBar {
        let bar = self.progress(None);
        if !bar.is_hidden() {
            bar.set_style(
                ProgressStyle::with_template("{spinner} {msg} {elapsed}")
                    .expect("the template is constant and parses"),
            );
            bar.set_message(what.to_owned());
            bar.enable_steady_tick(Duration::from_millis(120));
        }
        bar
    }

    /// Asks a question on stderr; only `y` and `yes` are yes. Without a terminal there is nobody to ask.
    pub(crate) fn confirm(&self, question: &str) -> Result<bool> {
        let answer = self.ask(&format!("{question} [y/N]"))?;
        Ok(matches!(answer.to_ascii_lowercase().as_str(), "y" | "yes"))
    }

    /// Asks on stderr for a name; only the name itself is yes.
    pub(crate) fn confirm_name(&self, question: &str, name: &str) -> Result<bool> {
        Ok(self.ask(question)? == name)
    }

    fn ask(&self, question: &str) -> Result<String> {
        if !(io::stdin().is_terminal() && self.stderr_is_terminal) {
            return Err(
                CliError::usage("there is no terminal to ask for confirmation").hint("add --yes to go ahead")
            );
        }
        let mut err = io::stderr().lock();
        let asked = write!(err, "{question} ").and_then(|()| err.flush());
        let mut answer = String::new();
        asked
            .and_then(|()| io::stdin().read_line(&mut answer))
            .map_err(|e| CliError::failure(format!("cannot ask for confirmation: {e}")))?;
        Ok(answer.trim().to_owned())
    }
}

fn json_text(value: &impl Serialize, indented: bool) -> String {
    let text = if indented { serde_json::to_string_pretty(value) } else { serde_json::to_string(value) };
    let mut text = text.expect("the values printed have string keys only");
    text.push('\n');
    text
}

/// A float with at most three decimals, as JSON shows scores.
pub(crate) fn rounded(score: f32) -> Value {
    Value::from((f64::from(score) * 1000.0).round() / 1000.0)
}

/// Rows under headings, columns as wide as their widest cell.
#[derive(Debug)]
pub(crate) struct Table {
    rows: Vec<Vec<String>>,
}

impl Table {
    pub(crate) fn new(headings: &[&str]) -> Self {
        Self { rows: vec![headings.iter().map(|h| (*h).to_owned()).collect()] }
    }

    pub(crate) fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        // A cell is one line and holds nothing a terminal would obey.
        self.rows.push(cells.into_iter().map(|c| printable(&c, false)).collect());
    }

    pub(crate) fn render(&self, color: bool) -> String {
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        let widths: Vec<usize> = (0..columns)
            .map(|c| self.rows.iter().filter_map(|r| r.get(c)).map(|t| t.chars().count()).max().unwrap_or(0))
            .collect();
        let heading = if color { Style::new().bold() } else { Style::new() };
        let mut text = String::new();
        for (index, row) in self.rows.iter().enumerate() {
            let mut line = String::new();
            for (cell, width) in row.iter().zip(&widths) {
                let _ = write!(line, "{cell:width$}  ");
            }
            let line = line.trim_end();
            if index == 0 {
                let _ = writeln!(text, "{heading}{line}{heading:#}");
            } else {
                let _ = writeln!(text, "{line}");
            }
        }
        text
    }
}

/// The style of a kind: the same kind always has the same one, and neighbours in the table of kinds differ.
pub(crate) fn kind_style(kind: &Kind) -> Style {
    const COLORS: [AnsiColor; 6] = [
        AnsiColor::Green,
        AnsiColor::Yellow,
        AnsiColor::Magenta,
        AnsiColor::Cyan,
        AnsiColor::Red,
        AnsiColor::Blue,
    ];
    let place = Kind::BUILT_IN.iter().position(|k| k == kind).unwrap_or(Kind::BUILT_IN.len());
    let style = Style::new().bold().fg_color(Some(COLORS[place % COLORS.len()].into()));
    // Each colour serves four kinds; the second round is underlined, so that two of a page are seldom alike.
    if (place / COLORS.len()) % 2 == 1 { style.underline() } else { style }
}

/// The text with control characters made visible, so that a text cannot drive the terminal. `lines` keeps line ends and tabs.
pub(crate) fn printable(text: &str, lines: bool) -> String {
    text.chars()
        .map(|c| match c {
            '\n' | '\t' if lines => c,
            '\u{7f}' => '\u{2421}',
            c if u32::from(c) < 0x20 => {
                char::from_u32(0x2400 + u32::from(c)).expect("control pictures follow the control characters")
            }
            '\u{80}'..='\u{9f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => '\u{fffd}',
            c => c,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up_and_control_characters_are_shown() {
        let mut table = Table::new(&["KIND", "N"]);
        table.row(["PHONE".to_owned(), "1".to_owned()]);
        table.row(["A\x1b[2J".to_owned(), "2\n".to_owned()]);
        assert_eq!(table.render(false), "KIND   N\nPHONE  1\nA\u{241b}[2J  2\u{240a}\n");
        assert!(table.render(true).starts_with("\x1b[1mKIND"));
    }

    #[test]
    fn json_is_one_line_unless_a_person_reads_it() {
        let value = serde_json::json!({"a": [1]});
        assert_eq!(json_text(&value, false), "{\"a\":[1]}\n");
        assert_eq!(json_text(&value, true), "{\n  \"a\": [\n    1\n  ]\n}\n");
    }

    #[test]
    fn scores_have_at_most_three_decimals() {
        assert_eq!(rounded(0.9).to_string(), "0.9");
        assert_eq!(rounded(0.654_32).to_string(), "0.654");
        assert_eq!(rounded(1.0).to_string(), "1.0");
    }
}
