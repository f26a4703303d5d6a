//! The words that the rules know by themselves, with the parts they play.

use std::sync::LazyLock;

use super::cues::CUES;
use super::names;
use super::starts::Flags;
use crate::lexicon::{self, Entry, Lexicon};
use crate::view::{Case, Class, WordClass, WordHash, class_words, hash_word};

/// The parts a word plays in the rules: a set of flags.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Tags(u32);

impl Tags {
    /// Some cue phrase begins with it.
    pub(crate) const CUE: Self = Self(1);
    /// A title before a name.
    pub(crate) const TITLE: Self = Self(1 << 1);
    /// A relation of somebody: "mother".
    pub(crate) const RELATION: Self = Self(1 << 2);
    /// A small word inside family names: "de", "van".
    pub(crate) const PARTICLE: Self = Self(1 << 3);
    /// A verb or small word that follows a name in speech and may be a family name too.
    pub(crate) const AUXILIARY: Self = Self(1 << 4);
    /// Written with a full stop that ends no sentence.
    pub(crate) const ABBREVIATION: Self = Self(1 << 5);
    /// Names the speaker of a turn before a colon or in brackets.
    pub(crate) const ROLE: Self = Self(1 << 6);
    /// Takes no question back when it is all that is said.
    pub(crate) const ACKNOWLEDGES: Self = Self(1 << 7);
    /// Before a street it makes up for a missing house number.
    pub(crate) const LEADS_STREET: Self = Self(1 << 9);
    /// Before a town it says that somebody or something is there.
    pub(crate) const LEADS_TOWN: Self = Self(1 << 10);
    /// Begins the address of a post office box.
    pub(crate) const POST_BOX: Self = Self(1 << 11);
    /// Before "of" it says where two streets cross.
    pub(crate) const CROSSING: Self = Self(1 << 22);
    /// May begin the name of a day that comes every year.
    pub(crate) const HOLIDAY: Self = Self(1 << 23);
    /// Says digits, or letters one by one.
    pub(crate) const CODE: Self = Self(1 << 12);
    /// May begin a date.
    pub(crate) const DATE: Self = Self(1 << 13);
    /// "at" and "dot": signs of addresses in networks.
    pub(crate) const SIGN: Self = Self(1 << 14);
    /// Names the kind of place that a town has: "office".
    pub(crate) const SITE: Self = Self(1 << 15);

    /// Begins a number.
    pub(crate) const NUMBER: Self = Self(1 << 17);
    /// Before a name it is strong evidence.
    pub(crate) const LEADS_NAME: Self = Self(1 << 8);
    /// Stands between a cue and the name that it announces.
    pub(crate) const LINKS_NAME: Self = Self(1 << 18);
    /// In capitals before a name, what somebody is: "RN".
    pub(crate) const CREDENTIAL: Self = Self(1 << 20);
    /// Behind the name of a county.
    pub(crate) const COUNTY: Self = Self(1 << 19);
    /// Before a number it makes up for the name of a street.
    pub(crate) const HIGHWAY: Self = Self(1 << 27);
    /// Behind a name it is evidence for it.
    pub(crate) const FOLLOWS_NAME: Self = Self(1 << 26);
    /// Some cue phrase is this word alone.
    pub(crate) const CUE_ALONE: Self = Self(1 << 24);
    /// Some cue phrase goes on with it.
    pub(crate) const CUE_INSIDE: Self = Self(1 << 25);
    /// Has a name that is no person's.
    pub(crate) const THING: Self = Self(1 << 21);
    /// A word of grammar that is never a name, whatever stands around it.
    pub(crate) const NO_NAME: Self = Self(1 << 16);

    /// Whether any flag of `other` is set.
    pub(crate) fn has(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// This set where a condition holds, else none.
    pub(crate) fn when(self, condition: bool) -> Self {
        if condition { self } else { Self::default() }
    }

    /// Both sets together.
    pub(crate) const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

const LISTS: [(Tags, &str); 22] = [
    (
        Tags::TITLE,
        "capt captain doc doctor dr drs judge lieutenant lt madam miss missus mister mr mrs ms mx nurse \
         officer pastor prof professor rabbi rev reverend sergeant sgt sir",
    ),
    (
        Tags::RELATION,
        "aide aunt auntie baby boyfriend brother caregiver cousin dad daughter dtr father fiance \
         fiancee friend girlfriend godfather godmother granddaughter grandfather grandma grandmother \
         grandpa grandson granny guardian hubby husband kid mama mom mother mum neighbor nephew niece \
         papa partner roommate sister son spouse stepdad stepdaughter stepfather stepmom stepmother \
         stepson twin uncle wife",
    ),
    (
        Tags::PARTICLE,
        "abu al ben bin da de del den der di dos du el ibn la las le los saint san santa st ter van von y",
    ),
    (
        Tags::AUXILIARY,
        "about again also and as ask asked at back but call called can case could day did do does down \
         for from had has here how if in is just may might must need needs not now office on or out over \
         please said saw say says see so still then there time to told too up visit want wants was what \
         when who will with",
    ),
    (
        Tags::ABBREVIATION,
        "approx apt ave blvd capt ct dept dob dr ext fr hon ins jr ln lt med mr mrs ms mx no ph prof pt \
         rd rev sgt sr st ste tel vs",
    ),
    (
        Tags::ROLE,
        "adviser advisor agent ai assistant bot caller client clinician csr customer dispatcher doctor dr \
         guest human interviewee interviewer member moderator nurse operator participant patient \
         pharmacist physician provider receptionist rep representative respondent scheduler speaker staff \
         system therapist user visitor",
    ),
    (
        Tags::ACKNOWLEDGES,
        "ah ahead all alright and check checking continue cool course did dokey er go good got great hang \
         have hm hmm huh hold i it lemme let me mhm minute mm moment next now of oh ok okay okey on one \
         perfect please ready right sec second see so sure thank thanks that then uh uhm um well yeah yep \
         yes you yup",
    ),
    (
        Tags::LEADS_NAME,
        "it its hi hello hey thanks goodbye bye morning afternoon evening dear named attention attn aka nee law \
         ask asked remind tell told",
    ),
    (Tags::LEADS_STREET, "and at down from near off on to"),
    (Tags::LEADS_TOWN, "in from near downtown to at of outside around past into by our the your their"),
    (Tags::COUNTY, "county parish borough"),
    (
        Tags::LINKS_NAME,
        "actually as be believe called doctor dr full guess i is it just legal like ma'am maybe mr mrs ms \
         my named oh on probably read should so something sure that the think to was well would yeah yes",
    ),
    (Tags::CREDENTIAL, "rn np pa cde lcsw lpn cna crna pharmd sw rd"),
    (
        Tags::NO_NAME,
        "she he they we you i it this that these those what who whom whose when where why how not and but or if because \
         there here okay ok okey okie dokey dokie alrighty yeah yep yup nope nah mhm uh um my your his her our their its is are was were be been \
         am the a an of to at with from by as gon na wan gonna wanna gotta lemme gimme kinda sorta dunno",
    ),
    (
        Tags::FOLLOWS_NAME,
        "aprn arnp asked attending bsn called calling charge cna cnm crna dds dmd do dpt esq facc family fellow fnp \
         here household intern interpreter ii iii iv jr junior lcsw lmft lpc lpn lvn mba md mentioned msn msw np pa pcp \
         pharmacy pharmd phd psyd rdn resident rn rph said says senior speaking sr thinks told wants",
    ),
    (Tags::HIGHWAY, "highway hwy route rte"),
    (Tags::POST_BOX, "cmr hc p po pob post psc rr rural unit"),
    (Tags::CROSSING, "corner intersection"),
    (Tags::NUMBER, "hundredth nineties ninetieth"),
    (
        Tags::HOLIDAY,
        "christmas easter father fathers halloween independence juneteenth labor memorial mother mothers new \
         president presidents thanksgiving valentine valentines veteran veterans xmas",
    ),
    (
        Tags::THING,
        "app application bank brand building bucket business campaign city class clinic column company \
         condition country county database department device diagnosis domain drug event facility field \
         file folder function generic group hospital host hotel insurance insurer job lab laboratory \
         location med medication medicine method model office org organisation organization package \
         parameter payer pharmacy plan practice procedure product program project property queue region \
         repository restaurant school server service site state store street supplement system table tag \
         task template test tool topic town trade vaccine variable vendor vitamin workflow",
    ),
    (Tags::SITE, "area branch campus clinic facility location office residence site"),
];

/// What is known of a word by itself: in the rules and in the lexicon.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Known {
    pub(crate) entry: Entry,
    pub(crate) tags: Tags,
    pub(crate) flags: Flags,
    pub(crate) class: WordClass,
}

impl Known {
    fn of(entry: Entry, tags: Tags, class: WordClass) -> Self {
        let flags = Flags::CODE
            .when(tags.has(Tags::CODE))
            .with(Flags::CUE.when(tags.has(Tags::CUE) && tags.has(Tags::CUE_ALONE)))
            .with(Flags::LEADS_STREET.when(tags.has(Tags::LEADS_STREET)))
            .with(Flags::LEADS_TOWN.when(tags.has(Tags::LEADS_TOWN)))
            .with(Flags::NUMBER.when(tags.has(Tags::NUMBER)))
            .with(Flags::PLACE.when(tags.has(Tags::POST_BOX.with(Tags::CROSSING)) || entry.unit() == 1))
            .with(
                Flags::RARE.when(tags.has(Tags::DATE.with(Tags::HOLIDAY).with(Tags::SIGN).with(Tags::ROLE))),
            )
            .with(Flags::STATE.when(entry.may_begin_state() || tags.has(Tags::COUNTY)))
            .with(Flags::SUFFIX.when(entry.street_suffix() > 0 || tags.has(Tags::HIGHWAY)))
            .with(Flags::TOWN.when(entry.may_begin_town()));
        let names = names::flags_of(entry, tags);
        let small = Flags::SMALL_LEARNT.with(Flags::SMALL_LED).with(Flags::SMALL_NAME);
        let plain = !names.has(small) && !tags.has(Tags::ROLE);
        let flags = flags
            .with(names)
            .with(Flags::CUE_GOES_ON.when(tags.has(Tags::CUE)))
            .with(Flags::CUE_INSIDE.when(tags.has(Tags::CUE_INSIDE)))
            .with(Flags::PLAIN.when(plain));
        Self { entry, tags, flags, class }
    }

    /// Whether a word in this case may be a name where something leads to it.
    #[inline]
    pub(crate) fn may_be_led(&self, case: Case) -> bool {
        self.flags.has(if case == Case::Lower { Flags::SMALL_LED } else { Flags::CAPITAL_LED })
    }
}

/// What is known of words: an open-addressed table of those that the rules know by themselves and of the common words of the
/// lexicon, which are most words of most texts, and the lexicon with what follows from each of its entries.
#[derive(Debug)]
pub(crate) struct Vocabulary {
    /// Where each of these words is; the highest bits of its hash chose the slot.
    slots: Box<[Slot; SLOTS]>,
    lexicon: &'static Lexicon,
    /// Nothing first; then the words of the rules, and the entries of the two tables of the lexicon.
    known: Vec<Known>,
    /// Where the entries of the two tables begin, less one: the empty entry is the first of each and is left out.
    common: u32,
    others: u32,
}

const SLOT_BITS: u32 = 15;
/// Of which less than half is taken: few words meet.
const SLOTS: usize = 1 << SLOT_BITS;

#[derive(Clone, Copy, Debug, Default)]
struct Slot {
    /// The lower part of what the lexicon keeps of the hash. 0 in a free one.
    fingerprint: u32,
    index: u32,
}

/// The vocabulary of the built-in rules.
pub(crate) static VOCABULARY: LazyLock<Vocabulary> = LazyLock::new(Vocabulary::new);

impl Vocabulary {
    fn new() -> Self {
        let mut words: Vec<(WordHash, Tags, WordClass)> = Vec::new();
        for (hash, class) in class_words() {
            words.push((hash, tags_of(class.class), class));
        }
        let no_class = WordClass::default();
        for (tags, list) in LISTS {
            words.extend(list.split(' ').map(|word| (hash_word(word.as_bytes()), tags, no_class)));
        }
        words.extend(CUES.words().map(|(hash, tags)| (hash, tags, no_class)));
        let lexicon = lexicon::shipped();
        let slots = vec![Slot::default(); SLOTS].try_into().expect("as many as wanted");
        let mut table = Self { slots, lexicon, known: vec![Known::default()], common: 0, others: 0 };
        for (hash, tags, class) in words {
            let slot = table.slot(hash);
            let slot = &mut table.slots[slot];
            if slot.fingerprint == 0 {
                *slot = Slot { fingerprint: fingerprint(hash), index: table.known.len() as u32 };
                table.known.push(Known::default());
            }
            let known = &mut table.known[slot.index as usize];
            let class = if class.class == Class::None { known.class } else { class };
            *known = Known::of(lexicon.lookup(hash), known.tags.with(tags), class);
        }
        let follows = |entry| Known::of(entry, Tags::default(), no_class);
        table.common = table.known.len() as u32 - 1;
        table.known.extend(lexicon.common.entries().skip(1).map(follows));
        for (hash, index) in lexicon.common.words() {
            let slot = table.slot(hash);
            let slot = &mut table.slots[slot];
            if slot.fingerprint == 0 {
                *slot = Slot { fingerprint: fingerprint(hash), index: table.common + index as u32 };
            }
        }
        table.others = table.known.len() as u32 - 1;
        table.known.extend(lexicon.others.entries().skip(1).map(follows));
        table.known[0] = follows(Entry::default());
        table
    }

    /// What is known of a word of letters without a possessive ending.
    #[inline(always)]
    pub(crate) fn of(&self, hash: WordHash) -> &Known {
        &self.known[self.index(hash) as usize]
    }

    #[inline(always)]
    fn index(&self, hash: WordHash) -> u32 {
        let mut slot = first_slot(hash);
        loop {
            let found = self.slots[slot];
            if found.fingerprint == fingerprint(hash) {
                return found.index;
            }
            if found.fingerprint == 0 {
                return self.index_in_others(hash);
            }
            slot = (slot + 1) % SLOTS;
        }
    }

    #[inline(always)]
    fn index_in_others(&self, hash: WordHash) -> u32 {
        match self.lexicon.others.index(hash) {
            0 => 0,
            index => self.others + index as u32,
        }
    }

    /// What is known of a word; of another one, where this one is not known as a family name nor to the rules.
    pub(crate) fn of_either(&self, hash: WordHash, other: WordHash) -> &Known {
        let index = self.index(hash);
        let known = &self.known[index as usize];
        if known.entry.family_name() > 0 || index != 0 && index <= self.common {
            return known;
        }
        let index = match self.lexicon.common.index(other) {
            0 => self.index_in_others(other),
            index => self.common + index as u32,
        };
        &self.known[index as usize]
    }

    /// What is known of a word that is not made of letters: the lexicon has none of those.
    pub(crate) fn of_plain(&self, hash: WordHash) -> &Known {
        &self.known[self.slots[self.slot(hash)].index as usize]
    }

    /// What is known of all words.
    #[cfg(test)]
    pub(crate) fn known(&self) -> &[Known] {
        &self.known
    }

    /// The slot of a word, or the free one where it would be.
    fn slot(&self, hash: WordHash) -> usize {
        let mut slot = first_slot(hash);
        loop {
            let found = self.slots[slot].fingerprint;
            if found == fingerprint(hash) || found == 0 {
                return slot;
            }
            slot = (slot + 1) % SLOTS;
        }
    }
}

fn first_slot(hash: WordHash) -> usize {
    (hash.0 >> (u64::BITS - SLOT_BITS)) as usize
}

fn fingerprint(hash: WordHash) -> u32 {
    (hash.0 >> 16) as u32 | 1
}

fn tags_of(class: Class) -> Tags {
    let none = Tags::default();
    let code = match class {
        Class::Digit
        | Class::Oh
        | Class::Teen
        | Class::Tens
        | Class::Hundred
        | Class::Thousand
        | Class::Repeat
        | Class::Letter
        | Class::Nato
        | Class::Plus => Tags::CODE,
        _ => none,
    };
    let date = match class {
        Class::Month | Class::Digit | Class::Teen | Class::Tens | Class::Ordinal => Tags::DATE,
        _ => none,
    };
    let number = match class {
        Class::Digit
        | Class::Oh
        | Class::Teen
        | Class::Tens
        | Class::Hundred
        | Class::Thousand
        | Class::Repeat => Tags::NUMBER,
        _ => none,
    };
    let sign = match class {
        Class::At | Class::Dot => Tags::SIGN,
        _ => none,
    };
    code.with(date).with(number).with(sign)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn common_words_are_known_as_in_the_lexicon() {
        let (common, mut seen) = (&lexicon::shipped().common, 0);
        let entries: Vec<Entry> = common.entries().collect();
        for (hash, index) in common.words() {
            let known = VOCABULARY.of(hash);
            assert_eq!(known.entry, entries[index]);
            seen += 1;
        }
        assert!(seen > 10_000, "{seen}");
    }
}
