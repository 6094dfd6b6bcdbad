//! Real servers, small enough to read.

use std::collections::HashMap;
use std::io::{self, BufRead, BufReader, Write};
use std::net::{Ipv6Addr, Shutdown, TcpListener, TcpStream};
use std::os::fd::AsRawFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};

use anyhow::{Context, Result};
use nix::sys::socket::{self, Shutdown as SocketShutdown};

use crate::Host;

/// A TCP server in a host, for both address families; it and its connections end on drop.
#[derive(Debug)]
pub struct Service {
    listener: Arc<TcpListener>,
    open: Arc<OpenConnections>,
    acceptor: Option<JoinHandle<()>>,
}

impl Service {
    /// Serves HTTP: `GET /N` is answered with N bytes, anything else with a status that says why not.
    ///
    /// # Errors
    ///
    /// Fails when the port is taken.
    pub fn http(host: &Host, port: u16) -> Result<Self> {
        Self::start(host, port, serve_http)
    }

    /// Does what [`http`](Self::http) does, for whom a listener accepts that was made with care.
    pub fn http_by(listener: TcpListener) -> Self {
        Self::serve(listener, serve_http)
    }

    /// Sends every line back, for connections that live long and say little.
    ///
    /// # Errors
    ///
    /// Fails when the port is taken.
    pub fn echo(host: &Host, port: u16) -> Result<Self> {
        Self::start(host, port, serve_echo)
    }

    /// Does what [`echo`](Self::echo) does, for whom a listener accepts that was made with care.
    pub fn echo_by(listener: TcpListener) -> Self {
        Self::serve(listener, serve_echo)
    }

    fn start(host: &Host, port: u16, serve: fn(&TcpStream) -> io::Result<()>) -> Result<Self> {
        let listener = host
            .within(|| TcpListener::bind((Ipv6Addr::UNSPECIFIED, port)))
            .with_context(|| format!("listening on port {port} of {}", host.name()))?;
        Ok(Self::serve(listener, serve))
    }

    fn serve(listener: TcpListener, serve: fn(&TcpStream) -> io::Result<()>) -> Self {
        let listener = Arc::new(listener);
        let open = Arc::new(OpenConnections::default());
        let acceptor = {
            let (listener, open) = (Arc::clone(&listener), Arc::clone(&open));
            thread::spawn(move || accept(&listener, &open, serve))
        };
        Self { listener, open, acceptor: Some(acceptor) }
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        self.open.refuse_more();
        // Wakes the acceptor; closing the descriptor would not.
        let _ = socket::shutdown(self.listener.as_raw_fd(), SocketShutdown::Both);
        if let Some(acceptor) = self.acceptor.take() {
            let _ = acceptor.join();
        }
        self.open.end_all();
    }
}

fn accept(listener: &TcpListener, open: &Arc<OpenConnections>, serve: fn(&TcpStream) -> io::Result<()>) {
    for (number, stream) in listener.incoming().enumerate() {
        if open.refused() {
            return;
        }
        // A scanner's connection may be gone before it is accepted.
        let Ok(stream) = stream.and_then(|stream| open.add(number, stream)) else { continue };
        let open = Arc::clone(open);
        thread::spawn(move || {
            // A client that goes away early is no fault of the server.
            let _ = serve(&stream);
            open.end(number);
        });
    }
}

fn serve_echo(stream: &TcpStream) -> io::Result<()> {
    let mut lines = BufReader::new(stream);
    let mut writer = stream;
    let mut line = Vec::new();
    while lines.read_until(b'\n', &mut line)? > 0 {
        writer.write_all(&line)?;
        line.clear();
    }
    Ok(())
}

fn serve_http(mut stream: &TcpStream) -> io::Result<()> {
    let mut lines = BufReader::new(stream).lines();
    let request = lines.next().transpose()?.unwrap_or_default();
    // The rest of the header is read, because closing over unread bytes resets the connection.
    for header in lines {
        if header?.is_empty() {
            break;
        }
    }
    let Some(length) = requested_length(&request) else {
        return stream
            .write_all(b"HTTP/1.1 400 Ask for GET /N\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    };
    write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n")?;
    io::copy(&mut io::Read::take(io::repeat(b'.'), length), &mut stream)?;
    Ok(())
}

fn requested_length(request: &str) -> Option<u64> {
    let mut words = request.split_whitespace();
    (words.next()? == "GET").then_some(())?;
    words.next()?.strip_prefix('/')?.parse().ok()
}

/// The connections being served, so that they can be ended from outside.
#[derive(Debug, Default)]
struct OpenConnections {
    streams: Mutex<HashMap<usize, TcpStream>>,
    closing: AtomicBool,
}

impl OpenConnections {
    fn add(&self, number: usize, stream: TcpStream) -> io::Result<TcpStream> {
        self.streams().insert(number, stream.try_clone()?);
        Ok(stream)
    }

    fn end(&self, number: usize) {
        if let Some(stream) = self.streams().remove(&number) {
            // The peer sees the end only when it is said, since the serving thread still holds the socket.
            let _ = stream.shutdown(Shutdown::Both);
        }
    }

    fn end_all(&self) {
        for (_, stream) in self.streams().drain() {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }

    fn refuse_more(&self) {
        self.closing.store(true, Ordering::Relaxed);
    }

    fn refused(&self) -> bool {
        self.closing.load(Ordering::Relaxed)
    }

    fn streams(&self) -> MutexGuard<'_, HashMap<usize, TcpStream>> {
        self.streams.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
