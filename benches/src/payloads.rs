use masker_core::Masker;

/// One text with what must be found in it.
#[derive(Clone, Copy, Debug)]
pub struct Payload {
    /// Name in reports.
    pub name: &'static str,
    /// The text: pieces with an empty line between them.
    pub text: &'static str,
    /// How many findings its pieces have under `healthcare-default`.
    pub findings: usize,
}

/// A caller's turn of about 200 bytes: a name, a birth date and a telephone number, all spoken.
pub const UTTERANCE: Payload =
    Payload { name: "utterance", text: include_str!("../payloads/utterance.txt"), findings: 3 };

/// A long turn of about 2 KB: who is calling and his doctor, fax, member number, birth date, telephone, e-mail, address, a month,
/// among doses and readings that stay.
pub const TURN: Payload = Payload { name: "turn", text: include_str!("../payloads/turn.txt"), findings: 9 };

/// Prose, clinical notes, dialogue and dictation in 54 pieces of about 1 KB, with nothing to find.
pub const CLEAN: Payload =
    Payload { name: "clean", text: include_str!("../payloads/clean.txt"), findings: 0 };

/// [`CLEAN`], and sixteen pieces of the same sorts with a few findings each: 72 KB of what a service reads all day.
pub const PROSE: Payload = Payload {
    name: "prose",
    text: concat!(include_str!("../payloads/clean.txt"), "\n", include_str!("../payloads/notes.txt")),
    findings: 37,
};

/// Forms and lists in six pieces of about 1 KB, where every other word is PHI.
pub const DENSE: Payload =
    Payload { name: "dense", text: include_str!("../payloads/dense.txt"), findings: 204 };

/// Calls as a speech recogniser writes them, in six pieces of about 1 KB: lower case, no punctuation, numbers in words.
pub const TRANSCRIPT: Payload =
    Payload { name: "transcript", text: include_str!("../payloads/transcript.txt"), findings: 36 };

/// A chat completion request of 2 KB with thirteen messages, a tool call and its result. The findings are those of `mask_chat`.
pub const CHAT: Payload = Payload { name: "chat", text: include_str!("../payloads/chat.json"), findings: 13 };

/// The payloads of plain text.
pub const TEXTS: &[Payload] = &[UTTERANCE, TURN, CLEAN, PROSE, DENSE, TRANSCRIPT];

impl Payload {
    /// The texts that are looked at one by one.
    pub fn pieces(&self) -> Vec<&'static str> {
        self.text.trim_end().split("\n\n").collect()
    }

    /// Fails unless the payload has its findings, so that nobody times a broken detector.
    ///
    /// # Panics
    ///
    /// When the number differs.
    pub fn check(&self, masker: &Masker) {
        let findings: usize = if self.name == CHAT.name {
            masker.mask_chat(self.text).expect("a chat is no error").redaction_count()
        } else {
            let count = |piece: &&str| masker.detect(piece).expect("text alone is no error").len();
            self.pieces().iter().map(count).sum()
        };
        assert_eq!(findings, self.findings, "findings in {}", self.name);
    }
}
