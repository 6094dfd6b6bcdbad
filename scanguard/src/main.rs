//! Parses the arguments, runs one command, prints what went wrong and ends with the code for it.

use std::io::{self, IsTerminal as _, Write as _};
use std::process::ExitCode;

use clap::Parser as _;
use scanguard::cli::Cli;
use scanguard::exit::Exit;
use scanguard::output::Output;
use scanguard::stop::Stop;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let cli = Cli::parse();
    cli.start_log();
    let (mut data, mut words) = (io::stdout().lock(), io::stderr());
    let is_terminal = data.is_terminal();
    let mut output = Output { data: &mut data, words: &mut words, is_terminal };
    let result = match Stop::on_signals() {
        Ok(mut stop) => cli.run(&mut output, &mut stop).await,
        Err(error) => Err(error),
    };
    let exit = Exit::of(&result);
    if let (Err(error), true) = (result, exit != Exit::Success) {
        // Nothing is left to do where not even this can be written.
        let _ = writeln!(words, "scanguard: {error:#}");
    }
    exit.into()
}
