//! A UDP server.

use std::io;
use std::net::{Ipv6Addr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use anyhow::{Context, Result};

use crate::Host;

/// How long the end of a responder may be overlooked.
const POLL: Duration = Duration::from_millis(50);

/// Sends every datagram back, over both address families, until it is dropped.
pub(super) struct Responder {
    over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Responder {
    /// Binds a port of a host.
    pub(super) fn on(host: &Host, port: u16) -> Result<Self> {
        let bind = || {
            let socket = UdpSocket::bind((Ipv6Addr::UNSPECIFIED, port))?;
            socket.set_read_timeout(Some(POLL))?;
            Ok::<_, io::Error>(socket)
        };
        let socket =
            host.within(bind).with_context(|| format!("binding UDP port {port} of {}", host.name()))?;
        let over = Arc::new(AtomicBool::new(false));
        let thread = {
            let over = Arc::clone(&over);
            thread::spawn(move || respond(&socket, &over))
        };
        Ok(Self { over, thread: Some(thread) })
    }
}

impl Drop for Responder {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn respond(socket: &UdpSocket, over: &AtomicBool) {
    let mut datagram = [0; 2048];
    while !over.load(Ordering::Relaxed) {
        if let Ok((length, from)) = socket.recv_from(&mut datagram) {
            // An empty datagram is answered too, and by one that says something.
            let said = datagram.get(..length).filter(|said| !said.is_empty()).unwrap_or(b"?");
            let _ = socket.send_to(said, from);
        }
    }
}
