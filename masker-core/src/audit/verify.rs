//! Walks a log and says whether its chain holds; proves single events.

use std::fmt;
use std::io::{self, BufRead};

use serde_json::{Map, Value};

use super::chain::{AuditKeys, hash_hex, parse_hash, same};
use super::event::EventKind;
use super::head::Head;
use super::json;
use super::merkle::{Builder, Hash, merkle_path, merkle_root};

const ZERO: Hash = [0; 32];

/// What is wrong with a chain.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum BadReason {
    /// A line is not one JSON object with the members of an event, each given once.
    BadJson,
    /// An event was changed, or was not written under the key.
    HashMismatch,
    /// An event does not follow the one before it.
    PrevHashMismatch,
    /// The end is not the one expected.
    RootMismatch,
    /// Numbers are left out, or the log begins later than any recorded pruning says.
    SeqGap,
    /// The end is missing.
    Truncated,
    /// An event names a key that is not here, or the key changes where no rotation was recorded.
    UnknownKey,
}

impl BadReason {
    /// The name in answers and on the command line.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::BadJson => "bad_json",
            Self::HashMismatch => "hash_mismatch",
            Self::PrevHashMismatch => "prev_hash_mismatch",
            Self::RootMismatch => "root_mismatch",
            Self::SeqGap => "seq_gap",
            Self::Truncated => "truncated",
            Self::UnknownKey => "unknown_key",
        }
    }
}

impl fmt::Display for BadReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What [`verify`] looks at, and against what; the default is the whole log against itself.
#[derive(Clone, Debug, Default)]
pub struct Checks {
    /// The first event, by its number; those before it are not looked at.
    pub from_seq: Option<u64>,
    /// The last event, by its number.
    pub to_seq: Option<u64>,
    /// Count and hash the events of this session alone; the chain is checked all the same.
    pub session: Option<String>,
    /// The hash that the last event in question must have.
    pub expected_root: Option<Hash>,
    /// The head kept elsewhere.
    pub head: Option<Head>,
}

/// What [`verify`] found.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Verification {
    /// Whether the chain holds.
    pub ok: bool,
    /// Events in question.
    pub event_count: u64,
    /// The number of the first of them.
    pub from_seq: Option<u64>,
    /// The number of the last of them.
    pub to_seq: Option<u64>,
    /// What the first of them follows.
    pub start_hash: Option<Hash>,
    /// The hash of the last of them.
    pub root_hash: Option<Hash>,
    /// The root of the tree over them.
    pub merkle_root: Option<Hash>,
    /// The first event that is wrong.
    pub first_bad_seq: Option<u64>,
    /// What is wrong with it.
    pub reason: Option<BadReason>,
}

/// Checks the chain of a log.
///
/// A log that begins after event 1 is whole where one of its own events records that pruning. Broken chains are answers, not
/// errors.
///
/// ```
/// use masker_core::audit::{AuditKeys, Checks, verify};
///
/// let log = concat!(
///     r#"{"v":1,"seq":1,"ts":"2026-03-02T09:15:04.120Z","event_id":"evt_01JZ8Q4M7T0V3X5YB2C9D6EFG1","#,
///     r#""account_id":"acc_01JZ8Q0000000000000000000A","kind":"agent_created","#,
///     r#""agent_id":"agt_01JZ8Q4M7T0V3X5YB2C9D6EFGH","actor":{"type":"user","id":"usr_01JZ8PZZZZ000000000000000B"},"#,
///     r#""data":{"policy_name":"healthcare-default","policy_version":1,"upstream":"stub"},"#,
///     r#""prev_hash":"0000000000000000000000000000000000000000000000000000000000000000","#,
///     r#""this_hash":"f9a2d8ff5f87731e98125095ea4a01b582f3fa8e0aea34faca331a143d64c59d"}"#,
///     "\n",
/// );
/// let keys = AuditKeys::new(std::array::from_fn(|i| i as u8));
/// assert!(verify(log.as_bytes(), &keys, &Checks::default())?.ok);
/// assert!(!verify(log.replace("stub", "stab").as_bytes(), &keys, &Checks::default())?.ok);
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// # Errors
///
/// When the log cannot be read.
pub fn verify(log: impl BufRead, keys: &AuditKeys, checks: &Checks) -> io::Result<Verification> {
    let mut walk = Walk::new(keys, checks);
    walk.run(log)?;
    Ok(walk.finish())
}

/// The state between two lines.
pub(super) struct Walk<'a> {
    keys: &'a AuditKeys,
    checks: &'a Checks,
    result: Verification,
    tree: Builder,
    last: Option<Head>,
    /// Index of the key that linked the event before.
    key: Option<usize>,
    /// Whether events name their keys by now.
    named: bool,
    /// Where the log begins, if not with event 1 and no event so far says that it may.
    start: Option<Head>,
    /// Whether the walk begins inside the log.
    inside: bool,
    bad: Option<(u64, BadReason)>,
    complete: bool,
}

/// What the writer goes on from.
pub(super) struct End {
    pub(super) last: Option<Head>,
    pub(super) key: Option<usize>,
    pub(super) named: bool,
}

impl<'a> Walk<'a> {
    pub(super) fn new(keys: &'a AuditKeys, checks: &'a Checks) -> Self {
        Self {
            keys,
            checks,
            result: Verification::default(),
            tree: Builder::default(),
            last: None,
            key: None,
            named: false,
            start: None,
            inside: false,
            bad: None,
            complete: false,
        }
    }

    /// Takes the first line for one in the middle of the log.
    pub(super) fn starting_inside(mut self) -> Self {
        self.inside = true;
        self
    }

    pub(super) fn run(&mut self, mut log: impl BufRead) -> io::Result<()> {
        let mut line = Vec::with_capacity(1024);
        loop {
            line.clear();
            if log.read_until(b'\n', &mut line)? == 0 {
                self.complete = true;
                return Ok(());
            }
            let next = self.last.map_or(1, |last| last.seq + 1);
            let step = match line.strip_suffix(b"\n") {
                Some(line) => self.step(line),
                None => Err((next, BadReason::Truncated)),
            };
            match step {
                Ok(true) => {}
                Ok(false) => return Ok(()),
                Err(bad) => {
                    self.bad = Some(bad);
                    return Ok(());
                }
            }
        }
    }

    pub(super) fn end(&self) -> End {
        End { last: self.last, key: self.key, named: self.named }
    }

    /// Takes one line; whether there is anything left to look at.
    fn step(&mut self, line: &[u8]) -> Result<bool, (u64, BadReason)> {
        let next = self.last.map_or(1, |last| last.seq + 1);
        let event = read_event(line).ok_or((next, BadReason::BadJson))?;
        let Some(links) = Links::of(&event) else { return Err((next, BadReason::BadJson)) };
        let seq = links.seq;
        if self.last.is_none() && self.checks.from_seq.is_some_and(|from| seq < from) {
            return Ok(true);
        }
        self.check_place(&links)?;
        let key = self.check_hash(&event, &links).map_err(|reason| (seq, reason))?;
        if self.checks.head.is_some_and(|head| head.seq == seq && !same(&head.hash, &links.this)) {
            return Err((seq, BadReason::RootMismatch));
        }
        self.key = Some(key);
        self.named |= links.key_id.is_some();
        self.last = Some(Head { seq, hash: links.this });
        if let Some(start) = self.start
            && pruned_to(&event) == Some(start)
        {
            self.start = None;
        }
        let is_past = self.checks.to_seq.is_some_and(|to| seq > to);
        let session = self.checks.session.as_deref();
        if !is_past && session.is_none_or(|id| event.get("session_id").and_then(Value::as_str) == Some(id)) {
            self.count(&links);
        }
        // What lies behind the range matters only for the beginning of the log.
        Ok(self.start.is_some() || self.checks.to_seq.is_none_or(|to| seq < to))
    }

    fn check_place(&mut self, links: &Links<'_>) -> Result<(), (u64, BadReason)> {
        let seq = links.seq;
        match self.last {
            Some(last) if seq != last.seq + 1 => Err((last.seq + 1, BadReason::SeqGap)),
            Some(last) if !same(&links.prev, &last.hash) => Err((seq, BadReason::PrevHashMismatch)),
            Some(_) => Ok(()),
            None if self.inside => Ok(()),
            None if seq == 1 && !same(&links.prev, &ZERO) => Err((seq, BadReason::PrevHashMismatch)),
            None if seq == 1 => Ok(()),
            // A range that begins inside the log is not about the log's beginning.
            None if self.checks.from_seq == Some(seq) => Ok(()),
            None if seq == 0 => Err((1, BadReason::SeqGap)),
            None => {
                self.start = Some(Head { seq: seq - 1, hash: links.prev });
                Ok(())
            }
        }
    }

    /// The key that linked the event.
    fn check_hash(&self, event: &Map<String, Value>, links: &Links<'_>) -> Result<usize, BadReason> {
        let keys = self.keys.all();
        let holds = |index: &usize| same(&keys[*index].link(&links.prev, json::members(event)), &links.this);
        let key = match links.key_id {
            Some(id) => keys.iter().position(|key| key.id == id).ok_or(BadReason::UnknownKey)?,
            None if self.named => return Err(BadReason::UnknownKey),
            None => match self.key {
                Some(key) => key,
                None => return (0..keys.len()).find(holds).ok_or(BadReason::HashMismatch),
            },
        };
        let is_rotation = links.kind == EventKind::KeyRotated.as_str();
        if self.key.is_some_and(|before| before != key) && !is_rotation {
            return Err(BadReason::UnknownKey);
        }
        if holds(&key) { Ok(key) } else { Err(BadReason::HashMismatch) }
    }

    fn count(&mut self, links: &Links<'_>) {
        let result = &mut self.result;
        result.event_count += 1;
        result.from_seq.get_or_insert(links.seq);
        result.start_hash.get_or_insert(links.prev);
        result.to_seq = Some(links.seq);
        result.root_hash = Some(links.this);
        self.tree.push(&links.this);
    }

    pub(super) fn finish(mut self) -> Verification {
        let last = self.last.map_or(0, |last| last.seq);
        let mut bad = self.bad;
        if bad.is_none() && self.complete {
            if self.checks.head.is_some_and(|head| head.seq > last) {
                bad = Some((last + 1, BadReason::Truncated));
            } else if let Some(start) = self.start {
                bad = Some((start.seq + 1, BadReason::SeqGap));
            }
        }
        if bad.is_none()
            && let Some(expected) = self.checks.expected_root
            && !self.result.root_hash.is_some_and(|root| same(&root, &expected))
        {
            bad = Some((self.result.to_seq.unwrap_or(last), BadReason::RootMismatch));
        }
        self.result.merkle_root = self.tree.root();
        self.result.ok = bad.is_none();
        self.result.first_bad_seq = bad.map(|bad| bad.0);
        self.result.reason = bad.map(|bad| bad.1);
        self.result
    }
}

/// The members of an event that make the chain.
struct Links<'a> {
    seq: u64,
    kind: &'a str,
    key_id: Option<&'a str>,
    prev: Hash,
    this: Hash,
}

impl<'a> Links<'a> {
    fn of(event: &'a Map<String, Value>) -> Option<Self> {
        let text = |name| event.get(name).and_then(Value::as_str);
        if event.get("v").and_then(Value::as_u64) != Some(1) {
            return None;
        }
        let key_id = match event.get("hk") {
            Some(id) => Some(id.as_str()?),
            None => None,
        };
        Some(Self {
            seq: event.get("seq")?.as_u64()?,
            kind: text("kind")?,
            key_id,
            prev: parse_hash(text("prev_hash")?)?,
            this: parse_hash(text("this_hash")?)?,
        })
    }
}

/// Up to where the log was pruned, if this event says so.
fn pruned_to(event: &Map<String, Value>) -> Option<Head> {
    if event.get("kind")?.as_str()? != EventKind::AuditPruned.as_str() {
        return None;
    }
    let data = event.get("data")?;
    Some(Head { seq: data.get("seq")?.as_u64()?, hash: parse_hash(data.get("this_hash")?.as_str()?)? })
}

/// Reads a line of a log as an object, without checking any hash; `None` where it is no object or has a key twice.
pub fn read_event(line: &[u8]) -> Option<Map<String, Value>> {
    json::parse(std::str::from_utf8(line).ok()?)
}

/// Shows that one event is among many, given the root of the tree over them.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Proof {
    /// The event.
    pub event: Map<String, Value>,
    /// Its hash, the leaf of the tree.
    pub this_hash: Hash,
    /// Its place among the events in question, from 0.
    pub leaf_index: usize,
    /// How many those are.
    pub tree_size: usize,
    /// The hashes from the leaf to the root; see [`merkle_root_from_path`](super::merkle_root_from_path).
    pub path: Vec<Hash>,
    /// The root.
    pub root: Hash,
}

impl Verification {
    /// The answer as JSON: the fields of this type, hashes as hexadecimal digits, the root of the tree as `merkle_root_hex`, and a
    /// `message`, which is `chain ok` or `chain broken`.
    ///
    /// ```
    /// use masker_core::audit::{AuditKeys, Checks, verify};
    ///
    /// let keys = AuditKeys::new([7; 32]);
    /// let empty = verify(&b""[..], &keys, &Checks::default()).unwrap().to_json();
    /// assert_eq!((&empty["ok"], &empty["message"]), (&true.into(), &"chain ok".into()));
    /// assert_eq!((&empty["event_count"], &empty["reason"]), (&0.into(), &serde_json::Value::Null));
    /// ```
    pub fn to_json(&self) -> Value {
        let hex = |hash: &Option<Hash>| hash.as_ref().map(hash_hex);
        serde_json::json!({
            "ok": self.ok,
            "event_count": self.event_count,
            "message": if self.ok { "chain ok" } else { "chain broken" },
            "from_seq": self.from_seq,
            "to_seq": self.to_seq,
            "start_hash": hex(&self.start_hash),
            "root_hash": hex(&self.root_hash),
            "merkle_root_hex": hex(&self.merkle_root),
            "first_bad_seq": self.first_bad_seq,
            "reason": self.reason.map(BadReason::as_str),
        })
    }
}

impl Proof {
    /// The proof as JSON: the fields of this type, hashes as hexadecimal digits, with the path as `merkle_proof` and the root as
    /// `merkle_root_hex`. The leaf is `this_hash` of the event.
    pub fn to_json(&self) -> Value {
        serde_json::json!({
            "event": self.event,
            "merkle_proof": self.path.iter().map(hash_hex).collect::<Vec<_>>(),
            "leaf_index": self.leaf_index,
            "tree_size": self.tree_size,
            "merkle_root_hex": hash_hex(&self.root),
        })
    }
}

/// The proof of the event with this id, over the events that `checks` names by range and session; `None` where it is not
/// among them. It shows membership; [`verify`] shows that the log is whole.
///
/// # Errors
///
/// When the log cannot be read; a line that is no event is [`io::ErrorKind::InvalidData`].
pub fn prove(mut log: impl BufRead, event_id: &str, checks: &Checks) -> io::Result<Option<Proof>> {
    let invalid = || io::Error::new(io::ErrorKind::InvalidData, "a line of the log is no event");
    let mut hashes = Vec::new();
    let mut found = None;
    let mut line = Vec::with_capacity(1024);
    loop {
        line.clear();
        if log.read_until(b'\n', &mut line)? == 0 {
            break;
        }
        let event = line.strip_suffix(b"\n").and_then(read_event).ok_or_else(invalid)?;
        let links = Links::of(&event).ok_or_else(invalid)?;
        let text = |name| event.get(name).and_then(Value::as_str);
        let is_meant = checks.from_seq.is_none_or(|from| links.seq >= from)
            && checks.to_seq.is_none_or(|to| links.seq <= to)
            && checks.session.as_deref().is_none_or(|id| text("session_id") == Some(id));
        if !is_meant {
            continue;
        }
        hashes.push(links.this);
        if text("event_id") == Some(event_id) {
            found = Some((hashes.len() - 1, links.this, event));
        }
    }
    Ok(found.and_then(|(leaf_index, this_hash, event)| {
        let path = merkle_path(&hashes, leaf_index)?;
        let root = merkle_root(&hashes)?;
        Some(Proof { event, this_hash, leaf_index, tree_size: hashes.len(), path, root })
    }))
}

#[cfg(test)]
mod tests {
    use std::sync::LazyLock;

    use super::super::merkle::merkle_root_from_path;
    use super::*;

    static LOG: LazyLock<String> = LazyLock::new(|| {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../fixtures/vectors/audit.jsonl");
        std::fs::read_to_string(path).unwrap()
    });

    fn keys() -> AuditKeys {
        AuditKeys::new(std::array::from_fn(|i| i as u8))
    }

    fn check(log: &str, checks: &Checks) -> Verification {
        verify(log.as_bytes(), &keys(), checks).unwrap()
    }

    fn broken(log: &str, checks: &Checks) -> (u64, BadReason) {
        let result = check(log, checks);
        assert!(!result.ok);
        (result.first_bad_seq.unwrap(), result.reason.unwrap())
    }

    fn hash(text: &str) -> Hash {
        parse_hash(text).unwrap()
    }

    const LAST: &str = "3e3f154a14ea755eda3db6d40b35d949f1eb363b00bdd58a4f98c1aaaa531d9f";
    const SECOND: &str = "4f852e23efd80f7f3c46dd0a8b8c09d12bf6197049986570801f87bb922c90e3";
    const ROOT: &str = "c03079b500dcc25381ef306b170c355eb6be7c7d45e66bf21ecfe378564653e4";
    const ROOT_OF_TWO: &str = "dcfea6e60eb8c0a2724617f4b4b30d01d7658eba8b45a9bacc56e64447fc2a4c";

    #[test]
    fn vectors() {
        let all = check(&LOG, &Checks::default());
        assert!(all.ok, "{:?}", all.reason);
        assert_eq!((all.event_count, all.from_seq, all.to_seq), (3, Some(1), Some(3)));
        assert_eq!((all.start_hash, all.root_hash), (Some(ZERO), Some(hash(LAST))));
        assert_eq!(all.merkle_root, Some(hash(ROOT)));
        let two = check(&LOG, &Checks { to_seq: Some(2), ..Checks::default() });
        assert_eq!((two.ok, two.event_count, two.merkle_root), (true, 2, Some(hash(ROOT_OF_TWO))));
        let late = check(&LOG, &Checks { from_seq: Some(2), ..Checks::default() });
        assert_eq!((late.ok, late.event_count, late.from_seq), (true, 2, Some(2)));
        let session = Some("sess_01JZ8Q7ABCDEFGHJKMNPQRSTVW".to_owned());
        let one = check(&LOG, &Checks { session, ..Checks::default() });
        assert_eq!((one.ok, one.event_count, one.root_hash), (true, 1, Some(hash(SECOND))));
        let none = check("", &Checks::default());
        assert_eq!((none.ok, none.event_count, none.merkle_root), (true, 0, None));
    }

    #[test]
    fn ends_are_compared() {
        let expect = |text| Checks { expected_root: Some(hash(text)), ..Checks::default() };
        assert!(check(&LOG, &expect(LAST)).ok);
        assert_eq!(broken(&LOG, &expect(SECOND)), (3, BadReason::RootMismatch));
        let head = |seq, text| Checks { head: Some(Head { seq, hash: hash(text) }), ..Checks::default() };
        assert!(check(&LOG, &head(3, LAST)).ok);
        assert!(check(&LOG, &head(2, SECOND)).ok, "a head may lag behind");
        assert_eq!(broken(&LOG, &head(4, LAST)), (4, BadReason::Truncated));
        assert_eq!(broken(&LOG, &head(3, SECOND)), (3, BadReason::RootMismatch));
        assert_eq!(broken("", &head(3, LAST)), (1, BadReason::Truncated));
    }

    #[test]
    fn lines_taken_out_moved_or_cut_are_named() {
        let lines: Vec<&str> = LOG.lines().collect();
        let log = |which: &[usize]| which.iter().flat_map(|i| [lines[*i], "\n"]).collect::<String>();
        let all = Checks::default();
        assert_eq!(broken(&log(&[0, 2]), &all), (2, BadReason::SeqGap));
        assert_eq!(broken(&log(&[1, 2]), &all), (2, BadReason::SeqGap));
        assert_eq!(broken(&log(&[0, 1, 1]), &all), (3, BadReason::SeqGap));
        assert_eq!(broken(LOG.trim_end(), &all), (3, BadReason::Truncated));
        assert_eq!(broken(&LOG[..LOG.len() - 9], &all), (3, BadReason::Truncated));
        let stranger = AuditKeys::new([1; 32]);
        let result = verify(LOG.as_bytes(), &stranger, &all).unwrap();
        assert_eq!((result.first_bad_seq, result.reason), (Some(1), Some(BadReason::HashMismatch)));
        let renumbered = log(&[1]).replace("\"seq\":2", "\"seq\":1");
        assert_eq!(broken(&renumbered, &all), (1, BadReason::PrevHashMismatch));
        let named = LOG.replacen("\"v\":1,", "\"v\":1,\"hk\":\"00000000\",", 1);
        assert_eq!(broken(&named, &all), (1, BadReason::UnknownKey));
        assert_eq!(broken(&LOG.replace("\"v\":1", "\"v\":2"), &all), (1, BadReason::BadJson));
    }

    #[test]
    fn the_order_of_keys_does_not_matter_and_a_second_key_does() {
        let moved = LOG.replacen("{\"v\":1,\"seq\":1,", "{\"seq\":1,\"v\":1,", 1);
        assert!(check(&moved, &Checks::default()).ok);
        let twice = LOG.replacen("\"upstream\":\"stub\"", "\"upstream\":\"stub\",\"upstream\":\"stub\"", 1);
        assert_eq!(broken(&twice, &Checks::default()), (1, BadReason::BadJson));
    }

    #[test]
    fn a_flipped_bit_anywhere_breaks_the_chain() {
        let keys = keys();
        for bit in 0..LOG.len() * 8 {
            let mut bad = LOG.as_bytes().to_vec();
            bad[bit / 8] ^= 1 << (bit % 8);
            let result = verify(&*bad, &keys, &Checks::default()).unwrap();
            assert!(!result.ok && result.first_bad_seq.is_some(), "bit {bit}");
        }
    }

    #[test]
    fn single_events_are_proven() {
        let id = "evt_01JZ8Q4M7T0V3X5YB2C9D6EFG2";
        let proof = prove(LOG.as_bytes(), id, &Checks::default()).unwrap().unwrap();
        assert_eq!((proof.leaf_index, proof.tree_size, proof.root), (1, 3, hash(ROOT)));
        let reached = merkle_root_from_path(&proof.this_hash, proof.leaf_index, proof.tree_size, &proof.path);
        assert_eq!(reached, Some(hash(ROOT)));
        assert_eq!(proof.to_json()["merkle_proof"].as_array().unwrap().len(), 2);
        let first = Checks { to_seq: Some(1), ..Checks::default() };
        assert!(prove(LOG.as_bytes(), id, &first).unwrap().is_none());
        assert!(prove(&b"{}\n"[..], id, &first).is_err());
    }
}
