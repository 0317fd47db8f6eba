//! Where an agent's API is.

use std::fmt;
use std::str::FromStr;

use axum::http::Uri;

/// `http://HOST:PORT`, with a path before that of each request where a proxy or the demo wants one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ApiAddress {
    host: String,
    port: u16,
    prefix: String,
}

impl ApiAddress {
    /// A name or an IP address, without brackets.
    pub(crate) fn host(&self) -> &str {
        self.host.trim_start_matches('[').trim_end_matches(']')
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// What the header `Host` is to say.
    pub(crate) fn authority(&self) -> String {
        format!("{}:{}", self.host, self.port)
    }

    /// The path of a request, `path` beginning with a slash.
    pub(crate) fn path(&self, path: &str) -> String {
        format!("{}{path}", self.prefix)
    }
}

impl FromStr for ApiAddress {
    type Err = String;

    fn from_str(text: &str) -> Result<ApiAddress, String> {
        const EXAMPLE: &str = "write http://HOST:PORT, as in http://127.0.0.1:8000";
        let uri: Uri = text.parse().map_err(|error| format!("{error}; {EXAMPLE}"))?;
        match uri.scheme_str() {
            Some("http") => (),
            Some(other) => return Err(format!("{other:?} is not what an agent speaks; {EXAMPLE}")),
            None => return Err(EXAMPLE.into()),
        }
        let authority = uri.authority().ok_or(EXAMPLE)?;
        if authority.as_str().contains('@') {
            return Err("an agent takes no user name; give its token by --token-file or TIDINGS_HTTP_TOKEN".into());
        }
        if uri.query().is_some() {
            return Err(format!("there is no place for a query; {EXAMPLE}"));
        }
        let port = match authority.as_str().strip_prefix(authority.host()) {
            Some("") => 80,
            _ => authority.port_u16().ok_or_else(|| format!("the port is none; {EXAMPLE}"))?,
        };
        Ok(ApiAddress {
            host: authority.host().to_string(),
            port,
            prefix: uri.path().trim_end_matches('/').to_string(),
        })
    }
}

impl fmt::Display for ApiAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "http://{}{}", self.authority(), self.prefix)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<ApiAddress, String> {
        text.parse()
    }

    #[test]
    fn an_address_has_a_host_a_port_and_perhaps_a_path() {
        let v6 = parse("http://[::1]:8000/").unwrap();
        assert_eq!((v6.host(), v6.port(), v6.authority().as_str()), ("::1", 8000, "[::1]:8000"));
        assert_eq!((v6.path("/v1/state").as_str(), v6.to_string().as_str()), ("/v1/state", "http://[::1]:8000"));
        let demo = parse("http://localhost:8080/nodes/simple1/").unwrap();
        assert_eq!(demo.path("/v1/state"), "/nodes/simple1/v1/state");
        assert_eq!(parse("http://agent.example").unwrap().port(), 80);
    }

    #[test]
    fn what_is_no_address_is_refused_with_the_way_out() {
        for bad in ["", "127.0.0.1:8000", "localhost", "/v1", "https://h:1", "http://h:1/?a=b", "http://", "http://a b"]
        {
            let error = parse(bad).expect_err(bad);
            assert!(error.contains("http://HOST:PORT"), "{bad:?}: {error}");
        }
        assert!(parse("http://me:secret@h:1").unwrap_err().contains("--token-file"));
    }
}
