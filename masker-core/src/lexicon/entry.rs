/// The facts about one word or phrase, packed into 64 bits.
///
/// Frequencies are steps from 0 (not known as such) to 7 (very frequent).
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Entry(pub u64);

macro_rules! facts {
    ($($(#[$doc:meta])* $name:ident, $setter:ident: $shift:literal, $bits:literal;)*) => {
        impl Entry {
            $($(#[$doc])* pub fn $name(self) -> u8 {
                ((self.0 >> $shift) & ((1 << $bits) - 1)) as u8
            })*
        }

        impl EntryBuilder {
            $($(#[$doc])* pub fn $setter(&mut self, value: u8) {
                let mask: u64 = (1 << $bits) - 1;
                let value = u64::from(value).min(mask).max((self.0 >> $shift) & mask);
                self.0 = (self.0 & !(mask << $shift)) | (value << $shift);
            })*
        }
    };
}

impl Entry {
    /// Whether it is the name of a town or county, or begins one.
    pub(crate) fn may_begin_town(self) -> bool {
        self.town() | self.county() | self.begins_town() | self.begins_county() != 0
    }

    /// Whether it is the name of a state or begins one. An abbreviation is one in capitals only.
    pub(crate) fn may_begin_state(self) -> bool {
        self.state() == 3 || self.begins_state() != 0
    }
}

/// Collects the facts about a word while the table is packed; of two values for one fact the larger stays.
#[derive(Clone, Copy, Debug, Default)]
pub struct EntryBuilder(u64);

impl EntryBuilder {
    /// The packed entry.
    pub fn build(self) -> Entry {
        Entry(self.0)
    }
}

facts! {
    /// How frequent it is as a given name in the United States.
    given_name, set_given_name: 0, 3;
    /// How frequent it is as a family name in the United States.
    family_name, set_family_name: 3, 3;
    /// How frequent it is as an ordinary word.
    common, set_common: 6, 3;
    /// The estimated share, in sevenths, of its occurrences that are not a name; 0 also where nothing is known.
    not_name, set_not_name: 9, 3;
    /// The estimated share, in sevenths, of its capitalised occurrences inside a sentence that are a name.
    name_if_capital, set_name_if_capital: 12, 3;
    /// A town: 1 small or of unknown size, 2 of 25,000 and more, 3 of 100,000 and more people.
    town, set_town: 15, 2;
    /// A county.
    county, set_county: 17, 1;
    /// A state: 1 for another abbreviation, 2 for its postal abbreviation, 3 for its name.
    state, set_state: 18, 2;
    /// A country.
    country, set_country: 20, 1;
    /// A street suffix: 1 where it needs support around it, 2 where it is a common one.
    street_suffix, set_street_suffix: 21, 2;
    /// A unit of an address: apartment, suite.
    unit, set_unit: 23, 1;
    /// A direction in an address.
    direction, set_direction: 24, 1;
    /// A medical term: 1 where 200 or more people carry it as a name, 2 where it is hardly a name.
    medical, set_medical: 25, 2;
    /// A drug.
    drug, set_drug: 27, 1;
    /// A name that belongs to a disease or device.
    eponym, set_eponym: 28, 1;
    /// Some longer phrase of the table begins with it.
    begins_phrase, set_begins_phrase: 29, 1;
    /// Short for a given name.
    nickname, set_nickname: 30, 1;
    /// A hospital, payer, laboratory, pharmacy, or a brand that holds a name.
    institution, set_institution: 31, 1;
    /// Can be a noun.
    noun, set_noun: 32, 1;
    /// Can be a verb.
    verb, set_verb: 33, 1;
    /// Can be an adjective.
    adjective, set_adjective: 34, 1;
    /// Can be an adverb.
    adverb, set_adverb: 35, 1;
    /// A word of the basic English vocabulary, which nearly every text has.
    basic, set_basic: 36, 1;
    /// The name of some town of several words begins with it.
    begins_town, set_begins_town: 37, 1;
    /// The name of some county of several words begins with it.
    begins_county, set_begins_county: 38, 1;
    /// The name of some state of several words begins with it.
    begins_state, set_begins_state: 39, 1;
    /// Some medical term, institution or brand of several words begins with it.
    begins_term, set_begins_term: 40, 1;
}
