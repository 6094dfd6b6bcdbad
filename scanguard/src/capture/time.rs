//! Times in capture files, whatever they are counted in.

use pcap_parser::{OptionCode, PcapNGOption};
use scanguard_common::time::Nanos;

/// What a file's times are counted in, and from when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Resolution {
    units_per_second: u64,
    /// Seconds to add.
    offset: i64,
}

impl Resolution {
    const MICROSECONDS: Resolution = Resolution { units_per_second: 1_000_000, offset: 0 };
    const NANOSECONDS: Resolution = Resolution { units_per_second: Nanos::SECOND, offset: 0 };

    /// That of a pcap file, which says by its first bytes which of two it is.
    pub(super) fn of_pcap(nanoseconds: bool) -> Resolution {
        if nanoseconds { Resolution::NANOSECONDS } else { Resolution::MICROSECONDS }
    }

    /// That of an interface of a pcapng file: `if_tsresol` and `if_tsoffset` (draft-ietf-opsawg-pcapng §4.2).
    ///
    /// Not the library's: it takes no power of two, and offsets for little-endian whatever the section is.
    pub(super) fn of_interface(options: &[PcapNGOption<'_>], big_endian: bool) -> Resolution {
        let mut resolution = Resolution::MICROSECONDS;
        for option in options {
            match (option.code, option.value()) {
                (OptionCode::IfTsresol, [power, ..]) => {
                    resolution.units_per_second = units_per_second(*power);
                }
                (OptionCode::IfTsoffset, value) => {
                    let Some(bytes) = value.first_chunk() else { continue };
                    resolution.offset =
                        if big_endian { i64::from_be_bytes(*bytes) } else { i64::from_le_bytes(*bytes) };
                }
                _ => {}
            }
        }
        resolution
    }

    /// The point in time so many units after the beginning of 1970.
    pub(super) fn units(self, units: u64) -> Nanos {
        let (seconds, rest) = (units / self.units_per_second, units % self.units_per_second);
        let nanos = u128::from(rest) * u128::from(Nanos::SECOND) / u128::from(self.units_per_second);
        let seconds = seconds.saturating_add_signed(self.offset);
        Nanos(seconds.saturating_mul(Nanos::SECOND)).after(u64::try_from(nanos).unwrap_or(0))
    }

    /// The point in time of a pcap record, which keeps seconds apart.
    pub(super) fn seconds_and(self, seconds: u32, fraction: u32) -> Nanos {
        let nanos = u64::from(fraction) * (Nanos::SECOND / self.units_per_second);
        Nanos(u64::from(seconds) * Nanos::SECOND).after(nanos)
    }
}

/// A negative power of ten, or with the highest bit of two. Nobody counts in more than fits; then it is nanoseconds.
fn units_per_second(power: u8) -> u64 {
    let exponent = u32::from(power & 0x7f);
    let units = if power & 0x80 == 0 { 10u64.checked_pow(exponent) } else { 1u64.checked_shl(exponent) };
    units.unwrap_or(Nanos::SECOND)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_are_divided_by_powers_of_ten_and_of_two() {
        for (power, units) in
            [(0, 1), (3, 1_000), (6, 1_000_000), (9, 1_000_000_000), (0x80, 1), (0x8a, 1024)]
        {
            let resolution = Resolution { units_per_second: units_per_second(power), offset: 0 };
            let half = units / 2;
            let expected = 7 * Nanos::SECOND + if units > 1 { Nanos::SECOND / 2 } else { 0 };
            assert_eq!(resolution.units(7 * units + half), Nanos(expected), "{power:#x}");
        }
        assert_eq!(units_per_second(20), Nanos::SECOND, "10²⁰ does not fit");
        assert_eq!(units_per_second(0x80 | 64), Nanos::SECOND, "neither does 2⁶⁴");
    }

    #[test]
    fn an_offset_moves_times_both_ways_and_never_before_1970() {
        let at = |offset| Resolution { units_per_second: 1, offset }.units(10);
        assert_eq!(at(5), Nanos(15 * Nanos::SECOND));
        assert_eq!(at(-5), Nanos(5 * Nanos::SECOND));
        assert_eq!(at(-50), Nanos(0));
    }

    #[test]
    fn times_beyond_the_clock_are_its_last() {
        assert_eq!(Resolution { units_per_second: 1, offset: i64::MAX }.units(u64::MAX), Nanos(u64::MAX));
        assert_eq!(Resolution::MICROSECONDS.seconds_and(1, u32::MAX), Nanos(4_295_967_295_000));
    }
}
