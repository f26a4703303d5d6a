use std::cell::Cell;
use std::ops::{Deref, RangeInclusive};
use std::sync::LazyLock;

use super::Pass;
use super::candidate::{Candidate, FLOOR, LABELLED};
use super::context::Context;
use super::cues::{CueHit, Role};
use super::document::{Document, Token};
use super::patterns::support;
use super::starts::Flags;
use crate::Kind;
use crate::kinds::{self, CodeShape, CueNeed, Letters, Verdict};
use crate::view::{Class, CodePiece, CodeRun, Gap, Shape, read_code};

/// The longest code that shapes are tried on; no identifier is longer.
const LONGEST: usize = 40;
/// How far before a code its label may stand, in words.
const REACH: usize = 9;
/// The shortest code of any kind.
const SHORTEST: usize = 3;

/// The codes of a document, in order and disjoint.
///
/// Their memory is used for the next document on the same thread.
#[derive(Debug)]
pub(crate) struct CodeRuns {
    /// The codes, and behind them what is kept for more.
    runs: Vec<CodeRun>,
    count: usize,
}

thread_local! {
    static SPARE: Cell<Vec<CodeRun>> = const { Cell::new(Vec::new()) };
}

impl CodeRuns {
    pub(crate) fn of(document: &Document<'_>) -> Self {
        let mut runs = SPARE.take();
        let (mut count, mut from) = (0, 0);
        for at in document.starts.of(Flags::CODE) {
            if at < from || is_article(document, at) {
                continue;
            }
            if runs.len() == count {
                runs.push(CodeRun::default());
            }
            let run = &mut runs[count];
            if read_code(&document.view, &document.words, at, run) {
                from = run.words.end;
                count += 1;
            }
        }
        Self { runs, count }
    }
}

impl Deref for CodeRuns {
    type Target = [CodeRun];

    fn deref(&self) -> &[CodeRun] {
        &self.runs[..self.count]
    }
}

impl Drop for CodeRuns {
    fn drop(&mut self) {
        /// What a piece of a text needs; what a text full of codes took is given back to the system.
        const MOST: usize = 64;
        if self.runs.len() <= MOST && self.runs.iter().all(|run| run.pieces.capacity() <= MOST) {
            SPARE.set(std::mem::take(&mut self.runs));
        }
    }
}

/// Whether "a" or "i" is a word of the sentence: neither a code nor an explanation of the letter follows.
fn is_article(document: &Document<'_>, at: usize) -> bool {
    let beside = Gap::SPACE.with(Gap::HYPHEN).with(Gap::COMMA).with(Gap::STOP);
    let word = &document.words[at];
    let plain = |next: &Token| {
        let apart = !next.gap.only(beside);
        let ordinary = next.shape == Shape::Letters && document.class(at + 1) == Class::None;
        (apart || ordinary)
            && next.gap != Gap::HYPHEN
            && !matches!(document.stem(at + 1), "as" | "for" | "like")
    };
    word.len() == 1
        && matches!(document.stem(at), "a" | "i")
        && word.gap != Gap::HYPHEN
        && document.words.get(at + 1).is_none_or(plain)
}

/// The shapes that need no cue, by the length of the code.
static RAISED: LazyLock<[Vec<(u8, &'static CodeShape)>; LONGEST + 1]> = LazyLock::new(|| {
    let shapes = (0_u8..)
        .zip(Kind::BUILT_IN)
        .flat_map(|(index, kind)| kinds::spec(kind).codes.iter().map(move |shape| (index, shape)));
    let raised: Vec<_> = shapes.filter(|(_, shape)| shape.cue == CueNeed::Raises).collect();
    std::array::from_fn(|length| {
        let fits = |shape: &CodeShape| (shape.length.0..=shape.length.1).contains(&(length as u8));
        raised.iter().copied().filter(|(_, shape)| fits(shape)).collect()
    })
});

/// Whether a code of this length may be found without a cue.
fn may_stand_alone(length: usize) -> bool {
    // An SSN in its groups, ten digits that are said.
    matches!(length, 9 | 10) || !RAISED[length].is_empty()
}

/// The label that governs a code.
#[derive(Clone, Copy, Debug)]
struct Label {
    kind: u8,
    /// Words between it and the code.
    distance: usize,
    /// Asked in an earlier turn.
    asked: bool,
}

/// Judges every code by its label, or by its shape alone.
pub(crate) fn find(
    document: &Document<'_>,
    cues: &[CueHit],
    runs: &[CodeRun],
    context: &mut Context,
    strict_numbers: bool,
    out: &mut Vec<Candidate>,
) {
    // The label of the code before, with the index of the word after that code: several codes in a row share a label.
    let mut carried: Option<(Label, usize)> = None;
    // Where the secret before stood.
    let mut secret: Option<usize> = None;
    // No code is made of letters alone.
    for run in runs.iter().filter(|run| run.has_digit()) {
        if is_too_short(document, run, context) {
            continue;
        }
        let trimmed = without_label(cues, run);
        let run = trimmed.as_ref().unwrap_or(run);
        let is_secret =
            |label: &Label| matches!(Kind::BUILT_IN[label.kind as usize], Kind::Password | Kind::Username);
        // A secret is one word; what comes after it is something else.
        let label = label_of(document, cues, run, context, carried).filter(|label| {
            !is_secret(label) || secret.is_none_or(|at| run.words.start - label.distance > at)
        });
        let longer = label.and_then(|label| with_first_letter(document, run, label));
        let run = longer.as_ref().unwrap_or(run);
        let first = out.len();
        let found = extends_phone(document, run, out)
            || judge_area_code(document, run, out)
            || judge_run(document, cues, run, label, context, out)
            || judge_known(document, run, context, out)
            || label.is_none() && judge_said(document, run, out);
        if !out.is_empty() && document.is_settled(run.words.start) {
            learn(document, run, &out[..], first, context);
        }
        if let Some(label) = label {
            if found && is_secret(&label) {
                secret = Some(run.words.start);
            } else if found {
                carried = Some((label, run.words.end));
            }
        }
        if !found && strict_numbers && label.is_none() && run.digits() >= 6 && !is_amount(document, run) {
            out.push(candidate(document, run, 0, run.pieces.len(), Kind::Id, "strict_number", 0.5, false));
        }
    }
}

/// Whether a run is shorter than every code, and neither an extension nor all that somebody answers.
fn is_too_short(document: &Document<'_>, run: &CodeRun, context: &Context) -> bool {
    let start = run.words.start;
    let answers = || run.pieces.len() > 1 && context.is_number_turn(start);
    let extends = || start > 0 && document.class(start - 1) == Class::Extension;
    run.pieces.len() < SHORTEST && !answers() && !extends()
}

/// "… oh one seven five extension three two": the rest of the telephone number that was found last.
fn extends_phone(document: &Document<'_>, run: &CodeRun, out: &mut Vec<Candidate>) -> bool {
    let Some(before) = run.words.start.checked_sub(1) else { return false };
    if document.class(before) != Class::Extension || before == 0 || run.digits() != run.pieces.len() {
        return false;
    }
    let end = document.span(before - 1, before).end;
    let phone = out
        .iter()
        .rev()
        .take(4)
        .find(|found| matches!(found.kind, Kind::Phone | Kind::Fax) && found.span.end == end)
        .map(|found| found.kind.clone());
    if let Some(kind) = phone.filter(|_| run.pieces.len() <= 6) {
        out.push(candidate(document, run, 0, run.pieces.len(), kind, "phone_extension", 0.8, false));
        return true;
    }
    false
}

/// "area code two one two", "my area code is 415", "the nine one seven area code", and the rest of such a number before it.
fn judge_area_code(document: &Document<'_>, run: &CodeRun, out: &mut Vec<Candidate>) -> bool {
    let length = run.pieces.len();
    if !matches!(length, 3 | 7) || run.digits() != length {
        return false;
    }
    let named = |at: usize| document.stem(at) == "area" && document.stem(at + 1) == "code";
    let start = run.words.start;
    let linked = start > 0 && matches!(document.stem(start - 1), "is" | "was" | "it's" | "of");
    let before = length == 3
        && start.checked_sub(2 + usize::from(linked)).is_some_and(named)
        && document.same_turn(start - 2, start);
    let after = named(run.words.end) && document.same_sentence(start, run.words.end);
    if before || after {
        out.push(candidate(document, run, 0, length, Kind::Phone, "area_code", 0.7, false));
    }
    before || after
}

/// A number that was found before needs no label, however it is said now.
fn judge_known(document: &Document<'_>, run: &CodeRun, context: &Context, out: &mut Vec<Candidate>) -> bool {
    if !context.knows_anything() || run.pieces.len() > LONGEST || is_amount(document, run) {
        return false;
    }
    let Some(kind) = context.known_number(&run.compact()) else { return false };
    let kind = Kind::BUILT_IN[usize::from(kind)].clone();
    out.push(candidate(document, run, 0, run.pieces.len(), kind, "number_known", 0.85, false));
    true
}

/// A number that is said digit by digit: amounts and measures are not, and a count goes up or down.
fn judge_said(document: &Document<'_>, run: &CodeRun, out: &mut Vec<Candidate>) -> bool {
    /// Seven digits are a telephone number; what is longer than the longest of these is no identifier.
    const LENGTHS: RangeInclusive<usize> = 7..=16;
    let pieces = &run.pieces;
    let digit = |piece: &CodePiece| {
        piece.spoken
            && matches!(document.class(piece.word as usize), Class::Digit | Class::Oh | Class::Repeat)
            && piece.char.is_ascii_digit()
    };
    let steps = |by: i16| pieces.windows(2).all(|two| i16::from(two[1].char) - i16::from(two[0].char) == by);
    let said = LENGTHS.contains(&pieces.len()) && !run.amount && !run.broken && pieces.iter().all(digit);
    if !said || (-1..=1).any(steps) {
        return false;
    }
    out.push(candidate(document, run, 0, pieces.len(), Kind::Id, "digits_said", 0.6, false));
    true
}

/// Learns the run, if candidates cover it: those from `first` on, or one that a written shape found before.
fn learn(document: &Document<'_>, run: &CodeRun, found: &[Candidate], first: usize, context: &mut Context) {
    let (Some(begin), Some(end)) = (run.pieces.first(), run.pieces.last()) else { return };
    if run.pieces.len() > LONGEST {
        return;
    }
    let span = document.span(begin.word as usize, end.word_end as usize);
    let holds = |candidate: &&Candidate| candidate.span.start <= span.start && span.end <= candidate.span.end;
    let by_cue = found[first..].iter().find(holds);
    let by_shape = || {
        let written = found[..first].iter().filter(|candidate| candidate.pass == Pass::Regex);
        written.filter(holds).max_by(|a, b| a.score.total_cmp(&b.score))
    };
    let Some(candidate) = by_cue.or_else(by_shape) else { return };
    let kind = Kind::BUILT_IN.iter().position(|kind| *kind == candidate.kind);
    if let Some(kind) = kind.filter(|_| !matches!(candidate.kind, Kind::Url | Kind::IpAddress | Kind::Email))
    {
        context.learn_number(&run.compact(), kind as u8);
    }
}

/// The run without the words of a label at its start, if it has some: "last four 0917", "r x seven seven".
pub(crate) fn without_label(cues: &[CueHit], run: &CodeRun) -> Option<CodeRun> {
    let from = cues.partition_point(|cue| cue.start + 8 < run.words.start);
    let end = cues[from..]
        .iter()
        .take_while(|cue| cue.start <= run.words.start)
        .filter(|cue| cue.role == Role::Label && cue.end > run.words.start && cue.end < run.words.end)
        .map(|cue| cue.end)
        .max()?;
    let kept = run.pieces.iter().position(|piece| piece.word as usize >= end)?;
    let mut trimmed = run.clone();
    trimmed.pieces.drain(..kept);
    trimmed.words.start = trimmed.pieces.first()?.word as usize;
    Some(trimmed)
}

/// "member id is a four b five …": the run with a first letter that is a word besides. Right behind a label no article stands before
/// so long a number.
fn with_first_letter(document: &Document<'_>, run: &CodeRun, label: Label) -> Option<CodeRun> {
    let at = run.words.start.checked_sub(1)?;
    let char = match document.stem(at) {
        "a" => b'A',
        "i" => b'I',
        _ => return None,
    };
    let linked = matches!(document.stem_before(at, 1), "is" | "was" | "it's");
    let labelled = label.distance == 1 || label.distance == 2 && linked;
    let long = run.pieces.len() >= 5 && run.is_spoken() && !is_amount(document, run);
    if !labelled || !long || document.words[at].len() > 1 || document.gap(at + 1) != Gap::SPACE {
        return None;
    }
    let mut longer = run.clone();
    longer.pieces.insert(0, CodePiece { char, word: at as u32, word_end: at as u32 + 1, spoken: true });
    longer.words.start = at;
    Some(longer)
}

fn label_of(
    document: &Document<'_>,
    cues: &[CueHit],
    run: &CodeRun,
    context: &Context,
    carried: Option<(Label, usize)>,
) -> Option<Label> {
    let start = run.words.start;
    // A cue that follows and points back: "… is my social".
    let after = cues[cues.partition_point(|cue| cue.start < run.words.end)..]
        .iter()
        .take_while(|cue| cue.start <= run.words.end + 3)
        .find(|cue| cue.role == Role::After && document.same_sentence(run.words.end - 1, cue.start));
    if let Some(cue) = after {
        return Some(Label { kind: cue.kind, distance: 0, asked: false });
    }
    let from = cues.partition_point(|cue| cue.start + REACH + 8 < start);
    let to = cues.partition_point(|cue| cue.start < start);
    let turn = context.turn_start(start);
    let nearest = cues[from..to]
        .iter()
        .filter(|cue| cue.role == Role::Label && cue.start >= turn)
        .filter(|cue| cue.end <= start && start - cue.end <= REACH)
        .max_by_key(|cue| (cue.end, std::cmp::Reverse(cue.start)));
    if let Some((label, end)) = carried.filter(|(_, end)| *end > turn) {
        let newer = nearest.is_some_and(|cue| cue.start >= end);
        if !newer
            && start - end <= 6
            && !document.gap(end).has(Gap::BARRIER)
            && document.same_turn(end, start)
        {
            return Some(Label { distance: start - end, ..label });
        }
        if nearest.is_some_and(|cue| cue.end <= end && start - end > 6) {
            return None;
        }
    }
    if let Some(cue) = nearest {
        let distance = start - cue.end;
        let questions = (cue.end..=start).any(|at| document.gap(at).has(Gap::QUESTION));
        let reach = if document.same_sentence(cue.end - 1, start) || questions { REACH } else { 4 };
        if distance <= reach && !(cue.end..=start).any(|at| document.gap(at).has(Gap::BARRIER)) {
            return Some(Label { kind: cue.kind, distance, asked: false });
        }
    }
    // The answer to a question of the turn before stands near the start of this one.
    if let Some((kind, distance)) = context.answered(document, start) {
        return Some(Label { kind, distance, asked: true });
    }
    referred(document, cues, start, turn)
}

/// "I lost my passport. The number on it was …": the thing named last is meant.
fn referred(document: &Document<'_>, cues: &[CueHit], start: usize, turn: usize) -> Option<Label> {
    /// How many words before it a thing may be named: no more than are looked at before a piece of a text.
    const MENTION: usize = 18;
    let floor = turn.max(start.saturating_sub(5));
    let refers = (floor..start).any(|at| matches!(document.stem(at), "number" | "reads" | "says"))
        && document.same_sentence(floor.max(start.saturating_sub(2)), start);
    if !refers {
        return None;
    }
    let from = cues.partition_point(|cue| cue.start + MENTION < start);
    let cue = cues[from..]
        .iter()
        .take_while(|cue| cue.start < start)
        .filter(|cue| matches!(cue.role, Role::Label | Role::Hint) && cue.start >= turn && cue.end <= start)
        .filter(|cue| {
            let kind = &Kind::BUILT_IN[cue.kind as usize];
            !matches!(kind, Kind::Password | Kind::Username | Kind::Phone | Kind::Zip | Kind::Name)
                && !kinds::spec(kind).codes.is_empty()
        })
        .max_by_key(|cue| cue.end)?;
    Some(Label { kind: cue.kind, distance: 3, asked: false })
}

fn judge_run(
    document: &Document<'_>,
    cues: &[CueHit],
    run: &CodeRun,
    label: Option<Label>,
    context: &Context,
    out: &mut Vec<Candidate>,
) -> bool {
    let first = out.len();
    let (mut found, mut left) = (false, 0);
    let mut from = 0;
    if label.is_none() && (1..=run.pieces.len().min(LONGEST)).all(|length| !may_stand_alone(length)) {
        return false;
    }
    // A run of digit words is one number; only written groups are tried apart.
    let whole = label.is_none() && run.is_spoken();
    while from < run.pieces.len() {
        let taken = longest_fit(document, cues, run, from, label, whole, out);
        if taken > from {
            found = true;
            from = taken;
        } else {
            // Nothing begins at this word: go on behind it.
            let word = run.pieces[from].word;
            from += run.pieces[from..].iter().take_while(|piece| piece.word == word).count();
            left += 1;
            if whole {
                break;
            }
        }
    }
    if let Some(label) = label
        && !kinds::spec(&Kind::BUILT_IN[label.kind as usize]).codes.is_empty()
        && !is_amount(document, run)
    {
        let number = run.is_spoken() && !run.amount && run.pieces.len() <= LONGEST;
        // "my social is five five five oh one two": what is said as one number is masked as one.
        let holds_more = out.len() == first + 1 && left >= 2 && number;
        // What a caller broke off is still part of the value.
        let broken_off = run.digits() >= 3 && run.corrected && !run.amount;
        // So is a group of digits that is all somebody answers.
        let grouped = label.asked && run.digits() >= 2 && context.is_number_turn(run.words.start);
        // "my phone is five five five oh one"
        let cut_short = number
            && label.distance <= 2
            && !run.broken
            && run.digits() >= 5
            && run.digits() == run.pieces.len();
        if holds_more || !found && (broken_off || grouped || cut_short) {
            let kind = Kind::BUILT_IN[label.kind as usize].clone();
            let score = if holds_more { LABELLED } else { 0.6 };
            out.truncate(first);
            out.push(candidate(document, run, 0, run.pieces.len(), kind, "partial_code", score, false));
            found = true;
        }
    }
    found
}

/// Tries the pieces from `from` on, the longest stretch first; gives the end of what was taken, `from` if nothing was.
fn longest_fit(
    document: &Document<'_>,
    cues: &[CueHit],
    run: &CodeRun,
    from: usize,
    label: Option<Label>,
    whole: bool,
    out: &mut Vec<Candidate>,
) -> usize {
    let pieces = &run.pieces[from..run.pieces.len().min(from + LONGEST)];
    let mut compact = [0; LONGEST];
    for (char, piece) in compact.iter_mut().zip(pieces) {
        *char = piece.char;
    }
    // A word that goes on behind the longest code does not end one.
    let cut_off = from + LONGEST < run.pieces.len();
    let ends = (1..=pieces.len())
        .rev()
        .filter(|&end| pieces.get(end).is_none_or(|next| next.word != pieces[end - 1].word))
        .skip(usize::from(cut_off))
        .take(if whole { 1 } else { LONGEST });
    for end in ends.filter(|&end| label.is_some() || may_stand_alone(end)) {
        let text = std::str::from_utf8(&compact[..end]).expect("the characters of codes are ASCII");
        if let Some(best) = best_shape(document, cues, run, from, from + end, text, label) {
            out.push(best);
            return from + end;
        }
    }
    from
}

fn best_shape(
    document: &Document<'_>,
    cues: &[CueHit],
    run: &CodeRun,
    from: usize,
    to: usize,
    text: &str,
    label: Option<Label>,
) -> Option<Candidate> {
    let (first, last) = (run.pieces[from].word as usize, run.pieces[to - 1].word_end as usize);
    if let Some(label) = label {
        let kind = &Kind::BUILT_IN[label.kind as usize];
        for shape in kinds::spec(kind).codes {
            let verdict = fits(shape, text);
            // A short number far from its label is more likely something else.
            let near = if text.len() <= 4 { label.distance <= 5 } else { true };
            let quantity =
                text.len() < 5 && (is_amount(document, run) || run.broken || document.is_bare_year(first));
            if verdict != Verdict::Reject && near && !quantity {
                let validated = verdict == Verdict::Valid;
                let base = if label.asked { 0.8 } else { LABELLED + 0.05 };
                let score = if validated { 0.98 } else { base };
                return Some(candidate(document, run, from, to, kind.clone(), shape.name, score, validated));
            }
        }
        // A card number with a digit wrong is still a number of somebody's account.
        if *kind == Kind::CreditCard
            && (12..=19).contains(&text.len())
            && text.bytes().all(|b| b.is_ascii_digit())
        {
            return Some(candidate(
                document,
                run,
                from,
                to,
                Kind::Account,
                "card_with_wrong_digit",
                0.6,
                false,
            ));
        }
    }
    if run.amount || is_amount(document, run) {
        return None;
    }
    // Ten digits said one after the other are a telephone number, whatever plan they belong to.
    let whole = from == 0 && to == run.pieces.len();
    let one_by_one = whole && is_one_by_one(document, &run.pieces);
    let said_alone =
        one_by_one || run.pieces[from..to].iter().all(|piece| piece.spoken && piece.char.is_ascii_digit());
    // In the American plan neither the area code nor the exchange begins with 0 or 1.
    let plan =
        !one_by_one || [0, 3].iter().all(|&at| text.as_bytes().get(at).is_some_and(|digit| *digit > b'1'));
    let mut best: Option<Candidate> = (said_alone && text.len() == 10 && whole && plan)
        .then(|| candidate(document, run, from, to, Kind::Phone, "phone_said", 0.5, false));
    // "five oh six, eighty one, twenty two forty": no other number is said in such groups.
    if said_alone && whole && is_said_like_ssn(document, &run.pieces) {
        best = Some(candidate(document, run, from, to, Kind::Ssn, "ssn_groups_said", 0.6, false));
    }
    for &(index, shape) in &RAISED[text.len()] {
        let verdict = fits(shape, text);
        if verdict == Verdict::Reject {
            continue;
        }
        let kind = &Kind::BUILT_IN[usize::from(index)];
        // "… 5678 90": no telephone number is written so that a short group ends it.
        if *kind == Kind::Phone && ends_in_short_group(&run.pieces[from..to]) {
            continue;
        }
        let validated = verdict == Verdict::Valid;
        let score = support(document, cues, index, first, last).score(shape.score, validated);
        if score >= FLOOR && best.as_ref().is_none_or(|b| (validated, score) > (b.validated, b.score)) {
            best = Some(candidate(document, run, from, to, kind.clone(), shape.name, score, validated));
        }
    }
    best
}

/// "4 1 5 5 5 5 0 1 9 9": whether every digit is written as a word of its own, as speech recognition does, with no pauses but
/// those between the groups of a telephone number or SSN. A list has commas.
fn is_one_by_one(document: &Document<'_>, pieces: &[CodePiece]) -> bool {
    let alone = |piece: &CodePiece| {
        let word = piece.word as usize;
        piece.word_end == piece.word + 1
            && document.words[word].shape == Shape::Digits
            && document.words[word].len() == 1
    };
    let paused = (1..pieces.len()).filter(|&at| {
        let (before, here) = (pieces[at - 1].word_end as usize, pieces[at].word as usize);
        before != here || document.gap(here) != Gap::SPACE
    });
    pieces.iter().all(alone) && paused.filter(|at| !matches!(at, 3 | 5 | 6)).count() == 0
}

/// Whether nine digits are said in groups of three, two and four with pauses between.
fn is_said_like_ssn(document: &Document<'_>, pieces: &[CodePiece]) -> bool {
    let pause = Gap::COMMA.with(Gap::HYPHEN).with(Gap::PAUSE);
    let pauses = |at: usize| {
        let (before, here) = (pieces[at - 1].word_end as usize, pieces[at].word as usize);
        (before..=here).any(|word| document.gap(word).has(pause) || document.class(word) == Class::Dash)
    };
    let apart = (1..pieces.len()).filter(|&at| pieces[at].word != pieces[at - 1].word && pauses(at));
    // "eighty-one" is one word with a hyphen in it, said as one number.
    pieces.len() == 9 && apart.eq([3, 5])
}

fn ends_in_short_group(pieces: &[CodePiece]) -> bool {
    pieces.last().is_some_and(|last| {
        !last.spoken && pieces.iter().rev().take_while(|piece| piece.word == last.word).count() < 4
    })
}

fn fits(shape: &CodeShape, text: &str) -> Verdict {
    let length = text.len() as u8;
    let letters = text.bytes().filter(u8::is_ascii_alphabetic).count();
    let (least, most) = shape.length;
    if length < least
        || length > most
        || letters == text.len()
        || (shape.letters == Letters::None && letters > 0)
    {
        return Verdict::Reject;
    }
    (shape.check)(text)
}

/// Whether the number is an amount of something: a unit follows, or a currency sign stands before it.
fn is_amount(document: &Document<'_>, run: &CodeRun) -> bool {
    let unit = document.class(run.words.end) == Class::Unit
        && document.gap(run.words.end).only(Gap::SPACE.with(Gap::HYPHEN));
    let start = document.words[run.words.start].start as usize;
    let money = document.view.text()[..start].trim_end().ends_with(['$', '€', '£']);
    run.amount || unit || money
}

#[expect(clippy::too_many_arguments, reason = "the parts of one candidate")]
fn candidate(
    document: &Document<'_>,
    run: &CodeRun,
    from: usize,
    to: usize,
    kind: Kind,
    recognizer: &'static str,
    score: f32,
    validated: bool,
) -> Candidate {
    let mut first = run.pieces[from].word as usize;
    if run.plus && from == 0 {
        first = run.words.start;
    }
    let last = run.pieces[to - 1].word_end as usize;
    let spoken = run.pieces[from..to].iter().any(|piece| piece.spoken);
    Candidate {
        kind,
        span: document.span(first, last),
        score,
        validated,
        pass: if spoken { Pass::Spoken } else { Pass::Regex },
        recognizer: recognizer.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_code_is_shorter_than_the_shortest() {
        let shapes = Kind::BUILT_IN.iter().flat_map(|kind| kinds::spec(kind).codes);
        assert_eq!(shapes.map(|shape| usize::from(shape.length.0)).min(), Some(SHORTEST));
    }
}
