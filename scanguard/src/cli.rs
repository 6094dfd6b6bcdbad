//! What can be typed: the list of commands. The arguments of each are in its own file.

use clap::{ArgAction, Parser, Subcommand};

use crate::command::{
    allow, attach, ban, check, detach, events, explain, replay, run, sources, stats, status,
};
use crate::exit::Exit;
use crate::log;
use crate::output::Output;
use crate::stop::Stop;

/// Blocks port scans in the kernel's XDP hook, at the earliest point there is
///
/// A guarded interface gives no answer to a scan: probes end in the kernel, while connections, listening ports
/// and everything else that this host knows of go on as before. Protection lives in the kernel and needs no
/// process; only a reboot or `detach` ends it.
#[derive(Debug, Parser)]
#[command(
    version,
    after_help = "`scanguard help COMMAND` tells more about each, and `scanguard --help` the exit codes."
)]
#[command(after_long_help = Exit::help())]
pub struct Cli {
    /// Say more about what is done; twice for details
    #[arg(short, long, global = true, action = ArgAction::Count)]
    verbose: u8,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Run(run::Args),
    Attach(attach::Args),
    Detach(detach::Args),
    Status(status::Args),
    Stats(stats::Args),
    Sources(sources::Args),
    Events(events::Args),
    Allow(allow::Args),
    Ban(ban::Args),
    Explain(explain::Args),
    Replay(replay::Args),
    Check(check::Args),
}

impl Cli {
    /// Sends diagnostics to standard error, as many as were asked for.
    pub fn start_log(&self) {
        log::start(self.verbose);
    }

    /// Runs the command. What it lasts until, if it would last forever, is `stop`.
    ///
    /// # Errors
    ///
    /// [`Error`](crate::error::Error) where the caller can do something about it, anything else where not.
    pub async fn run(&self, output: &mut Output<'_>, stop: &mut Stop) -> anyhow::Result<()> {
        match &self.command {
            Command::Run(args) => args.run(self.verbose, output, stop).await,
            Command::Attach(args) => args.run(output).await,
            Command::Detach(args) => args.run(output).await,
            Command::Status(args) => args.run(output).await,
            Command::Stats(args) => args.run(output, stop).await,
            Command::Sources(args) => args.run(output).await,
            Command::Events(args) => args.run(output, stop).await,
            Command::Allow(args) => args.run(output).await,
            Command::Ban(args) => args.run(output).await,
            Command::Check(args) => args.run(output).await,
            Command::Explain(args) => args.run(output).await,
            Command::Replay(args) => args.run(output, stop).await,
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;
    use clap::error::ErrorKind;

    use super::*;

    fn refused(line: &str) -> ErrorKind {
        Cli::try_parse_from(line.split_whitespace()).expect_err("this is no command line").kind()
    }

    #[test]
    fn the_list_of_commands_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn verbosity_is_counted_before_and_behind_the_command() {
        for (line, verbose) in [
            ("scanguard status", 0),
            ("scanguard -v status", 1),
            ("scanguard status -vv", 2),
            ("scanguard status --verbose", 1),
        ] {
            let cli = Cli::try_parse_from(line.split_whitespace()).expect("a command line");
            assert_eq!(cli.verbose, verbose, "{line}");
        }
    }

    #[test]
    fn what_is_no_command_line_is_refused() {
        assert_eq!(refused("scanguard"), ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand);
        assert_eq!(refused("scanguard protect eth0"), ErrorKind::InvalidSubcommand);
        assert_eq!(refused("scanguard attach"), ErrorKind::MissingRequiredArgument);
        assert_eq!(refused("scanguard attach eth0 --mode fast"), ErrorKind::InvalidValue);
        assert_eq!(refused("scanguard detach"), ErrorKind::MissingRequiredArgument);
        assert_eq!(refused("scanguard detach eth0 --all"), ErrorKind::ArgumentConflict);
        assert_eq!(refused("scanguard stats --watch=0"), ErrorKind::ValueValidation);
        assert_eq!(refused("scanguard events --count many"), ErrorKind::ValueValidation);
        assert_eq!(refused("scanguard allow add"), ErrorKind::MissingRequiredArgument);
        assert_eq!(refused("scanguard ban add --for 2h"), ErrorKind::MissingRequiredArgument);
        assert_eq!(refused("scanguard ban add 192.0.2.7 --for soon"), ErrorKind::ValueValidation);
        for command in ["attach", "run", "detach", "stats"] {
            let nameless = Cli::try_parse_from(["scanguard", command, ""]).expect_err("that is no name");
            assert_eq!(nameless.kind(), ErrorKind::InvalidValue, "{command}");
        }
    }

    #[test]
    fn the_long_help_documents_the_exit_codes() {
        assert!(Cli::command().render_long_help().to_string().contains(&Exit::help()));
    }
}
