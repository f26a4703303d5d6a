//! Random texts, the same on every machine for the same seed.
#![allow(dead_code, reason = "every test binary uses a part of it")]

/// xorshift64: enough to vary test data.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) as usize % limit
    }

    pub(crate) fn pick<'a, T>(&mut self, items: &'a [T]) -> &'a T {
        &items[self.below(items.len())]
    }

    pub(crate) fn one_in(&mut self, times: usize) -> bool {
        self.below(times) == 0
    }

    /// A few characters of one script, or of what breaks programs.
    pub(crate) fn noise(&mut self) -> String {
        const RANGES: &[(u32, u32)] = &[
            (0x20, 0x7e),
            (0x20, 0x7e),
            (0x61, 0x7a),
            (0x30, 0x39),
            (0x00, 0x1f),
            (0xa0, 0x24f),
            (0x300, 0x36f),
            (0x370, 0x3ff),
            (0x400, 0x4ff),
            (0x5d0, 0x5ea),
            (0x620, 0x669),
            (0x900, 0x96f),
            (0x2000, 0x206f),
            (0x3000, 0x30ff),
            (0x4e00, 0x4fff),
            (0xfe00, 0xfe0f),
            (0xff01, 0xff5e),
            (0x1f300, 0x1f64f),
            (0x1d7ce, 0x1d7ff),
            (0xe000, 0xe0ff),
        ];
        let (low, high) = *self.pick(RANGES);
        let length = 1 + self.below(6);
        (0..length)
            .filter_map(|_| char::from_u32(low + self.below((high - low + 1) as usize) as u32))
            .collect()
    }

    /// An alias or another text in brackets, written as models do: in another case, with other brackets and joints.
    pub(crate) fn garbled(&mut self, alias: &str) -> String {
        let word = alias.trim_matches(['[', ']']);
        let word = match self.below(4) {
            0 => word.to_ascii_lowercase(),
            _ => word.to_owned(),
        };
        let joint = *self.pick(&["_", "_", "_", " ", "-", "\\_", "\u{a0}", "\n", "_\u{ad}", "__", ""]);
        let word = word.replace('_', joint);
        let (open, close) = *self.pick(&[
            ("[", "]"),
            ("[", "]"),
            ("[[", "]]"),
            ("\\[", "\\]"),
            ("\u{ff3b}", "\u{ff3d}"),
            ("\u{3010}", "\u{3011}"),
            ("**", "**"),
            ("`", "`"),
            ("<", ">"),
            ("{{", "}}"),
            ("", ""),
            ("[", ""),
            ("[ ", " ]"),
            ("(", ")"),
        ]);
        let ending = *self.pick(&["", "", "", "'s", "\u{2019}s", ".", ".csv", "(", "\u{2026}"]);
        format!("{open}{word}{close}{ending}")
    }
}

/// A text cut every `step` characters, or at random where it is 0.
pub(crate) fn parts<'t>(text: &'t str, step: usize, random: &mut Random) -> Vec<&'t str> {
    let mut parts = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let length = if step == 0 { random.below(40) * (1 + 6 * random.below(2)) } else { step };
        let end = rest.char_indices().nth(length).map_or(rest.len(), |(at, _)| at);
        let (part, after) = rest.split_at(end);
        parts.push(part);
        rest = after;
    }
    parts
}

/// How many random cases to run: `MASKER_RANDOM_CHATS`, or else as many as given.
pub(crate) fn cases(usual: usize) -> usize {
    std::env::var("MASKER_RANDOM_CHATS").ok().and_then(|cases| cases.parse().ok()).unwrap_or(usual)
}

/// Where the random cases begin: `MASKER_RANDOM_SEED`, or else at the number given.
pub(crate) fn seed(usual: u64) -> Random {
    let seed = std::env::var("MASKER_RANDOM_SEED").ok().and_then(|seed| seed.parse().ok());
    Random(seed.map_or(usual, |seed: u64| seed ^ usual).max(1))
}
