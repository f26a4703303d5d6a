use super::Kind;

/// Everything masker knows about one built-in kind. The examples and near misses run as tests.
#[derive(Debug)]
pub struct KindSpec {
    /// The kind described.
    pub kind: Kind,
    /// The identifier's letter in 45 CFR 164.514(b)(2)(i), `-` for none.
    pub letter: char,
    /// What it is, for people: "telephone numbers".
    pub title: &'static str,
    /// Written shapes, found wherever they stand.
    pub patterns: &'static [Pattern],
    /// Written shapes that count only as the value after a label cue: "password: …".
    pub labelled: &'static [Pattern],
    /// Shapes of numbers and codes, written or spoken, in compact form: "4155550142".
    pub codes: &'static [CodeShape],
    /// Words around a value that speak for or against the kind.
    pub cues: &'static [Cue],
    /// Texts with the parts that must be found as this kind.
    pub examples: &'static [Example],
    /// Texts in which nothing may be found as this kind.
    pub near_misses: &'static [&'static str],
}

/// One text with the parts in it that are of a kind, in order.
#[derive(Debug)]
pub struct Example {
    /// The text.
    pub text: &'static str,
    /// The parts, each as it stands in the text.
    pub found: &'static [&'static str],
}

/// A regular expression over the normal view, which is lower case with folded digits and dashes.
///
/// Write it in lower case with ASCII classes (`[0-9]`, not `\d`), without look-around, anchors or captures. The match
/// must stand alone: a letter or digit directly before or after it rejects it.
#[derive(Debug)]
pub struct Pattern {
    /// The recogniser's name in events: lower snake case, unique.
    pub name: &'static str,
    /// The expression.
    pub regex: &'static str,
    /// Score without any cue; below 0.4 it is dropped unless a cue or a check raises it.
    pub score: f32,
    /// Judges the matched text as it stands in the normal view.
    pub check: fn(&str) -> Verdict,
    /// What a cue of the kind does for it.
    pub cue: CueNeed,
}

/// The shape of a number or code in compact form: upper case letters and digits only, whatever stood between them in the
/// text ("4 1 5 - 5 5 5…", "four one five, five five five…").
#[derive(Debug)]
pub struct CodeShape {
    /// The recogniser's name in events: lower snake case, unique.
    pub name: &'static str,
    /// How many characters it has, least and most.
    pub length: (u8, u8),
    /// Where letters may stand.
    pub letters: Letters,
    /// Score without any cue.
    pub score: f32,
    /// Judges the compact form.
    pub check: fn(&str) -> Verdict,
    /// What a cue of the kind does for it.
    pub cue: CueNeed,
}

/// Where letters may stand in a code. A code always has at least one digit.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Letters {
    /// Digits only.
    None,
    /// Anywhere.
    Anywhere,
}

/// What a validator says of a candidate.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Verdict {
    /// Cannot be the kind; dropped.
    Reject,
    /// The shape fits and there is nothing to compute.
    Plausible,
    /// A check digit or an exact grammar confirms it.
    Valid,
}

/// What a cue of the kind near a candidate does for it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum CueNeed {
    /// Found without a cue; a cue raises the score.
    Raises,
    /// Found only with a cue.
    Required,
}

/// A word or phrase, in lower case and single spaces, matched as whole words.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Cue {
    /// Names the value that follows it: "medical record number", "my social is".
    Label(&'static str),
    /// Names the value that follows it where it is the name of a field, and says nothing else: `"family": …`, `<family>…`.
    Key(&'static str),
    /// Names the value that stands before it: "… is my social".
    After(&'static str),
    /// Makes the kind likelier within a few words on either side.
    Hint(&'static str),
    /// Says that a number near it is something else: "order number" for a phone.
    Against(&'static str),
}

/// Writes a list of cues by role. `numbered` stems stand for "stem number", "stem no", "stem id" and "stem i d".
macro_rules! cues {
    (
        $(numbered: [$($stem:literal),* $(,)?],)?
        $(label: [$($label:literal),* $(,)?],)?
        $(after: [$($after:literal),* $(,)?],)?
        $(hint: [$($hint:literal),* $(,)?],)?
        $(against: [$($against:literal),* $(,)?],)?
    ) => {
        &[
            $($(
                Cue::Label(concat!($stem, " number")),
                Cue::Label(concat!($stem, " no")),
                Cue::Label(concat!($stem, " id")),
                Cue::Label(concat!($stem, " i d")),
            )*)?
            $($(Cue::Label($label),)*)?
            $($(Cue::After($after),)*)?
            $($(Cue::Hint($hint),)*)?
            $($(Cue::Against($against),)*)?
        ]
    };
}
pub(super) use cues;

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use regex::Regex;

    use super::*;
    use crate::kinds::specs;

    fn whole(pattern: &Pattern) -> Regex {
        Regex::new(&format!("^(?:{})$", pattern.regex)).unwrap_or_else(|e| panic!("{}: {e}", pattern.name))
    }

    fn recognizers() -> impl Iterator<Item = (&'static KindSpec, &'static str, f32)> {
        specs().flat_map(|spec| {
            let patterns = spec.patterns.iter().chain(spec.labelled).map(|p| (p.name, p.score));
            let codes = spec.codes.iter().map(|c| (c.name, c.score));
            patterns.chain(codes).map(move |(name, score)| (spec, name, score))
        })
    }

    #[test]
    fn recognizer_names_are_unique_snake_case() {
        let mut seen = HashSet::new();
        for (spec, name, score) in recognizers() {
            assert!(seen.insert(name), "{name} twice, the second time in {}", spec.kind);
            assert!(
                name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_'),
                "{name}"
            );
            assert!((0.0..=1.0).contains(&score), "{name}");
        }
    }

    #[test]
    fn expressions_compile_and_keep_to_the_dialect() {
        for spec in specs() {
            for pattern in spec.patterns.iter().chain(spec.labelled) {
                let hir = regex_automata::util::syntax::parse(pattern.regex)
                    .unwrap_or_else(|e| panic!("{}: {e}", pattern.name));
                let properties = hir.properties();
                assert_eq!(properties.explicit_captures_len(), 0, "{} captures", pattern.name);
                assert!(properties.look_set().is_empty(), "{} has anchors", pattern.name);
                assert!(properties.minimum_len() > Some(0), "{} matches nothing at all", pattern.name);
                assert!(
                    !pattern.regex.bytes().any(|b| b.is_ascii_uppercase()),
                    "{} has capitals",
                    pattern.name
                );
            }
        }
    }

    #[test]
    fn free_standing_patterns_build_as_one_expression() {
        let expressions: Vec<&str> = specs().flat_map(|s| s.patterns).map(|p| p.regex).collect();
        let regex = regex_automata::meta::Regex::new_many(&expressions).unwrap();
        assert_eq!(regex.pattern_len(), expressions.len());
        assert!(regex.memory_usage() < 4 << 20, "{} bytes", regex.memory_usage());
    }

    #[test]
    fn code_lengths_are_ordered() {
        for code in specs().flat_map(|s| s.codes) {
            assert!(code.length.0 > 0 && code.length.0 <= code.length.1, "{}", code.name);
        }
    }

    #[test]
    fn written_examples_fit_a_shape_of_their_kind() {
        for spec in specs() {
            for example in spec.examples {
                let mut rest = example.text;
                for &found in example.found {
                    let at = rest
                        .find(found)
                        .unwrap_or_else(|| panic!("{}: {found:?} not in {rest:?}", spec.kind));
                    rest = &rest[at + found.len()..];
                    let lower = found.to_lowercase();
                    let compact: String = found
                        .chars()
                        .filter(char::is_ascii_alphanumeric)
                        .map(|c| c.to_ascii_uppercase())
                        .collect();
                    let shapes = spec.patterns.iter().chain(spec.labelled);
                    // Rules of their own find places.
                    let expected = spec.kind != Kind::Address
                        && shapes.clone().count() + spec.codes.len() > 0
                        // Spoken values are shaped by the pass that turns words into digits.
                        && found.bytes().any(|b| b.is_ascii_digit());
                    let fits = shapes
                        .into_iter()
                        .any(|p| whole(p).is_match(&lower) && (p.check)(&lower) != Verdict::Reject)
                        || spec.codes.iter().any(|c| {
                            (usize::from(c.length.0)..=usize::from(c.length.1)).contains(&compact.len())
                                && (c.letters == Letters::Anywhere
                                    || compact.bytes().all(|b| b.is_ascii_digit()))
                                && (c.check)(&compact) != Verdict::Reject
                        });
                    assert!(fits || !expected, "{}: no shape for {found:?}", spec.kind);
                }
            }
        }
    }

    #[test]
    fn cues_are_plain_phrases_without_repeats() {
        for spec in specs() {
            let mut seen = HashSet::new();
            for cue in spec.cues {
                let (Cue::Label(phrase)
                | Cue::Key(phrase)
                | Cue::After(phrase)
                | Cue::Hint(phrase)
                | Cue::Against(phrase)) = *cue;
                let role = std::mem::discriminant(cue);
                assert!(seen.insert((role, phrase)), "{}: {cue:?} twice", spec.kind);
                assert!(!phrase.is_empty() && phrase.split(' ').all(|word| !word.is_empty()), "{cue:?}");
                let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b' ' || b == b'\'';
                assert!(phrase.bytes().all(plain), "{cue:?}");
            }
        }
    }
}
