/// A text that is one thing over and over. A linear detector spends about the time of prose on every byte of it.
#[derive(Clone, Copy, Debug)]
pub struct Worst {
    /// Name in reports.
    pub name: &'static str,
    filling: Filling,
}

#[derive(Clone, Copy, Debug)]
enum Filling {
    Repeated(&'static str),
    /// Letters and digits of base64 in no order, without a break.
    Base64,
}

const fn repeated(pattern: &'static str) -> Worst {
    Worst { name: pattern, filling: Filling::Repeated(pattern) }
}

const fn named(name: &'static str, pattern: &'static str) -> Worst {
    Worst { name, filling: Filling::Repeated(pattern) }
}

/// What turned other detectors quadratic, and what could turn this one: anchors of every pass without what must follow them.
pub const WORST: &[Worst] = &[
    repeated("1"),
    repeated("1-"),
    repeated("1."),
    repeated("1 "),
    repeated("a@a."),
    repeated("ab:"),
    repeated("http://"),
    repeated("(((("),
    repeated("a"),
    repeated("Aa "),
    named("spaces", " "),
    named("newlines", "\n"),
    repeated("my name is "),
    Worst { name: "base64", filling: Filling::Base64 },
    repeated("one two three "),
    named("emoji", "\u{1f642}"),
    named("NUL", "\0"),
    repeated("9,"),
    repeated("a."),
    repeated("a@"),
    repeated("www."),
    repeated("()"),
    repeated("-"),
    repeated("+1"),
    repeated(":"),
    repeated("/"),
    repeated("%40"),
    named("zero width", "\u{200b}"),
    named("full width", "\u{ff11}"),
    repeated("one "),
    repeated("oh "),
    repeated("double "),
    repeated("at "),
    repeated("dot "),
    repeated("mary "),
    repeated("Mary "),
    repeated("dr "),
    repeated("may "),
    repeated("st. "),
    repeated("[PHONE_"),
    repeated("MSKV1."),
    repeated("MSK1.A.B."),
];

impl Worst {
    /// A text of about this many bytes, never more.
    pub fn text(&self, bytes: usize) -> String {
        match self.filling {
            Filling::Repeated(pattern) => pattern.repeat(bytes / pattern.len()),
            Filling::Base64 => base64(bytes),
        }
    }
}

fn base64(bytes: usize) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut state = 1_u64;
    (0..bytes)
        .map(|_| {
            // Knuth's MMIX generator: the same text everywhere.
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            char::from(ALPHABET[(state >> 58) as usize])
        })
        .collect()
}
