//! Which characters a name may hold.

/// A character that a name, a host, a `tls_name` or a cluster id may not hold, if the text has one: a line break forges a
/// line of a log, and a mark that turns text around or is not seen makes one name look like another.
pub(crate) fn refused_char(text: &str) -> Option<char> {
    // Nearly all names are plain.
    if text.bytes().all(|byte| (b' '..=b'~').contains(&byte)) {
        return None;
    }
    text.chars().find(|character| is_refused(*character))
}

fn is_refused(character: char) -> bool {
    character.is_control()
        || matches!(
            character,
            // A soft hyphen, the Arabic letter mark, Hangul fillers, the Mongolian vowel separator: not seen.
            '\u{ad}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{180e}' | '\u{3164}' | '\u{ffa0}'
            // Of no width, and which way text goes.
            | '\u{200b}'..='\u{200f}'
            // Line and paragraph separators, and which way text goes.
            | '\u{2028}'..='\u{202e}'
            // Invisible operators, isolates, and deprecated format characters.
            | '\u{2060}'..='\u{206f}'
            // The byte order mark, and marks of annotations.
            | '\u{feff}' | '\u{fff9}'..='\u{fffb}'
            // Tags.
            | '\u{e0000}'..='\u{e007f}'
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_breaks_lines_turns_text_or_is_not_seen_is_refused() {
        for refused in ["\n", "\r", "\0", "\t", "\u{7f}", "\u{85}", "\u{1b}[2J", "\u{202e}", "\u{2066}", "\u{200b}"] {
            assert!(refused_char(&["node", refused, "1"].concat()).is_some(), "{refused:?}");
        }
        for refused in ["\u{200d}", "\u{2028}", "\u{2029}", "\u{2060}", "\u{feff}", "\u{61c}", "\u{200e}", "\u{e0041}"]
        {
            assert!(refused_char(refused).is_some(), "{refused:?}");
        }
        for allowed in
            ["node-1.example", "K\u{f6}ln 1/2", "\u{5d0}\u{5d1}", "\u{4e2d}\u{6587}", "fe80::1%eth0", "a\u{308}", ""]
        {
            assert_eq!(refused_char(allowed), None, "{allowed:?}");
        }
    }
}
