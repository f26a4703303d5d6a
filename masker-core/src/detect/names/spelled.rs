//! Names that are spelled letter by letter.

use super::before::nearest_label;
use super::odds::candidate;
use crate::detect::Pass;
use crate::detect::candidate::Candidate;
use crate::detect::context::Context;
use crate::detect::cues::CueHit;
use crate::detect::document::Document;
use crate::view::{Case, CodeRun, Shape, hash_word};
use crate::{Kind, lexicon};

/// A word that is spelled out letter by letter.
pub(super) struct Spelled {
    pub(super) start: usize,
    pub(super) end: usize,
    pub(super) letters: usize,
    /// A word says which letter is meant: "k as in kite".
    pub(super) explained: bool,
    pub(super) word: String,
    pub(super) hash: crate::view::WordHash,
}

pub(super) fn spelled_runs(document: &Document<'_>, runs: &[CodeRun]) -> Vec<Spelled> {
    runs.iter()
        .filter(|run| run.pieces.len() >= 2 && run.digits() == 0)
        .filter(|run| run.words.len() >= 2 || run.pieces.iter().any(|piece| piece.word_end - piece.word > 1))
        .map(|run| {
            let compact = run.compact().to_ascii_lowercase();
            Spelled {
                start: run.words.start,
                end: run.pieces.last().map_or(run.words.end, |piece| piece.word_end as usize),
                letters: run.pieces.len(),
                explained: run.pieces.iter().any(|piece| piece.word_end - piece.word > 2),
                hash: hash_word(compact.as_bytes()),
                word: compact,
            }
        })
        .inspect(|run| debug_assert!(run.end <= document.len()))
        .collect()
}

pub(super) fn judge_spelled(
    document: &Document<'_>,
    cues: &[CueHit],
    context: &mut Context,
    run: &Spelled,
    out: &mut Vec<Candidate>,
) {
    if let Some(score) = spelled_score(document, cues, context, run) {
        if document.is_settled(run.start) {
            context.learn_name(run.hash, &run.word);
        }
        out.push(Candidate {
            pass: Pass::Spoken,
            ..candidate(document, run.start, run.end, score, "name_spelled")
        });
    }
}

/// How surely letters that are spelled are a name.
fn spelled_score(document: &Document<'_>, cues: &[CueHit], context: &Context, run: &Spelled) -> Option<f32> {
    let from = run.start.saturating_sub(6);
    let repeats = (from..run.start)
        .rev()
        .take_while(|&at| document.same_turn(at, run.start))
        .any(|at| document.words[at].shape == Shape::Letters && document.hash(at) == run.hash);
    if repeats {
        return Some(4.0);
    }
    if context.knows_name(run.hash) && run.letters >= 3 {
        return Some(4.0);
    }
    let entry = lexicon::lookup(run.hash);
    let known = entry.given_name() > 0 || entry.family_name() > 0;
    let label = nearest_label(document, cues, run.start, 6);
    let named = matches!(label, Some(Kind::Name));
    let other = label.is_some() && !named;
    let announced = (1..=3).any(|back| {
        run.start.checked_sub(back).filter(|&at| document.same_turn(at, run.start)).is_some_and(|at| {
            matches!(document.stem(at), "spelled" | "spell" | "spelling" | "spells")
                || is_possible_name(document, at)
        })
    });
    if other {
        return None;
    }
    // "spelled with a W"
    let article =
        run.letters == 2 && document.words[run.start].case == Case::Lower && document.stem(run.start) == "a";
    if named && run.letters >= 2 && !article {
        return Some(3.5);
    }
    if announced && run.letters >= 3 {
        return Some(3.0);
    }
    // What is no person's is spelled too: "m e t o p r o l o l".
    let answers = context.answered(document, run.start).map(|(kind, _)| &Kind::BUILT_IN[usize::from(kind)]);
    let spells = match answers {
        Some(kind) => *kind == Kind::Name && run.letters >= 3,
        None => run.explained && run.letters >= 4,
    };
    if spells && (known || entry.medical() == 0) {
        return Some(2.5);
    }
    let long = run.letters >= SURELY_SPELLED && entry.medical() == 0 && entry.common() == 0;
    (known && run.letters >= 4 || long && can_be_said(&run.word)).then_some(2.0)
}

/// How many letters said one by one are no abbreviation.
const SURELY_SPELLED: usize = 7;

/// Whether letters have vowels enough for a word: not "i b c l f s x" or "a b c d e f g".
fn can_be_said(letters: &str) -> bool {
    let vowels = letters.bytes().filter(|letter| b"aeiouy".contains(letter)).count();
    3 * vowels >= letters.len() && !letters.starts_with("abc")
}

fn is_possible_name(document: &Document<'_>, at: usize) -> bool {
    let entry = document.entry(at);
    let word = &document.words[at];
    let unknown = entry == lexicon::Entry::default() && word.shape == Shape::Letters && word.len() > 3;
    (entry.given_name().max(entry.family_name()) > 0 && entry.not_name() < 5) || unknown
}
