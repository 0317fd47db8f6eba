//! The token that a caller has to show.

use std::fmt;

use axum::http::{HeaderMap, HeaderValue, header};
use subtle::ConstantTimeEq;

/// The shortest token that is taken, in bytes.
const SHORTEST: usize = 16;
/// The longest.
const LONGEST: usize = 4_096;

/// A secret that gives access to the API.
#[derive(Clone)]
pub(crate) struct Token(Vec<u8>);

impl Token {
    /// Takes the token without the spaces and line ends around it.
    ///
    /// # Errors
    ///
    /// What a token has to be like.
    pub(crate) fn new(text: &str) -> Result<Token, String> {
        let text = text.trim();
        if !(SHORTEST..=LONGEST).contains(&text.len()) || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(format!(
                "a token has {SHORTEST} to {LONGEST} printable ASCII characters and no spaces, and this one has {} bytes; \
                 `openssl rand -hex 32` makes one",
                text.len()
            ));
        }
        Ok(Token(text.as_bytes().to_vec()))
    }

    /// Whether a request shows this token; `None`: it shows none. Takes the same time for all of one length.
    pub(crate) fn is_shown(&self, headers: &HeaderMap) -> Option<bool> {
        let (scheme, shown) = split(headers.get(header::AUTHORIZATION)?)?;
        scheme.eq_ignore_ascii_case(b"bearer").then(|| shown.trim_ascii().ct_eq(&self.0).into())
    }
}

/// The scheme, and what is behind it.
fn split(value: &HeaderValue) -> Option<(&[u8], &[u8])> {
    let value = value.as_bytes();
    let space = value.iter().position(|byte| *byte == b' ')?;
    Some((&value[..space], &value[space..]))
}

/// Never the secret.
impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "0123456789abcdef";

    fn shown(authorization: &'static str) -> Option<bool> {
        let headers = HeaderMap::from_iter([(header::AUTHORIZATION, HeaderValue::from_static(authorization))]);
        Token::new(SECRET).unwrap().is_shown(&headers)
    }

    #[test]
    fn the_whole_token_alone_opens() {
        assert_eq!(shown("Bearer 0123456789abcdef"), Some(true));
        assert_eq!(shown("bearer  0123456789abcdef "), Some(true));
        for wrong in ["Bearer 0123456789abcdeF", "Bearer 0123456789abcde", "Bearer 0123456789abcdef0", "Bearer "] {
            assert_eq!(shown(wrong), Some(false), "{wrong:?}");
        }
        for none in ["Bearer", "Basic 0123456789abcdef", "0123456789abcdef"] {
            assert_eq!(shown(none), None, "{none:?}");
        }
    }

    #[test]
    fn a_token_is_long_enough_and_fits_a_header() {
        assert!(Token::new(" 0123456789abcdef\n").is_ok());
        for bad in ["", "0123456789abcde", "0123456789 abcdef", "0123456789abcdeü"] {
            assert!(Token::new(bad).unwrap_err().contains("openssl"), "{bad:?}");
        }
        assert!(Token::new(&"x".repeat(LONGEST)).is_ok() && Token::new(&"x".repeat(LONGEST + 1)).is_err());
        assert!(!format!("{:?}", Token::new(SECRET)).contains(SECRET));
    }
}
