//! Whom the API is served to.

use std::net::IpAddr;

use axum::Router;
use axum::extract::Request;
use axum::http::uri::Authority;
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::IntoResponse;

use super::Problem;
use super::token::Token;

/// What is served without a token: it tells nothing of the cluster.
const OPEN: [&str; 4] = ["/", "/healthz", "/page.json", "/v1/openapi.json"];

/// Lets in requests that name this machine as their host. A web page elsewhere can have its own name resolve to
/// 127.0.0.1 (DNS rebinding); without this its scripts could read the cluster and write keys through the user's browser.
pub(crate) fn for_this_machine(router: Router) -> Router {
    router.layer(middleware::from_fn(async |request: Request, next: Next| {
        match named_host(request.headers()).and_then(|()| well_formed(&request)) {
            Ok(()) => next.run(request).await,
            Err(problem) => problem.into_response(),
        }
    }))
}

/// Lets in requests that show the token, from wherever they come, and all to what is open.
pub(crate) fn for_token_holders(router: Router, token: Token) -> Router {
    router.layer(middleware::from_fn(move |request: Request, next: Next| {
        let problem = authorized(&token, &request).and_then(|()| well_formed(&request)).err();
        async {
            match problem {
                None => next.run(request).await,
                Some(problem) => problem.into_response(),
            }
        }
    }))
}

fn authorized(token: &Token, request: &Request) -> Result<(), Problem> {
    let unauthorized = |code, detail: &str| {
        Problem::new(StatusCode::UNAUTHORIZED, code, detail).header("www-authenticate", r#"Bearer realm="tidings""#)
    };
    match token.is_shown(request.headers()) {
        Some(true) => Ok(()),
        _ if OPEN.contains(&request.uri().path()) => Ok(()),
        Some(false) => Err(unauthorized("wrong-token", "this is not the token of this agent; ask whoever runs it")),
        None => Err(unauthorized(
            "missing-token",
            "this agent wants its token: send the header `authorization: Bearer TOKEN`",
        )),
    }
}

/// What holds for every request: it changes nothing on behalf of a foreign page, and its address can be decoded.
fn well_formed(request: &Request) -> Result<(), Problem> {
    own_origin(request.method(), request.headers())?;
    let uri = request.uri();
    match [uri.path(), uri.query().unwrap_or_default()].into_iter().find(|part| !is_percent_encoded(part)) {
        None => Ok(()),
        Some(part) => Err(Problem::new(
            StatusCode::BAD_REQUEST,
            "bad-path",
            format!(
                "{part:?} is not percent-encoded UTF-8: behind each % stand two hexadecimal digits, and %25 is a %"
            ),
        )),
    }
}

/// Whether each `%` begins an encoded byte, and all are UTF-8 together.
fn is_percent_encoded(text: &str) -> bool {
    let mut bytes = text.bytes();
    let mut decoded = Vec::with_capacity(text.len());
    while let Some(byte) = bytes.next() {
        let hex = |digit: Option<u8>| char::from(digit?).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
        decoded.push(match byte {
            b'%' => match (hex(bytes.next()), hex(bytes.next())) {
                (Some(high), Some(low)) => high << 4 | low,
                _ => return false,
            },
            byte => byte,
        });
    }
    str::from_utf8(&decoded).is_ok()
}

fn named_host(headers: &HeaderMap) -> Result<(), Problem> {
    let host = headers.get(header::HOST).map(|host| host.to_str().unwrap_or_default());
    match host {
        Some(host) if !is_this_machine(host) => Err(Problem::new(
            StatusCode::MISDIRECTED_REQUEST,
            "foreign-host",
            format!("this API is not for host {host:?}; ask for it as localhost or by a loopback address"),
        )),
        _ => Ok(()),
    }
}

/// A browser says from which site a request comes that changes something.
fn own_origin(method: &Method, headers: &HeaderMap) -> Result<(), Problem> {
    let Some(origin) = headers.get(header::ORIGIN).filter(|_| !method.is_safe()) else { return Ok(()) };
    let authority = origin.to_str().ok().and_then(|origin| origin.split_once("://"));
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    match (authority, host) {
        (Some(("http" | "https", authority)), Some(host)) if authority.eq_ignore_ascii_case(host) => Ok(()),
        _ => Err(Problem::new(
            StatusCode::FORBIDDEN,
            "foreign-origin",
            format!(
                "a page of {origin:?} may change nothing here; use the page that this address serves, or a program"
            ),
        )),
    }
}

/// Whether a Host header (`host` or `host:port`) names a loopback address.
fn is_this_machine(host: &str) -> bool {
    let Ok(authority) = host.parse::<Authority>() else { return false };
    let host = authority.host();
    let ip = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    host.eq_ignore_ascii_case("localhost") || ip.is_ok_and(|ip| ip.to_canonical().is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_loopback_names_are_this_machine() {
        for host in ["localhost", "LocalHost:8000", "127.0.0.1:8000", "127.9.9.9", "[::1]:8000", "[::ffff:127.0.0.1]"] {
            assert!(is_this_machine(host), "{host}");
        }
        for host in ["", "evil.example", "localhost.evil.example:80", "10.0.0.7:8000", "[fe80::1]:1", "a b", "0.0.0.0"]
        {
            assert!(!is_this_machine(host), "{host}");
        }
    }

    #[test]
    fn a_path_is_encoded_utf8() {
        for good in ["", "/a", "/%20%c3%BC", "a=%25"] {
            assert!(is_percent_encoded(good), "{good}");
        }
        for bad in ["%", "%2", "%zz", "%+1", "%ff", "%c3"] {
            assert!(!is_percent_encoded(bad), "{bad}");
        }
    }
}
