//! Connections: accepting them, how long one may keep silent, and an orderly end.

use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{ConnectInfo, Request};
use axum::serve::{Listener as _, ListenerExt as _};
use hyper::body::Incoming;
use hyper::server::conn::http1::Builder;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;
use tower::ServiceExt as _;

/// Serves every connection until `stopped` completes, then closes those that wait for a request and lets the others finish
/// the one they have.
///
/// A connection on which for `head_wait` no request has come with its whole head is closed, whether nothing came, a part, or
/// one byte now and then. The time does not run while a body comes or an answer goes out.
///
/// A head that is malformed or too long is refused by hyper itself, which has no hook for it: with 400, 414 or 431, an empty body
/// and the end of the connection. To put the envelope of errors there would take a second reader of heads in front of it, and
/// where two readers differ requests are smuggled.
pub(crate) async fn serve(
    listener: TcpListener,
    router: Router,
    head_wait: Duration,
    stopped: impl Future<Output = ()>,
) {
    // A piece of a stream goes out when it is there, and does not wait for the caller to confirm the piece before it.
    let mut listener = listener.tap_io(|connection| {
        let _ = connection.set_nodelay(true);
    });
    let mut builder = Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(head_wait);
    let open = GracefulShutdown::new();
    let mut stopped = std::pin::pin!(stopped);
    loop {
        let (connection, peer): (_, SocketAddr) = tokio::select! {
            accepted = listener.accept() => accepted,
            () = &mut stopped => break,
        };
        let service = router.clone().map_request(move |request: hyper::Request<Incoming>| {
            let mut request: Request = request.map(Body::new);
            request.extensions_mut().insert(ConnectInfo(peer));
            request
        });
        let served = builder.serve_connection(TokioIo::new(connection), TowerToHyperService::new(service));
        // A connection that fails is its caller's loss; requests have lines of their own in the log.
        tokio::spawn(open.watch(served));
    }
    // Newcomers are refused while the others finish.
    drop(listener);
    open.shutdown().await;
}
