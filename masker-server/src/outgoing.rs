//! Calls to addresses that callers name: signed, never to this machine or its neighbours, never redirected.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use serde_json::Value;

use crate::crypto::{hex, hmac};
use crate::state::State;

/// How long one try of a cleaning may take.
pub(crate) const CLEANUP_TIMEOUT: Duration = Duration::from_secs(5);
const CLEANUP_TRIES: usize = 3;
/// The longest answer that is read.
const MOST_ANSWER: usize = 1 << 20;

/// Why a call was not made, or got no answer. It holds nothing of the address.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CallError {
    #[error("the address is not one of the public network")]
    Private,
    #[error("no answer")]
    Unreachable,
}

/// Whether an address belongs to this machine, its network, or a service of its cloud.
fn is_private(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(v4) => {
            let [a, b, ..] = v4.octets();
            v4.is_private()
                || v4.is_loopback()
                || v4.is_link_local()
                || v4.is_unspecified()
                || v4.is_broadcast()
                || v4.is_multicast()
                || a == 0
                || a == 100 && (64..128).contains(&b)
                || a == 192 && b == 0
                || a == 198 && (b == 18 || b == 19)
                || a >= 240
        }
        IpAddr::V6(v6) => {
            let head = v6.segments()[0];
            // Forms that carry an address of version 4 inside: NAT64, 6to4, and the compatible ones of old.
            let inner = match v6.segments() {
                [0x64, 0xff9b, 0, 0, 0, 0, hi, lo] | [0x2002, hi, lo, ..] | [0, 0, 0, 0, 0, 0, hi, lo] => {
                    Some((hi, lo))
                }
                _ => None,
            };
            // NAT64 of a network of one's own, RFC 8215.
            let is_local_nat64 = v6.segments()[..3] == [0x64, 0xff9b, 1];
            v6.is_loopback()
                || v6.is_unspecified()
                || v6.is_multicast()
                || head & 0xfe00 == 0xfc00
                || head & 0xffc0 == 0xfe80
                || head & 0xffc0 == 0xfec0
                || is_local_nat64
                || inner.is_some_and(|(hi, lo)| {
                    is_private(IpAddr::from([(hi >> 8) as u8, hi as u8, (lo >> 8) as u8, lo as u8]))
                })
        }
    }
}

/// Posts JSON once; gives status and body.
pub(crate) async fn post(
    state: &State,
    url: &str,
    secret: Option<&str>,
    body: &Value,
    timeout: Duration,
) -> Result<(u16, Vec<u8>), CallError> {
    let url = reqwest::Url::parse(url).map_err(|_| CallError::Unreachable)?;
    let host = url.host_str().ok_or(CallError::Unreachable)?.to_owned();
    let port = url.port_or_known_default().ok_or(CallError::Unreachable)?;
    let bare = host.trim_start_matches('[').trim_end_matches(']').to_owned();
    let resolved =
        tokio::net::lookup_host((bare.as_str(), port)).await.map_err(|_| CallError::Unreachable)?;
    let addresses: Vec<SocketAddr> = resolved.collect();
    if addresses.is_empty() {
        return Err(CallError::Unreachable);
    }
    if !state.config.webhook_allow_private && addresses.iter().any(|address| is_private(address.ip())) {
        return Err(CallError::Private);
    }
    // The address that was looked at is the one that is called.
    let client = reqwest::Client::builder()
        .resolve_to_addrs(&host, &addresses)
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .timeout(timeout)
        .build()
        .map_err(|_| CallError::Unreachable)?;
    let text = body.to_string();
    let mut request = client.post(url).header("content-type", "application/json");
    if let Some(secret) = secret {
        let stamp = (crate::time::now() / 1000).to_string();
        let signature = hex(&hmac(secret.as_bytes(), &[stamp.as_bytes(), b".", text.as_bytes()]));
        request = request.header("masker-timestamp", stamp).header("masker-signature", signature);
    }
    let mut response = request.body(text).send().await.map_err(|_| CallError::Unreachable)?;
    let status = response.status().as_u16();
    let mut answer = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|_| CallError::Unreachable)? {
        answer.extend_from_slice(&chunk);
        if answer.len() > MOST_ANSWER {
            return Err(CallError::Unreachable);
        }
    }
    Ok((status, answer))
}

/// [`post`] for a thread that may wait.
pub(crate) fn post_once(
    state: &State,
    url: &str,
    secret: Option<&str>,
    body: &Value,
    timeout: Duration,
) -> Result<u16, CallError> {
    let runtime = tokio::runtime::Handle::try_current().map_err(|_| CallError::Unreachable)?;
    runtime.block_on(post(state, url, secret, body, timeout)).map(|(status, _)| status)
}

/// Whether an answer says that the resource is gone.
pub(crate) fn is_gone(status: u16) -> bool {
    (200..300).contains(&status) || status == 404 || status == 410
}

/// Three tries of a cleaning; whether one of them succeeded.
pub(crate) fn post_with_retries(state: &State, url: &str, secret: Option<&str>, body: &Value) -> bool {
    for attempt in 0..CLEANUP_TRIES {
        if attempt > 0 {
            std::thread::sleep(Duration::from_millis(200));
        }
        match post_once(state, url, secret, body, CLEANUP_TIMEOUT) {
            Ok(status) if is_gone(status) => return true,
            Err(CallError::Private) => return false,
            _ => {}
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbours_are_told_from_the_public_network() {
        for private in [
            "127.0.0.1",
            "10.1.2.3",
            "172.16.0.1",
            "192.168.1.1",
            "169.254.169.254",
            "100.64.0.1",
            "0.0.0.0",
            "::1",
            "::ffff:127.0.0.1",
            "fe80::1",
            "fd00::1",
            "64:ff9b::a00:1",
            "64:ff9b:1::a00:1",
            "::7f00:1",
            "fec0::1",
            "2002:7f00:1::",
            "255.255.255.255",
            "::",
        ] {
            assert!(is_private(private.parse().unwrap()), "{private}");
        }
        for public in ["93.184.216.34", "100.128.0.1", "2606:2800:220:1::1", "2002:5db8:d822::"] {
            assert!(!is_private(public.parse().unwrap()), "{public}");
        }
    }
}
