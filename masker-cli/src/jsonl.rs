//! One JSON record a line: read in pieces, worked on by several threads, answered in order, in bounded memory.

use std::borrow::Cow;
use std::fmt;
use std::io::{BufRead, Write};
use std::thread;

use indicatif::ProgressBar;
use serde::Serialize;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::error::Category;
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use crate::args::Lines;
use crate::error::{CliError, Result};
use crate::io::{Source, not_utf8};

/// A piece ends at this many lines or bytes, whichever comes first. Enough work for every thread, little enough to hold.
const PIECE_LINES: usize = 2048;
const PIECE_BYTES: usize = 4 << 20;

/// How lines are read and answered.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    field: String,
    keep: bool,
    jobs: usize,
}

impl From<&Lines> for Options {
    fn from(lines: &Lines) -> Self {
        Self {
            field: lines.field.clone().unwrap_or_else(|| "text".to_owned()),
            keep: lines.keep,
            jobs: usize::from(lines.jobs.unwrap_or(1)),
        }
    }
}

/// What a command makes of one text.
pub(crate) enum Answer<M> {
    /// A text that stands alone on the line.
    Bare(String),
    /// Members of the object on the line.
    Members(M),
}

/// One line, taken apart.
struct Record<'l> {
    text: String,
    id: Option<&'l RawValue>,
    /// Members passed through; empty without `--keep`.
    rest: Map<String, Value>,
}

/// One line of the answer.
#[derive(Serialize)]
struct Line<'l, M> {
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'l RawValue>,
    #[serde(flatten)]
    members: M,
}

/// Answers every line of `source` with what `work` makes of its text, in order.
///
/// # Errors
///
/// A line that is not JSON, not UTF-8, or has no text ends the run; the lines before it have been answered. The error names the line.
pub(crate) fn run<M: Serialize>(
    source: &Source,
    out: &mut dyn Write,
    options: &Options,
    progress: &ProgressBar,
    work: &(impl Fn(&str) -> Result<Answer<M>> + Sync),
) -> Result<()> {
    let mut input = source.open()?;
    let (mut first_line, mut offset) = (1, 0);
    let (mut piece, mut ends) = (Vec::new(), Vec::new());
    loop {
        read_piece(&mut *input, &mut piece, &mut ends).map_err(|e| source.read_error(&e))?;
        if ends.is_empty() {
            return out.flush().map_err(|e| CliError::stdout(&e));
        }
        let starts = std::iter::once(0).chain(ends.iter().copied());
        let lines: Vec<(usize, &[u8])> =
            starts.zip(&ends).map(|(start, &end)| (start, &piece[start..end])).collect();
        let answer = |index: usize| {
            let (start, line) = lines[index];
            // The mark is dropped where a file starts, nowhere else.
            let line = if offset + start as u64 == 0 {
                line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line)
            } else {
                line
            };
            let before_line = offset + start as u64 + (lines[index].1.len() - line.len()) as u64;
            answer_line(line, before_line, options, work)
                .map_err(|e| e.at(&format!("line {}", first_line + index as u64)))
        };
        for result in in_parallel(lines.len(), options.jobs, &answer) {
            match result {
                Ok(bytes) => out.write_all(&bytes).map_err(|e| CliError::stdout(&e))?,
                Err(error) => {
                    out.flush().map_err(|e| CliError::stdout(&e))?;
                    return Err(error);
                }
            }
        }
        progress.inc(piece.len() as u64);
        first_line += lines.len() as u64;
        offset += piece.len() as u64;
    }
}

/// Reads whole lines until the piece is large enough: the bytes, and where each line ends in them. The piece before is dropped, its
/// memory kept.
fn read_piece(input: &mut dyn BufRead, piece: &mut Vec<u8>, ends: &mut Vec<usize>) -> std::io::Result<()> {
    piece.clear();
    ends.clear();
    while ends.len() < PIECE_LINES && piece.len() < PIECE_BYTES {
        if input.read_until(b'\n', piece)? == 0 {
            break;
        }
        ends.push(piece.len());
    }
    Ok(())
}

/// The results of `work(0..count)` in order, up to the first error. Neighbouring indexes share a thread.
fn in_parallel<T: Send>(
    count: usize,
    jobs: usize,
    work: &(dyn Fn(usize) -> Result<T> + Sync),
) -> Vec<Result<T>> {
    let until_error = |range: std::ops::Range<usize>| {
        let mut results = Vec::with_capacity(range.len());
        for index in range {
            let result = work(index);
            let stop = result.is_err();
            results.push(result);
            if stop {
                break;
            }
        }
        results
    };
    if jobs < 2 || count < 2 {
        return until_error(0..count);
    }
    let share = count.div_ceil(jobs);
    thread::scope(|scope| {
        let handles: Vec<_> = (0..count)
            .step_by(share)
            .map(|start| scope.spawn(move || until_error(start..count.min(start + share))))
            .collect();
        let mut results = Vec::with_capacity(count);
        for handle in handles {
            let part = handle.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
            let stop = part.last().is_some_and(Result::is_err);
            results.extend(part);
            if stop {
                break;
            }
        }
        results
    })
}

fn answer_line<M: Serialize>(
    line: &[u8],
    offset: u64,
    options: &Options,
    work: &impl Fn(&str) -> Result<Answer<M>>,
) -> Result<Vec<u8>> {
    let Record { text, id, rest } = parse(line, offset, options)?;
    let written = match work(&text)? {
        Answer::Bare(text) => serde_json::to_vec(&text),
        Answer::Members(members) if rest.is_empty() => serde_json::to_vec(&Line { id, members }),
        Answer::Members(members) => serde_json::to_value(Line { id, members }).and_then(|mut answer| {
            let answer_members = answer.as_object_mut().expect("a line has members");
            for (key, value) in rest {
                answer_members.entry(key).or_insert(value);
            }
            serde_json::to_vec(&answer)
        }),
    };
    let mut bytes = written.expect("the answer has string keys only");
    bytes.push(b'\n');
    Ok(bytes)
}

fn parse<'l>(line: &'l [u8], offset: u64, options: &Options) -> Result<Record<'l>> {
    let line = std::str::from_utf8(line).map_err(|e| not_utf8(offset + e.valid_up_to() as u64))?;
    if line.trim().is_empty() {
        return Err(bad("is empty"));
    }
    let mut reader = serde_json::Deserializer::from_str(line);
    let read = Fields(options).deserialize(&mut reader).and_then(|read| reader.end().map(|()| read));
    // The parser's own message may quote the input; the place is enough.
    let (text, id, rest) = read.map_err(|error| match error.classify() {
        Category::Data => bad("is neither a JSON string nor an object"),
        _ => bad(&format!("is not JSON at column {}", error.column())),
    })?;
    match text {
        Some(Value::String(text)) => Ok(Record { text, id, rest }),
        Some(_) => Err(bad(&format!("has a member {} that is not a string", options.field))),
        None => Err(bad(&format!("has no member {}", options.field))
            .hint("--field names the member that holds the text")),
    }
}

/// Reads a line: its text, its id as it is written, and its other members where they are kept.
struct Fields<'o>(&'o Options);

impl<'l> DeserializeSeed<'l> for Fields<'_> {
    type Value = (Option<Value>, Option<&'l RawValue>, Map<String, Value>);

    fn deserialize<D: Deserializer<'l>>(self, reader: D) -> std::result::Result<Self::Value, D::Error> {
        reader.deserialize_any(self)
    }
}

impl<'l> Visitor<'l> for Fields<'_> {
    type Value = (Option<Value>, Option<&'l RawValue>, Map<String, Value>);

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string or an object")
    }

    fn visit_str<E>(self, text: &str) -> std::result::Result<Self::Value, E> {
        Ok((Some(text.into()), None, Map::new()))
    }

    fn visit_map<A: MapAccess<'l>>(self, mut members: A) -> std::result::Result<Self::Value, A::Error> {
        let (mut text, mut id, mut rest) = (None, None, Map::new());
        while let Some(key) = members.next_key::<Cow<'_, str>>()? {
            if *key == *self.0.field {
                text = Some(members.next_value()?);
            } else if key == "id" {
                id = Some(members.next_value()?);
            } else if self.0.keep {
                rest.insert(key.into_owned(), members.next_value()?);
            } else {
                members.next_value::<IgnoredAny>()?;
            }
        }
        Ok((text, id, rest))
    }
}

fn bad(what: &str) -> CliError {
    CliError::failure(format!("the record {what}")).code("bad_record")
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;
    use std::fs;

    use serde_json::json;

    use super::*;

    fn answer(input: &[u8], options: &Options) -> (String, Option<String>) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("in.jsonl");
        fs::write(&path, input).unwrap();
        let mut out = Vec::new();
        let work = |text: &str| Ok(Answer::Members(json!({"masked": text.to_uppercase()})));
        let result = run(&Source::File(path), &mut out, options, &ProgressBar::hidden(), &work);
        (String::from_utf8(out).unwrap(), result.err().map(|e| e.render()))
    }

    fn options() -> Options {
        Options { field: "text".into(), keep: false, jobs: 1 }
    }

    #[test]
    fn strings_and_objects_are_answered_with_their_id() {
        let input = b"\xef\xbb\xbf\"ab\"\r\n{\"id\": 7, \"text\": \"cd\", \"more\": 1}\n{\"text\":\"e\"}";
        assert_eq!(
            answer(input, &options()),
            ("{\"masked\":\"AB\"}\n{\"id\":7,\"masked\":\"CD\"}\n{\"masked\":\"E\"}\n".into(), None)
        );
    }

    #[test]
    fn an_id_stays_as_it_is_written_and_the_last_of_equal_members_counts() {
        let input =
            br#"{"text": "x", "id": 12345678901234567890.10, "text": "ab", "other": [{"a": 1e2}, null]}"#;
        let want = "{\"id\":12345678901234567890.10,\"masked\":\"AB\"}\n";
        assert_eq!(answer(input, &options()), (want.to_owned(), None));
        let kept =
            answer(br#"{"id": null, "text": "ab", "a": 1, "a": 2}"#, &Options { keep: true, ..options() });
        assert_eq!(kept.0, "{\"id\":null,\"masked\":\"AB\",\"a\":2}\n");
    }

    #[test]
    fn kept_members_follow_and_never_replace_the_answer() {
        let input = b"{\"note\": \"cd\", \"more\": 1, \"masked\": \"raw\", \"id\": \"a\"}";
        let options = Options { field: "note".into(), keep: true, jobs: 1 };
        assert_eq!(answer(input, &options).0, "{\"id\":\"a\",\"masked\":\"CD\",\"more\":1}\n");
    }

    #[test]
    fn a_bad_line_is_named_and_the_lines_before_it_are_answered() {
        for (bad, word) in [
            (&b"nope secret"[..], "not JSON"),
            (b"", "empty"),
            (b"5", "neither"),
            (b"{\"t\": \"secret\"}", "no member text"),
            (b"{\"text\": 5}", "not a string"),
            (b"\"sec\xffret\"", "offset 8"),
        ] {
            let input = [&b"\"a\"\n"[..], bad, b"\n\"z\"\n"].concat();
            for jobs in [1, 2] {
                let (out, error) = answer(&input, &Options { jobs, ..options() });
                let error = error.unwrap();
                assert_eq!(out, "{\"masked\":\"A\"}\n", "{word}");
                assert!(error.contains("line 2") && !error.contains("secret"), "{error}");
                assert!(error.contains(word), "{error}");
            }
        }
    }

    #[test]
    fn order_and_count_are_kept_over_many_pieces_and_threads() {
        let count = 3 * PIECE_LINES + 17;
        let (mut input, mut want) = (String::new(), String::new());
        for n in 0..count {
            writeln!(input, "{{\"id\":{n},\"text\":\"t{n}\"}}").unwrap();
            writeln!(want, "{{\"id\":{n},\"masked\":\"T{n}\"}}").unwrap();
        }
        for jobs in [1, 3, 512] {
            assert_eq!(answer(input.as_bytes(), &Options { jobs, ..options() }), (want.clone(), None));
        }
    }
}
