//! E-mail, web and IP addresses said as words: "jane dot doe at example dot com".

use super::Pass;
use super::candidate::Candidate;
use super::context::Context;
use super::cues::{CueHit, Role};
use super::document::Document;
use super::patterns::is_odd_word;
use super::starts::Flags;
use super::vocabulary::Tags;
use crate::Kind;
use crate::kinds::Verdict;
use crate::kinds::checks;
use crate::lexicon::Entry;
use crate::view::{Class, Gap, Shape};

/// Top-level domains that are said after "dot" without spelling; others count only where the rest leaves no doubt.
const DOMAINS: [&str; 46] = [
    "com", "org", "net", "edu", "gov", "mil", "io", "ai", "co", "us", "info", "biz", "me", "app", "dev",
    "health", "care", "uk", "ca", "fr", "de", "it", "es", "eu", "au", "in", "jp", "cn", "br", "mx", "ch",
    "nl", "se", "no", "tv", "sm", "online", "site", "clinic", "med", "law", "tech", "store", "cloud", "live",
    "abc",
];

/// Those of them that are no English words: after "dot" they leave no doubt.
const PLAIN_DOMAINS: [&str; 10] = ["com", "org", "net", "edu", "gov", "mil", "io", "ai", "info", "biz"];

/// The most words that a part of an address is made of; spelled letters are words too.
const LONGEST: usize = 24;

pub(crate) fn find(document: &Document<'_>, out: &mut Vec<Candidate>) {
    let mut floor = 0;
    for at in document.starts.of(Flags::RARE).filter(|&at| document.is(at, Tags::SIGN)) {
        if at < floor {
            continue;
        }
        let found = match document.class(at) {
            Class::At => email(document, at, floor),
            Class::Dot => ip(document, at, floor).or_else(|| web(document, at, floor)),
            _ => None,
        };
        if let Some((kind, start, end, recognizer)) = found {
            out.push(Candidate {
                kind,
                span: document.span(start, end),
                score: 0.9,
                validated: true,
                pass: Pass::Spoken,
                recognizer: recognizer.into(),
            });
            floor = end;
        }
    }
}

/// User names said as words behind their label: "user name is m lopez seven".
pub(crate) fn find_usernames(document: &Document<'_>, cues: &[CueHit], out: &mut Vec<Candidate>) {
    /// No user name is said with more words.
    const MOST_WORDS: usize = 8;
    let labels = cues
        .iter()
        .filter(|cue| cue.role == Role::Label && Kind::BUILT_IN[cue.kind as usize] == Kind::Username);
    for cue in labels {
        let links = |at: usize| {
            matches!(document.stem(at), "is" | "was" | "it" | "as") || document.class(at) == Class::At
        };
        let start = if links(cue.end) && close(document, cue.end) {
            cue.end + 1
        } else if links(cue.end - 1) || begins_odd_name(document, cue.end) {
            cue.end
        } else {
            continue;
        };
        // "venmo is at jerome k"
        let start = start + usize::from(document.class(start) == Class::At && close(document, start));
        let mut end = start;
        let (mut codes, mut plain) = (0, 0);
        let another = |at: usize| {
            let from = cues.partition_point(|cue| cue.start < at);
            cues[from..].iter().take_while(|cue| cue.start == at).any(|cue| cue.role == Role::Label)
        };
        while end < document.len() && end < start + MOST_WORDS && close(document, end) && !another(end) {
            match document.class(end) {
                Class::Letter | Class::Oh | Class::Digit | Class::Teen | Class::Tens | Class::Repeat => {
                    codes += 1;
                }
                Class::Underscore | Class::Dot | Class::Dash => codes += 1,
                _ if is_prose(document, end) || document.entry(end).common() >= 6 => break,
                _ => plain += 1,
            }
            end += 1;
        }
        // Letters and numbers make a user name of words; plain words alone are read as written.
        if end < start + 2 || codes == 0 || plain > 3 {
            continue;
        }
        out.push(Candidate {
            kind: Kind::Username,
            span: document.span(start, end),
            score: 0.85,
            validated: false,
            pass: Pass::Spoken,
            recognizer: "username_said".into(),
        });
    }
}

/// "username joharlow ninety two": a word that is in no list, and numbers behind it.
fn begins_odd_name(document: &Document<'_>, at: usize) -> bool {
    document.gap(at) == Gap::SPACE
        && document.entry(at) == Entry::default()
        && document.class(at) == Class::None
        && is_said_digit(document, at + 1)
}

fn is_said_digit(document: &Document<'_>, at: usize) -> bool {
    document.gap(at) == Gap::SPACE
        && matches!(document.class(at), Class::Digit | Class::Oh | Class::Teen | Class::Tens | Class::Repeat)
}

/// Passwords said as words with a number behind them: "the password is paper moon forty four".
pub(crate) fn find_passwords(document: &Document<'_>, cues: &[CueHit], out: &mut Vec<Candidate>) {
    /// No password is said with more words before its number, nor with a longer one.
    const MOST_WORDS: usize = 3;
    const MOST_DIGITS: usize = 8;
    let labels = cues
        .iter()
        .filter(|cue| cue.role == Role::Label && Kind::BUILT_IN[cue.kind as usize] == Kind::Password);
    for cue in labels {
        let links = |at: usize| matches!(document.stem(at), "is" | "was");
        let announced = links(cue.end) || links(cue.end - 1) || document.gap(cue.end).has(Gap::COLON);
        let named = matches!(document.stem(cue.end - 1), "password" | "passphrase" | "passwd" | "pwd");
        if !announced && !named {
            continue;
        }
        let start = cue.end + usize::from(links(cue.end));
        let is_word = |at: usize| {
            document.class(at) == Class::None
                && document.words.get(at).is_some_and(|word| word.shape == Shape::Letters)
                && checks::credential(document.stem(at)) != Verdict::Reject
                && !is_prose(document, at)
                && (at == start || document.gap(at) == Gap::SPACE)
        };
        let words = (start..start + MOST_WORDS).take_while(|&at| is_word(at)).count();
        let number = start + words;
        let digits = (number..number + MOST_DIGITS).take_while(|&at| is_said_digit(document, at)).count();
        let end = number + digits;
        // "pin change two days ago"
        let amount = document.class(end) == Class::Unit || !announced && !document.begins_clause(end);
        if words == 0 || digits == 0 || amount || document.gap(start).has(Gap::BARRIER) {
            continue;
        }
        out.push(Candidate {
            kind: Kind::Password,
            span: document.span(start, end),
            score: 0.85,
            validated: false,
            pass: Pass::Spoken,
            recognizer: "password_said".into(),
        });
    }
}

/// A secret that is all that somebody answers, and no word: "what's your user name?" "zmistry"
pub(crate) fn find_answers(document: &Document<'_>, context: &Context, out: &mut Vec<Candidate>) {
    for (kind, recognizer) in [(&Kind::Username, "username_answer"), (&Kind::Password, "password_answer")] {
        for (start, _) in context.answers(document, kind) {
            let at = start + usize::from(matches!(document.stem(start), "it" | "its" | "um" | "uh"));
            let is_word = document.words.get(at).is_some_and(|word| word.shape == Shape::Letters);
            let is_alone = is_word && document.gap(at + 1).has(Gap::BARRIER);
            let is_known = document.entry(at).common() > 0
                || document.entry(at).medical() > 0
                || document.is(at, Tags::NO_NAME.with(Tags::ACKNOWLEDGES));
            if is_alone && !is_known && is_odd_word(document, at) {
                out.push(Candidate {
                    kind: kind.clone(),
                    span: document.span(at, at + 1),
                    score: 0.8,
                    validated: false,
                    pass: Pass::Spoken,
                    recognizer: recognizer.into(),
                });
            }
        }
    }
}

type Found = Option<(Kind, usize, usize, &'static str)>;

fn close(document: &Document<'_>, at: usize) -> bool {
    let soft = Gap::SPACE.with(Gap::COMMA).with(Gap::HYPHEN).with(Gap::LINE).with(Gap::QUOTE);
    // "[at]", "(dot)"
    let sign = |at: usize| matches!(document.class(at), Class::At | Class::Dot);
    let bracketed = document.gap(at).has(Gap::BRACKET) && (sign(at) || (at > 0 && sign(at - 1)));
    let gap = document.gap(at);
    // "ngaio.t at example dot com"
    gap == Gap::STOP || gap.only(if bracketed { soft.with(Gap::BRACKET) } else { soft })
}

/// Whether the word is a plain word of sentences rather than part of an address.
fn is_prose(document: &Document<'_>, at: usize) -> bool {
    let entry = document.entry(at);
    let text = document.stem(at);
    if text.len() == 1 {
        return false;
    }
    let name = entry.given_name() >= 4 || entry.family_name() >= 4;
    matches!(
        text,
        "is" | "to"
            | "me"
            | "be"
            | "it"
            | "that"
            | "address"
            | "email"
            | "mail"
            | "my"
            | "the"
            | "at"
            | "are"
            | "or"
            | "was"
            | "on"
            | "yes"
            | "sure"
            | "okay"
            | "ok"
            | "well"
            | "so"
            | "here"
            | "with"
            | "reach"
            | "send"
            | "use"
            | "from"
            | "by"
            | "says"
            | "called"
            | "website"
            | "visit"
            | "online"
            | "site"
            | "has"
            | "would"
    ) || (entry.common() >= 7 && !name)
        || (entry.common() >= 6 && entry.not_name() >= 6 && !name)
}

/// The domain after "at": words joined by "dot", the first word of it at `at`. Gives the word after it.
fn domain(document: &Document<'_>, at: usize, sure: bool) -> Option<usize> {
    let mut end = at;
    let mut label = 0;
    while end < document.len() && end < at + 2 * LONGEST && (end == at || close(document, end)) {
        if document.class(end) == Class::Dot {
            if label == 0 {
                return None;
            }
            end += 1;
            if !close(document, end) {
                return None;
            }
            // The last label: a known domain, or one spelled out.
            let text = document.stem(end);
            let spelled = document.class(end) == Class::Letter || document.class(end) == Class::Oh;
            if spelled {
                let mut last = end;
                while last < document.len()
                    && last < end + LONGEST
                    && matches!(document.class(last), Class::Letter | Class::Oh)
                    && (last == end || close(document, last))
                {
                    last += 1;
                }
                let continues = document.class(last) == Class::Dot && close(document, last);
                if continues || (last - end <= 6 && (last - end >= 2 || sure)) {
                    if continues {
                        label = 1;
                        end = last;
                        continue;
                    }
                    return Some(last);
                }
                return None;
            }
            let number = matches!(document.class(end), Class::Digit);
            let known = if sure { DOMAINS.contains(&text) } else { PLAIN_DOMAINS.contains(&text) };
            let last = !(document.class(end + 1) == Class::Dot && close(document, end + 1));
            if (last || known)
                && (known || (sure && (number || (text.len() <= 4 && !is_prose(document, end)))))
            {
                let mut after = end + 1;
                if number && matches!(document.class(after), Class::Digit) {
                    after += 1;
                }
                if !last {
                    label = 1;
                    end += 1;
                    continue;
                }
                return Some(after);
            }
            // "w w w dot whitfield plumbing dot com"
            let goes_on = || sure && (2..=3).any(|words| document.class(end + words) == Class::Dot);
            if last && !goes_on() {
                return None;
            }
            label = 1;
            end += 1;
            continue;
        }
        // "g mail", "hot mail", "ya hoo": the name may be heard as two words.
        let mail = document.stem(end) == "mail" && label > 0;
        if label > 0 && !mail && is_prose(document, end) && document.class(end) != Class::And {
            return None;
        }
        label += 1;
        end += 1;
        if label > 20 {
            return None;
        }
    }
    None
}

fn email(document: &Document<'_>, at: usize, floor: usize) -> Found {
    if at == 0 || !close(document, at + 1) || !close(document, at) {
        return None;
    }
    let mut domain_at = at + 1;
    if matches!(document.stem(domain_at), "sign" | "symbol") {
        domain_at += 1;
    }
    let last_of_local = if document.stem(at - 1) == "the" && domain_at > at + 1 { at - 1 } else { at };
    let written = domain(document, domain_at, true);
    let end = written.or_else(|| provider(document, domain_at))?;
    let start = local_start(document, last_of_local, floor);
    // "z dot mistry at gmail", but "she works at yahoo"
    let is_address = written.is_some()
        || (start..last_of_local).any(|word| is_connector(document, word) || is_code(document, word));
    (start < last_of_local && is_address).then_some((Kind::Email, start, end, "spoken_email"))
}

/// The word behind the name of a mail provider.
fn provider(document: &Document<'_>, at: usize) -> Option<usize> {
    match (document.stem(at), document.stem(at + 1)) {
        ("g" | "hot" | "proton", "mail") if document.gap(at + 1) == Gap::SPACE => Some(at + 2),
        ("gmail" | "googlemail" | "hotmail" | "icloud" | "outlook" | "protonmail" | "yahoo" | "aol", _) => {
            Some(at + 1)
        }
        _ => None,
    }
}

/// "dot", "underscore", "dash", "plus".
fn is_connector(document: &Document<'_>, at: usize) -> bool {
    matches!(document.class(at), Class::Dot | Class::Underscore | Class::Dash | Class::Plus)
}

/// Letters and numbers that are spelled or written.
fn is_code(document: &Document<'_>, at: usize) -> bool {
    let said = matches!(
        document.class(at),
        Class::Letter
            | Class::Oh
            | Class::Digit
            | Class::Teen
            | Class::Tens
            | Class::Hundred
            | Class::Thousand
            | Class::Repeat
            | Class::Nato
    );
    said || document.words[at].shape != Shape::Letters
}

/// Where the part before "at" begins: going back over letters, numbers, connectors and words that are not prose.
fn local_start(document: &Document<'_>, at: usize, floor: usize) -> usize {
    let mut start = at;
    while start > floor && at - start < LONGEST {
        let word = start - 1;
        let text = document.stem(word);
        // "d as in david": the explaining words belong to the letter.
        let explained = word >= 3
            && document.stem(word - 1) == "in"
            && document.stem(word - 2) == "as"
            && document.words[word - 3].len() == 1;
        if explained {
            start = word - 3;
        } else if is_connector(document, word)
            || is_code(document, word)
            || (!is_prose(document, word) && !text.is_empty())
        {
            start = word;
        } else {
            break;
        }
        if document.begins_sentence(start)
            || !(close(document, start) || document.gap(start).has(Gap::COLON))
            || document.gap(start).has(Gap::COLON)
        {
            break;
        }
    }
    // A connector or comma cannot begin it; "a" is an article before a plain word.
    while start < at && is_connector(document, start) {
        start += 1;
    }
    // After a comma comes the address itself where everything before it is prose.
    for word in (start + 1..at).rev() {
        if document.gap(word).has(Gap::COMMA)
            && document.class(word) == Class::None
            && document.class(word - 1) == Class::None
        {
            return word;
        }
    }
    start
}

fn web(document: &Document<'_>, dot: usize, floor: usize) -> Found {
    if dot == 0 || !close(document, dot) || !close(document, dot + 1) {
        return None;
    }
    // "www dot …" and "http colon slash slash …" leave no doubt.
    let mut start = dot;
    while start > floor && dot - start < LONGEST {
        let word = start - 1;
        let spelled = matches!(
            document.class(word),
            Class::Letter | Class::Oh | Class::Slash | Class::Dash | Class::Digit
        ) || matches!(
            document.stem(word),
            "colon" | "http" | "https" | "www" | "triple" | "dub" | "double"
        ) || document.words[word].shape != Shape::Letters;
        let plain = start == dot && !is_prose(document, word);
        if !(spelled || plain) {
            break;
        }
        start = word;
        if document.begins_sentence(start) || !close(document, start) {
            break;
        }
    }
    if start == dot {
        return None;
    }
    // A lone "a" or "i" before the name is a word of the sentence.
    if document.class(start) == Class::Letter
        && document.stem(start + 1).len() > 1
        && document.class(start + 1) == Class::None
        && matches!(document.stem(start), "a" | "i")
    {
        start += 1;
    }
    let prefix = (start..dot).any(|at| matches!(document.stem(at), "http" | "https" | "www" | "colon"))
        || (start..dot).filter(|&at| matches!(document.stem(at), "w" | "h" | "t" | "p")).count() >= 3;
    let announced = document.before(start).take(4).any(|at| {
        matches!(
            document.stem(at),
            "website" | "site" | "url" | "link" | "online" | "webpage" | "portal" | "web" | "found" | "visit"
        )
    });
    // The host begins behind "colon slash slash".
    let host = (start..dot).rev().find(|&at| document.class(at) == Class::Slash).map_or(start, |at| at + 1);
    if host >= dot {
        return None;
    }
    // "he is at a dot in the scan"
    if !(prefix || announced) && host + 1 == dot && matches!(document.stem(host), "a" | "i") {
        return None;
    }
    let end = domain(document, host, prefix || announced)?;
    // "a dot b at …" is the first part of an e-mail address.
    if document.class(end) == Class::At && close(document, end) {
        return None;
    }
    let end = path_end(document, end);
    Some((Kind::Url, start, end, "spoken_url"))
}

/// The word after "slash refill dash form".
fn path_end(document: &Document<'_>, mut end: usize) -> usize {
    let start = end;
    while document.class(end) == Class::Slash && close(document, end) && end < start + 24 {
        end += 1;
        while end < document.len() && close(document, end) && end < start + 24 {
            match document.class(end) {
                Class::Dash | Class::Underscore | Class::Dot => end += 1,
                Class::Letter
                | Class::Digit
                | Class::Teen
                | Class::Tens
                | Class::Hundred
                | Class::Thousand
                | Class::Oh => end += 1,
                Class::Slash => break,
                _ => {
                    let joined = matches!(
                        document.class(end - 1),
                        Class::Slash | Class::Dash | Class::Underscore | Class::Dot
                    );
                    if !joined || is_prose(document, end) {
                        return end;
                    }
                    end += 1;
                }
            }
        }
    }
    end
}

/// Four numbers up to 255 with "dot" between them.
fn ip(document: &Document<'_>, dot: usize, floor: usize) -> Found {
    let start = number_before(document, dot, floor)?;
    let mut at = dot;
    for _ in 0..3 {
        if document.class(at) != Class::Dot || !close(document, at) {
            return None;
        }
        at = number_after(document, at + 1)?;
    }
    Some((Kind::IpAddress, start, at, "spoken_ip"))
}

fn is_number(document: &Document<'_>, at: usize) -> bool {
    matches!(
        document.class(at),
        Class::Digit | Class::Oh | Class::Teen | Class::Tens | Class::Repeat | Class::Hundred
    ) || document.words.get(at).is_some_and(|word| word.shape == Shape::Digits && word.len() <= 3)
}

fn number_before(document: &Document<'_>, end: usize, floor: usize) -> Option<usize> {
    let mut start = end;
    while start > floor && end - start < 4 && is_number(document, start - 1) && close(document, start) {
        start -= 1;
    }
    (start < end).then_some(start)
}

fn number_after(document: &Document<'_>, start: usize) -> Option<usize> {
    let mut end = start;
    while end < start + 4 && is_number(document, end) && close(document, end) {
        end += 1;
    }
    (end > start).then_some(end)
}
