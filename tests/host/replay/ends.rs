//! How the command ends, and what it says then.

use std::fs;
use std::path::Path;

use scanguard::exit::Exit;

use super::file::write;
use super::kept;
use super::run::replay;

const LOCAL: &str = "--local 10.77.0.1 fd77::1 fe80::77:ff:fe00:1";

#[test]
fn a_damaged_capture_is_an_error_after_what_could_be_read_was_told() {
    let whole = fs::read(kept()).expect("it is kept");
    let cut = write(&whole[..whole.len() / 2]);
    let run = replay(cut.path(), LOCAL);
    assert_eq!(run.exit, Exit::DamagedCapture);
    let packets = run.capture("packets");
    assert!(packets > 200 && packets < 634, "{packets} packets");
    assert!(run.dropped().values().sum::<u64>() > 0, "what could be read was not told");
    assert!(run.error.contains("is damaged at byte"), "{}", run.error);
    assert!(
        run.error.ends_with(&format!("what is told is of the {packets} packets before that")),
        "{}",
        run.error
    );
}

#[test]
fn what_is_wrong_with_the_arguments_has_its_own_exit_code() {
    let kept = kept();
    let no_capture = write(b"this is a text, and no capture of any kind");
    let policy = write(b"closed_ports = \"shut\"");
    let with_policy = format!("{LOCAL} --policy {}", policy.path().display());
    for (file, arguments, exit) in [
        (kept.as_path(), "", Exit::NoLocalAddress),
        (&kept, "--local nobody", Exit::InvalidCidr),
        (&kept, &with_policy, Exit::InvalidPolicy),
        (&kept, "--local ::1 --policy no-such-file.toml", Exit::InvalidPolicy),
        (Path::new("no-such-file.pcap"), LOCAL, Exit::UnreadableCapture),
        (no_capture.path(), LOCAL, Exit::UnsupportedCapture),
    ] {
        let run = replay(file, arguments);
        assert_eq!(run.exit, exit, "{arguments}: {}", run.error);
        assert!(run.error.contains("; ") && !run.error.contains('\n'), "{}", run.error);
    }
}

#[test]
fn addresses_that_are_not_the_hosts_are_suspected() {
    let run = replay(&kept(), "--local 192.0.2.1").succeeded();
    assert!(
        run.words.contains("nothing in this capture comes from the addresses given by --local"),
        "{}",
        run.words
    );
    assert!(replay(&kept(), LOCAL).succeeded().words.is_empty());
}
