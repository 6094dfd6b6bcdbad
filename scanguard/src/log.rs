//! Diagnostics, ours and those of the program in the kernel, on standard error.

use std::io;

use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

/// Starts writing diagnostics of this verbosity. What was started before stays.
pub(crate) fn start(verbose: u8) {
    let level = match verbose {
        0 => LevelFilter::WARN,
        1 => LevelFilter::INFO,
        2 => LevelFilter::DEBUG,
        3.. => LevelFilter::TRACE,
    };
    // These warn of each attribute that is newer than they are: on every new kernel, of every interface.
    let filter = Targets::new()
        .with_default(level)
        .with_target("netlink_packet_route", LevelFilter::ERROR)
        .with_target("netlink_proto", level.min(LevelFilter::INFO));
    let lines = tracing_subscriber::fmt::layer().with_writer(io::stderr).without_time();
    if let Err(error) = tracing_subscriber::registry().with(filter).with(lines).try_init() {
        tracing::debug!("the log is there already: {error}");
    }
}

/// Which messages are kept in the program in the kernel. With 0 the verifier removes all of them.
pub(crate) fn kernel_level(verbose: u8) -> u8 {
    match verbose {
        0 => 0,
        1 => aya_log::Level::Info as u8,
        2 => aya_log::Level::Debug as u8,
        3.. => aya_log::Level::Trace as u8,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_program_is_silent_unless_asked_and_then_says_more_each_time() {
        assert_eq!(kernel_level(0), 0);
        let levels: Vec<u8> = (0..=4).map(kernel_level).collect();
        assert_eq!(levels, [0, 3, 4, 5, 5]);
    }
}
