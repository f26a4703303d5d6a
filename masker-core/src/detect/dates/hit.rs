//! What a date is, and where it was found.

/// A calendar date as far as the text gives it.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Date {
    pub(crate) year: Option<u16>,
    pub(crate) month: u8,
    pub(crate) day: Option<u8>,
}

impl Date {
    /// `1982-03-14`, with `--` for a missing year and nothing for a missing day.
    pub(crate) fn to_iso(self) -> String {
        let month = self.month;
        match (self.year, self.day) {
            (Some(year), Some(day)) => format!("{year:04}-{month:02}-{day:02}"),
            (Some(year), None) => format!("{year:04}-{month:02}"),
            (None, Some(day)) => format!("--{month:02}-{day:02}"),
            (None, None) => format!("--{month:02}"),
        }
    }

    /// Whether the calendar has such a day, in a leap year where no year is given.
    pub(super) fn is_possible(self) -> bool {
        let longest = match self.month {
            2 => 29,
            4 | 6 | 9 | 11 => 30,
            1..=12 => 31,
            _ => return false,
        };
        let leap =
            |year: u16| year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
        self.day.is_none_or(|day| {
            (1..=longest).contains(&day)
                && !(self.month == 2 && day == 29 && self.year.is_some_and(|y| y > 100 && !leap(y)))
        })
    }
}

/// A date with the words that say it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct DateHit {
    pub(crate) date: Date,
    pub(crate) start: usize,
    pub(crate) end: usize,
    pub(crate) spoken: bool,
    /// Counts only with a cue.
    pub(super) needs_cue: bool,
    pub(super) recognizer: &'static str,
}

impl DateHit {
    /// A date that needs no cue, if the calendar has such a day.
    pub(super) fn possible(
        date: Date,
        start: usize,
        end: usize,
        spoken: bool,
        recognizer: &'static str,
    ) -> Option<Self> {
        date.is_possible().then_some(Self { date, start, end, spoken, needs_cue: false, recognizer })
    }
}
