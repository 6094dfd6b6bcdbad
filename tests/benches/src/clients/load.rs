//! Real servers, and clients that take as much as they get.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};
use scanguard_harness::{GUARDED_V4, Host, OUTSIDE_V4, Process};
use serde_json::Value;

use super::ports::{self, Ports};
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

    pub(super) fn unit(self) -> Unit {
        match self {
            Load::StreamIn | Load::StreamOut => Unit::Bits,
            Load::PagesIn | Load::ConnectionsIn | Load::PagesOut => Unit::Requests,
        }
    }
}

/// iperf3 on the guarded host, and nginx on both.
#[derive(Debug)]
pub(super) struct Servers {
    _processes: Vec<Process>,
    _folders: [Folder; 2],
}

const LIMIT: Duration = Duration::from_secs(20);

impl Servers {
    /// Starts them, and returns when they serve.
    pub(super) fn start(cable: &Cable) -> Result<Servers> {
        let (guarded, outside) = (&cable.lab.guarded, &cable.lab.outside);
        ports::use_again(outside)?;
        let folders = [Folder::make("guarded")?, Folder::make("outside")?];
        let [inner, outer] = &folders;
        let processes = vec![
            start(guarded, RECEIVER, "iperf3 --server --forceflush")?,
            start(guarded, RECEIVER, &inner.nginx())?,
            start(outside, SENDER, &outer.nginx())?,
        ];
        if let [iperf, ..] = processes.as_slice() {
            iperf.wait_for_stdout("Server listening", LIMIT)?;
        }
        let answers =
            "--silent --show-error --retry 50 --retry-connrefused --retry-delay 0 --output /dev/null";
        for (client, server) in [(outside, GUARDED_V4), (guarded, OUTSIDE_V4)] {
            client.run("curl", format!("{answers} http://{server}/").split(' '))?;
        }
        Ok(Servers { _processes: processes, _folders: folders })
    }

    /// Lets clients take for a second what they get: bits or requests a second.
    pub(super) fn serve(&self, cable: &Cable, load: Load) -> Result<f64> {
        let (guarded, outside) = (&cable.lab.guarded, &cable.lab.outside);
        match load {
            Load::StreamIn => stream(outside, ""),
            Load::StreamOut => stream(outside, " --reverse"),
            Load::PagesIn => pages(outside, SENDER, GUARDED_V4.to_string(), &[]),
            Load::ConnectionsIn => {
                let before = Ports::of(outside)?;
                let rate =
                    pages(outside, SENDER, GUARDED_V4.to_string(), &["--header", "Connection: close"])?;
                before.check(Ports::of(outside)?)?;
                Ok(rate)
            }
            Load::PagesOut => pages(guarded, RECEIVER, OUTSIDE_V4.to_string(), &[]),
        }
    }
}

fn start(host: &Host, processor: usize, line: &str) -> Result<Process> {
    host.spawn("taskset", format!("--cpu-list {processor} {line}").split(' '))
}

fn stream(client: &Host, direction: &str) -> Result<f64> {
    let line = format!("--client {GUARDED_V4} --time 1 --json{direction}");
    let words = format!("--cpu-list {SENDER} iperf3 {line}");
    let said = client.run("taskset", words.split(' '))?;
    let said: Value = serde_json::from_str(&said).context("reading what iperf3 says")?;
    let bits = said.pointer("/end/sum_received/bits_per_second").and_then(Value::as_f64);
    bits.context("iperf3 does not say how much it received")
}

fn pages(client: &Host, processor: usize, server: String, words: &[&str]) -> Result<f64> {
    let line =
        format!("--cpu-list {processor} wrk --threads 1 --connections 16 --duration 1s http://{server}/");
    let said = client.run("taskset", line.split(' ').chain(words.iter().copied()))?;
    let rate = said.lines().find_map(|line| line.strip_prefix("Requests/sec:"));
    Ok(rate.with_context(|| format!("wrk says {said:?}"))?.trim().parse()?)
}

/// What an nginx needs in the file system; it goes when this is dropped.
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

    fn nginx(&self) -> String {
        let path = self.0.display();
        format!("nginx -p {path} -c {path}/nginx.conf -e stderr")
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
         server {{ listen 80; location / {{ return 200 hello; }} }} }}\n"
    )
}
