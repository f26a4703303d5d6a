//! The writer: one process, any number of threads, lines that are whole or not there.

use std::collections::HashMap;
use std::fmt;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, BufRead as _, BufReader, Read, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use serde::Serializer as _;
use serde_json::{Map, Value, json};

use super::chain::{AuditKeys, hash_hex};
use super::error::AuditError;
use super::event::{AuditEvent, EventKind, timestamp};
use super::head::{FileHead, Head, HeadStore, replace, with_ending};
use super::json::is_plain;
use super::merkle::Hash;
use super::verify::{Checks, End, Verification, Walk, read_event};

/// How often the head is saved where nothing is synced.
const LAZY: Duration = Duration::from_millis(100);
/// The first look at the end of a log, in bytes.
const TAIL: u64 = 1 << 16;

/// When what was appended survives a loss of power. It survives the end of the process at any instant in every case.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Fsync {
    /// Before [`AuditLog::append`] returns.
    Always,
    /// When the operating system pleases.
    Never,
    /// At most this much later.
    Within(Duration),
}

/// How much of a log is verified when it is opened.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum OpenCheck {
    /// All of it.
    #[default]
    Full,
    /// The last line alone.
    Off,
    /// What follows the head that was saved last; all of it where none was.
    Tail,
}

/// How a log is opened.
#[derive(Clone)]
pub struct AuditOptions {
    head: Option<Arc<dyn HeadStore>>,
    fsync: Fsync,
    check: OpenCheck,
}

impl Default for AuditOptions {
    /// A head file beside the log, synced within 100 ms, verified whole.
    fn default() -> Self {
        Self { head: None, fsync: Fsync::Within(Duration::from_millis(100)), check: OpenCheck::Full }
    }
}

impl fmt::Debug for AuditOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuditOptions")
            .field("fsync", &self.fsync)
            .field("check", &self.check)
            .finish_non_exhaustive()
    }
}

impl AuditOptions {
    /// Keeps the head in this store.
    pub fn head(mut self, store: Arc<dyn HeadStore>) -> Self {
        self.head = Some(store);
        self
    }

    /// Sets when events reach the disk.
    pub fn fsync(mut self, fsync: Fsync) -> Self {
        self.fsync = fsync;
        self
    }

    /// Sets what is verified on opening.
    pub fn check(mut self, check: OpenCheck) -> Self {
        self.check = check;
        self
    }
}

/// An event in its place.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Stored {
    /// Its number.
    pub seq: u64,
    /// Its id.
    pub event_id: String,
    /// What it follows.
    pub prev_hash: Hash,
    /// Its hash.
    pub this_hash: Hash,
}

/// The audit log, open for writing by this process alone.
///
/// Appending is safe from any number of threads; those that wait at the same time share one write. A line that a kill left
/// half written is cut off at the next start, which an event of kind `log_gap` records; its writer was never told that it was
/// stored.
///
/// ```
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("audit.log");
/// use masker_core::audit::{AuditEvent, AuditKeys, AuditLog, AuditOptions, EventKind};
///
/// let keys = AuditKeys::new([7; 32]);
/// let log = AuditLog::open(&path, &keys, AuditOptions::default())?;
/// let stored = log.append(vec![AuditEvent::new(EventKind::ServerStarted, "").data("version", "0.1.0")])?;
/// assert_eq!(stored[0].seq, 1);
/// assert_eq!(log.head().expect("something was stored").hash, stored[0].this_hash);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct AuditLog {
    shared: Arc<Shared>,
    keeper: Option<JoinHandle<()>>,
    /// Held for the life of the value; the operating system releases it whatever happens to the process.
    _lock: File,
}

struct Shared {
    path: PathBuf,
    keys: AuditKeys,
    head: Arc<dyn HeadStore>,
    fsync: Fsync,
    state: Mutex<State>,
    changed: Condvar,
    /// Tells the keeper that there is something to sync. It has a signal of its own, or every append would wake it.
    due: Condvar,
}

struct State {
    /// Away while a thread writes.
    writer: Option<Writer>,
    queue: Vec<(u64, Vec<AuditEvent>)>,
    answers: HashMap<u64, Answer>,
    next_ticket: u64,
    /// Threads that wait for the writer or for their answer. A signal is a call of the system, also where nobody hears it.
    waiting: usize,
    head: Option<Head>,
    /// Appended and not yet synced, with the file to sync.
    unsynced: Option<File>,
    /// What the last sync in the background failed with, for the next append to report.
    failed: Option<io::ErrorKind>,
    stopping: bool,
}

type Answer = Result<Vec<Stored>, Refusal>;

enum Refusal {
    Event,
    Io(io::ErrorKind),
    Random,
}

struct Writer {
    file: File,
    length: u64,
    last: Option<Head>,
    /// Whether events name their key.
    named: bool,
    /// Bytes may stand behind `length` that a failed write left.
    torn: bool,
}

impl AuditLog {
    /// Opens the log at `path`, making it where there is none, with mode 0600.
    ///
    /// The chain is verified, against the head as well. Where the writing key is not the one that linked the last event, the
    /// first event appended is `key_rotated`.
    ///
    /// # Errors
    ///
    /// [`AuditError::Locked`] where another process has it open, [`AuditError::Broken`] where the chain does not hold, and when
    /// a file cannot be read or written.
    pub fn open(path: impl AsRef<Path>, keys: &AuditKeys, options: AuditOptions) -> Result<Self, AuditError> {
        let path = std::path::absolute(path.as_ref())
            .map_err(|source| AuditError::Io { path: path.as_ref().to_owned(), source })?;
        let failed = |source| AuditError::Io { path: path.clone(), source };
        let lock = open_file(&with_ending(&path, ".lock")).map_err(failed)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(AuditError::Locked { path }),
            Err(TryLockError::Error(error)) => return Err(failed(error)),
        }
        let head = options.head.unwrap_or_else(|| Arc::new(FileHead::beside(&path, keys)));
        let known = head.load()?;
        let mut file = open_file(&path).map_err(failed)?;
        let length = file.metadata().map_err(failed)?.len();
        let whole = whole_lines(&mut file, length).map_err(failed)?;
        let end = inspect(&mut file, whole, keys, known, options.check).map_err(failed)?;
        let end = end.map_err(|verification| AuditError::Broken { verification: Box::new(verification) })?;
        let is_rotated = end.key.is_some_and(|key| key != 0);
        let mut writer = Writer {
            file,
            length: whole,
            last: end.last,
            named: end.named || is_rotated,
            torn: length > whole,
        };
        let mut notes = Vec::new();
        if writer.torn {
            notes.push(
                system_event(EventKind::LogGap).data("reason", "torn_line").data("bytes", length - whole),
            );
        }
        if let Some(old) = end.key.filter(|_| is_rotated) {
            // The first event under the new key, so that the key which vouches for the change is the new one.
            notes
                .insert(0, system_event(EventKind::KeyRotated).data("previous", keys.all()[old].id.as_str()));
        }
        let shared = Arc::new(Shared {
            path,
            keys: keys.clone(),
            head,
            fsync: options.fsync,
            state: Mutex::new(State {
                writer: None,
                queue: Vec::new(),
                answers: HashMap::new(),
                next_ticket: 0,
                waiting: 0,
                head: end.last,
                unsynced: None,
                failed: None,
                stopping: false,
            }),
            changed: Condvar::new(),
            due: Condvar::new(),
        });
        writer.recover().map_err(|source| shared.failed(source))?;
        shared.lock().writer = Some(writer);
        let keeper = match options.fsync {
            Fsync::Always => None,
            Fsync::Never => Some(LAZY),
            Fsync::Within(delay) => Some(delay),
        };
        let keeper = keeper.map(|delay| {
            let shared = Arc::clone(&shared);
            thread::spawn(move || shared.keep(delay))
        });
        let log = Self { shared, keeper, _lock: lock };
        if !notes.is_empty() {
            log.append(notes)?;
        }
        Ok(log)
    }

    /// Appends events, all of them or none, and returns their places. What has returned outlives the process.
    ///
    /// # Errors
    ///
    /// When an event is malformed or the file cannot be written; then nothing was appended. With [`Fsync::Always`] also when
    /// the head cannot be saved, and with a delay when an earlier sync failed: then the events may be in the log.
    pub fn append(&self, events: Vec<AuditEvent>) -> Result<Vec<Stored>, AuditError> {
        if events.is_empty() {
            return Ok(Vec::new());
        }
        let shared = &*self.shared;
        let mut state = shared.lock();
        if let Some(kind) = state.failed.take() {
            return Err(shared.failed(kind.into()));
        }
        let ticket = state.next_ticket;
        state.next_ticket += 1;
        state.queue.push((ticket, events));
        loop {
            if let Some(answer) = state.answers.remove(&ticket) {
                return answer.map_err(|refusal| match refusal {
                    Refusal::Event => AuditError::Event,
                    Refusal::Io(kind) => shared.failed(kind.into()),
                    Refusal::Random => AuditError::Random,
                });
            }
            state = match state.writer.take() {
                Some(writer) => {
                    let queue = std::mem::take(&mut state.queue);
                    drop(state);
                    shared.write(writer, queue)
                }
                None => shared.wait_for_writer(state),
            };
        }
    }

    /// The last event; `None` in an empty log.
    pub fn head(&self) -> Option<Head> {
        self.shared.lock().head
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.shared.path
    }

    /// Removes the events before this time, in milliseconds since 1970, from the front of the log, and returns how many went.
    ///
    /// An event of kind `audit_pruned` is appended first and holds where the chain then begins. A kill in between leaves the
    /// log whole.
    ///
    /// # Errors
    ///
    /// When a file cannot be read or written; the log then holds what it held, and perhaps the event.
    pub fn prune(&self, before: i64) -> Result<u64, AuditError> {
        let shared = &*self.shared;
        let before = timestamp(before);
        let Some(cut) = find_cut(&shared.path, &before).map_err(|error| shared.failed(error))? else {
            return Ok(0);
        };
        self.append(vec![
            system_event(EventKind::AuditPruned)
                .data("seq", cut.last.seq)
                .data("this_hash", hash_hex(&cut.last.hash))
                .data("events", cut.events),
        ])?;
        let mut state = shared.lock();
        let mut writer = loop {
            match state.writer.take() {
                Some(writer) => break writer,
                None => state = shared.wait_for_writer(state),
            }
        };
        // Appending stands still for as long as what remains is copied.
        let result = writer.cut_front(&shared.path, cut.offset);
        state.unsynced = None;
        shared.give_back(&mut state, writer);
        result.map_err(|error| shared.failed(error))?;
        Ok(cut.events)
    }
}

impl fmt::Debug for AuditLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuditLog").field("path", &self.shared.path).finish_non_exhaustive()
    }
}

impl Drop for AuditLog {
    /// Syncs what is not yet synced and saves the head.
    fn drop(&mut self) {
        self.shared.lock().stopping = true;
        self.shared.due.notify_all();
        if let Some(keeper) = self.keeper.take() {
            // A keeper that panicked has nothing left to save.
            let _ = keeper.join();
        }
    }
}

impl Shared {
    // Nothing below can panic half way through a change of the state.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn failed(&self, source: io::Error) -> AuditError {
        AuditError::Io { path: self.path.clone(), source }
    }

    /// Writes everything that waits in one go and gives every waiting thread its answer.
    fn write(&self, mut writer: Writer, queue: Vec<(u64, Vec<AuditEvent>)>) -> MutexGuard<'_, State> {
        let before = writer.last;
        let mut lines = Vec::new();
        let mut answers = Vec::with_capacity(queue.len());
        for (ticket, events) in queue {
            let (start, last) = (lines.len(), writer.last);
            let answer = writer.link(events, &self.keys, &mut lines);
            if answer.is_err() {
                lines.truncate(start);
                writer.last = last;
            }
            answers.push((ticket, answer));
        }
        let mut result = writer.write(&lines);
        if result.is_ok() && self.fsync == Fsync::Always && !lines.is_empty() {
            result = writer.file.sync_data();
            if result.is_err() {
                // Nobody knows what of it reached the disk: it is taken back.
                writer.length -= lines.len() as u64;
                writer.torn = true;
            }
        }
        let written = result.is_ok() && !lines.is_empty();
        if result.is_err() {
            writer.last = before;
            // If this fails as well, the next write tries it again first.
            let _ = writer.recover();
        } else if written
            && self.fsync == Fsync::Always
            && let Some(head) = &writer.last
        {
            result = self.head.save(head).map_err(into_io);
        }
        let mut state = self.lock();
        state.head = writer.last;
        if written && self.fsync != Fsync::Always && state.unsynced.is_none() {
            state.unsynced = writer.file.try_clone().ok();
            self.due.notify_all();
        }
        for (ticket, answer) in answers {
            let answer = match &result {
                Err(error) if answer.is_ok() => Err(Refusal::Io(error.kind())),
                _ => answer,
            };
            state.answers.insert(ticket, answer);
        }
        self.give_back(&mut state, writer);
        state
    }

    fn wait_for_writer<'a>(&self, mut state: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
        state.waiting += 1;
        let mut state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        state.waiting -= 1;
        state
    }

    fn give_back(&self, state: &mut State, writer: Writer) {
        state.writer = Some(writer);
        if state.waiting > 0 {
            self.changed.notify_all();
        }
    }

    /// Syncs and saves the head, at most `delay` after something was appended.
    fn keep(&self, delay: Duration) {
        loop {
            let mut state = self.lock();
            while state.unsynced.is_none() && !state.stopping {
                state = self.due.wait(state).unwrap_or_else(PoisonError::into_inner);
            }
            if !state.stopping {
                let waited = self.due.wait_timeout_while(state, delay, |state| !state.stopping);
                state = waited.unwrap_or_else(PoisonError::into_inner).0;
            }
            let (file, head) = (state.unsynced.take(), state.head);
            let stopping = state.stopping;
            drop(state);
            if let (Some(file), Some(head)) = (file, head) {
                // The head must not be ahead of what is on the disk.
                let synced = if self.fsync == Fsync::Never { Ok(()) } else { file.sync_data() };
                if let Err(error) = synced.and_then(|()| self.head.save(&head).map_err(into_io)) {
                    self.lock().failed = Some(error.kind());
                }
            }
            if stopping {
                return;
            }
        }
    }
}

impl Writer {
    /// Gives the events their places and appends their lines.
    fn link(&mut self, events: Vec<AuditEvent>, keys: &AuditKeys, lines: &mut Vec<u8>) -> Answer {
        let mut stored = Vec::with_capacity(events.len());
        for event in events {
            let (seq, prev) = self.last.map_or((1, [0; 32]), |last| (last.seq + 1, last.hash));
            let key = keys.writing();
            let mut event =
                event.build(seq, self.named.then_some(&*key.id)).map_err(|error| match error {
                    AuditError::Random => Refusal::Random,
                    _ => Refusal::Event,
                })?;
            // What would not read back as it was linked is refused here rather than found by an auditor.
            if !event.iter().all(|(_, value)| is_plain(value)) {
                return Err(Refusal::Event);
            }
            let this = key.link(&prev, event.iter().map(|(name, value)| (&**name, value)));
            let id = event.iter().find(|(name, _)| name == "event_id").and_then(|(_, id)| id.as_str());
            let event_id = id.unwrap_or_default().to_owned();
            event.push(("prev_hash".into(), hash_hex(&prev).into()));
            event.push(("this_hash".into(), hash_hex(&this).into()));
            let mut line = serde_json::Serializer::new(&mut *lines);
            line.collect_map(event.iter().map(|(name, value)| (name, value))).map_err(|_| Refusal::Event)?;
            lines.push(b'\n');
            self.last = Some(Head { seq, hash: this });
            stored.push(Stored { seq, event_id, prev_hash: prev, this_hash: this });
        }
        Ok(stored)
    }

    fn write(&mut self, lines: &[u8]) -> io::Result<()> {
        self.recover()?;
        if lines.is_empty() {
            return Ok(());
        }
        self.torn = true;
        self.file.write_all(lines)?;
        self.torn = false;
        self.length += lines.len() as u64;
        Ok(())
    }

    /// Cuts off what a failed write left.
    fn recover(&mut self) -> io::Result<()> {
        if self.torn {
            self.file.set_len(self.length)?;
            self.torn = false;
        }
        Ok(())
    }

    /// Puts a log without its first `offset` bytes in the place of the log.
    fn cut_front(&mut self, path: &Path, offset: u64) -> io::Result<()> {
        self.recover()?;
        let mut old = File::open(path)?;
        old.seek(SeekFrom::Start(offset))?;
        replace(path, |new| io::copy(&mut old, new).map(drop))?;
        self.file = open_file(path)?;
        self.length -= offset;
        Ok(())
    }
}

fn into_io(error: AuditError) -> io::Error {
    match error {
        AuditError::Io { source, .. } => source,
        _ => io::ErrorKind::Other.into(),
    }
}

fn system_event(kind: EventKind) -> AuditEvent {
    AuditEvent::new(kind, "").member("actor", json!({ "type": "system", "id": "masker" }))
}

/// Opens a file for reading and appending, making it for its owner alone.
fn open_file(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).append(true).create(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

/// Up to where the file consists of whole lines.
fn whole_lines(file: &mut File, length: u64) -> io::Result<u64> {
    let mut end = length;
    let mut block = Vec::new();
    while end > 0 {
        let start = end.saturating_sub(TAIL);
        read_range(file, start, end, &mut block)?;
        if let Some(at) = memchr::memrchr(b'\n', &block) {
            return Ok(start + at as u64 + 1);
        }
        end = start;
    }
    Ok(0)
}

fn read_range(file: &mut File, start: u64, end: u64, out: &mut Vec<u8>) -> io::Result<()> {
    out.clear();
    file.seek(SeekFrom::Start(start))?;
    Read::by_ref(file).take(end - start).read_to_end(out)?;
    Ok(())
}

/// Verifies as much as is asked for.
fn inspect(
    file: &mut File,
    length: u64,
    keys: &AuditKeys,
    head: Option<Head>,
    check: OpenCheck,
) -> io::Result<Result<End, Verification>> {
    let checks = Checks { head, ..Checks::default() };
    let start = match (check, head) {
        (OpenCheck::Full, _) | (OpenCheck::Tail, None) => 0,
        (OpenCheck::Off, _) => tail_start(file, length, u64::MAX)?,
        (OpenCheck::Tail, Some(head)) => tail_start(file, length, head.seq)?,
    };
    let mut walk = Walk::new(keys, &checks);
    if start > 0 {
        walk = walk.starting_inside();
    }
    file.seek(SeekFrom::Start(start))?;
    walk.run(BufReader::new(Read::by_ref(file).take(length - start)))?;
    let end = walk.end();
    let verification = walk.finish();
    Ok(if verification.ok { Ok(end) } else { Err(verification) })
}

/// The start of the line with this number, or of the last line where the number is above it; 0 where it is not found.
fn tail_start(file: &mut File, length: u64, seq: u64) -> io::Result<u64> {
    let mut block = Vec::new();
    let mut size = TAIL;
    loop {
        let from = length.saturating_sub(size);
        read_range(file, from, length, &mut block)?;
        // The first line may be cut by the window.
        let skip = if from == 0 { 0 } else { memchr::memchr(b'\n', &block).map_or(block.len(), |at| at + 1) };
        let mut start = from + skip as u64;
        let mut last = None;
        for line in block[skip..].split_inclusive(|b| *b == b'\n') {
            let number = line.strip_suffix(b"\n").and_then(read_event);
            let number = number.and_then(|event| event.get("seq").and_then(Value::as_u64));
            match number {
                Some(number) if number == seq => return Ok(start),
                Some(_) => {}
                // The walk from the beginning says what is wrong.
                None => return Ok(0),
            }
            last = Some(start);
            start += line.len() as u64;
        }
        if let Some(last) = last.filter(|_| seq == u64::MAX) {
            return Ok(last);
        }
        if from == 0 {
            return Ok(0);
        }
        size *= 2;
    }
}

/// What pruning would remove.
struct Cut {
    last: Head,
    events: u64,
    /// Where the first line that stays begins.
    offset: u64,
}

/// The run of lines at the front that are older than `before`. Times in the log have one form, so their text compares.
fn find_cut(path: &Path, before: &str) -> io::Result<Option<Cut>> {
    let mut reader = BufReader::new(File::open(path)?);
    let mut line = Vec::new();
    let (mut cut, mut offset, mut events) = (None, 0, 0);
    loop {
        line.clear();
        let count = reader.read_until(b'\n', &mut line)?;
        let Some(event) = line.strip_suffix(b"\n").and_then(read_event) else { return Ok(cut) };
        let Some(last) = old_event(&event, before) else { return Ok(cut) };
        offset += count as u64;
        events += 1;
        cut = Some(Cut { last, events, offset });
    }
}

fn old_event(event: &Map<String, Value>, before: &str) -> Option<Head> {
    let text = |name| event.get(name).and_then(Value::as_str);
    if text("ts")? >= before {
        return None;
    }
    Some(Head { seq: event.get("seq")?.as_u64()?, hash: super::chain::parse_hash(text("this_hash")?)? })
}

#[cfg(test)]
mod tests {
    use std::fs;

    use tempfile::TempDir;

    use super::super::head::MemoryHead;
    use super::super::verify::{BadReason, verify};
    use super::*;

    const DAY: i64 = 86_400_000;

    fn keys() -> AuditKeys {
        AuditKeys::new([1; 32])
    }

    fn event(n: usize) -> AuditEvent {
        AuditEvent::new(EventKind::Redaction, "acc_1")
            .session("sess_1")
            .member("turn", n)
            .member("confidence", 0.95)
    }

    fn open(path: &Path) -> Result<AuditLog, AuditError> {
        AuditLog::open(path, &keys(), AuditOptions::default())
    }

    fn check(path: &Path, keys: &AuditKeys) -> Verification {
        verify(BufReader::new(File::open(path).unwrap()), keys, &Checks::default()).unwrap()
    }

    fn kinds(path: &Path) -> Vec<String> {
        let text = fs::read_to_string(path).unwrap();
        text.lines()
            .map(|line| read_event(line.as_bytes()).unwrap()["kind"].as_str().unwrap().to_owned())
            .collect()
    }

    #[test]
    fn events_are_chained_over_restarts() {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("audit.log");
        for round in 0..3 {
            let log = open(&path).unwrap();
            assert!(matches!(open(&path), Err(AuditError::Locked { .. })));
            for n in 0..5 {
                let stored = log.append(vec![event(n), event(n)]).unwrap();
                assert_eq!(stored[1].seq, round * 10 + n as u64 * 2 + 2);
                assert_eq!(stored[1].prev_hash, stored[0].this_hash);
            }
        }
        let result = check(&path, &keys());
        assert!(result.ok);
        assert_eq!(result.event_count, 30);
        let head = FileHead::beside(&path, &keys()).load().unwrap().unwrap();
        assert_eq!((head.seq, Some(head.hash)), (30, result.root_hash));
        for check in [OpenCheck::Full, OpenCheck::Tail, OpenCheck::Off] {
            let log = AuditLog::open(&path, &keys(), AuditOptions::default().check(check)).unwrap();
            assert_eq!(log.head(), Some(head));
        }
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            for file in fs::read_dir(folder.path()).unwrap() {
                assert_eq!(file.unwrap().metadata().unwrap().permissions().mode() & 0o777, 0o600);
            }
        }
    }

    #[test]
    fn threads_share_writes_and_keep_the_chain() {
        let folder = TempDir::new().unwrap();
        for fsync in [Fsync::Always, Fsync::Never, Fsync::Within(Duration::from_millis(1))] {
            let path = folder.path().join(format!("{fsync:?}"));
            let log = AuditLog::open(&path, &keys(), AuditOptions::default().fsync(fsync)).unwrap();
            thread::scope(|s| {
                for _ in 0..8 {
                    s.spawn(|| {
                        let mut before = 0;
                        for n in 0..25 {
                            let seq = log.append(vec![event(n)]).unwrap()[0].seq;
                            assert!(seq > before);
                            before = seq;
                        }
                    });
                }
            });
            drop(log);
            let result = check(&path, &keys());
            assert!(result.ok && result.event_count == 200, "{fsync:?}: {:?}", result.reason);
            assert_eq!(FileHead::beside(&path, &keys()).load().unwrap().unwrap().seq, 200);
        }
    }

    #[test]
    fn a_torn_last_line_is_cut_and_recorded() {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("audit.log");
        let log = open(&path).unwrap();
        log.append((0..3).map(event).collect()).unwrap();
        drop(log);
        let whole = fs::read(&path).unwrap();
        let third = memchr::memrchr(b'\n', &whole[..whole.len() - 1]).unwrap() + 1;
        // The head knows of two events: the kill came while the third was written.
        for cut in [third + 1, third + 40, whole.len() - 1] {
            fs::write(&path, &whole[..cut]).unwrap();
            let head = Arc::new(MemoryHead::default());
            drop(AuditLog::open(&path, &keys(), AuditOptions::default().head(head)).unwrap());
            assert!(check(&path, &keys()).ok);
            assert_eq!(kinds(&path), ["redaction", "redaction", "log_gap"]);
            let text = fs::read_to_string(&path).unwrap();
            assert!(
                text.contains(&format!("\"data\":{{\"reason\":\"torn_line\",\"bytes\":{}}}", cut - third))
            );
        }
        // Where the head knows that the third event was stored, the same cut is no accident.
        fs::write(&path, &whole[..third + 40]).unwrap();
        let Err(AuditError::Broken { verification }) = open(&path) else { panic!("a cut end passed") };
        assert_eq!(verification.reason, Some(BadReason::Truncated));
        assert_eq!(fs::read(&path).unwrap().len(), third + 40, "a broken log is left as it is");
    }

    #[test]
    fn a_cut_end_is_seen_by_the_head() {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("audit.log");
        let log = open(&path).unwrap();
        log.append((0..3).map(event).collect()).unwrap();
        drop(log);
        let whole = fs::read(&path).unwrap();
        let third = memchr::memrchr(b'\n', &whole[..whole.len() - 1]).unwrap() + 1;
        for content in [&whole[..third], b"".as_slice()] {
            fs::write(&path, content).unwrap();
            for check in [OpenCheck::Full, OpenCheck::Tail, OpenCheck::Off] {
                let result = AuditLog::open(&path, &keys(), AuditOptions::default().check(check));
                let error = result.unwrap_err();
                assert_eq!(error.code(), "audit_chain_broken");
                assert!(error.to_string().ends_with(": truncated"), "{error}");
            }
        }
        fs::remove_file(&path).unwrap();
        assert!(matches!(open(&path), Err(AuditError::Broken { .. })), "a missing log is a cut one");
    }

    #[test]
    fn a_changed_log_does_not_open() {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("audit.log");
        drop(open(&path).unwrap().append((0..5).map(event).collect()).unwrap());
        let text = fs::read_to_string(&path).unwrap();
        fs::write(&path, text.replace("\"turn\":2", "\"turn\":9")).unwrap();
        let Err(AuditError::Broken { verification }) = open(&path) else { panic!("a change passed") };
        assert_eq!(
            (verification.first_bad_seq, verification.reason),
            (Some(3), Some(BadReason::HashMismatch))
        );
        fs::write(&path, &text).unwrap();
        assert!(open(&path).is_ok());
    }

    #[test]
    fn keys_are_rotated_and_both_are_needed() {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("audit.log");
        let second = AuditKeys::new([2; 32]).old([1; 32]);
        let third = AuditKeys::new([3; 32]).old([2; 32]).old([1; 32]);
        open(&path).unwrap().append(vec![event(1)]).unwrap();
        for keys in [&second, &third] {
            for n in 0..2 {
                let log = AuditLog::open(&path, keys, AuditOptions::default()).unwrap();
                log.append(vec![event(n)]).unwrap();
            }
        }
        assert_eq!(
            kinds(&path),
            ["redaction", "key_rotated", "redaction", "redaction", "key_rotated", "redaction", "redaction"]
        );
        assert!(check(&path, &third).ok);
        let without = |keys: &AuditKeys| (check(&path, keys).first_bad_seq, check(&path, keys).reason);
        assert_eq!(without(&second), (Some(5), Some(BadReason::UnknownKey)));
        assert_eq!(without(&AuditKeys::new([3; 32])), (Some(1), Some(BadReason::HashMismatch)));
        assert!(matches!(open(&path), Err(AuditError::Head | AuditError::Broken { .. })));

        // A stolen old key cannot go on with the chain.
        let forged = event(9).build(8, Some(&AuditKeys::new([1; 32]).writing().id)).unwrap();
        let last = check(&path, &third).root_hash.unwrap();
        let this = AuditKeys::new([1; 32])
            .writing()
            .link(&last, forged.iter().map(|(name, value)| (&**name, value)));
        let mut line: Map<String, Value> =
            forged.into_iter().map(|(name, value)| (name.into_owned(), value)).collect();
        line.insert("prev_hash".to_owned(), hash_hex(&last).into());
        line.insert("this_hash".to_owned(), hash_hex(&this).into());
        let text = fs::read_to_string(&path).unwrap() + &Value::Object(line).to_string() + "\n";
        fs::write(&path, text).unwrap();
        assert_eq!(without(&third), (Some(8), Some(BadReason::UnknownKey)));
    }

    #[test]
    fn the_front_is_pruned_and_vouched_for() {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("audit.log");
        let log = open(&path).unwrap();
        for (n, at) in (0..10).map(|day| day * DAY).enumerate() {
            log.append(vec![event(n).at(at)]).unwrap();
        }
        assert_eq!(log.prune(0).unwrap(), 0);
        assert_eq!(log.prune(4 * DAY).unwrap(), 4);
        assert_eq!(log.prune(4 * DAY).unwrap(), 0);
        log.append(vec![event(10)]).unwrap();
        let result = check(&path, &keys());
        assert!(result.ok, "{:?}", result.reason);
        assert_eq!((result.from_seq, result.to_seq, result.event_count), (Some(5), Some(12), 8));
        assert_eq!(log.prune(7 * DAY).unwrap(), 3);
        drop(log);
        let log = open(&path).unwrap();
        assert_eq!(log.append(vec![event(1)]).unwrap()[0].seq, 14);
        drop(log);
        assert!(check(&path, &keys()).ok);

        let text = fs::read_to_string(&path).unwrap();
        let (_, rest) = text.split_once('\n').unwrap();
        fs::write(&path, rest).unwrap();
        let cut = check(&path, &keys());
        assert_eq!((cut.first_bad_seq, cut.reason), (Some(9), Some(BadReason::SeqGap)));
    }

    #[test]
    fn a_bad_event_harms_no_other() {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("audit.log");
        let log = open(&path).unwrap();
        log.append(vec![event(1)]).unwrap();
        for bad in
            [event(2).member("seq", 1), event(2).member("n", u64::MAX), event(2).data("a", 1).data("a", 1)]
        {
            assert!(matches!(log.append(vec![event(2), bad]), Err(AuditError::Event)));
        }
        assert_eq!(log.append(vec![event(3)]).unwrap()[0].seq, 2);
        assert!(log.append(Vec::new()).unwrap().is_empty());
        assert_eq!(check(&path, &keys()).event_count, 2);
    }
}
