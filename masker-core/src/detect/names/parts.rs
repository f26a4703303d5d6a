//! How far a name goes: given name, initials, particles, family name, suffix.

use super::after::{credential_cue, ends_here, is_related, right_cue, tells_of_patient};
use super::before::left_cue;
use super::initials::{initials, initials_before};
use super::odds::{ACCEPT, HOPELESS, LEAST_FOLLOWING, WORTH_A_LOOK, prior};
use super::spelled::Spelled;
use super::words::{is_family_name_alone, is_given_name_alone, is_mostly_a_word, is_rare_word, is_suffix};
use crate::detect::context::Context;
use crate::detect::cues::CueHit;
use crate::detect::document::Document;
use crate::detect::vocabulary::Tags;
use crate::lexicon::Entry;
use crate::view::{Case, Class, Gap, Shape};

/// The words of a name, and the log odds that they are one.
pub(super) struct Name {
    pub(super) start: usize,
    pub(super) end: usize,
    pub(super) score: f32,
    pub(super) recognizer: &'static str,
}

/// The best name that begins at a word.
pub(super) fn name_at(
    document: &Document<'_>,
    cues: &[CueHit],
    spelled: &[Spelled],
    context: &Context,
    at: usize,
    first_prior: f32,
) -> Option<Name> {
    let word = &document.words[at];
    if word.shape != Shape::Letters {
        return None;
    }
    if word.len() == 1 {
        return initials(document, cues, at);
    }
    // Particles begin a name only before another part: "de la Cruz".
    let particle = document.is(at, Tags::PARTICLE) && {
        let next = at + 1;
        next < document.len() && document.gap(next).only(Gap::SPACE) && word.case == document.words[next].case
    };
    // "the patient's name is …": the verb is no part of the name, however strong the cue.
    if document.is(at, Tags::AUXILIARY) && word.case != Case::Title && first_prior <= -4.0 {
        return None;
    }
    let cue = left_cue(document, cues, context, at);
    let odds_of_first = if particle { -1.0 } else { first_prior.max(cue.floor) };
    let odds_of_first = if pairs_with_next(document, at) { odds_of_first.max(0.1) } else { odds_of_first };
    if odds_of_first + cue.strength < WORTH_A_LOOK || odds_of_first < HOPELESS {
        return None;
    }
    let mut name = Growing {
        document,
        context,
        lead: cue.strength,
        case: word.case,
        end: at + 1,
        best: odds_of_first,
        // "under g hooper", "for m okafor"
        pattern: match initials_before(document, at) {
            0 => 0.0,
            _ if is_family_name_alone(document, at) => 2.0,
            _ => 1.25,
        },
        parts: usize::from(!particle),
        last_was_given: document.entry(at).given_name() > 0,
    };
    while name.grow() {}
    let end = name.end;
    if name.parts == 0 || (particle && end == at + 1) {
        return None;
    }
    let odds = name.best + name.pattern + cue.strength;
    let follows = Tags::FOLLOWS_NAME.with(Tags::RELATION).with(Tags::ROLE);
    let told = || {
        document.is(end, follows)
            || document.is_possessive(end - 1)
            || matches!(document.stem(end), "has" | "is" | "needs")
            || tells_of_patient(document, end)
            || is_related(document, end)
            || credential_cue(document, end) > 0.0
    };
    if odds + LEAST_FOLLOWING < ACCEPT && spelled.is_empty() && !told() {
        return None;
    }
    let score = odds + right_cue(document, cues, spelled, at, end);
    let recognizer = if cue.strength >= 1.5 { "name_cue" } else { "name_list" };
    Some(Name { start: at, end, score, recognizer })
}

/// A name as far as it was read.
struct Growing<'d, 's> {
    document: &'d Document<'s>,
    context: &'d Context,
    /// How strongly what stands before it leads to a name.
    lead: f32,
    /// How its first word is written.
    case: Case,
    end: usize,
    /// The log odds of its best word.
    best: f32,
    /// What the order of its words is worth.
    pattern: f32,
    /// How many words it has that are neither initials nor particles.
    parts: usize,
    last_was_given: bool,
}

impl Growing<'_, '_> {
    /// Takes up what stands behind the name and belongs to it. Says whether more may follow.
    fn grow(&mut self) -> bool {
        let (document, end) = (self.document, self.end);
        let letters = document.words.get(end).is_some_and(|next| next.shape == Shape::Letters);
        if !letters || self.parts >= 5 || document.is_possessive(end - 1) || !self.is_joined() {
            return false;
        }
        if document.words[end].len() == 1 {
            return self.take_initial();
        }
        if is_suffix(document.stem(end)) && document.gap(end).only(Gap::SPACE.with(Gap::COMMA)) {
            self.end += 1;
            return false;
        }
        if document.is(end, Tags::PARTICLE)
            && end + 1 < document.len()
            && document.gap(end + 1).only(Gap::SPACE.with(Gap::HYPHEN))
        {
            if self.take_particles() {
                return true;
            }
            if !self.is_particle_a_name() {
                return false;
            }
        }
        self.take_syllable() || self.take_word()
    }

    fn has_strong_lead(&self) -> bool {
        self.lead >= 3.0
    }

    /// Whether nothing parts the next word from the name.
    fn is_joined(&self) -> bool {
        let (document, end) = (self.document, self.end);
        let (gap, title) = (document.gap(end), document.words[end].case == Case::Title);
        gap.only(Gap::SPACE.with(Gap::QUOTE))
            || gap == Gap::HYPHEN
            || gap.only(Gap::SPACE.with(Gap::LINE)) && title
            // "Robert S." and "John Q. Public": an initial, then what follows its stop.
            || document.words[end - 1].len() == 1
                && gap.only(Gap::SPACE.with(Gap::STOP).with(Gap::SENTENCE))
                && title
    }

    fn take_initial(&mut self) -> bool {
        let (document, end, last) = (self.document, self.end, self.end + 1);
        let text = document.stem(end);
        let written = document.words[end].case == Case::Title
            && (text != "i" || document.gap(last).has(Gap::STOP))
            && (self.has_strong_lead()
                || text != "a" && self.best > 1.0 && document.gap(last).only(Gap::SPACE)
                || document.gap(last).has(
                    Gap::STOP.with(Gap::COMMA).with(Gap::BARRIER).with(Gap::QUESTION).with(Gap::BRACKET),
                )
                || document.words.get(last).is_some_and(|word| word.case == Case::Title));
        let spoken = || {
            document.gap(last) == Gap::SPACE
                && match text {
                    "i" => false,
                    "a" | "o" => is_family_name_alone(document, last) && self.last_was_given,
                    _ => {
                        let family = document.entry(last);
                        prior(document, self.context, last) > 0.5
                            // "gerald t hooper"
                            || self.last_was_given && family.family_name() >= 3 && family.not_name() <= 2
                    }
                }
        };
        // "maria g calling"
        let trailing = || {
            self.last_was_given
                && self.best > 1.0
                && document.gap(end) == Gap::SPACE
                && !matches!(text, "a" | "i" | "o" | "s")
                && matches!(
                    document.stem(last),
                    "calling" | "speaking" | "here" | "from" | "dob" | "called" | "says" | "said"
                )
        };
        let taken = written || !document.is_cased(end) && (spoken() || trailing());
        if taken {
            self.end += 1;
            self.pattern = self.pattern.max(1.2);
        }
        taken
    }

    /// "de la" and the family name behind it.
    fn take_particles(&mut self) -> bool {
        let document = self.document;
        let mut after = self.end + 1;
        if document.is(after, Tags::PARTICLE) && document.gap(after + 1).only(Gap::SPACE.with(Gap::HYPHEN)) {
            after += 1;
        }
        let follows = prior(document, self.context, after);
        let taken = follows > 0.0 || self.has_strong_lead() && follows > -1.5 && self.best > 0.0;
        if taken {
            self.pattern = self.pattern.max(1.0);
            self.best = self.best.max(follows);
            self.parts += 1;
            self.end = after + 1;
        }
        taken
    }

    /// Whether what may be a particle is a family name of its own: "Do", "Van".
    fn is_particle_a_name(&self) -> bool {
        let (document, end) = (self.document, self.end);
        let family = document.entry(end).family_name();
        let title = document.words[end].case == Case::Title;
        title && (family > 4 || prior(document, self.context, end) > 0.0)
            || self.last_was_given && family >= 5 && self.has_strong_lead()
    }

    /// "Hyun-joo": the second syllable of a given name.
    fn take_syllable(&mut self) -> bool {
        let (document, end) = (self.document, self.end);
        let (next, last) = (&document.words[end], &document.words[end - 1]);
        let (entry, of_last) = (document.entry(end), document.entry(end - 1));
        let taken = document.gap(end) == Gap::HYPHEN
            && next.case == Case::Lower
            && last.case == Case::Title
            && document.is_cased(end - 1)
            && (2..=6).contains(&next.len())
            && entry.common() == 0
            && entry.medical() == 0
            && of_last.common() < 5
            && of_last.medical() == 0
            && last.len() > 1;
        if taken {
            self.best = self.best.max(0.4);
            self.pattern = self.pattern.max(1.0);
            self.last_was_given = true;
            self.end += 1;
        }
        taken
    }

    /// A further given name or a family name.
    fn take_word(&mut self) -> bool {
        let (document, end) = (self.document, self.end);
        let next = &document.words[end];
        let entry = document.entry(end);
        // "latoya washington": behind a given name a state is a family name.
        let state = entry.state() == 3 && self.last_was_given && entry.family_name() >= 4 && self.best > 0.5;
        let odds = if state { 0.5 } else { prior(document, self.context, end) };
        // "the account is under delacroix-booth"
        let small = || {
            !document.is_cased(end)
                && entry.family_name() > 0
                && entry.common() < 5
                && !document.is(end, Tags::AUXILIARY.with(Tags::NO_NAME))
        };
        let hyphenated = document.gap(end) == Gap::HYPHEN
            && next.case == self.case
            && (self.case == Case::Title || self.case == Case::Lower && small());
        let pair = self.last_was_given && entry.family_name() > 0;
        let only_names = self.last_was_given
            && !document.is_cased(end)
            && is_given_name_alone(document, end - 1)
            && is_family_name_alone(document, end);
        let threshold = if hyphenated {
            -4.0
        } else if document.is_cased(end) && next.case == Case::Title {
            self.threshold_of_capitalised()
        } else if only_names {
            // "casonya feminella"
            ANY
        } else {
            self.threshold_of_spoken()
        };
        if odds < threshold || document.is(end, Tags::TITLE.with(Tags::RELATION)) {
            return false;
        }
        let pattern = match () {
            () if only_names => 2.0,
            () if (pair || hyphenated) && self.best > 0.0 => 1.5,
            () if pair || hyphenated => 1.0,
            () => 0.7,
        };
        self.pattern = self.pattern.max(pattern);
        self.best = self.best.max(odds);
        self.last_was_given = entry.given_name() > 0;
        self.parts += 1;
        self.end += 1;
        true
    }

    /// The least log odds of a capitalised word that is to be a part of the name.
    fn threshold_of_capitalised(&self) -> f32 {
        let (document, end) = (self.document, self.end);
        let gap = document.gap(end);
        if self.last_was_given && self.best > 0.5 && document.entry(end).family_name() >= 3 {
            // Behind a given name any capitalised family name is one, "Little" and "Rose" too.
            -5.0
        } else if self.lead >= 4.0
            && gap == Gap::SPACE
            && !document.is(end, Tags::NO_NAME)
            && !matches!(document.class(end), Class::Month | Class::Weekday)
        {
            // "My name is Loretta Two Bulls".
            ANY
        } else if self.lead >= 2.2 && self.best > -0.5 && gap.only(Gap::SPACE) && !document.is_state(end) {
            // "this is Don Haverford": what follows the first name in capitals is the last.
            -3.2
        } else if self.best + self.lead > 1.5 {
            -1.6
        } else {
            -0.5
        }
    }

    /// The least log odds of a word without a capital that is to be a part of the name. A family name after a given one needs
    /// less than a name alone.
    fn threshold_of_spoken(&self) -> f32 {
        let (document, end) = (self.document, self.end);
        let entry = document.entry(end);
        let pair = self.last_was_given && entry.family_name() > 0;
        // "for kaitlyn white", "andrew price needs"; but "scott good to see you"
        let is_grammar = document.is(end, Tags::AUXILIARY.with(Tags::NO_NAME));
        let is_last = || {
            entry.family_name() >= 3
                && !is_mostly_a_word(entry)
                && !is_grammar
                && ends_here(document, end + 1)
        };
        let led = self.best + self.lead > 1.0;
        if self.has_strong_lead() && led && pair && is_last() {
            // "my name is mark winters and"
            ANY
        } else if pair && self.best > 0.0 {
            let common = entry.not_name() >= 6 || entry.common() >= 6;
            let frequent = entry.family_name() >= 5 && common && self.lead >= 2.2 && !is_grammar;
            if frequent || self.best >= 1.0 && is_last() {
                -8.0
            } else if common {
                0.0
            } else {
                -2.6
            }
        } else if led
            && (is_family_name_alone(document, end)
                || self.has_strong_lead()
                    && (entry == Entry::default()
                        || entry.family_name() > 0 && entry.not_name() == 0 && entry.common() == 0))
        {
            -1.6
        } else if self.has_strong_lead()
            && self.last_was_given
            && self.best > 0.5
            && is_rare_word(entry)
            && ends_here(document, end + 1)
        {
            // "her name is bartholomew wintergreen"
            ANY
        } else {
            0.0
        }
    }
}

/// Any word will do.
const ANY: f32 = -9.0;

/// Whether a word is a given name, whatever it is besides, and the next one a family name and nothing else.
pub(super) fn pairs_with_next(document: &Document<'_>, at: usize) -> bool {
    let word = &document.words[at];
    let entry = document.entry(at);
    let last = at + 1;
    entry.given_name() >= 4
        && last < document.len()
        && document.gap(last) == Gap::SPACE
        && word.case == document.words[last].case
        && word.shape == Shape::Letters
        && !word.apostrophe
        && !(word.case == Case::Lower && document.is_cased(at))
        && !document.is(at, Tags::AUXILIARY.with(Tags::NO_NAME).with(Tags::TITLE))
        && document.class(at) == Class::None
        && is_family_name_alone(document, last)
}
