//! People who do not exist: names, and the addresses and user names that are made of them.

use super::draw::Draw;
use super::places::PLACES;
use super::words::{match_case, other_number, replace_words, spoken};
use super::{Memory, Synthesizer};
use crate::lexicon::lookup;
use crate::token::normalise::TITLES;
use crate::view::hash_word;

/// Parts of names that stay: particles, and what follows a name.
#[rustfmt::skip]
const KEPT: [&str; 47] = [
    "ab", "abu", "al", "and", "ap", "as", "ben", "bin", "bint", "da", "das", "de", "dd", "del", "della", "den", "der",
    "di", "do", "dos", "du", "el", "et", "ibn", "ii", "iii", "in", "iv", "jr", "junior", "la", "las", "le", "los", "md",
    "np", "pa", "phd", "rn", "san", "senior", "sr", "ter", "van", "von", "y", "zu",
];

/// The places of a run of letters that are looked at for the end of one name and the start of another.
const LONGEST_RUN: usize = 24;

struct Names {
    given: &'static [&'static str],
    family: &'static [&'static str],
}

#[rustfmt::skip]
const ENGLISH: Names = Names {
    given: &[
        "Adele", "Alba", "Alden", "Arlo", "Asha", "Aubrey", "Avery", "Basil", "Beatrix", "Beth", "Blythe", "Bruno",
        "Callum", "Cara", "Celia", "Clive", "Cora", "Cyrus", "Dana", "Daphne", "Della", "Desmond", "Dorian", "Edgar",
        "Edith", "Elias", "Elsa", "Emery", "Enid", "Esme", "Ezra", "Faye", "Felix", "Finley", "Flora", "Freya", "Gavin",
        "Gemma", "Giles", "Greta", "Gwen", "Hana", "Harvey", "Hattie", "Hugo", "Ida", "Imogen", "Ines", "Iris", "Ivan",
        "Ivor", "Jasper", "Jonas", "Jules", "Juno", "Karl", "Keira", "Kira", "Lana", "Lars", "Leona", "Lila", "Linus",
        "Lorna", "Mabel", "Magnus", "Maisie", "Marlon", "Mavis", "Milo", "Mina", "Nadia", "Nell", "Nico", "Niles",
        "Nora", "Odette", "Olive", "Orla", "Oscar", "Otis", "Pearl", "Percy", "Petra", "Piers", "Poppy", "Quinn",
        "Ramona", "Reuben", "Rhea", "Roland", "Rosa", "Rufus", "Sable", "Selma", "Silas", "Simone", "Stella", "Sybil",
        "Talia", "Tessa", "Theo", "Tobin", "Una", "Ursula", "Vera", "Viola", "Wanda", "Wesley", "Willa", "Winnie",
        "Xavier", "Yara", "Yvette", "Zelda",
    ],
    family: &[
        "Abbott", "Acton", "Alcott", "Ames", "Arden", "Ashdown", "Barlow", "Barrow", "Beck", "Bexley", "Birch", "Blakely",
        "Bowen", "Bramwell", "Calder", "Carlisle", "Colby", "Conway", "Corwin", "Cross", "Dalton", "Danvers", "Denham",
        "Dorset", "Drake", "Dunmore", "Easton", "Elgin", "Ellery", "Everly", "Fallow", "Farrow", "Fenwick", "Finch",
        "Frost", "Gainsby", "Garner", "Gilmore", "Glover", "Granger", "Hale", "Halford", "Harlow", "Hartwell", "Holt",
        "Huxley", "Ingram", "Irving", "Jarvis", "Joyce", "Keating", "Keller", "Kendrick", "Kirby", "Langley", "Larkin",
        "Lowell", "Lyndon", "Marlowe", "Marsh", "Mercer", "Milburn", "Nash", "Norwood", "Oakes", "Orwell", "Paxton",
        "Pembroke", "Prescott", "Pryor", "Quade", "Quincy", "Radley", "Ramsey", "Redmond", "Ridley", "Rowe", "Sawyer",
        "Selby", "Sheldon", "Sloane", "Stanton", "Stroud", "Sutton", "Talbot", "Thorne", "Tilden", "Tremont", "Upton",
        "Vance", "Vaughn", "Wadley", "Walden", "Weston", "Whitby", "Wilder", "Winslow", "Wyndham", "Yates", "Yorke",
        "Zeller",
    ],
};
#[rustfmt::skip]
const SPANISH: Names = Names {
    given: &[
        "Adela", "Alonso", "Amaya", "Belén", "Blanca", "Ciro", "Dario", "Elisa", "Emilio", "Fermín", "Gael", "Hilda",
        "Inés", "Jacinta", "Leandro", "Lola", "Mateo", "Nieves", "Olga", "Paloma", "Renata", "Saúl", "Tadeo", "Ximena",
    ],
    family: &[
        "Acosta", "Barrera", "Bravo", "Calvo", "Cordero", "Durán", "Esparza", "Fajardo", "Gallardo", "Herrero", "Iglesias",
        "Jurado", "Lozano", "Macías", "Navarrete", "Olmedo", "Pardo", "Quiroga", "Rosales", "Salcedo", "Tejada", "Urrutia",
        "Valdivia", "Zamora",
    ],
};
#[rustfmt::skip]
const CYRILLIC: Names = Names {
    given: &["Антон", "Вера", "Глеб", "Дина", "Егор", "Жанна", "Захар", "Инна", "Кирилл", "Лидия", "Марк", "Нина", "Олег", "Рита"],
    family: &["Белых", "Вершин", "Гринь", "Дольник", "Жук", "Зима", "Круглых", "Лесных", "Мороз", "Новик", "Седых", "Тихонь", "Шевчук"],
};
#[rustfmt::skip]
const GREEK: Names = Names {
    given: &["Άννα", "Δάφνη", "Ζωή", "Ηλίας", "Θάλεια", "Ιάσων", "Κλειώ", "Λίνος", "Μάρθα", "Νίκη", "Πέτρος", "Φοίβη"],
    family: &["Αλεξίου", "Βλάχου", "Γεωργίου", "Δήμου", "Ζέρβας", "Κορρές", "Λάσκαρης", "Μελάς", "Νέγρης", "Ράλλη", "Σγουρός"],
};
#[rustfmt::skip]
const HAN: Names = Names {
    given: &["安", "博", "晨", "丹", "芳", "桂", "涵", "佳", "琳", "明", "宁", "琪", "瑞", "松", "婷", "文", "欣", "雅", "悦", "泽"],
    family: &["白", "曹", "程", "邓", "方", "高", "郝", "贾", "康", "龙", "毛", "倪", "潘", "秦", "石", "唐", "汪", "夏", "姚", "邹"],
};
#[rustfmt::skip]
const KANA: Names = Names {
    given: &["あおい", "いずみ", "かえで", "さくら", "しおり", "つばさ", "なぎさ", "はるか", "ひかり", "ひなた", "まこと", "みのる"],
    family: &["あおき", "いけだ", "うえだ", "おかだ", "きむら", "さかい", "たけだ", "なかの", "はらだ", "まつい", "もりた", "よこた"],
};
#[rustfmt::skip]
const HANGUL: Names = Names {
    given: &["가온", "나래", "다솜", "라온", "마루", "보람", "새봄", "아라", "이슬", "하늘", "한결", "해솔"],
    family: &["강", "고", "노", "도", "류", "문", "배", "백", "서", "송", "안", "양", "유", "전", "차", "하", "허"],
};
#[rustfmt::skip]
const ARABIC: Names = Names {
    given: &["أمين", "بسمة", "جمال", "حنان", "رامي", "سلمى", "عادل", "فرح", "كريم", "ليلى", "نادر", "هناء"],
    family: &["البدر", "الحكيم", "الراوي", "الزين", "السالم", "الصافي", "العطار", "القمر", "المنير", "النجار", "الهادي"],
};
#[rustfmt::skip]
const HEBREW: Names = Names {
    given: &["אורי", "גלית", "דניאל", "הילה", "טל", "יעל", "ליאור", "מיכל", "נועם", "עדי", "רותם", "תמר"],
    family: &["אלון", "ברק", "גולן", "דגן", "חרמון", "כרמל", "לביא", "נבון", "ערבה", "צור", "רגב", "שחר"],
};
#[rustfmt::skip]
const DEVANAGARI: Names = Names {
    given: &["अमित", "आशा", "उमा", "कमल", "गीता", "जया", "दीपक", "निशा", "मोहन", "रवि", "लता", "सुमन"],
    family: &["कपूर", "खन्ना", "गुप्ता", "चावला", "जोशी", "त्यागी", "नायर", "भट्ट", "मेहता", "राव", "वर्मा", "सेठी"],
};

/// The list that a word is drawn from: of its script, and for Latin letters of its language where that shows.
fn names_like(word: &str, keep_locale: bool) -> &'static Names {
    let Some(letter) = word.chars().find(|c| c.is_alphabetic()).filter(|_| keep_locale) else {
        return &ENGLISH;
    };
    match letter {
        '\u{370}'..='\u{3ff}' | '\u{1f00}'..='\u{1fff}' => &GREEK,
        '\u{400}'..='\u{52f}' => &CYRILLIC,
        '\u{590}'..='\u{5ff}' => &HEBREW,
        '\u{600}'..='\u{6ff}' | '\u{750}'..='\u{77f}' => &ARABIC,
        '\u{900}'..='\u{97f}' => &DEVANAGARI,
        '\u{3040}'..='\u{30ff}' => &KANA,
        '\u{3400}'..='\u{9fff}' => &HAN,
        '\u{1100}'..='\u{11ff}' | '\u{ac00}'..='\u{d7af}' => &HANGUL,
        _ if is_spanish(word) => &SPANISH,
        _ => &ENGLISH,
    }
}

fn is_spanish(word: &str) -> bool {
    #[rustfmt::skip]
    const KNOWN: [&str; 28] = [
        "alejandro", "carlos", "castillo", "cruz", "delgado", "diego", "esperanza", "flores", "garcia", "guadalupe",
        "javier", "jose", "juan", "luis", "maria", "marisol", "mendoza", "miguel", "morales", "moreno", "ortega", "pablo",
        "reyes", "rivera", "romero", "ruiz", "torres", "vargas",
    ];
    let ends = |ending: &str| word.len() > ending.len() + 2 && word.ends_with(ending);
    KNOWN.contains(&word)
        || word.contains('ñ')
        || ["ez", "éz", "ía", "ús", "ón", "és"].iter().any(|e| ends(e))
}

#[derive(Clone, Copy, Eq, PartialEq)]
enum Role {
    Given,
    Family,
}

/// Draws the parts of names, each of which has one surrogate wherever it stands.
pub(super) struct People<'a> {
    pub(super) synthesizer: &'a Synthesizer,
    pub(super) memory: &'a mut dyn Memory,
    pub(super) is_taken: &'a dyn Fn(&str) -> bool,
    pub(super) attempt: u32,
}

impl People<'_> {
    /// A name of as many words in the same case, with titles and particles kept.
    pub(super) fn name(&mut self, original: &str, normalised: &str) -> String {
        if let Some(spelled) = self.spelled(original, normalised) {
            return spelled;
        }
        let split: Vec<&str> = original.split_whitespace().collect();
        let words = split.len();
        // "Reed, Jonathan": what stands before a comma is the family's name, if something follows it.
        let comma = original.find(',').filter(|at| {
            let rest = original[at + 1..].trim();
            !rest.is_empty() && !is_kept(&rest.to_lowercase())
        });
        let last = split.iter().rposition(|word| !is_kept(&word.to_lowercase())).unwrap_or(0);
        let mut index = 0;
        let mut position = 0;
        replace_words(original, |word| {
            let at = original[position..].find(word).map_or(position, |found| position + found);
            position = at + word.len();
            index += 1;
            let folded = word.to_lowercase();
            // Where everything would stay, everything goes.
            if self.attempt == 0 && words > 1 && (TITLES.contains(&folded.as_str()) || is_kept(&folded)) {
                return word.to_owned();
            }
            let role = match comma {
                Some(comma) if at < comma => Role::Family,
                Some(_) => Role::Given,
                None if words > 1 && index > last => Role::Family,
                None => Role::Given,
            };
            self.compound(word, role, words == 1)
        })
    }

    /// A part with hyphens, whose pieces are names of their own.
    fn compound(&mut self, word: &str, role: Role, alone: bool) -> String {
        let pieces: Vec<&str> = word.split('-').collect();
        let mut new = Vec::with_capacity(pieces.len());
        for piece in pieces {
            new.push(if piece.chars().any(char::is_alphabetic) {
                self.piece(piece, role, alone)
            } else {
                piece.to_owned()
            });
        }
        new.join("-")
    }

    fn piece(&mut self, piece: &str, role: Role, alone: bool) -> String {
        let folded: String = piece.to_lowercase().chars().filter(|c| c.is_alphanumeric()).collect();
        let is_han = |c: char| matches!(c, '\u{3400}'..='\u{9fff}');
        let letters = folded.chars().count();
        if letters == 1 && folded.is_ascii() {
            return match_case(piece, &self.initial(&folded));
        }
        if alone && letters > 1 && folded.chars().all(is_han) && self.synthesizer.preserve_locale {
            return self.han(&folded, letters);
        }
        match_case(piece, &self.word(&folded, role))
    }

    /// The surrogate of one part of a name.
    fn word(&mut self, folded: &str, role: Role) -> String {
        if self.attempt == 0
            && let Some(known) = self.memory.word(folded)
        {
            return known;
        }
        let names = names_like(folded, self.synthesizer.preserve_locale);
        let list = if self.role(folded, role) == Role::Given { names.given } else { names.family };
        let drawn = self.draw(folded, |draw| draw.pick(list).to_owned());
        if self.attempt == 0 {
            self.memory.remember(folded, &drawn);
            let initial = |word: &str| word.chars().next().map(|c| c.to_lowercase().to_string());
            if role == Role::Given
                && let (Some(old), Some(new)) = (initial(folded), initial(&drawn))
                && self.memory.word(&format!("{old}.")).is_none()
            {
                self.memory.remember(&format!("{old}."), &new);
            }
        }
        drawn
    }

    /// What the word table says a part is, where it says so clearly; else where it stands.
    #[expect(clippy::unused_self, reason = "reads beside its callers")]
    fn role(&self, folded: &str, role: Role) -> Role {
        let entry = lookup(hash_word(folded.as_bytes()));
        match (entry.given_name(), entry.family_name()) {
            (given, family) if given > family + 2 => Role::Given,
            (given, family) if family > given + 2 => Role::Family,
            _ => role,
        }
    }

    /// Draws until what is drawn is not the part itself, nothing of the text, and nobody else's.
    fn draw(&self, folded: &str, mut make: impl FnMut(&mut Draw) -> String) -> String {
        const TRIES: u32 = 48;
        let mut drawn = String::new();
        for n in 0..TRIES {
            let mut draw = Draw::new(&self.synthesizer.key, "name", folded, self.attempt * TRIES + n);
            drawn = make(&mut draw);
            let lower = drawn.to_lowercase();
            let is_free = lower != folded
                && !(self.is_taken)(&drawn)
                && (self.synthesizer.seeded || !self.memory.is_used(&lower) || n > TRIES / 2);
            if is_free {
                break;
            }
        }
        drawn
    }

    fn initial(&mut self, letter: &str) -> String {
        let key = format!("{letter}.");
        if let Some(known) = self.memory.word(&key).filter(|_| self.attempt == 0) {
            return known;
        }
        let drawn = self.draw(letter, |draw| char::from(b'a' + draw.below(26) as u8).to_string());
        self.memory.remember(&key, &drawn);
        drawn
    }

    /// A Chinese name: one character for the family, as many as there are for the given name.
    fn han(&mut self, folded: &str, letters: usize) -> String {
        if let Some(known) = self.memory.word(folded).filter(|_| self.attempt == 0) {
            return known;
        }
        let drawn = self.draw(folded, |draw| {
            (0..letters).map(|at| draw.pick(if at == 0 { HAN.family } else { HAN.given })).collect()
        });
        self.memory.remember(folded, &drawn);
        drawn
    }

    /// A name that was spelled letter by letter is spelled again: "k o v a c s", "s as in sam t e n b e r g".
    fn spelled(&mut self, original: &str, normalised: &str) -> Option<String> {
        let words: Vec<&str> = original.split_whitespace().collect();
        let letters: Vec<&str> = words.iter().copied().filter(|word| word.chars().count() == 1).collect();
        let name: String =
            normalised.chars().filter(|c| c.is_alphabetic()).flat_map(char::to_lowercase).collect();
        if letters.len() < 3
            || letters.len() * 2 <= words.len()
            || normalised.split(' ').count() > 1 && name.len() != letters.len()
        {
            return None;
        }
        let new = self.word(&name, Role::Family);
        let new: Vec<String> = new.chars().map(|c| match_case(letters[0], &c.to_string())).collect();
        Some(new.join(" "))
    }

    /// An address whose owner has the name that the words of the original's local part have elsewhere.
    pub(super) fn email(&mut self, original: &str, normalised: &str, draw: &mut Draw) -> String {
        let local = normalised.split('@').next().unwrap_or_default();
        let address = format!("{}@example.com", self.handle(local, draw));
        if !original.contains('@') {
            return said(&address);
        }
        if original.chars().any(char::is_lowercase) { address } else { address.to_uppercase() }
    }

    /// A user name of the person whose name it holds, or another word with the same figures.
    pub(super) fn username(&mut self, original: &str, normalised: &str, draw: &mut Draw) -> String {
        let is_spelled = original.split_whitespace().filter(|word| word.chars().count() == 1).count() > 2;
        let text = if is_spelled { normalised } else { original };
        let (sign, text) = text.strip_prefix('@').map_or(("", text), |rest| ("@", rest));
        let new = self.handle(&text.to_lowercase(), draw);
        match (is_spelled, text.chars().any(char::is_lowercase)) {
            (true, _) => spoken(&new),
            (false, true) => format!("{sign}{new}"),
            (false, false) => format!("{sign}{}", new.to_uppercase()),
        }
    }

    /// The part of an address before the sign: runs of letters become names or other words, digits other digits.
    fn handle(&mut self, text: &str, draw: &mut Draw) -> String {
        let mut new = String::with_capacity(text.len() + 8);
        let mut rest = text;
        let mut first = true;
        while let Some(c) = rest.chars().next() {
            if !c.is_alphabetic() {
                new.push(if c.is_numeric() { draw.digit() } else { c });
                rest = &rest[c.len_utf8()..];
                continue;
            }
            let run = &rest[..rest.find(|c: char| !c.is_alphabetic()).unwrap_or(rest.len())];
            new.push_str(&self.run(&run.to_lowercase(), first, draw).to_lowercase());
            rest = &rest[run.len()..];
            first = false;
        }
        // The next draw of the same name is told apart by its figures.
        if self.attempt > 0 || new.is_empty() {
            new.push_str(&(draw.below(90) + 10).to_string());
        }
        ascii(&new)
    }

    /// What a run of letters in an address becomes.
    fn run(&mut self, run: &str, first: bool, draw: &mut Draw) -> String {
        // A second attempt takes the names as they are and is told apart by figures.
        let attempt = std::mem::replace(&mut self.attempt, 0);
        let new = self.run_of_first_attempt(run, first, draw);
        self.attempt = attempt;
        new
    }

    fn run_of_first_attempt(&mut self, run: &str, first: bool, draw: &mut Draw) -> String {
        if let Some(known) = self.memory.word(run) {
            return known;
        }
        if run.chars().count() == 1 {
            return self.initial(run);
        }
        if let Some(number) = other_number(run, draw) {
            return number.to_owned();
        }
        // No two names make a longer run than this, and trying every place of a long one would take its square.
        let places: Vec<usize> = run.char_indices().skip(1).map(|(at, _)| at).take(LONGEST_RUN).collect();
        for at in &places {
            let (one, two) = run.split_at(*at);
            let known = |part: &str| self.memory.word(if part.chars().count() == 1 { "" } else { part });
            let (known_one, known_two) = (known(one), known(two));
            let is_initial = |part: &str| part.chars().count() == 1;
            match (known_one, known_two) {
                (Some(one), Some(two)) => return one + &two,
                (Some(new), None) if is_initial(two) => return new + &self.initial(two),
                (None, Some(new)) if is_initial(one) => return self.initial(one) + &new,
                _ => {}
            }
        }
        let entry = |word: &str| lookup(hash_word(word.as_bytes()));
        let whole = entry(run);
        let is_name = whole.given_name() > 0 || whole.family_name() > 0;
        if !is_name {
            // "sarahchen", "jdoe": two names, or an initial and one.
            let split = places.iter().map(|at| run.split_at(*at)).find(|(one, two)| {
                let first_is = one.chars().count() == 1 || entry(one).given_name() > 2;
                first_is && two.chars().count() > 2 && entry(two).family_name() > 2
            });
            if let Some((one, two)) = split {
                let one =
                    if one.chars().count() == 1 { self.initial(one) } else { self.word(one, Role::Given) };
                return one + &self.word(two, Role::Family);
            }
            if whole.common() > 0 {
                return self.draw(run, |draw| draw.pick(&PLACES).to_owned());
            }
        }
        self.word(run, if first { Role::Given } else { Role::Family })
    }
}

fn is_kept(folded: &str) -> bool {
    KEPT.contains(&folded.trim_end_matches([',', '.']).trim_start_matches(','))
}

/// An address as a caller says it.
fn said(address: &str) -> String {
    let mut words: Vec<String> = Vec::new();
    let mut word = String::new();
    for c in address.chars() {
        let sign = match c {
            '@' => "at",
            '.' => "dot",
            '-' => "dash",
            '_' => "underscore",
            '+' => "plus",
            _ if c.is_numeric() => {
                words.extend(Some(std::mem::take(&mut word)).filter(|word| !word.is_empty()));
                words.push(spoken(&c.to_string()));
                continue;
            }
            _ => {
                word.push(c);
                continue;
            }
        };
        words.extend(Some(std::mem::take(&mut word)).filter(|word| !word.is_empty()));
        words.push(sign.to_owned());
    }
    words.extend(Some(word).filter(|word| !word.is_empty()));
    words.join(" ")
}

/// The text without accents, which addresses and user names seldom have.
fn ascii(text: &str) -> String {
    use unicode_normalization::UnicodeNormalization as _;

    text.nfd().filter(|c| !matches!(c, '\u{300}'..='\u{36f}')).collect()
}
