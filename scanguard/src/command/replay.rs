//! `scanguard replay`: what would have been done with recorded traffic.

use std::io::{BufWriter, Write as _};
use std::panic::resume_unwind;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use tokio::sync::oneshot;

use crate::error::Error;
use crate::output::Output;
use crate::prefix::Prefix;
use crate::replay::policy::Choices;
use crate::replay::{Local, Outcome, Replay};
use crate::show::Show as _;
use crate::stop::Stop;

/// Show what would have been dropped of a recorded capture, without privileges
///
/// Runs the engine over a pcap or pcapng file as if the host with the given addresses had been guarded: what would
/// have been dropped and why, from whom, and what conversations of the host would have lost. Its connections and open
/// ports are learned from what it says in the capture. Time is the capture's.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The capture
    #[arg(value_name = "FILE")]
    file: PathBuf,

    /// The addresses of the host that is guarded, like 192.0.2.7 or 2001:db8::/32
    #[arg(long, value_name = "CIDR", num_args = 1.., value_delimiter = ',')]
    local: Vec<String>,

    /// The addresses are those of hosts behind a gateway, which knows their connections only by what they say
    #[arg(long)]
    gateway: bool,

    /// What the operator chose: a TOML file with `closed_ports`, `allow`, `preset`, `public`, `decoys` and `ping`
    #[arg(long, value_name = "FILE")]
    policy: Option<PathBuf>,

    /// One JSON object a line instead of tables
    #[arg(long)]
    json: bool,

    /// Have the program in the kernel judge the same frames, and fail where it differs; needs root
    ///
    /// Who is banned at each frame is told to the program, which bans nobody itself: its own evidence is by the kernel's
    /// clock, on which a capture of hours passes in seconds.
    #[arg(long)]
    kernel: bool,
}

impl Args {
    pub(crate) async fn run(&self, output: &mut Output<'_>, stop: &mut Stop) -> anyhow::Result<()> {
        if self.local.is_empty() {
            return Err(Error::NoLocalAddress.into());
        }
        let prefixes = self.local.iter().map(|given| Prefix::parse(given)).collect::<Result<Vec<_>, _>>()?;
        let choices = Choices::read(self.policy.as_deref(), self.gateway)?;
        let (path, local, with_kernel) = (self.file.clone(), Local::of(&prefixes), self.kernel);
        let outcome = run_aside(Replay { path, local, choices, with_kernel }, stop).await?;
        // There may be a hundred thousand lines, and standard output passes on each by itself.
        let mut data = BufWriter::new(&mut *output.data);
        outcome.report.show(self.json, &mut data)?;
        data.flush()?;
        drop(data);
        if outcome.report.blind {
            output.word(format_args!(
                "nothing in this capture comes from the addresses given by --local, so neither connections nor open \
                 ports are known, and much that is counted as dropped may be legitimate; are they the right ones?"
            ));
        }
        Ok(outcome.check(&self.file)?)
    }
}

/// Runs a replay in a thread of its own, until it is done or its end is wished for: then what it has seen is told.
async fn run_aside(replay: Replay, stop: &mut Stop) -> anyhow::Result<Outcome> {
    let stopping = Arc::new(AtomicBool::new(false));
    let (alive, ended) = oneshot::channel::<()>();
    let thread = {
        let stopping = Arc::clone(&stopping);
        thread::spawn(move || {
            let _alive = alive; // dropped at the end, however that comes
            replay.run(&stopping)
        })
    };
    tokio::select! {
        _ = ended => {}
        () = stop.asked() => stopping.store(true, Ordering::Relaxed),
    }
    thread.join().unwrap_or_else(|panic| resume_unwind(panic))
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        args: Args,
    }

    fn parsed(line: &str) -> Args {
        Line::try_parse_from(format!("replay {line}").split_whitespace()).expect("a command line").args
    }

    #[test]
    fn local_addresses_are_given_one_by_one_or_together() {
        for line in ["x.pcap --local 192.0.2.7 2001:db8::/32", "--local=192.0.2.7,2001:db8::/32 x.pcap"] {
            let args = parsed(line);
            assert_eq!(args.local, ["192.0.2.7", "2001:db8::/32"], "{line}");
            assert_eq!(args.file, PathBuf::from("x.pcap"), "{line}");
        }
    }

    #[test]
    fn everything_else_is_left_out_unless_asked_for() {
        let args = parsed("x.pcap");
        assert!(args.local.is_empty() && args.policy.is_none());
        assert!(!args.gateway && !args.json && !args.kernel);
        let args = parsed("x.pcap --gateway --policy p.toml --json --kernel");
        assert!(args.gateway && args.json && args.kernel);
        assert_eq!(args.policy, Some(PathBuf::from("p.toml")));
    }
}
