use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use masker_core::payload::{SseRehydrator, StreamMode};
use masker_core::{Conversation, StreamMasker, StreamRehydrator};
use napi::Env;
use napi::JsValue;
use napi::bindgen_prelude::{Buffer, Object, Unknown};
use napi_derive::napi;

use crate::errors::Failure;
use crate::report::{Plain, Shown, masked_in_parts};
use crate::text::{Answer, Parts, Text, bytes, length_in_units};
use crate::work::{Line, Promised, done_here, here, later};

/// A stream and the text that went into it.
struct Piped<S> {
    stream: S,
    parts: Parts,
}

type SharedStream<S> = Arc<Mutex<Piped<S>>>;

fn shared<S>(stream: S) -> SharedStream<S> {
    Arc::new(Mutex::new(Piped { stream, parts: Parts::default() }))
}

fn lock<S>(stream: &Mutex<S>) -> MutexGuard<'_, S> {
    stream.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Masks a message that comes in parts of any size: what it gives is, joined, what the whole message would give.
///
/// ```js
/// const stream = conversation.streamMasker('user')
/// let text = stream.pushSync('my number is 415 55') + stream.pushSync('5 0142 thanks')
/// text += stream.finishSync().text
/// ```
#[napi(js_name = "StreamMasker")]
pub struct JsStreamMasker {
    inner: SharedStream<StreamMasker>,
    line: Line,
}

impl JsStreamMasker {
    pub(crate) fn of(stream: StreamMasker, line: Line) -> Self {
        Self { inner: shared(stream), line }
    }

    fn in_line<'env, T: Shown + Send + 'static>(
        &self,
        env: &'env Env,
        work: impl FnOnce(&mut Piped<StreamMasker>) -> Result<T, Failure> + Send + 'static,
    ) -> napi::Result<Promised<'env>> {
        let (place, stream) = (self.line.place(), self.inner.clone());
        later(env, move || place.wait(|| work(&mut lock(&stream))))
    }
}

#[napi]
impl JsStreamMasker {
    /// Takes the next part; gives what has become certain, masked.
    ///
    /// @throws as `Conversation.maskTurnSync`
    #[napi(ts_return_type = "string")]
    pub fn push_sync<'env>(
        &self,
        env: &'env Env,
        #[napi(ts_arg_type = "string")] text: Text,
    ) -> napi::Result<Unknown<'env>> {
        here(env, || push(&mut lock(&self.inner), text))
    }

    /// `pushSync` behind a promise.
    #[napi(ts_return_type = "Promise<string>")]
    pub fn push<'env>(
        &self,
        env: &'env Env,
        #[napi(ts_arg_type = "string")] text: Text,
    ) -> napi::Result<Promised<'env>> {
        self.in_line(env, move |stream| push(stream, text))
    }

    /// How the message would go on if `text` came next and were its end, with what is held back before it. Nothing is
    /// remembered. For the partial results of speech recognisers, which are taken back.
    #[napi(ts_return_type = "string")]
    pub fn interim_sync<'env>(
        &self,
        env: &'env Env,
        #[napi(ts_arg_type = "string")] text: Text,
    ) -> napi::Result<Unknown<'env>> {
        here(env, || interim(&lock(&self.inner), text))
    }

    /// `interimSync` behind a promise.
    #[napi(ts_return_type = "Promise<string>")]
    pub fn interim<'env>(
        &self,
        env: &'env Env,
        #[napi(ts_arg_type = "string")] text: Text,
    ) -> napi::Result<Promised<'env>> {
        self.in_line(env, move |stream| interim(stream, text))
    }

    /// Ends the message: gives the rest of its text, and the events of all of it. What is pushed then is the next message.
    #[napi(ts_return_type = "Masked")]
    pub fn finish_sync<'env>(&self, env: &'env Env) -> napi::Result<Unknown<'env>> {
        here(env, || finish(&mut lock(&self.inner)))
    }

    /// `finishSync` behind a promise.
    #[napi(ts_return_type = "Promise<Masked>")]
    pub fn finish<'env>(&self, env: &'env Env) -> napi::Result<Promised<'env>> {
        self.in_line(env, finish)
    }

    /// How many bytes of UTF-8 are held back.
    #[napi(getter)]
    pub fn held(&self) -> u32 {
        lock(&self.inner).stream.held() as u32
    }
}

fn push(Piped { stream, parts }: &mut Piped<StreamMasker>, text: Text) -> Result<String, Failure> {
    Ok(stream.push(&parts.push(text))?)
}

fn interim(Piped { stream, parts }: &Piped<StreamMasker>, text: Text) -> Result<String, Failure> {
    Ok(stream.interim(&parts.preview(text))?)
}

fn finish(Piped { stream, parts }: &mut Piped<StreamMasker>) -> Result<masker_core::Masked, Failure> {
    let rest = parts.finish();
    let before = stream.push(&rest)?;
    let mut masked = stream.finish()?;
    masked.text.insert_str(0, &before);
    let masked = masked_in_parts(masked, parts);
    *parts = Parts::default();
    Ok(masked)
}

/// Restores text that comes in parts of any size: what it gives is, joined, what the whole text would give. It holds back
/// only an end that may still become a token or an alias that is alive in the conversation.
#[napi(js_name = "StreamRehydrator")]
pub struct JsStreamRehydrator {
    inner: SharedStream<StreamRehydrator>,
    line: Line,
}

impl JsStreamRehydrator {
    pub(crate) fn of(stream: StreamRehydrator, line: Line) -> Self {
        Self { inner: shared(stream), line }
    }

    fn in_line<'env, T: Shown + Send + 'static>(
        &self,
        env: &'env Env,
        work: impl FnOnce(&mut Piped<StreamRehydrator>) -> Result<T, Failure> + Send + 'static,
    ) -> napi::Result<Promised<'env>> {
        let (place, stream) = (self.line.place(), self.inner.clone());
        later(env, move || place.wait(|| work(&mut lock(&stream))))
    }
}

#[napi]
impl JsStreamRehydrator {
    /// Takes the next part; gives what has become certain, restored.
    ///
    /// @throws `vault_failed`; nothing is lost, the next call tries again
    #[napi(ts_return_type = "string")]
    pub fn push_sync<'env>(
        &self,
        env: &'env Env,
        #[napi(ts_arg_type = "string")] text: Text,
    ) -> napi::Result<Unknown<'env>> {
        here(env, || restore(&mut lock(&self.inner), text))
    }

    /// `pushSync` behind a promise.
    #[napi(ts_return_type = "Promise<string>")]
    pub fn push<'env>(
        &self,
        env: &'env Env,
        #[napi(ts_arg_type = "string")] text: Text,
    ) -> napi::Result<Promised<'env>> {
        self.in_line(env, move |stream| restore(stream, text))
    }

    /// Ends the text: gives what was held back, and tells whether it ended in the middle of something.
    #[napi(ts_return_type = "Flushed")]
    pub fn flush_sync<'env>(&self, env: &'env Env) -> napi::Result<Unknown<'env>> {
        here(env, || flush(&mut lock(&self.inner)))
    }

    /// `flushSync` behind a promise.
    #[napi(ts_return_type = "Promise<Flushed>")]
    pub fn flush<'env>(&self, env: &'env Env) -> napi::Result<Promised<'env>> {
        self.in_line(env, flush)
    }

    /// What was restored so far and what was not; its text is empty.
    #[napi(getter, ts_return_type = "Restored")]
    pub fn totals<'env>(&self, env: &'env Env) -> napi::Result<Unknown<'env>> {
        here(env, || Ok(lock(&self.inner).stream.totals()))
    }

    /// How many bytes of UTF-8 are held back.
    #[napi(getter)]
    pub fn held(&self) -> u32 {
        lock(&self.inner).stream.held() as u32
    }
}

fn restore(Piped { stream, parts }: &mut Piped<StreamRehydrator>, text: Text) -> Result<String, Failure> {
    Ok(stream.push(&parts.push(text))?)
}

/// A text that is restored, and how much of its end might have become more.
struct Ended {
    text: String,
    dangling: usize,
}

impl Shown for Ended {
    fn shown<'env>(self, env: &'env Env) -> napi::Result<Unknown<'env>> {
        let mut end = self.text.len().saturating_sub(self.dangling);
        while !self.text.is_char_boundary(end) {
            end -= 1;
        }
        let dangling = length_in_units(&self.text[end..]) as u32;
        let mut flushed = Object::new(env)?;
        flushed.set("text", Answer(self.text))?;
        flushed.set("dangling", dangling)?;
        Ok(flushed.to_unknown())
    }
}

fn flush(Piped { stream, parts }: &mut Piped<StreamRehydrator>) -> Result<Ended, Failure> {
    let rest = parts.finish();
    let mut text = stream.push(&rest)?;
    let (held, dangling) = stream.flush()?;
    text.push_str(&held);
    *parts = Parts::default();
    Ok(Ended { text, dangling: dangling.bytes })
}

type Open = Box<dyn FnMut(StreamMode) -> StreamRehydrator + Send>;

/// Restores the answers in a stream of server-sent events, cut anywhere: every choice, tool call and block is a text of its
/// own, and what one holds back is sent before it ends.
#[napi(js_name = "SseRehydrator")]
pub struct JsSseRehydrator {
    inner: Arc<Mutex<SseRehydrator<StreamRehydrator, Open>>>,
    line: Line,
}

impl JsSseRehydrator {
    pub(crate) fn of(conversation: &Conversation, is_json: bool, line: Line) -> Self {
        let conversation = conversation.clone();
        let open: Open = Box::new(move |mode| match mode {
            StreamMode::JsonString => conversation.stream_json_rehydrator(),
            _ => conversation.stream_rehydrator(),
        });
        let mut inner = SseRehydrator::new(open);
        if is_json {
            inner = inner.json_answer();
        }
        Self { inner: Arc::new(Mutex::new(inner)), line }
    }
}

#[napi]
impl JsSseRehydrator {
    /// Takes bytes from the server and gives the bytes to send on.
    ///
    /// @throws `too_long`, `vault_failed`
    #[napi(ts_return_type = "Uint8Array")]
    pub fn push_sync<'env>(
        &self,
        env: &'env Env,
        #[napi(ts_arg_type = "Uint8Array")] chunk: Unknown<'env>,
    ) -> napi::Result<Unknown<'env>> {
        here(env, || Ok(Plain(Buffer::from(lock(&self.inner).push(&bytes(chunk, "the chunk")?)?))))
    }

    /// `pushSync` behind a promise.
    #[napi(ts_return_type = "Promise<Uint8Array>")]
    pub fn push<'env>(
        &self,
        env: &'env Env,
        #[napi(ts_arg_type = "Uint8Array")] chunk: Unknown<'env>,
    ) -> napi::Result<Promised<'env>> {
        let chunk = done_here(env, || bytes(chunk, "the chunk"))?;
        let (place, stream) = (self.line.place(), self.inner.clone());
        later(env, move || place.wait(|| Ok(Plain(Buffer::from(lock(&stream).push(&chunk)?)))))
    }

    /// What was restored so far and what was not; its text and its list of lost kinds are empty.
    #[napi(getter, ts_return_type = "Restored")]
    pub fn totals<'env>(&self, env: &'env Env) -> napi::Result<Unknown<'env>> {
        here(env, || Ok(lock(&self.inner).tally()))
    }

    /// Ends the stream and gives the bytes that are left.
    #[napi(ts_return_type = "Uint8Array")]
    pub fn finish_sync<'env>(&self, env: &'env Env) -> napi::Result<Unknown<'env>> {
        here(env, || Ok(Plain(Buffer::from(lock(&self.inner).finish()?))))
    }

    /// `finishSync` behind a promise.
    #[napi(ts_return_type = "Promise<Uint8Array>")]
    pub fn finish<'env>(&self, env: &'env Env) -> napi::Result<Promised<'env>> {
        let (place, stream) = (self.line.place(), self.inner.clone());
        later(env, move || place.wait(|| Ok(Plain(Buffer::from(lock(&stream).finish()?)))))
    }
}
