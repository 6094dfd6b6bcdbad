//! Real servers, and clients that take as much as they get.

use std::cell::Cell;
use std::env;
use std::fs;
use std::io::{self, Read as _, Write as _};
use std::net::Ipv4Addr;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use scanguard_harness::{GUARDED_V4, Host, OUTSIDE_V4, Process};

use super::ports;
use crate::cable::Cable;
use crate::machine::{RECEIVER, SENDER};
use crate::row::Unit;

/// What clients do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Load {
    /// Sends a stream of bytes to the guarded host.
    StreamIn,
    /// Receives one from it.
    StreamOut,
    /// Asks it for pages, over connections that stay.
    PagesIn,
    /// Asks it for pages, over a new connection for each.
    ConnectionsIn,
    /// The guarded host asks the outside one for pages.
    PagesOut,
}

impl Load {
    pub(super) const ALL: [Load; 5] =
        [Load::StreamIn, Load::StreamOut, Load::PagesIn, Load::ConnectionsIn, Load::PagesOut];

    pub(super) fn name(self) -> &'static str {
        match self {
            Load::StreamIn => "iperf3, in",
            Load::StreamOut => "iperf3, out",
            Load::PagesIn => "HTTP, in",
            Load::ConnectionsIn => "HTTP with new connections, in",
            Load::PagesOut => "HTTP, out",
        }
    }

    /// How long a turn lasts while it goes on. What else happens on a machine changes within seconds, and both sides are
    /// to have the same of it; but where segments are lost at the end of what was sent, a stream stands still for 200 ms
    /// (`TCP_RTO_MIN`), which is to be charged to who lost them.
    pub(super) fn turn(self) -> Duration {
        match self {
            Load::StreamIn | Load::StreamOut => Duration::from_millis(250),
            Load::PagesIn | Load::ConnectionsIn | Load::PagesOut => Duration::from_millis(50),
        }
    }

    pub(super) fn unit(self) -> Unit {
        match self {
            Load::StreamIn | Load::StreamOut => Unit::Bits,
            Load::PagesIn | Load::ConnectionsIn | Load::PagesOut => Unit::Requests,
        }
    }
}

/// An nginx on each host.
#[derive(Debug)]
pub(super) struct Servers {
    inner: Nginx,
    outer: Nginx,
}

const LIMIT: Duration = Duration::from_secs(20);

impl Servers {
    /// Starts them, and returns when they serve.
    pub(super) fn start(cable: &Cable) -> Result<Servers> {
        let (guarded, outside) = (&cable.lab.guarded, &cable.lab.outside);
        ports::use_again(outside)?;
        let servers = Servers {
            inner: Nginx::start(guarded, RECEIVER, "guarded")?,
            outer: Nginx::start(outside, SENDER, "outside")?,
        };
        let answers =
            "--silent --show-error --retry 50 --retry-connrefused --retry-delay 0 --output /dev/null";
        for (client, server) in [(outside, GUARDED_V4), (guarded, OUTSIDE_V4)] {
            client.run("curl", format!("{answers} http://{server}/").split(' '))?;
        }
        Ok(servers)
    }

    /// Lets clients take what they get, until what is returned is dropped.
    pub(super) fn serve<'a>(&'a self, cable: &'a Cable, load: Load) -> Result<Clients<'a>> {
        let (guarded, outside) = (&cable.lab.guarded, &cable.lab.outside);
        match load {
            Load::StreamIn => stream(cable, Receiving::Server),
            Load::StreamOut => stream(cable, Receiving::Client),
            Load::PagesIn => pages(outside, SENDER, GUARDED_V4, &[], &self.inner),
            Load::ConnectionsIn => {
                pages(outside, SENDER, GUARDED_V4, &["--header", "Connection: close"], &self.inner)
            }
            Load::PagesOut => pages(guarded, RECEIVER, OUTSIDE_V4, &[], &self.outer),
        }
    }
}

/// Clients that are being served.
#[derive(Debug)]
pub(super) struct Clients<'a> {
    got: Got<'a>,
    _processes: Vec<Process>,
}

/// Where it is counted what clients got.
#[derive(Debug)]
enum Got<'a> {
    /// By the kernel: the bytes that this process has read.
    Read(u32),
    /// By the server: the requests that it has answered.
    Answered(&'a Nginx),
}

impl Clients<'_> {
    /// What clients get during a span of time: bits or requests a second.
    pub(super) fn rate(&self, span: Duration) -> Result<f64> {
        let (before, start) = (self.got()?, Instant::now());
        thread::sleep(span);
        let (after, end) = (self.got()?, Instant::now());
        #[expect(clippy::cast_precision_loss, reason = "below 2⁵³")]
        let got = (after - before) as f64;
        Ok(got / (end - start).as_secs_f64())
    }

    /// How much they have got so far.
    fn got(&self) -> Result<u64> {
        match self.got {
            Got::Read(process) => {
                let file = format!("/proc/{process}/io");
                let text = fs::read_to_string(&file).with_context(|| format!("reading {file}"))?;
                let bytes = text.lines().find_map(|line| line.strip_prefix("rchar: "));
                Ok(8 * bytes.context("no bytes are counted")?.parse::<u64>()?)
            }
            Got::Answered(server) => server.answered(),
        }
    }
}

fn start(host: &Host, processor: usize, line: &str) -> Result<Process> {
    host.spawn("taskset", format!("--cpu-list {processor} {line}").split(' '))
}

/// Who receives a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Receiving {
    Server,
    Client,
}

/// iperf3 on both hosts.
fn stream<'a>(cable: &Cable, receiving: Receiving) -> Result<Clients<'a>> {
    const FOR_EVER: u32 = 0;
    let server = start(&cable.lab.guarded, RECEIVER, "iperf3 --server --one-off --forceflush")?;
    server.wait_for_stdout("Server listening", LIMIT)?;
    let direction = match receiving {
        Receiving::Server => "",
        Receiving::Client => " --reverse",
    };
    let line = format!("iperf3 --client {GUARDED_V4} --time {FOR_EVER}{direction}");
    let client = start(&cable.lab.outside, SENDER, &line)?;
    server.wait_for_stdout("Accepted connection", LIMIT)?;
    let got = Got::Read(match receiving {
        Receiving::Server => server.pid(),
        Receiving::Client => client.pid(),
    });
    Ok(Clients { _processes: vec![client, server], got })
}

/// wrk, which asks an nginx.
fn pages<'a>(
    client: &Host,
    processor: usize,
    address: Ipv4Addr,
    words: &[&str],
    server: &'a Nginx,
) -> Result<Clients<'a>> {
    /// wrk wants to know; it is ended before.
    const LONG: &str = "1h";
    let line = format!(
        "--cpu-list {processor} wrk --threads 1 --connections 16 --duration {LONG} http://{address}/"
    );
    let client = client.spawn("taskset", line.split(' ').chain(words.iter().copied()))?;
    Ok(Clients { _processes: vec![client], got: Got::Answered(server) })
}

/// An nginx, and what it needs in the file system.
#[derive(Debug)]
struct Nginx {
    _process: Process,
    folder: Folder,
    /// How often it was asked how much it has answered: it counts those questions as well.
    asked: Cell<u64>,
}

impl Nginx {
    fn start(host: &Host, processor: usize, name: &str) -> Result<Nginx> {
        let folder = Folder::make(name)?;
        let path = folder.0.display();
        let process = start(host, processor, &format!("nginx -p {path} -c {path}/nginx.conf -e stderr"))?;
        Ok(Nginx { _process: process, folder, asked: Cell::new(0) })
    }

    /// How many requests it has answered.
    fn answered(&self) -> Result<u64> {
        let said = self.ask().context("asking nginx how much it has answered")?;
        self.asked.set(self.asked.get() + 1);
        Ok(requests(&said)? - self.asked.get())
    }

    fn ask(&self) -> io::Result<String> {
        let mut stream = UnixStream::connect(self.folder.status())?;
        stream.set_read_timeout(Some(LIMIT))?;
        stream.write_all(b"GET / HTTP/1.0\r\n\r\n")?;
        let mut said = String::new();
        stream.read_to_string(&mut said)?;
        Ok(said)
    }
}

/// The number of requests in a page of the module `ngx_http_stub_status_module`.
fn requests(page: &str) -> Result<u64> {
    let mut lines = page.lines().skip_while(|line| *line != "server accepts handled requests");
    let numbers = lines.nth(1).with_context(|| format!("nginx says {page:?}"))?;
    let requests = numbers.split_whitespace().nth(2).with_context(|| format!("nginx says {numbers:?}"))?;
    Ok(requests.parse()?)
}

/// It goes when this is dropped.
#[derive(Debug)]
struct Folder(PathBuf);

impl Folder {
    fn make(name: &str) -> Result<Folder> {
        let path = env::temp_dir().join(format!("scanguard-bench-{}-{name}", std::process::id()));
        fs::create_dir(&path).with_context(|| format!("making {}", path.display()))?;
        let folder = Folder(path);
        fs::write(folder.0.join("nginx.conf"), configuration(&folder.0)).context("writing nginx.conf")?;
        Ok(folder)
    }

    /// The socket at which an nginx tells how much it has answered.
    fn status(&self) -> PathBuf {
        self.0.join("status")
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn configuration(folder: &Path) -> String {
    let folder = folder.display();
    let temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map(|what| format!("{what}_temp_path {folder}/{what};"))
        .join(" ");
    format!(
        "daemon off; master_process off; pid {folder}/pid; error_log stderr crit; events {{ }}\n\
         http {{ access_log off; keepalive_requests 1000000000; {temporary}\n\
         server {{ listen 80; location / {{ return 200 hello; }} }}\n\
         server {{ listen unix:{folder}/status; location / {{ stub_status; }} }} }}\n"
    )
}

#[cfg(test)]
mod tests {
    use super::requests;

    #[test]
    fn requests_are_the_third_number() {
        let page = "HTTP/1.1 200 OK\r\n\r\nActive connections: 1 \nserver accepts handled requests\n 7 8 9 \n                    Reading: 0 Writing: 1 Waiting: 0 \n";
        assert_eq!(requests(page).expect("a number"), 9);
        assert!(requests("HTTP/1.1 404 Not Found\r\n\r\n").is_err());
    }
}
