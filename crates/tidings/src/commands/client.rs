//! Requests to an agent.

use std::future::Future;
use std::path::Path;
use std::time::Duration;

use axum::body::Bytes;
use axum::http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HOST};
use axum::http::{HeaderValue, Method, Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::de::DeserializeOwned;
use tokio::net::TcpStream;

use super::address::ApiAddress;
use super::args::ApiArgs;
use super::error::{CommandError, Refusal};

const TOKEN_VARIABLE: &str = "TIDINGS_HTTP_TOKEN";
/// RFC 3986's unreserved characters stay as they are.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// One agent's API. Each request has a connection of its own, and no proxy comes between.
#[derive(Debug)]
pub(crate) struct Client {
    api: ApiAddress,
    authorization: Option<HeaderValue>,
    timeout: Duration,
}

impl Client {
    pub(crate) fn new(args: &ApiArgs) -> Result<Client, CommandError> {
        let authorization = match &args.token_file {
            Some(path) => Some(token_in(path)?),
            // A variable that is set to nothing is a template that was not filled in, as for the agent.
            None => match std::env::var_os(TOKEN_VARIABLE).filter(|token| !token.is_empty()) {
                Some(token) => Some(token.to_str().and_then(bearer).ok_or(CommandError::TokenVariable)?),
                None => None,
            },
        };
        Ok(Client { api: args.api.clone(), authorization, timeout: args.timeout })
    }

    /// The text of the answer, and what it says.
    pub(crate) async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<(String, T), CommandError> {
        self.call(Method::GET, path, Bytes::new()).await
    }

    /// The text of the answer, and what it says.
    pub(crate) async fn call<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: Bytes,
    ) -> Result<(String, T), CommandError> {
        let response = self.send(self.request(method, path), body).await?;
        let text = self.text(response).await?;
        let parsed = serde_json::from_str(&text).map_err(|error| self.not_an_agent(error))?;
        Ok((text, parsed))
    }

    /// Opens the stream of events at `path`, with those after `last_id`.
    pub(crate) async fn events(&self, path: &str, last_id: &str) -> Result<Response<Incoming>, CommandError> {
        let request = self.request(Method::GET, path);
        let request = request.header(ACCEPT, "text/event-stream").header("Last-Event-ID", last_id);
        let response = self.send(request, Bytes::new()).await?;
        if !has_type(&response, "text/event-stream") {
            return Err(self.not_an_agent("what it sends is no stream of events"));
        }
        Ok(response)
    }

    /// What the answer brings next, awaited for at most `patience`; nothing at its end.
    pub(crate) async fn next_piece(
        &self,
        response: &mut Response<Incoming>,
        patience: Duration,
    ) -> Result<Option<Bytes>, CommandError> {
        loop {
            let frame = match tokio::time::timeout(patience, response.body_mut().frame()).await {
                Err(_) => return Err(self.interrupted(format!("nothing came for {patience:?}"))),
                Ok(None) => return Ok(None),
                Ok(Some(frame)) => frame.map_err(|error| self.interrupted(error))?,
            };
            if let Ok(piece) = frame.into_data() {
                return Ok(Some(piece));
            }
        }
    }

    pub(crate) fn not_an_agent(&self, problem: impl ToString) -> CommandError {
        CommandError::NotAnAgent { api: self.api.clone(), problem: problem.to_string() }
    }

    fn request(&self, method: Method, path: &str) -> axum::http::request::Builder {
        let request = Request::builder().method(method).uri(self.api.path(path)).header(HOST, self.api.authority());
        match &self.authorization {
            Some(authorization) => request.header(AUTHORIZATION, authorization),
            None => request,
        }
    }

    /// Sends it, and gives an answer that is no refusal.
    async fn send(
        &self,
        request: axum::http::request::Builder,
        body: Bytes,
    ) -> Result<Response<Incoming>, CommandError> {
        let request = request.body(Full::new(body)).map_err(|error| self.not_reached(error))?;
        let connect = TcpStream::connect((self.api.host(), self.api.port()));
        let stream = self.in_time(connect).await.map_err(|problem| self.not_reached(problem))?;
        let (mut sender, connection) =
            http1::handshake(TokioIo::new(stream)).await.map_err(|error| self.not_reached(error))?;
        // It ends with the connection, or when the answer is dropped.
        tokio::spawn(connection);
        let response = match self.in_time(sender.send_request(request)).await {
            Ok(response) => response,
            Err(problem) => return Err(self.interrupted(problem)),
        };
        if response.status().is_success() { Ok(response) } else { Err(self.refusal(response).await) }
    }

    async fn refusal(&self, response: Response<Incoming>) -> CommandError {
        let (status, is_problem) = (response.status(), has_type(&response, "application/problem+json"));
        if !is_problem {
            return self.not_an_agent(format!("it answers {status} without saying why as an agent does"));
        }
        match self.text(response).await.map(|text| serde_json::from_str::<Refusal>(&text)) {
            Ok(Ok(refusal)) if refusal.status == status.as_u16() => CommandError::Refused(refusal),
            Ok(_) => self.not_an_agent(format!("it answers {status} with a problem that is not one of an agent's")),
            Err(error) => error,
        }
    }

    async fn text(&self, mut response: Response<Incoming>) -> Result<String, CommandError> {
        let mut body = Vec::new();
        while let Some(piece) = self.next_piece(&mut response, self.timeout).await? {
            body.extend_from_slice(&piece);
        }
        String::from_utf8(body).map_err(|_| self.not_an_agent("its answer is not UTF-8"))
    }

    async fn in_time<T, E: std::error::Error>(&self, work: impl Future<Output = Result<T, E>>) -> Result<T, String> {
        match tokio::time::timeout(self.timeout, work).await {
            Ok(done) => done.map_err(|error| with_cause(&error)),
            Err(_) => Err(format!("nothing came for {:?} (--timeout)", self.timeout)),
        }
    }

    fn not_reached(&self, problem: impl ToString) -> CommandError {
        CommandError::NotReached { api: self.api.clone(), problem: problem.to_string() }
    }

    pub(crate) fn interrupted(&self, problem: impl ToString) -> CommandError {
        CommandError::Interrupted { api: self.api.clone(), problem: problem.to_string() }
    }
}

/// A part of a path, for any name or key.
pub(crate) fn segment(text: &str) -> String {
    utf8_percent_encode(text, ESCAPED).to_string()
}

fn has_type(response: &Response<Incoming>, wanted: &str) -> bool {
    let content_type = response.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    content_type.is_some_and(|content_type| content_type.split(';').next() == Some(wanted))
}

/// hyper says what happened in one error and why in the one below.
fn with_cause(error: &dyn std::error::Error) -> String {
    match error.source() {
        Some(cause) => format!("{error}: {cause}"),
        None => error.to_string(),
    }
}

fn token_in(path: &Path) -> Result<HeaderValue, CommandError> {
    let refuse = |problem: String| CommandError::TokenFile { path: path.to_owned(), problem };
    let text = std::fs::read_to_string(path).map_err(|error| refuse(error.to_string()))?;
    bearer(&text).ok_or_else(|| refuse("that is not a token".into()))
}

fn bearer(token: &str) -> Option<HeaderValue> {
    let token = token.trim();
    if token.is_empty() || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
        return None;
    }
    let mut value = HeaderValue::try_from(format!("Bearer {token}")).ok()?;
    // So that it is not shown where requests are logged.
    value.set_sensitive(true);
    Some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_name_or_key_fits_a_path() {
        assert_eq!(segment("role"), "role");
        assert_eq!(segment("a/b c?d#e%f"), "a%2Fb%20c%3Fd%23e%25f");
        assert_eq!((segment("ü").as_str(), segment(""), segment("..")), ("%C3%BC", String::new(), "..".to_string()));
    }

    #[test]
    fn a_token_is_one_visible_word() {
        for good in ["abc", " abc\n"] {
            assert_eq!(bearer(good).unwrap().to_str().unwrap(), "Bearer abc");
        }
        for bad in ["", " \n", "a b", "a\nb", "ü"] {
            assert_eq!(bearer(bad), None, "{bad:?}");
        }
    }
}
