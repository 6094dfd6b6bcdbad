//! What a scanner says of a subject, in its own words where it has any.

use super::subject::Subject;
use super::tool::Tool;

/// What a scanner says that hears nothing, in our words.
pub(super) const NO_ANSWER: &str = "no answer";
/// What a scanner says that lists only what it found.
const NOT_LISTED: &str = "not listed";
/// What runs on the hosts of a lab.
pub(super) const SYSTEM: &str = "Linux";

/// Reads what `tool` printed of a subject.
pub(super) fn of(tool: Tool, output: &str, subject: Subject, is_v6: bool) -> String {
    let number = subject.number(is_v6).to_string();
    let word = match tool {
        Tool::Nmap => state(output, &number).unwrap_or("not told"),
        Tool::NmapPing if output.contains("Host is up") => "up",
        Tool::NmapPing => "down",
        Tool::NmapIdle if output.contains("has not returned any of our probes") => NO_ANSWER,
        Tool::NmapIdle if output.contains("cannot be used because IP ID") => "no zombie",
        Tool::NmapIdle => "a zombie",
        Tool::NmapSystem => system(output),
        Tool::Masscan if output.contains(&format!("Discovered open port {number}/")) => "open",
        Tool::Masscan => NOT_LISTED,
        Tool::Zmap => classification(output).unwrap_or(NOT_LISTED),
        Tool::Hping => return reply(output),
        Tool::HpingScan => return scanned(output, &number),
        Tool::Netcat | Tool::Bash => connection(output),
    };
    word.to_owned()
}

/// The second word of `80/tcp open http`, and of `253 closed experimental1`.
fn state<'a>(output: &'a str, number: &str) -> Option<&'a str> {
    output.lines().find_map(|line| {
        let mut words = line.split_whitespace();
        let first = words.next()?;
        let told = first.split_once('/').map_or(first, |(told, _)| told);
        if told == number { words.next() } else { None }
    })
}

/// Whether nmap's best guess is right. Which wrong one it makes is up to chance.
fn system(output: &str) -> &'static str {
    let told = ["OS details: ", "Aggressive OS guesses: ", "Running: ", "Running (JUST GUESSING): "];
    let guesses = output.lines().find_map(|line| told.iter().find_map(|start| line.strip_prefix(start)));
    let best = guesses.and_then(|guesses| guesses.split(", ").next());
    match best {
        Some(best) if best.contains(SYSTEM) => SYSTEM,
        Some(_) => "a wrong guess",
        None => "no match",
    }
}

/// The last word of `10.77.0.1,synack`.
fn classification(output: &str) -> Option<&str> {
    let lines = output.lines().filter(|line| !line.starts_with("saddr"));
    lines.filter_map(|line| line.split_once(',')).map(|(_, class)| class).next()
}

/// The flags of `… sport=80 flags=SA seq=0 …`, or the name of an ICMP error.
fn reply(output: &str) -> String {
    let flags = output.split_whitespace().find_map(|word| word.strip_prefix("flags="));
    if let Some(flags) = flags {
        return flags.to_owned();
    }
    let error = output.lines().find_map(|line| line.strip_prefix("ICMP ")?.split_once(" from "));
    if let Some((error, _)) = error {
        return error.to_lowercase();
    }
    // An echo, or a datagram.
    if output.contains("len=") { "answer" } else { NO_ANSWER }.to_owned()
}

/// The flags of `   80 http       : .S..A...  64     0 64240    44`.
fn scanned(output: &str, number: &str) -> String {
    let flags = output.lines().find_map(|line| {
        let (port, rest) = line.split_once(':')?;
        (port.split_whitespace().next()? == number).then_some(())?;
        rest.split_whitespace().next()
    });
    flags.map_or(NO_ANSWER.to_owned(), |flags| flags.replace('.', ""))
}

/// How an attempt to connect ended.
fn connection(output: &str) -> &str {
    if output.contains("exit status: 0") {
        "connected"
    } else if output.contains("refused") {
        "refused"
    } else if output.contains("timed out") || output.contains("exit status: 124") {
        NO_ANSWER
    } else {
        "failed"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(tool: Tool, output: &str) -> [String; 2] {
        [Subject::Open, Subject::Closed].map(|subject| of(tool, output, subject, false))
    }

    #[test]
    fn nmaps_table_is_read_whatever_the_trace_before_it_says() {
        let output = "SENT (0.1s) TCP 10.77.0.2:80 > 10.77.0.1:81 S ttl=38\n\
                      PORT   STATE         SERVICE\n80/tcp open          http\n81/tcp open|filtered xns-ch\n";
        assert_eq!(said(Tool::Nmap, output), ["open", "open|filtered"]);
        let protocols = "PROTOCOL STATE  SERVICE\n1        open   icmp\n253      closed experimental1\n";
        assert_eq!(of(Tool::Nmap, protocols, Subject::Unspoken, false), "closed");
    }

    #[test]
    fn only_nmaps_best_guess_counts() {
        let guess = |guesses: &str| of(Tool::NmapSystem, guesses, Subject::Host, false);
        assert_eq!(guess("Aggressive OS guesses: Linux 5.3 (96%), Crestron (90%)\n"), "Linux");
        assert_eq!(guess("Aggressive OS guesses: Crestron (96%), Linux 5.3 (90%)\n"), "a wrong guess");
        assert_eq!(guess("Too many fingerprints match this host\n"), "no match");
    }

    #[test]
    fn scanners_that_list_what_they_found_are_read() {
        let found = "Discovered open port 80/tcp on 10.77.0.1      \n";
        assert_eq!(said(Tool::Masscan, found), ["open", NOT_LISTED]);
        assert_eq!(said(Tool::Zmap, "saddr,classification\n10.77.0.1,synack\n")[0], "synack");
        assert_eq!(said(Tool::Zmap, "saddr,classification\n")[0], NOT_LISTED);
    }

    #[test]
    fn hping3_is_read_in_both_its_ways() {
        let one = "len=44 ip=10.77.0.1 ttl=64 DF id=0 sport=80 flags=SA seq=0 win=64240 rtt=0.1 ms\n";
        assert_eq!(said(Tool::Hping, one)[0], "SA");
        let error = "ICMP Port Unreachable from ip=10.77.0.1 name=UNKNOWN\n";
        assert_eq!(said(Tool::Hping, error)[0], "port unreachable");
        assert_eq!(said(Tool::Hping, "2 packets transmitted, 0 packets received\n")[0], NO_ANSWER);
        let several =
            "   80 http       : .S..A...  64     0 64240    44\nNot responding ports: (81 hosts2-ns)\n";
        assert_eq!(said(Tool::HpingScan, several), ["SA", NO_ANSWER]);
    }

    #[test]
    fn how_a_connection_ended_is_told() {
        for (output, word) in [
            ("\nConnection to 10.77.0.1 80 port [tcp/*] succeeded!\n\nexit status: 0", "connected"),
            ("bash: connect: Connection refused\n\nexit status: 1", "refused"),
            ("timed out: Operation now in progress\n\nexit status: 1", NO_ANSWER),
            ("\n\nexit status: 124", NO_ANSWER),
            ("\n\nexit status: 1", "failed"),
        ] {
            assert_eq!(said(Tool::Bash, output)[0], word);
        }
    }
}
