//! Lines of `key=value` fields, easy to read and to parse.

use std::fmt;

/// One line, built field by field. A value with a space, a quote, `=` or a control character is quoted and escaped.
#[derive(Clone, Debug, Default)]
pub(crate) struct Line(String);

impl Line {
    pub(crate) fn new(event: &str) -> Line {
        Line::default().field("event", event)
    }

    pub(crate) fn field(mut self, key: &str, value: impl fmt::Display) -> Line {
        if !self.0.is_empty() {
            self.0.push(' ');
        }
        self.0.push_str(key);
        self.0.push('=');
        let value = value.to_string();
        if value.is_empty() || value.chars().any(needs_quotes) {
            self.0.push_str(&format!("{value:?}"));
        } else {
            self.0.push_str(&value);
        }
        self
    }
}

fn needs_quotes(c: char) -> bool {
    c.is_whitespace() || c.is_control() || matches!(c, '"' | '=' | '\\')
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_stand_side_by_side() {
        let line = Line::new("summary").field("live", 3).field("agreed", true);
        assert_eq!(line.to_string(), "event=summary live=3 agreed=true");
    }

    #[test]
    fn what_would_break_the_line_is_quoted_and_escaped() {
        let line = Line::new("set").field("key", "a b").field("value", "x=\"1\"\n\u{1b}[2J").field("old", "");
        assert_eq!(line.to_string(), r#"event=set key="a b" value="x=\"1\"\n\u{1b}[2J" old="""#);
    }
}
