//! Server-sent events, as the HTML standard has them, out of pieces of any size.

/// The longest event that is taken: it holds two values, whose characters may be escaped to six bytes each.
const MAX_BYTES: usize = 4 << 20;

/// One event.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Event {
    /// Its kind.
    pub(crate) name: String,
    pub(crate) data: String,
    /// Its own, if it has one.
    pub(crate) id: Option<String>,
}

/// Takes bytes and gives events.
#[derive(Debug, Default)]
pub(crate) struct Parser {
    line: Vec<u8>,
    /// The last byte was a carriage return: a line feed after it ends no further line.
    after_return: bool,
    name: String,
    data: String,
    id: Option<String>,
    last_id: Option<String>,
}

/// An event that is too long, or not UTF-8.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NotEvents;

impl Parser {
    /// The last id that came, with a whole event or without one: from where to go on after a lost connection.
    pub(crate) fn last_id(&self) -> Option<&str> {
        self.last_id.as_deref()
    }

    /// Gives the events that `bytes` complete.
    pub(crate) fn take(&mut self, bytes: &[u8]) -> Result<Vec<Event>, NotEvents> {
        let mut events = Vec::new();
        for &byte in bytes {
            match byte {
                b'\n' if self.after_return => self.after_return = false,
                b'\n' | b'\r' => {
                    self.after_return = byte == b'\r';
                    let line = std::mem::take(&mut self.line);
                    events.extend(self.take_line(str::from_utf8(&line).map_err(|_| NotEvents)?));
                }
                _ if self.line.len() + self.data.len() >= MAX_BYTES => return Err(NotEvents),
                _ => {
                    self.after_return = false;
                    self.line.push(byte);
                }
            }
        }
        Ok(events)
    }

    fn take_line(&mut self, line: &str) -> Option<Event> {
        if line.is_empty() {
            let id = self.id.take();
            // Only now: an event that is cut off in its midst has to come again.
            self.last_id = id.clone().or(self.last_id.take());
            let (name, mut data) = (std::mem::take(&mut self.name), std::mem::take(&mut self.data));
            // Each line of data ended with a line feed; the last one is not part of it.
            data.pop();
            return (!data.is_empty()).then_some(Event { name, data, id });
        }
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "event" => self.name = value.to_string(),
            "data" => self.data.extend([value, "\n"]),
            "id" if !value.contains('\0') => self.id = Some(value.to_string()),
            // Comments have an empty name; how long to wait is decided here, not by `retry`.
            _ => (),
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(name: &str, data: &str, id: Option<&str>) -> Event {
        Event { name: name.into(), data: data.into(), id: id.map(Into::into) }
    }

    const STREAM: &[u8] = b": hello\n\nid: 7-1\nevent: member-live\ndata: {\"a\":1}\n\nid:7-2\r\nevent:key-changed\r\n\
        data: one\r\ndata:  two\r\n\r\ndata: \xc3\xbc\r\rid: 7-9\n\nevent: nothing\n\nretry: 5\nother\n\nid: 8-1\ndata: cut o";

    #[test]
    fn events_come_whole_from_pieces_of_any_size() {
        let expected = [
            event("member-live", "{\"a\":1}", Some("7-1")),
            event("key-changed", "one\n two", Some("7-2")),
            event("", "ü", None),
        ];
        for size in 1..STREAM.len() {
            let mut parser = Parser::default();
            let events: Vec<Event> = STREAM.chunks(size).flat_map(|piece| parser.take(piece).unwrap()).collect();
            assert_eq!(events, expected, "in pieces of {size}");
            assert_eq!(parser.last_id(), Some("7-9"));
        }
    }

    #[test]
    fn what_is_no_stream_of_events_is_refused() {
        assert_eq!(Parser::default().take(b"data: \xff\n"), Err(NotEvents));
        let mut parser = Parser::default();
        assert_eq!(parser.take(&vec![b'x'; MAX_BYTES]), Ok(Vec::new()));
        assert_eq!(parser.take(b"x"), Err(NotEvents));
        let lines = b"data: x\n".repeat(MAX_BYTES / 2);
        assert_eq!(Parser::default().take(&lines), Err(NotEvents));
    }
}
