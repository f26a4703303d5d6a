use std::collections::HashMap;
use std::sync::LazyLock;

use smallvec::SmallVec;

use super::document::{Document, joins_phrase};
use super::starts::Flags;
use super::vocabulary::Tags;
use crate::Kind;
use crate::kinds::{self, Cue};
use crate::view::{Gap, NormalView, WordHash, WordHashBuilder, hash_word, split_words};

/// What a cue phrase says about the kind it belongs to.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum Role {
    Label,
    After,
    Hint,
    Against,
}

/// A cue phrase found in a document.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CueHit {
    /// First word.
    pub(crate) start: usize,
    /// One past the last word.
    pub(crate) end: usize,
    /// Index into [`Kind::BUILT_IN`].
    pub(crate) kind: u8,
    pub(crate) role: Role,
}

impl CueHit {
    /// The last word; where it has none, the one that it stands before.
    pub(crate) fn last_word(&self) -> usize {
        self.start.max(self.end.saturating_sub(1))
    }
}

/// The longest cue phrase, in words.
const LONGEST: usize = 8;

/// The nearest label of a kind that ends at most `reach` words before the word `at`.
pub(crate) fn label_before(cues: &[CueHit], kind: &Kind, at: usize, reach: usize) -> Option<CueHit> {
    let from = cues.partition_point(|cue| cue.start + LONGEST + reach < at);
    let to = cues.partition_point(|cue| cue.start <= at);
    cues[from..to].iter().rev().copied().find(|cue| {
        cue.role == Role::Label
            && Kind::BUILT_IN[cue.kind as usize] == *kind
            && cue.end <= at
            && at - cue.end <= reach
    })
}

/// The cues of the built-in kinds.
pub(crate) static CUES: LazyLock<CueTable> = LazyLock::new(CueTable::new);

/// The cue phrases of all built-in kinds, ready to be found in one walk over the words.
#[derive(Debug)]
pub(crate) struct CueTable {
    nodes: HashMap<WordHash, Node, WordHashBuilder>,
    /// The words of all phrases, with the parts they play in them.
    words: Vec<(WordHash, Tags)>,
    name: WordHash,
    number: WordHash,
}

#[derive(Debug, Default)]
struct Node {
    cues: Vec<Meaning>,
    continues: bool,
}

/// What a phrase says.
#[derive(Clone, Copy, Debug)]
struct Meaning {
    kind: u8,
    role: Role,
    /// It says so only as the name of a field.
    key: bool,
}

impl CueTable {
    pub(crate) fn new() -> Self {
        let (name, number) = (hash_word(b"name"), hash_word(b"number"));
        let mut table = Self { nodes: HashMap::default(), words: Vec::new(), name, number };
        for (index, kind) in Kind::BUILT_IN.iter().enumerate() {
            for cue in kinds::spec(kind).cues {
                let (phrase, role) = match *cue {
                    Cue::Label(phrase) | Cue::Key(phrase) => (phrase, Role::Label),
                    Cue::After(phrase) => (phrase, Role::After),
                    Cue::Hint(phrase) => (phrase, Role::Hint),
                    Cue::Against(phrase) => (phrase, Role::Against),
                };
                let key = matches!(cue, Cue::Key(_));
                table.insert(phrase, Meaning { kind: index as u8, role, key });
            }
        }
        table
    }

    fn insert(&mut self, phrase: &str, meaning: Meaning) {
        let view = NormalView::new(phrase, &[]);
        let words = split_words(&view);
        debug_assert!(words.len() <= LONGEST, "{phrase} is too long");
        let alone = Tags::CUE_ALONE.when(words.len() == 1);
        for (at, word) in words.iter().enumerate() {
            self.words.push((word.hash, if at == 0 { Tags::CUE.with(alone) } else { Tags::CUE_INSIDE }));
        }
        let mut hash: Option<WordHash> = None;
        for word in &words {
            if let Some(previous) = hash {
                self.nodes.entry(previous).or_default().continues = true;
            }
            hash = Some(hash.map_or(word.hash, |previous| previous.then(word.hash)));
        }
        if let Some(hash) = hash {
            self.nodes.entry(hash).or_default().cues.push(meaning);
        }
    }

    /// The words of cues, with the parts they play in them; words that play several come several times.
    pub(crate) fn words(&self) -> impl Iterator<Item = (WordHash, Tags)> {
        self.words.iter().copied()
    }

    /// Whether no phrase of several words begins at a word that some begin with.
    #[inline]
    fn no_longer_phrase(&self, document: &Document<'_>, start: usize) -> bool {
        let end = start + 1;
        end < document.len()
            && !document.gap(end).has(Gap::HASH)
            && !(joins_phrase(document.gap(end))
                && self.nodes.contains_key(&document.hash(start).then(document.hash(end))))
    }

    /// Whether a cue that begins with the word "name" speaks of no person's: "pharmacy name", "the name of your pharmacy", but not
    /// "the name of the school nurse". A phrase for each would have every such word looked up as the first word of a cue.
    fn is_of_thing(&self, document: &Document<'_>, start: usize) -> bool {
        if document.hash(start) != self.name {
            return false;
        }
        if document.is_before(start, Tags::THING) && joins_phrase(document.gap(start)) {
            return true;
        }
        let determined = matches!(
            document.stem(start + 2),
            "a" | "an" | "any" | "her" | "his" | "my" | "our" | "that" | "the" | "their" | "this" | "your"
        );
        let thing = start + 2 + usize::from(determined);
        let is_person = document.is(thing + 1, Tags::ROLE.with(Tags::TITLE).with(Tags::RELATION))
            || matches!(
                document.stem(thing + 1),
                "administrator"
                    | "contact"
                    | "coordinator"
                    | "director"
                    | "leader"
                    | "manager"
                    | "owner"
                    | "supervisor"
                    | "teacher"
                    | "technician"
                    | "worker"
            );
        let is_of_person =
            document.is_possessive(thing) || is_person && document.gap(thing + 1).only(Gap::SPACE);
        document.stem(start + 1) == "of" && document.is(thing, Tags::THING) && !is_of_person
    }

    /// All cues in a document, in order of their first word; of two cues of one kind and role that begin at one word, the
    /// longer.
    pub(crate) fn find(&self, document: &Document<'_>) -> Vec<CueHit> {
        let mut hits: Vec<CueHit> = Vec::with_capacity(32);
        for start in document.starts.of(Flags::CUE) {
            let first = hits.len();
            let mut hash = document.hash(start);
            let mut end = start + 1;
            if !document.is(start, Tags::CUE_ALONE) && self.no_longer_phrase(document, start) {
                continue;
            }
            let mut node = self.nodes.get(&hash);
            while let Some(found) = node {
                for &Meaning { kind, role, key } in &found.cues {
                    if key && !document.names_field(start) {
                        continue;
                    }
                    match hits[first..].iter_mut().find(|hit| hit.kind == kind && hit.role == role) {
                        Some(hit) => hit.end = end,
                        None => hits.push(CueHit { start, end, kind, role }),
                    }
                }
                if !found.continues {
                    break;
                }
                if document.number_sign_follows(end - 1) {
                    // "mrn #" is "mrn number"; the value comes next.
                    if let Some(numbered) = self.nodes.get(&hash.then(self.number)) {
                        for &Meaning { kind, role, .. } in &numbered.cues {
                            if !hits[first..].iter().any(|hit| hit.kind == kind && hit.role == role) {
                                hits.push(CueHit { start, end, kind, role });
                            }
                        }
                    }
                    break;
                }
                if end >= document.len() || !joins_phrase(document.gap(end)) {
                    break;
                }
                hash = hash.then(document.hash(end));
                end += 1;
                node = self.nodes.get(&hash);
            }
            if hits.len() > first && (self.is_of_thing(document, start) || is_quantity(document, start)) {
                hits.truncate(first);
            }
        }
        keep_longest_labels(&mut hits);
        hits
    }
}

/// "a lot more pain": no lot that has a number.
fn is_quantity(document: &Document<'_>, at: usize) -> bool {
    at > 0 && document.stem(at) == "lot" && matches!(document.stem(at - 1), "a" | "whole" | "parking")
}

/// Of overlapping labels of different kinds keeps the longest, then the first: a "fingerprint card number" is no "card
/// number", and "user name" asks for no name. A longer contradiction beats a label in it. Equal phrases of two kinds stay.
fn keep_longest_labels(hits: &mut Vec<CueHit>) {
    let beats = |a: &CueHit, b: &CueHit| {
        if a.end <= b.start {
            return false;
        }
        let (a_len, b_len) = (a.end - a.start, b.end - b.start);
        let rival = if a.role == Role::Against {
            b.role == Role::Label && a.start <= b.start && a.end >= b.end && a_len > b_len
        } else {
            // Of two that only touch, the first is the more particular: "passport number" in "passport number on file".
            let holds = a.start <= b.start && a.end >= b.end && a_len > b_len;
            let touches = a.start < b.start && a.end < b.end;
            a.role == b.role && (holds || touches)
        };
        rival && (a.kind != b.kind || a.role == Role::Against)
    };
    let mut reach = 0;
    let overlap = hits.iter().any(|hit| {
        let before = reach;
        reach = reach.max(hit.end);
        hit.start < before
    });
    if !overlap {
        return;
    }
    let mut beaten = SmallVec::<[bool; 64]>::from_elem(false, hits.len());
    for (index, hit) in hits.iter().enumerate() {
        // What beats it begins no later.
        let near = |other: &&CueHit| hit.start - other.start < LONGEST;
        let beside = |other: &&CueHit| other.start == hit.start;
        beaten[index] = matches!(hit.role, Role::Label | Role::After)
            && (hits[..index].iter().rev().take_while(near).any(|other| beats(other, hit))
                || hits[index + 1..].iter().take_while(beside).any(|other| beats(other, hit)));
    }
    let mut beaten = beaten.into_iter();
    hits.retain(|_| !beaten.next().unwrap_or(false));
}
