//! Parses the arguments, runs one command, prints what went wrong and ends with the code for it.

use std::io::{self, IsTerminal as _};
use std::process::ExitCode;

use anyhow::Context as _;
use clap::Parser as _;
use scanguard::cli::Cli;
use scanguard::exit::Exit;
use scanguard::output::{Named, Output};
use scanguard::stop::Stop;

fn main() -> ExitCode {
    let cli = Cli::parse();
    cli.start_log();
    let (data, mut words) = (io::stdout().lock(), io::stderr());
    let is_terminal = data.is_terminal();
    let mut data = Named::new("standard output", data);
    let mut output = Output { data: &mut data, words: &mut words, is_terminal };
    let result = run(&cli, &mut output);
    let exit = Exit::of(&result);
    if let (Err(error), true) = (result, exit != Exit::Success) {
        output.word(format_args!("{error:#}"));
    }
    exit.into()
}

fn run(cli: &Cli, output: &mut Output<'_>) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.context("preparing to wait for events")?.block_on(async {
        let mut stop = Stop::on_signals()?;
        cli.run(output, &mut stop).await
    })
}
