//! From a request to its handler: the checks that every route shares, in the order of the contract.

use std::future::Future;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Instant;

use axum::Router;
use axum::body::Body;
use axum::extract::rejection::RawPathParamsRejection;
use axum::extract::{ConnectInfo, RawPathParams, Request};
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::response::Response;
use axum::routing::{MethodFilter, on};
use bytes::{Bytes, BytesMut};
use futures_util::StreamExt as _;

use crate::auth::{self, Scope};
use crate::error::{ApiError, Code, Result};
use crate::http::context::Claim;
use crate::http::{Context, Fields, Query, Reply};
use crate::ids::{self, Prefix};
use crate::limits::{BODY_TIME, BODY_WAIT, MANAGEMENT_BODY, TEXT_BODY, Verdict};
use crate::openapi::Doc;
use crate::routes::ROUTES;
use crate::state::State;
use crate::store::KeptAnswer;
use crate::store::model::Role;

/// Bytes set aside for a body at first.
const FIRST_BUFFER: u64 = 1 << 16;

/// What a route asks of its caller.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Access {
    /// Any good credential.
    Any,
    /// Nothing, or what the handler checks itself.
    Open,
    /// A scope, and a role at least.
    Scope(Scope, Role),
}

/// Which rules of bodies, rates and headers hold.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Group {
    /// The management interface.
    Api,
    /// Signing in: limited by address.
    Auth,
    /// Pages for a browser.
    Page,
    /// What supervisors ask, also while the server stops.
    Probe,
    /// The proxy, which authenticates in its own way and speaks to clients of OpenAI.
    Proxy,
    /// Text endpoints: the management interface with longer bodies.
    Text,
    /// Calls of voice platforms, which are signed.
    Webhook,
}

pub(crate) type Answer = Pin<Box<dyn Future<Output = Result<Response>> + Send>>;

/// What a route runs.
#[derive(Clone, Copy)]
pub(crate) enum Run {
    /// On the executor.
    Async(fn(Context) -> Answer),
    /// On a thread that may wait.
    Blocking(fn(&Context) -> Result<Reply>),
}

/// One line of the list of routes.
pub(crate) struct Route {
    pub(crate) method: Method,
    pub(crate) path: &'static str,
    pub(crate) access: Access,
    pub(crate) group: Group,
    pub(crate) run: Run,
    pub(crate) doc: Doc,
}

/// The application: every route of the list, and an envelope for everything else.
///
/// # Panics
///
/// Never: the methods of the list are common ones.
pub fn app(state: Arc<State>) -> Router {
    let mut router = Router::new();
    for route in ROUTES.iter() {
        router = mount(router, state.clone(), route);
    }
    let (missing, not_allowed) = (state.clone(), state);
    router
        .method_not_allowed_fallback(move |request: Request| {
            let error = ApiError::new(Code::MethodNotAllowed, "The path does not take this method.");
            std::future::ready(refuse(&not_allowed, error, &request))
        })
        .fallback(move |request: Request| {
            let error = ApiError::new(Code::NotFound, "There is nothing at this path.");
            std::future::ready(refuse(&missing, error, &request))
        })
}

fn mount(router: Router, state: Arc<State>, route: &'static Route) -> Router {
    let filter = MethodFilter::try_from(route.method.clone()).expect("methods of the list are common ones");
    let handler = move |params: Params, request: Request| dispatch(state, route, params, request);
    router.route(route.path, on(filter, handler))
}

/// What stands in a path for its names, decoded.
type Params = std::result::Result<RawPathParams, RawPathParamsRejection>;

/// Names of the route with what stands for them. What is no text once it is decoded names nothing, and stays as it came.
fn captured(route: &Route, params: &Params, path: &str) -> Vec<(String, String)> {
    if let Ok(params) = params {
        return params.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    }
    let parts = route.path.split('/').zip(path.split('/'));
    let named = |(name, part): (&str, &str)| {
        Some((name.strip_prefix('{')?.strip_suffix('}')?.to_owned(), part.to_owned()))
    };
    parts.filter_map(named).collect()
}

fn refuse(state: &State, error: ApiError, request: &Request) -> Response {
    let request_id = ids::new(Prefix::Request);
    let error = if state.is_draining() { shutting_down() } else { error };
    let group = if request.uri().path().starts_with("/proxy/") { Group::Proxy } else { Group::Api };
    finish(error_response(&error, &request_id, group), &request_id, group)
}

fn shutting_down() -> ApiError {
    ApiError::new(Code::ShuttingDown, "The server is stopping.").header(header::RETRY_AFTER, "5")
}

async fn dispatch(state: Arc<State>, route: &'static Route, params: Params, request: Request) -> Response {
    let (received, received_at) = (Instant::now(), crate::time::now());
    let request_id = ids::new(Prefix::Request);
    let group = route.group;
    let _busy = state.busy.clone();
    let response = match handle(state, route, params, request, &request_id, (received, received_at)).await {
        Ok(response) => response,
        Err(error) => error_response(&error, &request_id, group),
    };
    let response = finish(response, &request_id, group);
    tracing::info!(
        request_id,
        method = route.method.as_str(),
        route = route.path,
        status = response.status().as_u16(),
        ms = received.elapsed().as_millis() as u64,
        "request"
    );
    response
}

async fn handle(
    state: Arc<State>,
    route: &'static Route,
    params: Params,
    request: Request,
    request_id: &str,
    (received, received_at): (Instant, i64),
) -> Result<Response> {
    if state.is_draining() && route.group != Group::Probe {
        return Err(shutting_down());
    }
    let (parts, body) = request.into_parts();
    let limit = match route.group {
        Group::Proxy | Group::Text | Group::Webhook => TEXT_BODY,
        _ => MANAGEMENT_BODY,
    };
    let changes = !matches!(route.method, Method::GET | Method::HEAD);
    let body = if changes { read_body(&parts.headers, body, limit).await? } else { Bytes::new() };
    if changes {
        check_media_type(&parts.headers, &body)?;
    }
    let text = |name: &str| parts.headers.get(name).and_then(|value| value.to_str().ok());
    let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>().map(|info| info.0.ip());
    let client: IpAddr = state.client_address(peer, text("x-forwarded-for"));
    let context = Context {
        path: parts.uri.path().to_owned(),
        params: captured(route, &params, parts.uri.path()),
        headers: parts.headers,
        query: Query::default(),
        body,
        caller: None,
        request_id: request_id.to_owned(),
        client,
        received,
        received_at,
        verdict: Arc::new(OnceLock::new()),
        claim: Arc::new(Mutex::new(Claim::None)),
        state: state.clone(),
    };
    let raw_query = parts.uri.query().map(str::to_owned);
    match route.run {
        Run::Blocking(run) => {
            on_a_thread(&state, move || {
                let mut context = context;
                let prepared = prepare(&mut context, route, raw_query.as_deref());
                let result = prepared.and_then(|()| settle(&context, run(&context)));
                let answer = result.map(Reply::into_response);
                Ok(Ending::of(&context, route.group).put(answer))
            })
            .await
        }
        Run::Async(run) => {
            let prepare = move || {
                let mut context = context;
                let prepared = prepare(&mut context, route, raw_query.as_deref());
                let ending = Ending::of(&context, route.group);
                Ok((context, ending, prepared))
            };
            // Where nobody is to be authenticated nothing waits for the disk.
            let prepared = if matches!(route.access, Access::Open) {
                prepare()
            } else {
                on_a_thread(&state, prepare).await
            };
            let (context, ending, prepared) = prepared?;
            let answer = match prepared {
                Ok(()) => run(context).await,
                Err(error) => Err(error),
            };
            Ok(ending.put(answer))
        }
    }
}

/// Runs something that may wait; a panic is a fault of ours and not the end of the connection.
async fn on_a_thread<T: Send + 'static>(
    state: &State,
    run: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    state.wait(run).await.unwrap_or_else(|_| Err(ApiError::internal(&"a handler panicked")))
}

/// Authentication, rate, scope and role, syntax of the query.
fn prepare(context: &mut Context, route: &Route, raw_query: Option<&str>) -> Result<()> {
    let state = context.state.clone();
    let changes = !matches!(route.method, Method::GET | Method::HEAD);
    if !matches!(route.access, Access::Open) {
        context.caller = Some(auth::authenticate(&state, &context.headers, changes)?);
    }
    match route.group {
        Group::Auth => context.admit(state.auth_limiter.take(&context.client.to_string()))?,
        Group::Api | Group::Text => {
            if let Some(limiter) = &state.api_limiter {
                let name = match &context.caller {
                    Some(caller) if state.config.rates.by_token => caller.credential_id(),
                    Some(caller) => caller.user.account_id.clone(),
                    None => context.client.to_string(),
                };
                context.admit(limiter.take(&name))?;
            }
        }
        // Their buckets are those of accounts, which the handler finds out.
        Group::Page | Group::Probe | Group::Proxy | Group::Webhook => {}
    }
    if let (Access::Scope(scope, role), Some(caller)) = (route.access, &context.caller) {
        caller.check(scope, role)?;
    }
    context.query = Query::parse(raw_query)?;
    if route.method == Method::DELETE {
        // What is asked for stands in the query; whoever writes it into a body would get another deletion.
        Fields::new(&context.object()?, &[]).finish()?;
    }
    Ok(())
}

/// Keeps the answer of a request with an idempotency key, or gives the key free.
fn settle(context: &Context, result: Result<Reply>) -> Result<Reply> {
    let claim = std::mem::take(&mut *context.claim.lock().expect("nothing panics with the claim in hand"));
    match claim {
        Claim::None => result,
        Claim::Replay(reply) => Ok(reply),
        Claim::Taken(taken) => {
            let reply = match result {
                Ok(reply) => reply,
                Err(error) => {
                    let body = error.body(&context.request_id, false);
                    let mut reply = Reply::json(error.code().status(), &body);
                    reply.headers.extend(error.headers().iter().cloned());
                    reply
                }
            };
            if reply.status >= 500 || reply.status == 429 {
                // A repeat may go better; with the claim the key goes free.
                return Ok(reply);
            }
            let lines = reply.headers.iter().filter(|(name, _)| *name != header::CONTENT_TYPE);
            let headers: String = lines
                .filter_map(|(name, value)| Some(format!("{name}: {}\n", value.to_str().ok()?)))
                .collect();
            let kept = KeptAnswer { status: reply.status, headers, body: reply.body.to_vec() };
            taken.keep(&kept)?;
            Ok(reply)
        }
    }
}

/// What the answer to a request is told, whatever became of it.
struct Ending {
    state: Arc<State>,
    request_id: String,
    group: Group,
    verdict: Arc<OnceLock<Verdict>>,
    cookie: Option<String>,
}

impl Ending {
    fn of(context: &Context, group: Group) -> Self {
        Self {
            state: context.state.clone(),
            request_id: context.request_id.clone(),
            group,
            verdict: context.verdict.clone(),
            cookie: context.caller.as_ref().and_then(|caller| caller.cookie.clone()),
        }
    }

    fn put(&self, answer: Result<Response>) -> Response {
        let mut response =
            answer.unwrap_or_else(|error| error_response(&error, &self.request_id, self.group));
        let headers = response.headers_mut();
        if let Some(verdict) = self.verdict.get() {
            headers.insert("x-ratelimit-limit", verdict.limit.into());
            headers.insert("x-ratelimit-remaining", verdict.remaining.into());
            let reset = crate::time::now() / 1000 + verdict.reset_seconds;
            headers.insert("x-ratelimit-reset", reset.into());
        }
        // The cookie's life begins anew with every use; a handler that sets or clears it has the last word.
        if let Some(value) = &self.cookie
            && !headers.contains_key(header::SET_COOKIE)
        {
            let value = auth::set_cookie(&self.state, "masker_session", value, "/", auth::COOKIE_LIFE / 1000);
            if let Ok(value) = HeaderValue::from_str(&value) {
                headers.append(header::SET_COOKIE, value);
            }
        }
        response
    }
}

fn error_response(error: &ApiError, request_id: &str, group: Group) -> Response {
    let body = error.body(request_id, group == Group::Proxy);
    let mut reply = Reply::json(error.code().status(), &body);
    reply.headers.extend(error.headers().iter().cloned());
    reply.into_response()
}

/// The headers that every answer has.
fn finish(mut response: Response, request_id: &str, group: Group) -> Response {
    let headers = response.headers_mut();
    headers.insert("x-request-id", HeaderValue::from_str(request_id).expect("ids are ASCII"));
    headers.insert("masker-version", HeaderValue::from_static(env!("CARGO_PKG_VERSION")));
    headers.insert("x-content-type-options", HeaderValue::from_static("nosniff"));
    headers.insert("referrer-policy", HeaderValue::from_static("no-referrer"));
    let cache = if group == Group::Probe { "no-cache" } else { "no-store" };
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(cache));
    response
}

async fn read_body(headers: &axum::http::HeaderMap, body: Body, limit: usize) -> Result<Bytes> {
    let too_large = || {
        let message = format!("The body is above the limit of {limit} bytes.");
        ApiError::new(Code::PayloadTooLarge, message)
    };
    let announced =
        headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    if announced.is_some_and(|length| length > limit as u64) {
        return Err(too_large());
    }
    let cut_off = || ApiError::field("", "invalid_json", "The body was cut off.");
    let mut stream = body.into_data_stream();
    let at_most = tokio::time::Instant::now() + BODY_TIME;
    // What is announced is not believed before it comes, nor waited for without end.
    let mut bytes = BytesMut::with_capacity(announced.unwrap_or(0).min(FIRST_BUFFER) as usize);
    loop {
        let patience = at_most.min(tokio::time::Instant::now() + BODY_WAIT);
        let next = tokio::time::timeout_at(patience, stream.next()).await.map_err(|_| cut_off())?;
        let Some(chunk) = next else { break };
        let chunk = chunk.map_err(|_| cut_off())?;
        if bytes.len() + chunk.len() > limit {
            return Err(too_large());
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes.freeze())
}

fn check_media_type(headers: &axum::http::HeaderMap, body: &Bytes) -> Result<()> {
    let given = headers.get(header::CONTENT_TYPE);
    if body.is_empty() && given.is_none() {
        return Ok(());
    }
    let text = given.and_then(|value| value.to_str().ok()).unwrap_or_default().to_ascii_lowercase();
    let mut parts = text.split(';').map(str::trim);
    let is_json = parts.next() == Some("application/json")
        && parts.all(|parameter| {
            parameter.is_empty()
                || matches!(parameter, "charset=utf-8" | "charset=\"utf-8\"" | "charset=utf8")
        });
    if is_json || body.is_empty() {
        return Ok(());
    }
    Err(ApiError::new(Code::UnsupportedMediaType, "The body must be application/json."))
}

/// A status for pages that only send somewhere else.
pub(crate) fn redirect(to: &str) -> Reply {
    Reply::empty(StatusCode::FOUND.as_u16()).with(header::LOCATION, to)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use tower::ServiceExt as _;

    use super::*;

    static WORKS: AtomicBool = AtomicBool::new(false);

    fn panics_at_first(c: &Context) -> Result<Reply> {
        c.begin()?;
        assert!(WORKS.swap(true, Ordering::Relaxed), "the first one panics, as is meant here");
        Ok(Reply::json(201, &serde_json::json!({})))
    }

    #[tokio::test]
    async fn a_handler_that_panics_gives_its_key_free() {
        let (_folder, state, token) = crate::state::testing::opened();
        let doc = Doc { tag: "", summary: "", query: Vec::new(), body: "", answers: &[], errors: &[] };
        let route = Box::leak(Box::new(Route {
            method: Method::POST,
            path: "/test",
            access: Access::Any,
            group: Group::Api,
            run: Run::Blocking(panics_at_first),
            doc,
        }));
        let router = mount(Router::new(), state, route);
        let mut seen = Vec::new();
        for _ in 0..3 {
            let request = Request::post("/test")
                .header("authorization", format!("Bearer {token}"))
                .header("idempotency-key", "k")
                .body(Body::empty());
            let response = router.clone().oneshot(request.unwrap()).await.unwrap();
            seen.push((response.status().as_u16(), response.headers().contains_key("idempotency-replayed")));
        }
        assert_eq!(seen, [(500, false), (201, false), (201, true)]);
    }
}
