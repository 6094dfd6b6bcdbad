//! What clients and servers say to each other: bulk data and questions, and every byte is compared.

use std::io::ErrorKind;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, UdpSocket};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use scanguard_harness::{Host, Random, Service};

use crate::conversation::Conversation;

/// How many questions are asked by UDP.
const QUESTIONS: u32 = 5;
/// How often a question is asked where the way may lose it.
const TRIES: usize = 20;
/// How long to wait for an answer before the question is asked again.
const PATIENCE: Duration = Duration::from_secs(1);

/// A host, and the addresses it is to use, one for each family.
pub(super) type End<'a> = (&'a Host, [IpAddr; 2]);

/// How many connections and questions there are in [`all_ways`].
pub(super) const CONVERSATIONS: u64 = 4 * (1 + QUESTIONS as u64);

/// So many bytes each way and a few questions, over both families, with either host as the client.
pub(super) fn all_ways(one: End<'_>, other: End<'_>, bytes: usize) -> Result<()> {
    for (client, server) in [(one, other), (other, one)] {
        for server_is in server.1 {
            let said = || format!("with {} at {server_is} as the server", server.0.name());
            over_tcp(client.0, server.0, server_is, bytes).with_context(said)?;
            over_udp(client.0, server.0, server_is).with_context(said)?;
        }
    }
    Ok(())
}

/// Bulk data to an address where a service listens, and back.
fn over_tcp(client: &Host, server: &Host, server_is: IpAddr, bytes: usize) -> Result<()> {
    let listener = server.within(|| TcpListener::bind((server_is, 0))).context("listening")?;
    let at = listener.local_addr()?;
    let _service = Service::echo_by(listener);
    bulk(Conversation::open(client, at)?, bytes)
}

/// So many bytes to an echo service, and back.
pub(super) fn bulk(mut conversation: Conversation, bytes: usize) -> Result<()> {
    let words = Random::seeded(0x5eed).bytes(bytes);
    let words: String = words.into_iter().map(|byte| char::from(b'a' + byte % 26)).collect();
    conversation.exchange("hello")?;
    conversation.exchange(&words)
}

/// Questions and their answers.
fn over_udp(client: &Host, server: &Host, server_is: IpAddr) -> Result<()> {
    let server = server.within(|| UdpSocket::bind((server_is, 0))).context("binding")?;
    let at = server.local_addr()?;
    let any: IpAddr = if at.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    let client = client.within(|| UdpSocket::bind((any, 0))).context("binding")?;
    client.connect(at)?;
    for socket in [&client, &server] {
        socket.set_read_timeout(Some(PATIENCE))?;
    }
    (0..QUESTIONS).try_for_each(|number| ask(&client, &server, &number.to_be_bytes()))
}

/// A question that is asked until it is answered, because it or its answer may be lost.
fn ask(client: &UdpSocket, server: &UdpSocket, question: &[u8]) -> Result<()> {
    for _ in 0..TRIES {
        client.send(question)?;
        let Some(from) = hears(server, question)? else { continue };
        server.send_to(question, from)?;
        if hears(client, question)?.is_some() {
            return Ok(());
        }
    }
    bail!("asked {question:?} {TRIES} times without an answer")
}

/// Waits for these words and returns who said them. Others come late or twice and belong to an earlier question.
fn hears(socket: &UdpSocket, words: &[u8]) -> Result<Option<SocketAddr>> {
    loop {
        let mut heard = [0; 16];
        match socket.recv_from(&mut heard) {
            Ok((length, from)) if heard.get(..length) == Some(words) => return Ok(Some(from)),
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(None),
            Err(error) => return Err(error).context("waiting for a datagram"),
        }
    }
}
