//! A relay that stands between two nodes and keeps what they say to each other.

use std::io;
use std::sync::Mutex;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use tidings_core::Address;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::timeout;

/// How long one exchange may take from its connection to its end on both sides.
const EXCHANGE_TIMEOUT: Duration = Duration::from_secs(10);

/// The packets of one exchange in the order in which they were sent, without the lengths before them.
pub(crate) type Exchange = Vec<Vec<u8>>;

/// Listens on a port of its own and passes every connection on to one node. Dropping it closes the port.
#[derive(Debug)]
pub(crate) struct Relay {
    address: Address,
    exchanges: mpsc::Receiver<io::Result<Exchange>>,
    task: JoinHandle<()>,
}

impl Relay {
    /// Starts to relay to the node at this address.
    pub(crate) async fn to(target: &Address) -> Result<Relay> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.context("cannot open a port for the relay")?;
        let address = listener.local_addr()?.into();
        let (recorded, exchanges) = mpsc::channel(16);
        let task = tokio::spawn(relay_all(listener, target.clone(), recorded));
        Ok(Relay { address, exchanges, task })
    }

    /// Where the relay listens.
    pub(crate) const fn address(&self) -> &Address {
        &self.address
    }

    /// The next exchange that both sides have closed.
    pub(crate) async fn exchange(&mut self) -> Result<Exchange> {
        match timeout(EXCHANGE_TIMEOUT, self.exchanges.recv()).await {
            Ok(Some(exchange)) => exchange.context("an exchange through the relay broke off"),
            Ok(None) => bail!("the relay does not listen any more"),
            Err(_) => bail!("no exchange through the relay ended within {EXCHANGE_TIMEOUT:?}"),
        }
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn relay_all(listener: TcpListener, target: Address, recorded: mpsc::Sender<io::Result<Exchange>>) {
    while let Ok((initiator, _)) = listener.accept().await {
        let exchange = relay_one(initiator, &target).await;
        if recorded.send(exchange).await.is_err() {
            return;
        }
    }
}

async fn relay_one(initiator: TcpStream, target: &Address) -> io::Result<Exchange> {
    let responder = TcpStream::connect((target.host(), target.port())).await?;
    let (from_initiator, to_initiator) = initiator.into_split();
    let (from_responder, to_responder) = responder.into_split();
    let exchange = Mutex::new(Exchange::new());
    tokio::try_join!(
        pass_on(from_initiator, to_responder, &exchange),
        pass_on(from_responder, to_initiator, &exchange)
    )?;
    exchange.into_inner().map_err(|_| io::Error::other("the relay's record is poisoned"))
}

/// Keeps each packet before it is passed on, so that an answer never comes before what it answers.
async fn pass_on(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, exchange: &Mutex<Exchange>) -> io::Result<()> {
    while let Some(packet) = read_packet(&mut from).await? {
        let length = u32::try_from(packet.len()).map_err(io::Error::other)?;
        if let Ok(mut exchange) = exchange.lock() {
            exchange.push(packet.clone());
        }
        to.write_all(&length.to_be_bytes()).await?;
        to.write_all(&packet).await?;
    }
    match to.shutdown().await {
        // The other side has closed already, which is how every exchange ends.
        Err(error) if error.kind() == io::ErrorKind::NotConnected => Ok(()),
        result => result,
    }
}

/// The next packet, or `None` where the connection ends before one begins.
async fn read_packet(from: &mut OwnedReadHalf) -> io::Result<Option<Vec<u8>>> {
    let length = match from.read_u32().await {
        Ok(length) => length,
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        Err(error) => return Err(error),
    };
    let mut packet = Vec::new();
    let read = from.take(length.into()).read_to_end(&mut packet).await?;
    if read != length as usize {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(Some(packet))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn framed(packet: &[u8]) -> Vec<u8> {
        [&u32::try_from(packet.len()).unwrap().to_be_bytes(), packet].concat()
    }

    /// A relay, the connection of an initiator to it, and the connection from it to a responder.
    async fn relayed() -> (Relay, TcpStream, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let relay = Relay::to(&listener.local_addr().unwrap().into()).await.unwrap();
        let initiator = TcpStream::connect((relay.address().host(), relay.address().port())).await.unwrap();
        let (responder, _) = listener.accept().await.unwrap();
        (relay, initiator, responder)
    }

    #[tokio::test]
    async fn packets_are_kept_in_order_and_arrive_unchanged() {
        let (mut relay, mut initiator, mut responder) = relayed().await;
        initiator.write_all(&framed(b"question")).await.unwrap();
        let mut question = [0; 12];
        responder.read_exact(&mut question).await.unwrap();
        assert_eq!(question[..], framed(b"question"));
        responder.write_all(&framed(b"answer")).await.unwrap();
        drop(responder);
        let mut answer = Vec::new();
        initiator.read_to_end(&mut answer).await.unwrap();
        assert_eq!(answer, framed(b"answer"));
        drop(initiator);

        assert_eq!(relay.exchange().await.unwrap(), [b"question".to_vec(), b"answer".to_vec()]);
    }

    #[tokio::test]
    async fn a_packet_cut_off_breaks_the_exchange_off() {
        let (mut relay, mut initiator, mut responder) = relayed().await;
        initiator.write_all(&framed(b"question")[..7]).await.unwrap();
        drop(initiator);
        let mut passed_on = Vec::new();
        responder.read_to_end(&mut passed_on).await.unwrap();
        assert_eq!(passed_on, b"");
        let error = relay.exchange().await.unwrap_err();
        assert_eq!(error.to_string(), "an exchange through the relay broke off");
    }
}
