//! A server that answers each connection with the next of some texts, and remembers what it was asked.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

use crate::support::DEADLINE;

/// What becomes of a connection after its answer.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Then {
    Close,
    /// It stays open, and nothing more is said.
    Hold,
}

pub(crate) struct Fake {
    address: SocketAddr,
    requests: Receiver<String>,
}

impl Fake {
    pub(crate) fn start(answers: Vec<(String, Then)>) -> Fake {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (sender, requests) = channel();
        thread::spawn(move || {
            let mut held = Vec::new();
            for (answer, then) in answers {
                let (mut stream, _) = listener.accept().unwrap();
                let request = request(&stream);
                let _ = stream.write_all(answer.as_bytes());
                match then {
                    Then::Close => drop(stream),
                    Then::Hold => held.push(stream),
                }
                if sender.send(request).is_err() {
                    return;
                }
            }
            // Whoever holds a connection that is to stay open has to be told of the test's end.
            for mut stream in held {
                let _ = stream.read(&mut [0]);
            }
        });
        Fake { address, requests }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The head and body of the next request.
    pub(crate) fn request(&self) -> String {
        self.requests.recv_timeout(DEADLINE).unwrap()
    }
}

fn request(stream: &TcpStream) -> String {
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    let mut reader = BufReader::new(stream);
    let mut request = String::new();
    let mut length = 0;
    loop {
        let start = request.len();
        if reader.read_line(&mut request).unwrap() == 0 {
            return request;
        }
        let line = request[start..].trim_end().to_ascii_lowercase();
        if let Some(value) = line.strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
        if line.is_empty() {
            let mut body = vec![0; length];
            reader.read_exact(&mut body).unwrap();
            request.push_str(str::from_utf8(&body).unwrap());
            return request;
        }
    }
}

pub(crate) fn answer(status: &str, content_type: &str, body: &str) -> String {
    let length = body.len();
    format!("HTTP/1.1 {status}\r\ncontent-type: {content_type}\r\ncontent-length: {length}\r\n\r\n{body}")
}

/// The first part of a stream of events, whose end is the connection's.
pub(crate) fn events(text: &str) -> String {
    format!("HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n{text}")
}

/// The members that an agent `one` of generation 7 shows after event `sequence`.
pub(crate) fn members(sequence: u64) -> String {
    let body = format!(
        r#"{{"cluster_id":"c","self":"one","sequence":{sequence},"members":[{{"name":"one","generation_id":7,
           "address":"h:1","state":"live","since":1.5,"phi":null,"heartbeat":1,"max_version":0,"last_gc_version":0,"keys":0}}]}}"#
    );
    answer("200 OK", "application/json", &body)
}
