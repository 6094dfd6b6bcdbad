//! A session at the two hosts: what a user would type, and what comes of it.

use std::ffi::OsStr;
use std::fs;
use std::io::Write;
use std::path::Path;
use std::time::Instant;

use anyhow::{Context, Result, bail};
use scanguard_harness::{GUARDED_V4, Host, Lab, Process};

use crate::demo::interrupt::Interrupt;
use crate::demo::scan::{self, Scan};
use crate::shell;

/// The laboratory, the scanguard that is shown in it, and where the session is written.
pub(crate) struct Session<'a> {
    pub(crate) lab: &'a Lab,
    pub(crate) scanguard: &'a Path,
    pub(crate) interrupt: &'a Interrupt,
    pub(crate) out: &'a mut dyn Write,
}

impl Session<'_> {
    /// Says something to the reader, in a paragraph of its own.
    pub(crate) fn say(&mut self, words: &str) -> Result<()> {
        Ok(writeln!(self.out, "{words}\n")?)
    }

    /// Runs every kind of scan, and keeps what was learned for the table.
    pub(crate) fn scan(&mut self) -> Result<Vec<Scan>> {
        self.prompt(&self.lab.outside, &scan::command_line())?;
        let start = Instant::now();
        let scans = scan::run(&self.lab.outside, self.interrupt)?;
        self.say(&format!("({:.1} s; what it learned is below)", start.elapsed().as_secs_f32()))?;
        Ok(scans)
    }

    /// Starts a download that lasts longer than attaching and scanning do.
    pub(crate) fn start_download(&mut self) -> Result<Process> {
        self.lab.outside.within(keep_receive_buffers_small)?;
        let (url, limit) = (url(6_000_000), ["--limit-rate", "1M"]);
        let words = [&CURL[..], &limit, &[url.as_str()]].concat();
        let line = shell::show(&shell::command(words.iter().copied()));
        self.prompt(&self.lab.outside, &format!("{line} &"))?;
        writeln!(self.out)?;
        start(&self.lab.outside, &words)
    }

    /// Waits for that download, and returns what curl said of it.
    pub(crate) fn finish(&mut self, download: &mut Process) -> Result<String> {
        self.prompt(&self.lab.outside, "wait")?;
        self.end(download)
    }

    /// Downloads a little over a new connection, and returns what curl said of it.
    pub(crate) fn download(&mut self) -> Result<String> {
        let url = url(1_000);
        let words = [&CURL[..], &[url.as_str()]].concat();
        self.prompt(&self.lab.outside, &shell::show(&shell::command(words.iter().copied())))?;
        self.end(&mut start(&self.lab.outside, &words)?)
    }

    /// Runs scanguard on the guarded host.
    pub(crate) fn scanguard(&mut self, words: &[&str]) -> Result<()> {
        self.prompt(&self.lab.guarded, &format!("scanguard {}", words.join(" ")))?;
        let mut process = self.lab.guarded.spawn(self.scanguard, words)?;
        self.end(&mut process)?;
        Ok(())
    }

    fn prompt(&mut self, host: &Host, line: &str) -> Result<()> {
        Ok(writeln!(self.out, "{}$ {line}", host.name())?)
    }

    /// Waits for the end of a command and shows what it said, unless it failed: then that is the error.
    fn end(&mut self, process: &mut Process) -> Result<String> {
        let output = self.interrupt.wait(process)?;
        let [data, words] =
            [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned());
        if !output.status.success() {
            bail!("`{}` ended with {}: {}", process.command_line(), output.status, words.trim_end());
        }
        writeln!(self.out, "{data}{words}")?;
        Ok(data)
    }
}

/// Throws away what it downloads, and says what came of it.
const CURL: [&str; 6] =
    ["curl", "-sS", "-o", "/dev/null", "-w", r"HTTP %{http_code}, %{size_download} bytes\n"];

/// Keeps a slow reader's data on its way. All of it would fit into a buffer of the usual size, and would have
/// arrived before scanguard is attached.
fn keep_receive_buffers_small() -> Result<()> {
    const SIZES: &str = "/proc/sys/net/ipv4/tcp_rmem";
    fs::write(SIZES, "4096 65536 65536").with_context(|| format!("writing {SIZES}"))
}

/// Where the guarded host serves this many bytes.
fn url(length: u32) -> String {
    format!("http://{GUARDED_V4}/{length}")
}

fn start(host: &Host, words: &[&str]) -> Result<Process> {
    let [program, arguments @ ..] = words else { bail!("nothing to start") };
    host.spawn(program, arguments.iter().map(OsStr::new))
}
