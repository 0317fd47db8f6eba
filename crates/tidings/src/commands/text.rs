//! Text from other nodes, made fit for a terminal.

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// What stands where something was cut off.
const CUT: char = '…';

/// `text` on one line, without anything that steers a terminal or cannot be seen: such characters, and backslashes, are
/// escaped as in Rust. Nothing at all is shown as `""`.
pub(crate) fn visible(text: &str) -> String {
    if text.is_empty() {
        return "\"\"".to_string();
    }
    let mut shown = String::with_capacity(text.len());
    for (at, c) in text.chars().enumerate() {
        let escaped = c.escape_debug();
        match c {
            '\'' => shown.push(c),
            // A quote at the start is escaped, so that `""` stands for nothing at all only.
            '"' if at > 0 => shown.push(c),
            _ if escaped.len() > 1 => shown.extend(escaped),
            _ if c.width() == Some(0) => shown.extend(c.escape_unicode()),
            _ => shown.push(c),
        }
    }
    shown
}

/// How many columns of a terminal `text` takes.
pub(crate) fn width(text: &str) -> usize {
    text.width()
}

/// At most `columns` columns of `text`; where something is cut off, the end says so.
pub(crate) fn cut(text: &str, columns: usize) -> String {
    if width(text) <= columns {
        return text.to_string();
    }
    let mut kept = String::new();
    let mut room = columns.saturating_sub(width(CUT.encode_utf8(&mut [0; 4])));
    for c in text.chars() {
        let Some(left) = room.checked_sub(c.width().unwrap_or(0)) else { break };
        room = left;
        kept.push(c);
    }
    if columns > 0 {
        kept.push(CUT);
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_can_be_seen_stays_as_it_is() {
        for text in ["web", "a b", "grün", "名前", "a=\"b\"", "it's", "{\"a\": 1}"] {
            assert_eq!(visible(text), text);
        }
    }

    #[test]
    fn what_steers_a_terminal_or_hides_is_escaped() {
        let cases = [
            ("", "\"\""),
            ("\"\"", "\\\"\""),
            ("two\nlines\r\t", "two\\nlines\\r\\t"),
            ("\u{1b}[2J", "\\u{1b}[2J"),
            ("\u{9b}2J", "\\u{9b}2J"),
            ("a\\nb", "a\\\\nb"),
            ("abc\u{202e}fed", "abc\\u{202e}fed"),
            ("zero\u{200b}width", "zero\\u{200b}width"),
            ("line\u{2028}end", "line\\u{2028}end"),
            ("\u{7f}\0", "\\u{7f}\\0"),
        ];
        for (text, shown) in cases {
            assert_eq!(visible(text), shown);
        }
    }

    #[test]
    fn two_texts_are_never_shown_alike() {
        let texts = ["\n", "\\n", "\\\\n", "", "\"\"", "\\\"\"", "\u{1b}", "\\u{1b}"];
        let shown: std::collections::BTreeSet<String> = texts.iter().map(|text| visible(text)).collect();
        assert_eq!(shown.len(), texts.len(), "{shown:?}");
    }

    #[test]
    fn what_is_cut_says_so_and_fits() {
        assert_eq!((cut("abcdef", 6), cut("abcdef", 5)), ("abcdef".into(), "abcd…".into()));
        // Each of these takes two columns.
        assert_eq!(cut("名前名前", 6), "名前…");
        assert_eq!((cut("ab", 1), cut("ab", 0)), ("…".into(), String::new()));
    }
}
