//! What the lists say of a word besides that it is a name.

use crate::detect::document::Document;
use crate::lexicon::Entry;
use crate::view::Shape;

/// Whether a strong cue raises the odds of a word in small letters.
pub(super) fn may_be_raised(entry: Entry) -> bool {
    entry.given_name() >= 4 || entry.family_name() >= 5
}

/// "nephrology", "podiatry", "sialadenitis": no person is called so, whether a list has the word or not.
pub(super) fn has_medical_ending(word: &str) -> bool {
    const ENDINGS: [&str; 13] = [
        "algia", "ectomy", "graphy", "iatrist", "iatry", "metry", "ologist", "ology", "oscopy", "pathy",
        "plasty", "therapy", "uria",
    ];
    word.len() > 6 && ENDINGS.iter().any(|ending| word.ends_with(ending))
        // Families may be called "Politis".
        || word.len() > 9 && word.ends_with("itis")
}

/// Whether a word in small letters is an ordinary word unless something before it tells a name.
pub(super) fn is_plain(entry: Entry) -> bool {
    let listed = entry.given_name() | entry.family_name() != 0;
    if listed { entry.not_name() >= 6 } else { entry.common() > 0 }
}

/// "i'm", "we've", "n't": never a name. "O'Brien" and "D'Angelo" are.
pub(super) fn is_contraction(text: &str) -> bool {
    text.rsplit_once('\'').is_some_and(|(before, after)| {
        matches!(after, "m" | "ve" | "ll" | "d" | "re" | "t")
            || matches!(before, "i" | "it" | "that" | "he" | "she")
    })
}

pub(super) fn is_suffix(text: &str) -> bool {
    matches!(text, "jr" | "sr" | "ii" | "iii" | "iv" | "junior" | "senior")
}

/// Whether a word is in no list of names, and seldom said.
pub(super) fn is_rare_word(entry: Entry) -> bool {
    entry.common() <= 2 && entry.medical() == 0 && entry.not_name() == 0 && entry.institution() == 0
}

/// Whether a family name is so much more often a plain word that even behind a given name it is one.
pub(super) fn is_mostly_a_word(entry: Entry) -> bool {
    entry.common() > if entry.family_name() >= 5 { 6 } else { 5 }
}

/// Whether a word is the name of families and nothing else.
pub(super) fn is_family_name_alone(document: &Document<'_>, at: usize) -> bool {
    document.entry(at).family_name() > 0 && is_only_a_name(document, at)
}

/// Whether a word is a given name and nothing else, but perhaps a family name.
pub(super) fn is_given_name_alone(document: &Document<'_>, at: usize) -> bool {
    document.entry(at).given_name() > 0 && is_only_a_name(document, at)
}

/// Whether a word is seldom said but as a given name.
pub(super) fn is_mostly_a_given_name(entry: Entry) -> bool {
    entry.given_name() >= 4 && entry.not_name() <= 3 && entry.common() <= 3 && entry.medical() == 0
}

/// Whether a word is known as no word of the language, of medicine, or of places and institutions.
fn is_only_a_name(document: &Document<'_>, at: usize) -> bool {
    let entry = document.entry(at);
    entry.not_name() == 0
        && entry.common() == 0
        && entry.medical() == 0
        && entry.town() <= 1
        && entry.institution() == 0
        && document.words[at].shape == Shape::Letters
}
