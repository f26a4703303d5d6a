use super::Pass;
use super::candidate::Candidate;
use super::context::Context;
use super::document::Document;
use super::starts::Flags;
use super::vocabulary::Tags;
use crate::Kind;
use crate::view::{Class, CodeRun, Gap, Shape};

/// Ages of 90 and more (45 CFR 164.514(b)(2)(i)(C)), with the words that make them ages.
pub(crate) fn find(document: &Document<'_>, runs: &[CodeRun], context: &Context, out: &mut Vec<Candidate>) {
    for run in runs {
        if !matches!(run.pieces.len(), 2..=4) {
            continue;
        }
        let spoken = run.is_spoken();
        let mut words = run.words.clone();
        let digit = |char: u8| char.is_ascii_digit().then(|| u32::from(char - b'0'));
        let value = run.pieces.iter().try_fold(0, |value, piece| Some(value * 10 + digit(piece.char)?));
        let (Some(age), false) = (value, run.amount) else { continue };
        if document.class(words.start) == Class::Hundred {
            words.start -= 1;
        }
        let is_age =
            || is_age(document, words.start, words.end) || answers(document, context, words.start, words.end);
        if (90..=125).contains(&age) && is_age() {
            push(document, words.start, words.end, spoken, out);
        }
    }
    // "a hundred and two", "in her nineties"
    for at in document.starts.of(Flags::NUMBER) {
        let class = document.class(at);
        if class == Class::None && is_decade_of_life(document, at) {
            push(document, at, at + 1, true, out);
        }
        if matches!(class, Class::None | Class::Tens)
            && let Some(end) = celebrated_end(document, at)
        {
            push(document, at, end, true, out);
        }
        if class == Class::Hundred && at > 0 && document.stem(at - 1) == "a" {
            let mut end = at + 1;
            if document.class(end) == Class::And
                && matches!(document.class(end + 1), Class::Digit | Class::Teen | Class::Tens)
            {
                end += 2;
            } else if matches!(document.class(end), Class::Digit | Class::Teen) {
                end += 1;
            }
            if is_age(document, at - 1, end) {
                push(document, at - 1, end, true, out);
            }
        }
    }
    for at in document.starts.of(Flags::DIGITS) {
        let text = document.stem(at);
        // "92 y/o": the letters are no part of the number.
        if document.words[at].shape == Shape::Digits && matches!(text.len(), 2 | 3) {
            let age: u32 = text.parse().unwrap_or(0);
            if (90..=125).contains(&age)
                && document.gap(at + 1) == Gap::SPACE
                && document.stem(at + 1) == "y"
                && is_age(document, at, at + 1)
            {
                push(document, at, at + 1, false, out);
            }
        }
        // "93yo", "97F", "95th birthday"
        if document.words[at].shape == Shape::Mixed {
            if is_decade_of_life(document, at) {
                push(document, at, at + 1, false, out);
            }
            let age = short_age(text).or_else(|| birthday(document, at));
            if age.is_some_and(|age| (90..=125).contains(&age)) {
                push(document, at, at + 1, false, out);
            }
        }
    }
}

/// The years in "95th" before "birthday".
fn birthday(document: &Document<'_>, at: usize) -> Option<u32> {
    let age = document.before_ordinal_ending(at)?.parse().ok()?;
    (document.stem(at + 1) == "birthday").then_some(age)
}

/// The word after "ninety fifth" and "ninetieth" before "birthday".
fn celebrated_end(document: &Document<'_>, at: usize) -> Option<usize> {
    let nineties = document.class(at) == Class::Tens && document.value(at) == 90;
    let end = at + 1 + usize::from(nineties && document.class(at + 1) == Class::Ordinal);
    let told = end > at + 1 || matches!(document.stem(at), "ninetieth" | "hundredth");
    (told && document.stem(end) == "birthday").then_some(end)
}

/// The years in "34F", "7yo": an age with its unit or a sex in one word.
pub(super) fn short_age(text: &str) -> Option<u32> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (age, unit) = text.split_at(digits);
    let told = matches!(unit, "f" | "m" | "y" | "yo" | "yr" | "yrs" | "yf" | "ym" | "yof" | "yom");
    age.parse().ok().filter(|_| told && digits <= 3)
}

/// "how old is she?" "ninety four"
fn answers(document: &Document<'_>, context: &Context, start: usize, end: usize) -> bool {
    /// How many words may stand before it: "she will be".
    const REACH: usize = 4;
    let asked = context.answered(document, start);
    let is_asked = asked.is_some_and(|(kind, before)| {
        Kind::BUILT_IN[usize::from(kind)] == Kind::AgeOver89 && before <= REACH
    });
    is_asked && (document.class(end) != Class::Unit || matches!(document.stem(end), "year" | "years"))
}

/// "in his nineties" and "in her early 90s", but "in the nineties".
fn is_decade_of_life(document: &Document<'_>, at: usize) -> bool {
    if !matches!(document.stem(at), "nineties" | "90s") {
        return false;
    }
    let back = |n: usize| document.stem_before(at, n);
    let part = usize::from(matches!(back(1), "early" | "mid" | "late"));
    matches!(back(1 + part), "his" | "her" | "their" | "my" | "your") && back(2 + part) == "in"
}

fn push(document: &Document<'_>, start: usize, end: usize, spoken: bool, out: &mut Vec<Candidate>) {
    out.push(Candidate {
        kind: Kind::AgeOver89,
        span: document.span(start, end),
        score: 0.9,
        validated: false,
        pass: if spoken { Pass::Spoken } else { Pass::Regex },
        recognizer: "age_over_89".into(),
    });
}

fn is_age(document: &Document<'_>, start: usize, end: usize) -> bool {
    let near =
        |at: usize| document.gap(at).only(Gap::SPACE.with(Gap::HYPHEN).with(Gap::SLASH).with(Gap::STOP));
    let unit = near(end) && matches!(document.stem(end), "year" | "years" | "yr" | "yrs" | "yo" | "y");
    if unit {
        let old = matches!(document.stem(end + 1), "old" | "olds" | "o" | "of" | "young")
            || matches!(document.stem(end), "yo")
            || (0..3).any(|n| document.stem(end + 1 + n) == "old");
        return (old && !of_a_thing(document, start)) || before(document, start, end);
    }
    // Other units make it an amount.
    if document.class(end) == Class::Unit && near(end) {
        return false;
    }
    before(document, start, end)
}

fn before(document: &Document<'_>, start: usize, end: usize) -> bool {
    let word = |back: usize| document.stem_before(start, back);
    let is_person = |back: usize| {
        let related = start.checked_sub(back).is_some_and(|at| document.is(at, Tags::RELATION));
        related || matches!(word(back), "he" | "she" | "patient" | "pt" | "nana")
    };
    match word(1) {
        "age" | "aged" | "turned" | "turning" | "turns" => true,
        "is" | "was" if is_person(2) => ends_clause(document, end),
        // "at ninety two he still drives"
        "at" if document.begins_clause(start - 1) && document.gap(end) == Gap::SPACE => {
            matches!(document.stem(end), "he" | "she")
        }
        // "mother alive at 95", "passed away at ninety four from a stroke"
        "at" if tells_life(word(2)) || tells_death_before(document, start - 1) => {
            ends_clause(document, end)
                || matches!(document.stem(end), "from" | "of" | "due" | "after" | "with")
        }
        // "mother d. at 94 (CVA)"
        "at" if word(2) == "d" && is_person(3) => {
            document.gap(end).has(Gap::BRACKET) || ends_clause(document, end)
        }
        "is" | "was" | "of" | "at" | ":" => matches!(word(2), "age"),
        // "father living, 91, HTN"
        "living" | "alive" | "deceased" if document.gap(start).has(Gap::COMMA) => {
            is_person(2) && (document.gap(end).has(Gap::BRACKET) || ends_clause(document, end))
        }
        // "age at death 93"
        "death" | "diagnosis" | "onset" => word(2) == "at" && word(3) == "age",
        // "mother d. 91 CVA"
        "d" if document.gap(start).has(Gap::STOP) => is_person(2),
        // "i'm ninety and he's ninety two"
        "i'm" => ends_clause(document, end),
        // "she's ninety two"
        _ if is_person(1) && document.is_possessive(start - 1) => ends_clause(document, end),
        // "he's pushing ninety five", "my mother is almost ninety two"
        "pushing" | "nearing" | "approaching" | "already" | "almost" | "nearly" | "only" | "over" => {
            let told = is_person(2) && document.is_possessive(start - 2)
                || matches!(word(2), "is" | "was") && is_person(3);
            told && ends_clause(document, end)
        }
        "be" if matches!(word(2), "she'll" | "he'll" | "i'll" | "they'll") => true,
        "be" if word(2) == "will" => is_person(3),
        // "she lived to be ninety eight"
        "be" if word(2) == "to" => matches!(word(3), "lived" | "live" | "going" | "about"),
        // "grandma lived to 96", "he made it to ninety four"
        "to" | "until" | "till" if matches!(word(2), "lived" | "live") => true,
        "to" if word(2) == "it" && matches!(word(3), "made" | "make") => ends_clause(document, end),
        _ => false,
    }
}

/// Whether a word before "at" says that somebody lives or died.
fn tells_life(text: &str) -> bool {
    matches!(text, "died" | "dies" | "passed" | "alive" | "living" | "deceased" | "expired")
}

/// "he passed away last tuesday at …", "she died in her sleep at …": whether death is told of a few words before one in the
/// same sentence.
fn tells_death_before(document: &Document<'_>, at: usize) -> bool {
    const REACH: usize = 6;
    document.before(at).take(REACH).take_while(|&before| !document.begins_sentence(before + 1)).any(
        |before| {
            document.stem(before) == "died"
                || document.stem(before) == "away" && document.stem_before(before, 1) == "passed"
        },
    )
}

/// Whether nothing that a measure could go on with follows: "she is 92 on room air" is no age.
fn ends_clause(document: &Document<'_>, end: usize) -> bool {
    document.begins_sentence(end)
        || document.gap(end).has(Gap::COMMA)
        || matches!(document.stem(end), "and" | "but" | "can" | "now" | "so" | "when")
}

/// "The house is 95 years old."
fn of_a_thing(document: &Document<'_>, start: usize) -> bool {
    let word = |back: usize| document.stem_before(start, back);
    matches!(word(1), "is" | "was" | "about" | "almost" | "nearly" | "over")
        && (2..=3).any(|back| {
            matches!(
                word(back),
                "house"
                    | "building"
                    | "home"
                    | "hospital"
                    | "clinic"
                    | "school"
                    | "church"
                    | "car"
                    | "tree"
                    | "company"
                    | "practice"
                    | "machine"
                    | "book"
                    | "bridge"
                    | "town"
                    | "tradition"
            )
        })
}
