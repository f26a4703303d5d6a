//! Sorts out, before anything is computed, where no name can begin.

use super::after::{is_related, tells_age, tells_of_patient};
use super::before::links_name;
use super::initials::initials_before;
use super::reversed::begins_reversed;
use super::words::{is_family_name_alone, is_plain, may_be_raised};
use crate::Kind;
use crate::detect::context::Context;
use crate::detect::cues::CueHit;
use crate::detect::document::Document;
use crate::detect::starts::{Flags, WordSet};
use crate::detect::vocabulary::Tags;
use crate::view::{Case, Gap, Shape};

/// Sorts out, before anything is computed, the words at which no name can begin: most.
pub(super) struct Leads<'d, 's> {
    document: &'d Document<'s>,
    /// The words at which a name may begin, at first sight.
    pub(super) candidates: WordSet,
    /// The words that something before them is strong evidence for as a name.
    led: WordSet,
    /// A name is asked for, so that any word may answer.
    asked: bool,
    /// How much of what was learnt is taken up.
    knowledge: usize,
}

impl<'d, 's> Leads<'d, 's> {
    pub(super) fn new(document: &'d Document<'s>, cues: &[CueHit], context: &Context) -> Self {
        /// How many words behind a cue a name may begin.
        const REACH: usize = 4;
        let len = document.len();
        let mut led = document.starts.set(Flags::LED);
        for cue in cues.iter().filter(|cue| Kind::BUILT_IN[usize::from(cue.kind)] == Kind::Name) {
            let links = (cue.end..len).take(REACH).take_while(|&at| links_name(document, at)).count();
            for at in (cue.end..len.min(cue.end + links + 1)).filter(|&at| document.may_be_led(at)) {
                led.add(at);
            }
        }
        let mut candidates = document.starts.set(Flags::NAME);
        candidates.add_all(&led);
        let asked = context.asks_for(&Kind::Name);
        // Where a name is asked for any word may answer, and an accent may make a name of any.
        let accents = document.view.has_accents();
        if asked || accents {
            for at in (0..len).filter(|&at| accents || document.may_be_led(at)) {
                candidates.add(at);
            }
        }
        let mut leads = Self { document, candidates, led, asked, knowledge: 0 };
        leads.take_up(context, 0);
        leads
    }

    /// Takes up what was learnt, for the words from `from` on.
    pub(super) fn take_up(&mut self, context: &Context, from: usize) {
        if context.knowledge() == self.knowledge {
            return;
        }
        self.knowledge = context.knowledge();
        self.candidates.add_all(&self.document.starts.set(Flags::LEARNT));
        // What follows a name may begin two words behind it.
        for at in from.saturating_sub(2)..self.document.len() {
            if context.knows_name(self.document.hash(at)) {
                if at >= from {
                    self.candidates.add(at);
                }
                if at + 2 < self.document.len() && self.follows_known(context, at + 2) {
                    self.candidates.add(at + 2);
                }
            }
        }
    }

    /// Whether what stands before a word is strong evidence for a name.
    pub(super) fn is_led(&self, at: usize) -> bool {
        self.asked || self.led.has(at)
    }

    /// Whether a name may begin at a word. Says no only where what [`prior`] gives is too little for what stands before it.
    pub(super) fn may_begin(&self, context: &Context, at: usize) -> bool {
        let document = self.document;
        let word = &document.words[at];
        if word.shape != Shape::Letters || word.len() == 1 && word.case == Case::Lower {
            return false;
        }
        if document.is_in_identifier(at) {
            return false;
        }
        if word.len() == 1 || self.is_led(at) {
            return true;
        }
        if document.starts.has(Flags::LEARNT, at)
            && (!is_plain(document.entry(at))
                || document.is_cased(at)
                || begins_reversed(document, at)
                || document.is(at, Tags::PARTICLE))
        {
            return true;
        }
        document.has_accent(at)
            || context.knows_anything() && (context.knows_name(word.hash) || self.follows_known(context, at))
    }

    /// "Ann and …", "Ann or …", after a name that was learnt.
    pub(super) fn follows_known(&self, context: &Context, at: usize) -> bool {
        at >= 2
            && context.knows_name(self.document.hash(at - 2))
            && matches!(self.document.stem(at - 1), "and" | "or" | "to")
    }
}

/// "Next of kin: Wife, Leona"
pub(super) fn tells_relation(document: &Document<'_>, at: usize) -> bool {
    document.is(at, Tags::RELATION)
        && document.gap(at + 1).has(Gap::COMMA.with(Gap::HYPHEN).with(Gap::BRACKET))
        && matches!(document.stem_before(at, 1), "kin" | "nok" | "contact" | "relationship")
}

/// Whether nothing that leads to a word can make up for its odds.
pub(super) fn is_hopeless(document: &Document<'_>, at: usize) -> bool {
    let word = &document.words[at];
    let capital = word.case == Case::Title
        && document.is_cased(at)
        && !document.is(at, Tags::NO_NAME.with(Tags::TITLE))
        && !document.begins_sentence(at);
    !capital
        && word.len() > 1
        && !may_be_raised(document.entry(at))
        && !document.is(at, Tags::PARTICLE)
        && !begins_reversed(document, at)
}

/// Whether what comes after a word is neither a part of a name nor evidence for one before it, at first sight.
pub(super) fn stands_alone(document: &Document<'_>, context: &Context, at: usize) -> bool {
    let Some(next) = document.words.get(at + 1) else { return false };
    let plain_end =
        next.gap.only(Gap::SPACE.with(Gap::STOP).with(Gap::SENTENCE).with(Gap::COLON).with(Gap::QUESTION));
    document.words[at].len() > 1
        && initials_before(document, at) == 0
        && plain_end
        && next.shape == Shape::Letters
        && next.case == Case::Lower
        && next.len() > 1
        && !document.starts.has(Flags::NAME, at + 1)
        && !document.is(at + 1, Tags::FOLLOWS_NAME.with(Tags::PARTICLE).with(Tags::RELATION).with(Tags::ROLE))
        && !context.knows_anything()
        && !begins_reversed(document, at)
        && !is_related(document, at + 1)
        && !tells_of_patient(document, at + 1)
        && !(document.stem(at + 1) == "is" && tells_age(document, at + 1))
        && !document.is_possessive(at)
        && !(matches!(document.stem_before(at, 1), "with" | "under") && is_family_name_alone(document, at))
}
