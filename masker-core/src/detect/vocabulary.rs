//! The words that the rules know by themselves, with the parts they play.

use std::sync::LazyLock;

use super::cues::CUES;
use crate::view::{Class, WordClass, WordHash, class_words, hash_word};

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
    /// A code may begin here.
    pub(crate) const AT_CODE: Self = Self(1 << 24);
    /// A date may begin here.
    pub(crate) const AT_DATE: Self = Self(1 << 25);
    /// A place may begin here.
    pub(crate) const AT_PLACE: Self = Self(1 << 26);
    /// A name may begin here even without anything before it.
    pub(crate) const AT_NAME: Self = Self(1 << 27);
    /// A written shape may begin here or just before.
    pub(crate) const AT_SHAPE: Self = Self(1 << 28);
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

const LISTS: [(Tags, &str); 16] = [
    (
        Tags::TITLE,
        "capt captain doc doctor dr drs judge lieutenant lt madam miss missus mister mr mrs ms mx nurse \
         officer pastor prof professor rabbi rev reverend sergeant sgt sir",
    ),
    (
        Tags::RELATION,
        "aide aunt baby boyfriend brother caregiver cousin dad daughter father fiance fiancee friend \
         girlfriend granddaughter grandfather grandma grandmother grandpa grandson guardian husband kid \
         mom mother neighbor nephew niece partner roommate sister son spouse stepdaughter stepson twin \
         uncle wife",
    ),
    (
        Tags::PARTICLE,
        "abu al ben bin da de del den der di dos du el ibn la las le los san santa st ter van von y",
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
        "agent ai assistant bot caller client clinician csr customer doctor dr human nurse operator \
         patient pharmacist physician provider receptionist rep representative scheduler speaker staff \
         system therapist user",
    ),
    (
        Tags::ACKNOWLEDGES,
        "ah ahead all alright and continue cool course did er go good got great have hm hmm huh i it let \
         me mhm mm moment next now of oh ok okay on one perfect please ready right second see so sure \
         thank thanks that then uh uhm um well yeah yep yes you yup",
    ),
    (
        Tags::LEADS_NAME,
        "it hi hello hey thanks goodbye bye morning afternoon evening dear named attention attn aka nee law",
    ),
    (Tags::LEADS_STREET, "and at down from near off on to"),
    (Tags::LEADS_TOWN, "in from near downtown to at of outside around past into by our the your their"),
    (Tags::COUNTY, "county parish borough"),
    (
        Tags::LINKS_NAME,
        "actually as be called doctor dr full is it just legal mr mrs ms my named oh on read should so sure that the to was well would yeah yes ma'am",
    ),
    (Tags::CREDENTIAL, "rn np pa cde lcsw lpn cna crna pharmd sw rd"),
    (
        Tags::NO_NAME,
        "she he they we you i it this that these those what who whom whose when where why how not and but or if because \
         there here okay ok okey okie alrighty yeah yep yup nope nah mhm uh um my your his her our their its is are was were be been \
         am the a an of to at with from by as gon na wan gonna wanna gotta lemme gimme kinda sorta dunno",
    ),
    (Tags::POST_BOX, "cmr hc p po pob post psc rr rural unit"),
    (Tags::SITE, "area branch campus clinic facility location office residence site"),
];

/// What the rules know of a word.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Known {
    pub(crate) class: WordClass,
    pub(crate) tags: Tags,
}

/// An open-addressed table from the hashes of words to what is known of them, small enough to stay near the processor.
#[derive(Debug)]
pub(crate) struct Vocabulary {
    slots: Vec<Slot>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Slot {
    /// The upper half of the hash; the lower half chose the slot. 0 in a free one.
    fingerprint: u32,
    known: Known,
}

/// The vocabulary of the built-in rules.
pub(crate) static VOCABULARY: LazyLock<Vocabulary> = LazyLock::new(Vocabulary::new);

impl Vocabulary {
    fn new() -> Self {
        /// Slots for each word: few words meet.
        const ROOM: usize = 3;
        let mut words: Vec<(WordHash, Known)> = Vec::new();
        for (hash, class) in class_words() {
            words.push((hash, Known { class, tags: tags_of(class.class) }));
        }
        for (tags, list) in LISTS {
            words.extend(
                list.split(' ')
                    .map(|word| (hash_word(word.as_bytes()), Known { class: WordClass::default(), tags })),
            );
        }
        words.extend(
            CUES.first_words().map(|hash| (hash, Known { class: WordClass::default(), tags: Tags::CUE })),
        );
        let mut table = Self { slots: vec![Slot::default(); (words.len() * ROOM).next_power_of_two()] };
        for (hash, known) in words {
            let slot = table.slot(hash);
            let slot = &mut table.slots[slot];
            slot.fingerprint = fingerprint(hash);
            slot.known.tags = slot.known.tags.with(known.tags);
            if known.class.class != Class::None {
                slot.known.class = known.class;
            }
        }
        table
    }

    /// What is known of a word without a possessive ending.
    pub(crate) fn get(&self, hash: WordHash) -> Known {
        self.slots[self.slot(hash)].known
    }

    /// The slot of a word, or the free one where it would be.
    fn slot(&self, hash: WordHash) -> usize {
        let mask = self.slots.len() - 1;
        let mut slot = hash.0 as usize & mask;
        loop {
            let found = self.slots[slot & mask].fingerprint;
            if found == fingerprint(hash) || found == 0 {
                return slot & mask;
            }
            slot += 1;
        }
    }
}

fn fingerprint(hash: WordHash) -> u32 {
    ((hash.0 >> 32) as u32).max(1)
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
