//! One JSON record a line: read in pieces, worked on by several threads, answered in order, in bounded memory.

use std::io::{BufRead, Write};
use std::thread;

use indicatif::ProgressBar;
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

/// One line, taken apart.
struct Record {
    text: String,
    id: Option<Value>,
    /// Members passed through; empty without `--keep`.
    rest: Map<String, Value>,
}

/// Answers every line of `source` with what `work` makes of its text, in order.
///
/// # Errors
///
/// A line that is not JSON, not UTF-8, or has no text ends the run; the lines before it have been answered. The error names the line.
pub(crate) fn run(
    source: &Source,
    out: &mut dyn Write,
    options: &Options,
    progress: &ProgressBar,
    work: &Work<'_>,
) -> Result<()> {
    let mut input = source.open()?;
    let (mut first_line, mut offset) = (1, 0);
    loop {
        let (piece, ends) = read_piece(&mut *input).map_err(|e| source.read_error(&e))?;
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

/// What a command makes of one text: the members of its answer, or a bare value that stands alone on the line.
pub(crate) type Work<'a> = dyn Fn(&str) -> Result<Value> + Sync + 'a;

/// Reads whole lines until the piece is large enough: the bytes, and where each line ends in them.
fn read_piece(input: &mut dyn BufRead) -> std::io::Result<(Vec<u8>, Vec<usize>)> {
    let (mut piece, mut ends) = (Vec::new(), Vec::new());
    while ends.len() < PIECE_LINES && piece.len() < PIECE_BYTES {
        if input.read_until(b'\n', &mut piece)? == 0 {
            break;
        }
        ends.push(piece.len());
    }
    Ok((piece, ends))
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

fn answer_line(line: &[u8], offset: u64, options: &Options, work: &Work<'_>) -> Result<Vec<u8>> {
    let record = parse(line, offset, options)?;
    let mut answer = Map::new();
    if let Some(id) = record.id {
        answer.insert("id".to_owned(), id);
    }
    let answer = match work(&record.text)? {
        Value::Object(members) => {
            answer.extend(members);
            for (key, value) in record.rest {
                answer.entry(key).or_insert(value);
            }
            Value::Object(answer)
        }
        bare => bare,
    };
    let mut bytes = serde_json::to_vec(&answer).expect("the answer has string keys only");
    bytes.push(b'\n');
    Ok(bytes)
}

fn parse(line: &[u8], offset: u64, options: &Options) -> Result<Record> {
    let text = std::str::from_utf8(line).map_err(|e| not_utf8(offset + e.valid_up_to() as u64))?;
    if text.trim().is_empty() {
        return Err(bad("is empty"));
    }
    match serde_json::from_str(text) {
        Ok(Value::String(text)) => Ok(Record { text, id: None, rest: Map::new() }),
        Ok(Value::Object(mut members)) => {
            let text = match members.remove(&options.field) {
                Some(Value::String(text)) => text,
                Some(_) => return Err(bad(&format!("has a member {} that is not a string", options.field))),
                None => {
                    return Err(bad(&format!("has no member {}", options.field))
                        .hint("--field names the member that holds the text"));
                }
            };
            let id = members.remove("id");
            Ok(Record { text, id, rest: if options.keep { members } else { Map::new() } })
        }
        Ok(_) => Err(bad("is neither a JSON string nor an object")),
        // The parser's own message may quote the input; the place is enough.
        Err(error) => Err(bad(&format!("is not JSON at column {}", error.column()))),
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
        let work = |text: &str| -> Result<Value> { Ok(json!({"masked": text.to_uppercase()})) };
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
