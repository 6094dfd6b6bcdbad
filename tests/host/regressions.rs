//! Every frame below `tests/regressions` gets the answer that its file names, and none of its beginnings breaks
//! anything.
//!
//! A file is one frame and why it is kept: comments in lines that begin with `#`, a line `cause: NAME`, and the bytes
//! as hexadecimal numbers. The host that it comes to listens on ports 22 and 80, and knows no connection.

use std::fs;
use std::path::Path;

use scanguard_common::cause::Cause;
use scanguard_common::parse::parse;
use scanguard_harness::{GUARDED_V4, GUARDED_V6, World};

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/regressions");

struct Kept {
    cause: Cause,
    frame: Vec<u8>,
}

#[test]
fn kept_frames_get_the_answer_that_they_are_kept_for() {
    let world = World::with_addresses([GUARDED_V4.into(), GUARDED_V6.into()]).listening(22).listening(80);
    let mut replayed = 0;
    for entry in fs::read_dir(FOLDER).expect("the folder is part of the repository") {
        let path = entry.expect("the folder can be read").path();
        if path.extension().is_none_or(|extension| extension != "frame") {
            continue;
        }
        let Kept { cause, frame } = read(&path);
        assert_eq!(world.judge(&frame).name(), cause.name(), "{}", path.display());
        for length in 0..frame.len() {
            let _ = parse(&frame[..length]);
            world.judge(&frame[..length]);
        }
        replayed += 1;
    }
    assert!(replayed > 0, "there is no frame in {FOLDER}");
}

fn read(path: &Path) -> Kept {
    let text = fs::read_to_string(path).expect("a file of text");
    let lines = || text.lines().filter(|line| !line.starts_with('#'));
    let cause = lines().find_map(|line| line.strip_prefix("cause: "));
    let cause = cause.and_then(Cause::from_name).unwrap_or_else(|| panic!("{}: no cause", path.display()));
    let digits: String = lines().filter(|line| !line.contains(':')).flat_map(str::split_whitespace).collect();
    let (pairs, rest) = digits.as_bytes().as_chunks::<2>();
    assert!(rest.is_empty(), "{}: half a byte at the end", path.display());
    let byte = |pair: &[u8; 2]| {
        let pair = std::str::from_utf8(pair).expect("text");
        u8::from_str_radix(pair, 16).unwrap_or_else(|error| panic!("{}: {pair}: {error}", path.display()))
    };
    Kept { cause, frame: pairs.iter().map(byte).collect() }
}
