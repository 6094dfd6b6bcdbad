//! A policy file: TOML, of which nothing is ignored.

use std::net::Ipv4Addr;

use scanguard_common::classify::signature::PUBLIC_ADDRESSES;
use scanguard_common::network;
use scanguard_common::policy::{ClosedPorts, Ping, Preset};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::port::ProtocolPort;
use super::{Config, Placed, Problem};
use crate::duration;
use crate::nearest::nearest;
use crate::prefix::Prefix;

const KEYS: [&str; 10] = [
    "preset",
    "half_life",
    "ban",
    "public",
    "decoys",
    "public_addresses",
    "closed_ports",
    "ping",
    "gateway",
    "allow",
];
const BAN_KEYS: [&str; 4] = ["first", "ceiling", "forget", "network"];

/// All presets, the one that bans nobody last.
pub(crate) const PRESETS: [Preset; 4] = [Preset::Tolerant, Preset::Balanced, Preset::Sensitive, Preset::Off];

/// How pings can be treated, by the names that people use.
const PINGS: [(&str, Ping); 2] = [("answer", Ping::Answer), ("silent", Ping::Silent)];

/// What people call one of them.
pub(crate) fn name_of(ping: Ping) -> &'static str {
    PINGS.into_iter().find(|(_, known)| *known == ping).map_or("?", |(name, _)| name)
}

/// The longest half-life, in seconds: a year. Beyond it, the slowest scan that is caught would take longer than the
/// programs' clock lasts.
const LONGEST_HALF_LIFE: u32 = 365 * 86_400;

/// The most sources of a network that are remembered.
const MOST_SOURCES: u32 = network::MOST;

/// Reads a whole file, or says what is wrong with it.
pub(super) fn parse(text: &str) -> Result<Config, Problem> {
    let table = DeTable::parse(text).map_err(|error| {
        let start = error.span().map_or(0, |span| span.start);
        Placed { line: line(text, start), value: format!("{}; this is no TOML", error.message()) }
    })?;
    let mut config = Config::default();
    for (key, value) in table.get_ref() {
        let entry = Entry { text, key: key.get_ref().as_ref(), value };
        match entry.key {
            "preset" => config.preset = Some(entry.one_of(PRESETS.map(|one| (one.name(), one)))?),
            "half_life" => config.half_life = Some(entry.half_life()?),
            "ban" => ban(&entry, &mut config)?,
            "public" => config.public = entry.list(ProtocolPort::parse, PORTS, PORT)?,
            "decoys" => config.decoys = entry.list(ProtocolPort::parse_decoy, PORTS, PORT)?,
            "closed_ports" => {
                config.closed_ports = Some(entry.one_of(ClosedPorts::ALL.map(|one| (one.name(), one)))?);
            }
            "ping" => config.ping = Some(entry.one_of(PINGS)?),
            "public_addresses" => config.public_addresses = entry.addresses()?,
            "gateway" => config.gateway = entry.strings("names of interfaces")?,
            "allow" => config.allow = entry.prefixes()?,
            unknown => return Err(entry.unknown_key(key.span().start, unknown, &KEYS)),
        }
    }
    agree(&config, text, table.get_ref())?;
    Ok(config)
}

const PORTS: &str = "ports like tcp/443";
const PORT: &str = "is no port; write it like \"tcp/443\" or \"udp/53\"";

fn ban(entry: &Entry<'_>, config: &mut Config) -> Result<(), Problem> {
    let DeValue::Table(table) = entry.value.get_ref() else {
        return Err(
            entry.problem("is no table; write [ban], and below it first, ceiling, forget and network")
        );
    };
    for (key, value) in table {
        let inner = Entry { text: entry.text, key: key.get_ref().as_ref(), value };
        let typed = match inner.key {
            "first" => &mut config.ban.first,
            "ceiling" => &mut config.ban.ceiling,
            "forget" => &mut config.ban.forget,
            "network" => {
                config.ban.network = Some(inner.sources()?);
                continue;
            }
            unknown => return Err(entry.unknown_key(key.span().start, unknown, &BAN_KEYS)),
        };
        *typed = Some(inner.duration()?);
    }
    Ok(())
}

/// Makes sure that nothing contradicts something else.
fn agree(config: &Config, text: &str, table: &DeTable<'_>) -> Result<(), Problem> {
    let at = |key: &str| table.get(key).map_or(1, |value| line(text, value.span().start));
    if let Some(port) = config.decoys.iter().find(|port| config.public.contains(port)) {
        let value = format!("decoys: {port} is public too; leave it out of one of them");
        return Err(Placed { line: at("decoys"), value });
    }
    let terms = config.judgement(None).terms;
    if terms.ceiling < terms.first {
        let (first, ceiling) = (duration::written(terms.first), duration::written(terms.ceiling));
        let value = format!("ban: the ceiling ({ceiling}) is below the first ban ({first}); raise it");
        return Err(Placed { line: at("ban"), value });
    }
    Ok(())
}

/// One key and its value.
struct Entry<'a> {
    text: &'a str,
    key: &'a str,
    value: &'a Spanned<DeValue<'a>>,
}

impl Entry<'_> {
    fn problem(&self, what: &str) -> Problem {
        self.problem_at(self.value, what)
    }

    fn problem_at(&self, value: &Spanned<DeValue<'_>>, what: &str) -> Problem {
        Placed { line: line(self.text, value.span().start), value: format!("{}: {what}", self.key) }
    }

    fn unknown_key(&self, start: usize, given: &str, known: &[&str]) -> Problem {
        let meant = nearest(given, known.iter().copied());
        let remedy = meant.map_or_else(|| one_of(known), |name| format!("did you mean {name}?"));
        Placed { line: line(self.text, start), value: format!("{given}: no such key; {remedy}") }
    }

    fn string(&self) -> Result<&str, Problem> {
        self.value.get_ref().as_str().ok_or_else(|| self.problem("is no text; put it in quotes"))
    }

    fn one_of<T, const N: usize>(&self, known: [(&str, T); N]) -> Result<T, Problem> {
        let given = self.string()?;
        let names: Vec<&str> = known.iter().map(|(name, _)| *name).collect();
        let found = known.into_iter().find(|(name, _)| *name == given);
        let at = line(self.text, self.value.span().start);
        found.map(|(_, value)| value).ok_or_else(|| unknown(at, self.key, given, names))
    }

    fn duration(&self) -> Result<u32, Problem> {
        duration::parse(self.string()?).map_err(|why| self.problem(&why))
    }

    /// How many sources it takes to ban a network.
    fn sources(&self) -> Result<u32, Problem> {
        let number = self.value.get_ref().as_integer().and_then(|number| number.as_str().parse().ok());
        number.filter(|number| *number == 0 || (2..=MOST_SOURCES).contains(number)).ok_or_else(|| {
            self.problem(&format!(
                "is no number of sources; write one from 2 to {MOST_SOURCES}, or 0 for never"
            ))
        })
    }

    fn half_life(&self) -> Result<u32, Problem> {
        let seconds = self.duration()?;
        if seconds > LONGEST_HALF_LIFE {
            return Err(self.problem("is longer than a year; shorten it"));
        }
        Ok(seconds)
    }

    /// Text in an array, each with its line.
    fn strings(&self, of_what: &str) -> Result<Vec<Placed<String>>, Problem> {
        let no_list = || format!("is no list; write {of_what} in brackets, each in quotes");
        let Some(values) = self.value.get_ref().as_array() else { return Err(self.problem(&no_list())) };
        let strings = values.iter().map(|value| {
            let text = value.get_ref().as_str().ok_or_else(|| self.problem_at(value, &no_list()))?;
            Ok(Placed { line: line(self.text, value.span().start), value: text.to_owned() })
        });
        strings.collect()
    }

    /// What each text in an array stands for; `like` says what is wanted, `wrong` says of one that stands for nothing how it should be written.
    fn list<T>(&self, read: fn(&str) -> Option<T>, like: &str, wrong: &str) -> Result<Vec<T>, Problem> {
        let read = |typed: Placed<String>| {
            let problem = || format!("{}: {} {wrong}", self.key, typed.value);
            read(&typed.value).ok_or_else(|| Placed { line: typed.line, value: problem() })
        };
        self.strings(like)?.into_iter().map(read).collect()
    }

    fn addresses(&self) -> Result<Vec<Ipv4Addr>, Problem> {
        let addresses = self.list(
            |given| given.parse().ok().filter(|address: &Ipv4Addr| !address.is_unspecified()),
            "addresses like 203.0.113.7",
            "is no IPv4 address",
        )?;
        if addresses.len() > PUBLIC_ADDRESSES {
            return Err(self.problem(&format!("more than {PUBLIC_ADDRESSES} cannot be kept; leave some out")));
        }
        Ok(addresses)
    }

    fn prefixes(&self) -> Result<Vec<Prefix>, Problem> {
        let read = |Placed { line, value }: Placed<String>| {
            Prefix::parse(&value).map_err(|error| Placed { line, value: format!("{}: {error}", self.key) })
        };
        self.strings("prefixes like 192.0.2.0/24")?.into_iter().map(read).collect()
    }
}

/// The problem with a name that is none of those that there are.
pub(super) fn unknown<'n>(
    line: usize,
    key: &str,
    given: &str,
    known: impl IntoIterator<Item = &'n str>,
) -> Problem {
    let known: Vec<&str> = known.into_iter().collect();
    let meant = nearest(given, known.iter().copied());
    let remedy = meant.map_or_else(|| one_of(&known), |name| format!("did you mean {name}?"));
    Placed { line, value: format!("{key}: {given}: no such choice; {remedy}") }
}

fn one_of(names: &[&str]) -> String {
    format!("there are {}", names.join(", "))
}

/// The number of the line in which a byte lies, from 1 on.
fn line(text: &str, byte: usize) -> usize {
    text.bytes().take(byte).filter(|byte| *byte == b'\n').count() + 1
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::BanTerms;

    fn problem(text: &str) -> String {
        let Placed { line, value } = parse(text).expect_err("this is no policy");
        format!("{line}: {value}")
    }

    #[test]
    fn each_key_is_understood() {
        let port = |given| ProtocolPort::parse(given).expect("a port");
        let ban =
            BanTerms { first: Some(600), ceiling: Some(86_400), forget: Some(7_200), network: Some(12) };
        let gateway = vec![Placed { line: 1, value: "eth0".to_owned() }];
        let allow = vec![Prefix::parse("192.0.2.0/24").expect("a prefix")];
        for (text, expected) in [
            ("", Config::default()),
            ("preset = \"sensitive\"", Config { preset: Some(Preset::Sensitive), ..Config::default() }),
            ("half_life = \"6h\"", Config { half_life: Some(21_600), ..Config::default() }),
            (
                "[ban]\nfirst = \"10m\"\nceiling = \"24h\"\nforget = \"2h\"\nnetwork = 12",
                Config { ban, ..Config::default() },
            ),
            ("public = [\"tcp/443\"]", Config { public: vec![port("tcp/443")], ..Config::default() }),
            ("decoys = [\"udp/23\"]", Config { decoys: vec![port("udp/23")], ..Config::default() }),
            (
                "closed_ports = \"egress\"",
                Config { closed_ports: Some(ClosedPorts::Egress), ..Config::default() },
            ),
            (
                "public_addresses = [\"203.0.113.7\"]",
                Config { public_addresses: vec![Ipv4Addr::new(203, 0, 113, 7)], ..Config::default() },
            ),
            ("ping = \"silent\"", Config { ping: Some(Ping::Silent), ..Config::default() }),
            ("gateway = [\"eth0\"]", Config { gateway, ..Config::default() }),
            ("allow = [\"192.0.2.0/24\"]", Config { allow, ..Config::default() }),
        ] {
            assert_eq!(parse(text), Ok(expected), "{text}");
        }
    }

    #[test]
    fn unknown_keys_are_errors_with_what_may_have_been_meant() {
        assert_eq!(problem("\npublik = []"), "2: publik: no such key; did you mean public?");
        assert_eq!(problem("[ban]\nfirts = \"1h\""), "2: firts: no such key; did you mean first?");
        assert!(problem("weather = 1").starts_with("1: weather: no such key; there are preset, half_life, "));
    }

    #[test]
    fn unknown_values_are_errors_with_what_may_have_been_meant() {
        for (text, expected) in [
            ("preset = \"balancd\"", "1: preset: balancd: no such choice; did you mean balanced?"),
            ("ping = \"never\"", "1: ping: never: no such choice; there are answer, silent"),
            ("closed_ports = \"pas\"", "1: closed_ports: pas: no such choice; did you mean pass?"),
            ("preset = 1", "1: preset: is no text; put it in quotes"),
            ("ban = 1", "1: ban: is no table; write [ban], and below it first, ceiling, forget and network"),
            (
                "[ban]\nnetwork = 1",
                "2: network: is no number of sources; write one from 2 to 16, or 0 for never",
            ),
            (
                "[ban]\nnetwork = \"8\"",
                "2: network: is no number of sources; write one from 2 to 16, or 0 for never",
            ),
            (
                "public = \"tcp/443\"",
                "1: public: is no list; write ports like tcp/443 in brackets, each in quotes",
            ),
            ("public = [443]", "1: public: is no list; write ports like tcp/443 in brackets, each in quotes"),
            (
                "decoys = [\n  \"tcp/23\",\n  \"telnet\",\n]",
                "3: decoys: telnet is no port; write it like \"tcp/443\" or \"udp/53\"",
            ),
            ("public_addresses = [\"::1\"]", "1: public_addresses: ::1 is no IPv4 address"),
            (
                "public_addresses = [\"192.0.2.1\", \"192.0.2.2\", \"192.0.2.3\", \"192.0.2.4\", \"192.0.2.5\"]",
                "1: public_addresses: more than 4 cannot be kept; leave some out",
            ),
            ("half_life = \"400days\"", "1: half_life: is longer than a year; shorten it"),
        ] {
            assert_eq!(problem(text), expected);
        }
        assert!(problem("[ban]\nfirst = \"soon\"").starts_with("2: first: "));
        assert!(problem("allow = [\"192.0.2.7/24\"]").starts_with("1: allow: 192.0.2.7/24: has bits set "));
    }

    #[test]
    fn what_contradicts_itself_is_an_error() {
        let both = "public = [\"tcp/23\"]\ndecoys = [\"tcp/23\"]";
        assert_eq!(problem(both), "2: decoys: tcp/23 is public too; leave it out of one of them");
        let high = problem("\n[ban]\nfirst = \"2days\"");
        assert_eq!(high, "2: ban: the ceiling (1day) is below the first ban (2days); raise it");
    }

    #[test]
    fn what_is_no_toml_is_an_error_in_one_line() {
        for text in ["preset = ", "preset", "[ban", "preset = \"a\"\npreset = \"b\"", "\u{0}"] {
            let problem = problem(text);
            assert!(problem.ends_with("; this is no TOML") && !problem.contains('\n'), "{text}: {problem}");
        }
    }
}
