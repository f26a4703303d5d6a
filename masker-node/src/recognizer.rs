//! Recognisers written in JavaScript.

use std::fmt;
use std::sync::Arc;
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use masker_core::{Masker, Pass, Policy, Recognizer, RecognizerError, RecognizerHit};
use napi::bindgen_prelude::{CallbackContext, Either, FnArgs, Function, FunctionRef, PromiseRaw, Unknown};
use napi::threadsafe_function::{ThreadsafeFunction, ThreadsafeFunctionCallMode};
use napi::{Env, Status, ValueType};
use napi_derive::napi;

use crate::errors::Failure;
use crate::options::Options;
use crate::text::{Answer, in_bytes};
use crate::work;

/// How long a recogniser may take where nothing is said: five seconds.
const TIMEOUT: Duration = Duration::from_secs(5);

/// One hit of a recogniser.
#[derive(Clone)]
#[napi(object, object_to_js = false)]
pub struct Hit {
    /// What it is.
    #[napi(ts_type = "Kind")]
    pub kind: String,
    /// Where it begins: `text.slice(start, end)` is the hit.
    pub start: f64,
    /// Where it ends.
    pub end: f64,
    /// 0 to 1, compared with the kind's threshold; 1 if left out.
    pub confidence: Option<f64>,
}

/// A model of the user's, for the pass `ner`. Masking fails where it does.
#[napi(object, object_from_js = false, object_to_js = false, js_name = "Recognizer")]
pub struct RecognizerOptions {
    /// Name used in events: lower snake case.
    pub name: String,
    /// Finds hits in a text, in any order; they may overlap. A function that returns a promise works in promise forms only.
    #[napi(ts_type = "(text: string) => Array<Hit> | Promise<Array<Hit>>")]
    pub recognize: (),
    /// After how many milliseconds the call is late; 5,000 if left out. A `timeout_ms` of the policy's pass `ner` comes first.
    pub timeout_ms: Option<u32>,
    /// What a late call does: it fails (`reject`, if left out), or the other passes stand in for it (`degrade`), as if no model
    /// were loaded.
    #[napi(ts_type = "'reject' | 'degrade'")]
    pub on_timeout: Option<String>,
}

type Hits = Either<PromiseRaw<'static, Vec<Hit>>, Vec<Hit>>;
type Called = ThreadsafeFunction<String, Hits, FnArgs<(Answer<String>,)>, Status, false, true>;

pub(crate) struct JsRecognizer {
    name: String,
    /// For the thread of JavaScript.
    here: FunctionRef<FnArgs<(Answer<String>,)>, Hits>,
    /// For all others.
    there: Arc<Called>,
    timeout: Duration,
    /// Detects in its place when it is late; nothing where the call fails then.
    stand_in: Option<Masker>,
}

/// What JavaScript threw. It prints nothing of it, because its message may hold the text.
pub(crate) struct Thrown(pub(crate) napi::Error);

impl fmt::Debug for Thrown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Thrown").finish_non_exhaustive()
    }
}

impl fmt::Display for Thrown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("what JavaScript threw")
    }
}

impl std::error::Error for Thrown {}

impl JsRecognizer {
    pub(crate) fn read(value: Unknown<'_>, policy: &Policy) -> Result<Self, Failure> {
        const KNOWN: [&str; 4] = ["name", "recognize", "timeoutMs", "onTimeout"];
        let options = Options::object("a recogniser", value, &KNOWN)?;
        let name = options.text("name")?.filter(|name| is_snake_case(name)).ok_or_else(|| {
            Failure::Argument("\"name\" of a recogniser must be given, in lower snake case".to_owned())
        })?;
        let is_function =
            |value: &Unknown<'_>| value.get_type().is_ok_and(|kind| kind == ValueType::Function);
        if !options.value("recognize")?.as_ref().is_some_and(is_function) {
            return Err(Failure::Argument("\"recognize\" of a recogniser must be a function".to_owned()));
        }
        let function: Function<'_, FnArgs<(Answer<String>,)>, Hits> =
            options.instance("recognize", "function")?.expect("it was just there");
        let there = function
            .build_threadsafe_function::<String>()
            .weak::<true>()
            .build_callback(|context| Ok(FnArgs::from((Answer(context.value),))))?;
        let timeout = options.whole("timeoutMs", 1)?.map_or(TIMEOUT, Duration::from_millis);
        let timeout = policy.pass(Pass::Ner).and_then(|rule| rule.timeout).unwrap_or(timeout);
        let degrades = options.choice("onTimeout", &[("reject", false), ("degrade", true)])?.unwrap_or(false);
        let stand_in = if degrades { Some(Masker::builder().policy(policy.clone()).build()?) } else { None };
        Ok(Self { name, here: function.create_ref()?, there: Arc::new(there), timeout, stand_in })
    }

    fn call_here(&self, env: &Env, text: &str) -> Result<Option<Vec<Hit>>, RecognizerError> {
        let start = Instant::now();
        let called =
            self.here.borrow_back(env).and_then(|function| function.call((Answer(text.to_owned()),).into()));
        match called {
            Ok(Either::B(hits)) => Ok((start.elapsed() <= self.timeout).then_some(hits)),
            Ok(Either::A(promise)) => {
                // A promise that nobody waits for must not end the program when it is rejected.
                let ignore = |_: CallbackContext<Unknown<'_>>| Ok(());
                let _ = promise.catch(ignore);
                Err(RecognizerError::new("it answers with a promise; use the promise form of the call"))
            }
            Err(error) => Err(threw(error)),
        }
    }

    /// The answer to a text; nothing where it is late.
    fn call_there(&self, text: &str) -> Result<Option<Vec<Hit>>, RecognizerError> {
        let (answer, answered) = channel();
        let take = move |called: napi::Result<Hits>, _: Env| {
            // Nobody listens any more to what comes too late.
            match called {
                Ok(Either::A(promise)) => {
                    let refused = answer.clone();
                    let take = move |hits: CallbackContext<Vec<Hit>>| {
                        let _ = answer.send(Ok(hits.value));
                        Ok(())
                    };
                    let refuse = move |why: CallbackContext<Unknown<'_>>| {
                        let why = Thrown(napi::Error::from_unknown_without_coercion(why.value));
                        let error = RecognizerError::with_source("it threw, or gave no list of hits", why);
                        let _ = refused.send(Err(error));
                        Ok(())
                    };
                    let _ = promise.then(take).and_then(|taken| taken.catch(refuse));
                }
                Ok(Either::B(hits)) => drop(answer.send(Ok(hits))),
                Err(error) => drop(answer.send(Err(threw(error)))),
            }
            Ok(())
        };
        let mode = ThreadsafeFunctionCallMode::NonBlocking;
        if self.there.call_with_return_value(text.to_owned(), mode, take) != Status::Ok {
            return Err(RecognizerError::new("the program is ending"));
        }
        answered.recv_timeout(self.timeout).ok().transpose()
    }

    /// What is found in the place of a late answer.
    fn late(&self, text: &str) -> Result<Vec<RecognizerHit>, RecognizerError> {
        let why = || RecognizerError::new(format!("no answer within {} ms", self.timeout.as_millis()));
        let found = self.stand_in.as_ref().ok_or_else(why)?.detect(text).map_err(|_| why())?;
        // What stands in has judged already, so no threshold for the model may drop it.
        let hit = |finding: masker_core::Finding| RecognizerHit {
            kind: finding.kind,
            start: finding.span.start,
            end: finding.span.end,
            confidence: 1.0,
        };
        Ok(found.into_iter().map(hit).collect())
    }
}

impl Recognizer for JsRecognizer {
    fn name(&self) -> &str {
        &self.name
    }

    fn recognize(&self, text: &str) -> Result<Vec<RecognizerHit>, RecognizerError> {
        let hits = match work::waiting() {
            Some(env) => self.call_here(&env, text)?,
            None => self.call_there(text)?,
        };
        let Some(hits) = hits else { return self.late(text) };
        let is_offset = |number: f64| number.fract() == 0.0 && number >= 0.0 && number <= text.len() as f64;
        if let Some(hit) =
            hits.iter().find(|hit| !is_offset(hit.start) || !is_offset(hit.end) || hit.start >= hit.end)
        {
            return Err(not_in_text(hit));
        }
        let ranges: Vec<_> = hits.iter().map(|hit| (hit.start as usize, hit.end as usize)).collect();
        let spans = in_bytes(text, &ranges).ok_or_else(|| {
            let alone = |hit: &&Hit| in_bytes(text, &[(hit.start as usize, hit.end as usize)]).is_none();
            not_in_text(hits.iter().find(alone).unwrap_or(&hits[0]))
        })?;
        hits.iter()
            .zip(spans)
            .map(|(hit, (start, end))| {
                // What else a hit must be is asked by the core.
                let kind = hit.kind.parse().map_err(|_| {
                    RecognizerError::new("it gave what is no kind; map its labels to kinds()")
                })?;
                Ok(RecognizerHit { kind, start, end, confidence: hit.confidence.unwrap_or(1.0) as f32 })
            })
            .collect()
    }
}

fn not_in_text(hit: &Hit) -> RecognizerError {
    RecognizerError::new(format!(
        "it gave {}..{}, which is not a range of characters of the text",
        hit.start, hit.end
    ))
}

/// What JavaScript throws may quote the text.
fn threw(error: napi::Error) -> RecognizerError {
    match error.status {
        Status::ArrayExpected | Status::NumberExpected | Status::ObjectExpected | Status::StringExpected => {
            RecognizerError::new("its answer is not a list of hits")
        }
        Status::InvalidArg => {
            RecognizerError::new("it threw what is no error, or its answer is not a list of hits")
        }
        _ => RecognizerError::with_source("it threw", Thrown(error)),
    }
}

fn is_snake_case(name: &str) -> bool {
    (1..=64).contains(&name.len())
        && name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
}
