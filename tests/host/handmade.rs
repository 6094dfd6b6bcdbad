//! What scanners and test suites wrote into captures that were filed as legitimate.

use scanguard_common::classify::signature::Signature;

/// Certain marks by capture: how many, and who wrote them.
pub(crate) const MARKS: [(&str, Signature, usize, &str); 4] = [
    ("syncookies-under-flood", Signature::Hping, 137, "the flood is made with hping3"),
    (
        "slips__test19-malicious-ssh-malicious-ssh-bruteforce",
        Signature::NmapSyn,
        1,
        "one probe of nmap among the connections of an attack",
    ),
    (
        "maltrail__clean_tcp",
        Signature::SynWithAcknowledgement,
        20,
        "no stack wrote these, but a script: sequence and acknowledgement number are 1",
    ),
    ("nDPI__ajp", Signature::RepeatedSequence, 1, "one connection, written down twice with another port"),
];

/// Whether a capture has marks that were made by hand.
pub(crate) fn is_in(capture: &str) -> bool {
    MARKS.iter().any(|(name, ..)| *name == capture)
}
