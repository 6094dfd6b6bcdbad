//! A client and a server with scanguard before one of them.

use std::fs;
use std::io::{Read, Write};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::thread::{self, sleep};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use scanguard_harness::{GUARDED_V4, GUARDED_V6, Host, Lab, OUTSIDE_V4, OUTSIDE_V6};

use super::scene::Scene;

/// The longest that one step of a connection may take.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);

/// Who talks to whom.
pub(crate) struct Stage<'a> {
    pub(crate) scene: &'a Scene<'a>,
    pub(crate) client: &'a Host,
    pub(crate) server: &'a Host,
    pub(crate) client_is: IpAddr,
    pub(crate) server_is: IpAddr,
}

impl<'a> Stage<'a> {
    /// Both families, each with the guarded host as the server and as the client.
    pub(super) fn all_of(scene: &'a Scene<'a>, lab: &'a Lab) -> [Stage<'a>; 4] {
        let (guarded, outside) = (&lab.guarded, &lab.outside);
        let to_guarded =
            |client_is, server_is| Stage { scene, client: outside, server: guarded, client_is, server_is };
        let to_outside =
            |client_is, server_is| Stage { scene, client: guarded, server: outside, client_is, server_is };
        [
            to_guarded(OUTSIDE_V4.into(), GUARDED_V4.into()),
            to_guarded(OUTSIDE_V6.into(), GUARDED_V6.into()),
            to_outside(GUARDED_V4.into(), OUTSIDE_V4.into()),
            to_outside(GUARDED_V6.into(), OUTSIDE_V6.into()),
        ]
    }

    /// Listens on any free port of the server.
    pub(crate) fn listen(&self) -> Result<TcpListener> {
        listen(self.server, (self.server_is, 0))
    }

    /// Connects to a listener: the client's end and the server's.
    pub(crate) fn connect(&self, listener: &TcpListener) -> Result<(TcpStream, TcpStream)> {
        self.scene.tries(|| {
            let client = connect(self.client, listener.local_addr()?)?;
            Ok((client, accept(listener)?))
        })
    }

    /// A connection: the client's end and the server's.
    pub(crate) fn connected(&self) -> Result<(TcpStream, TcpStream)> {
        self.connect(&self.listen()?)
    }

    pub(super) fn describe(&self) -> String {
        format!("with {} at {} as the server", self.server.name(), self.server_is)
    }
}

/// Listens on a host.
pub(super) fn listen(host: &Host, at: impl Into<SocketAddr>) -> Result<TcpListener> {
    let at = at.into();
    host.within(|| TcpListener::bind(at)).with_context(|| format!("listening at {at} of {}", host.name()))
}

/// Connects from a host.
pub(super) fn connect(host: &Host, to: SocketAddr) -> Result<TcpStream> {
    let stream = host.within(|| TcpStream::connect_timeout(&to, PATIENCE));
    patient(stream.with_context(|| format!("connecting to {to} from {}", host.name()))?)
}

/// Accepts a connection that is already made.
pub(crate) fn accept(listener: &TcpListener) -> Result<TcpStream> {
    patient(listener.accept().context("accepting a connection")?.0)
}

/// Never waits forever.
pub(super) fn patient(stream: TcpStream) -> Result<TcpStream> {
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    Ok(stream)
}

/// Says something at one end and hears it at the other.
pub(super) fn say(mut from: &TcpStream, mut to: &TcpStream, words: &str) -> Result<()> {
    from.write_all(words.as_bytes()).with_context(|| format!("saying {words:?}"))?;
    let mut heard = vec![0; words.len()];
    to.read_exact(&mut heard).with_context(|| format!("waiting for {words:?}"))?;
    ensure!(heard == words.as_bytes(), "said {words:?}, heard {:?}", String::from_utf8_lossy(&heard));
    Ok(())
}

/// Says something both ways.
pub(crate) fn exchange(client: &TcpStream, server: &TcpStream) -> Result<()> {
    say(client, server, "from the client")?;
    say(server, client, "from the server")
}

/// Sends so many bytes from one end to the other.
pub(crate) fn pour(mut from: &TcpStream, mut to: &TcpStream, length: usize) -> Result<()> {
    thread::scope(|scope| {
        let writing = scope.spawn(move || from.write_all(&vec![b'.'; length]));
        let mut buffer = vec![0; 1 << 16];
        let mut missing = length;
        while missing > 0 {
            let read = to.read(&mut buffer).context("receiving")?;
            ensure!(read > 0, "the connection ended {missing} bytes early");
            missing = missing.checked_sub(read).context("more was received than sent")?;
        }
        writing.join().expect("writing does not panic").context("sending")
    })
}

/// Waits until a socket waits at a port, in a table below `/proc/net`: nobody is asked for that.
pub(super) fn await_socket(host: &Host, table: &str, port: u16) -> Result<()> {
    let deadline = Instant::now() + PATIENCE;
    let (path, port) = (format!("/proc/thread-self/net/{table}"), format!(":{port:04X}"));
    loop {
        let sockets = host.within(|| fs::read_to_string(&path)).with_context(|| format!("reading {path}"))?;
        // Each line begins with a number and both addresses; whoever waits for all has the other port 0.
        let waits = |line: &str| {
            let mut words = line.split_whitespace().skip(1);
            words.next().is_some_and(|local| local.ends_with(&port))
                && words.next().is_some_and(|remote| remote.ends_with(":0000"))
        };
        if sockets.lines().any(waits) {
            return Ok(());
        }
        ensure!(Instant::now() < deadline, "no socket of {} waits at port {port} in {path}", host.name());
        sleep(Duration::from_millis(20));
    }
}

/// Changes a setting of a host's network, by its path below `/proc/sys/net`.
pub(crate) fn set(host: &Host, setting: &str, value: &str) -> Result<()> {
    let path = format!("/proc/sys/net/{setting}");
    host.within(|| fs::write(&path, value)).with_context(|| format!("writing {value:?} to {path}"))
}

/// Waits until something happened so often in a host's network: how soon is up to timers, and to how busy this machine is.
pub(super) fn await_happened(host: &Host, name: &str, times: u64) -> Result<()> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let happened = happened(host, name)?;
        if happened >= times {
            return Ok(());
        }
        ensure!(
            Instant::now() < deadline,
            "{name} happened {happened} times on {}, not {times}",
            host.name()
        );
        sleep(Duration::from_millis(20));
    }
}

/// How often something happened in a host's network, by its name in `nstat`: with `Ip6`, of IPv6 alone.
pub(crate) fn happened(host: &Host, name: &str) -> Result<u64> {
    let read = |table: &str| {
        let path = format!("/proc/thread-self/net/{table}");
        host.within(|| fs::read_to_string(&path)).with_context(|| format!("reading {path}"))
    };
    if name.starts_with("Ip6") {
        let table = read("snmp6")?;
        // A line each: `Name 1`.
        let mut lines = table.lines().map(str::split_whitespace);
        let line = lines.find(|line| line.clone().next() == Some(name));
        let number = line.and_then(|mut words| words.nth(1));
        let number = number.with_context(|| format!("this kernel does not count {name}"))?;
        return number.parse().with_context(|| format!("reading {name}"));
    }
    let tables = read("snmp")? + &read("netstat")?;
    // Two lines each: `Table: Name Name …` and `Table: 1 2 …`.
    let lines: Vec<&str> = tables.lines().collect();
    let mut named = lines.chunks(2).filter_map(|pair| {
        let [names, numbers] = pair else { return None };
        let place = names.split_whitespace().position(|word| word == name)?;
        numbers.split_whitespace().nth(place)?.parse().ok()
    });
    named.next().with_context(|| format!("this kernel does not count {name}"))
}
