//! One table of all figures, with budgets beside them.

/// One line of the table.
#[derive(Clone, Debug, Default)]
pub(super) struct Row {
    /// The text, or what else is measured.
    pub(super) payload: String,
    /// The call, or what of it.
    pub(super) what: String,
    pub(super) bytes: Option<u64>,
    pub(super) findings: Option<u64>,
    /// The median time, or the figure itself.
    pub(super) figure: String,
    pub(super) rate: String,
    /// What is promised, and whether it holds.
    pub(super) budget: Option<(String, bool)>,
}

impl Row {
    pub(super) fn is_missed(&self) -> bool {
        self.budget.as_ref().is_some_and(|(_, met)| !met)
    }

    fn cells(&self) -> [String; 8] {
        let number = |value: Option<u64>| value.map_or(String::new(), |value| value.to_string());
        let (budget, met) = self
            .budget
            .clone()
            .map_or((String::new(), ""), |(budget, met)| (budget, if met { "yes" } else { "**no**" }));
        [
            self.payload.clone(),
            self.what.clone(),
            number(self.bytes),
            number(self.findings),
            self.figure.clone(),
            self.rate.clone(),
            budget,
            met.to_owned(),
        ]
    }
}

/// The lines as a Markdown table.
pub(super) fn of(rows: &[Row]) -> String {
    let head = ["payload", "what", "bytes", "findings", "median", "rate", "budget", "met"].map(str::to_owned);
    markdown(&head, &rows.iter().map(Row::cells).collect::<Vec<_>>())
}

/// A Markdown table with its columns under one another.
pub(crate) fn markdown<const N: usize>(head: &[String; N], rows: &[[String; N]]) -> String {
    let escaped = |cells: &[String; N]| cells.clone().map(|cell| cell.replace('|', "\\|"));
    let rows: Vec<[String; N]> = std::iter::once(head).chain(rows).map(escaped).collect();
    let mut widths = [3; N];
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let line = |cells: &[String; N]| {
        let cells: String =
            cells.iter().zip(widths).map(|(cell, width)| format!(" {cell:<width$} |")).collect();
        format!("|{cells}\n")
    };
    let rule = line(&widths.map(|width| "-".repeat(width)));
    let mut lines: Vec<String> = rows.iter().map(line).collect();
    lines.insert(1, rule);
    lines.concat()
}

/// A time in the unit that suits it.
pub(super) fn time(seconds: f64) -> String {
    match seconds {
        s if s < 1e-3 => format!("{:.2} µs", s * 1e6),
        s if s < 1.0 => format!("{:.2} ms", s * 1e3),
        s => format!("{s:.2} s"),
    }
}

/// Megabytes, of a million bytes, a second.
pub(super) fn megabytes_a_second(bytes: u64, seconds: f64) -> f64 {
    bytes as f64 / 1e6 / seconds
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table() {
        let rows = [
            Row { payload: "a|b".to_owned(), bytes: Some(12), ..Row::default() },
            Row { budget: Some(("< 3 µs".to_owned(), false)), ..Row::default() },
        ];
        let table = of(&rows);
        let lines: Vec<&str> = table.lines().collect();
        assert!(lines[0].starts_with("| payload | what |"), "{table}");
        assert!(lines[1].starts_with("| ------- | ---- |"), "{table}");
        assert!(lines[2].starts_with("| a\\|b    |      | 12 "), "{table}");
        assert!(lines[3].ends_with("| < 3 µs | **no** |"), "{table}");
        assert!(rows[1].is_missed() && !rows[0].is_missed());
    }

    #[test]
    fn times() {
        assert_eq!([2.5e-6, 0.0125, 3.0].map(time), ["2.50 µs", "12.50 ms", "3.00 s"].map(str::to_owned));
        assert!((megabytes_a_second(3_000_000, 2.0) - 1.5).abs() < 1e-9);
    }
}
