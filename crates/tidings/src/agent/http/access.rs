//! Whom the API is served to.

use std::net::IpAddr;

use axum::Router;
use axum::extract::Request;
use axum::http::uri::Authority;
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};

use super::Problem;

/// Puts the checks around a whole router.
///
/// A request must name this machine as its host, and one that changes something must not come from another site. A web
/// page elsewhere can have its own name resolve to 127.0.0.1 (DNS rebinding) or post to it blindly; without this its
/// scripts could read the cluster and write keys through the user's browser.
pub(crate) fn for_this_machine(router: Router) -> Router {
    router.layer(middleware::from_fn(check))
}

async fn check(request: Request, next: Next) -> Response {
    match named_host(request.headers()).and_then(|()| own_origin(request.method(), request.headers())) {
        Ok(()) => next.run(request).await,
        Err(problem) => problem.into_response(),
    }
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
}
