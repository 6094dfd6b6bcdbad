//! How a score fades.

/// Scores are not touched more often than this, in seconds: each time costs up to one unit of rounding.
pub(super) const STEP: u32 = 64;

/// One, in fractions of 16 bits.
const ONE: u64 = 1 << 16;
/// ln 2, half its square, and what is left for the cube so that the curve ends at one half.
const LINEAR: u64 = 45_426;
const SQUARE: u64 = 15_744;
const CUBE: u64 = ONE + SQUARE - LINEAR - ONE / 2;

/// What is left of a score after so many seconds, if it halves every `half_life` seconds; `half_life` of 0 means that
/// it never fades.
pub fn decayed(score: u32, seconds: u32, half_life: u32) -> u32 {
    let Some(halvings) = seconds.checked_div(half_life) else { return score };
    let Some(halved) = score.checked_shr(halvings) else { return 0 };
    let left = u64::from(halved) * half_life_factor(seconds % half_life, half_life) / ONE;
    // It is at most `halved`.
    u32::try_from(left).unwrap_or(halved)
}

/// What is left of 65 536 after part of a half-life: 2 to the power of −`seconds`/`half_life`, for `seconds` below
/// `half_life`, not 0.
///
/// The first terms of its series, 1 − f·ln 2 + f²·(ln 2)²/2, and a cube that brings it to one half at the end: never
/// more than 0.15 % off.
pub fn half_life_factor(seconds: u32, half_life: u32) -> u64 {
    let fraction = u64::from(seconds) * ONE / u64::from(half_life.max(1));
    let square = fraction * fraction / ONE;
    let cube = square * fraction / ONE;
    ONE + square * SQUARE / ONE - fraction * LINEAR / ONE - cube * CUBE / ONE
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOURS: u32 = 3_600;

    #[test]
    fn a_half_life_halves() {
        for (hours, left) in [(0, 8_000), (6, 4_000), (12, 2_000), (36, 125), (6_000, 0)] {
            assert_eq!(decayed(8_000, hours * HOURS, 6 * HOURS), left, "after {hours} hours");
        }
    }

    #[test]
    fn the_curve_is_close_to_the_true_one() {
        for seconds in (0..6 * HOURS).step_by(37) {
            let found = half_life_factor(seconds, 6 * HOURS) as f64 / 65_536.0;
            let truth = (-f64::from(seconds) / f64::from(6 * HOURS)).exp2();
            assert!((found / truth - 1.0).abs() < 0.0015, "{seconds}: {found} and not {truth}");
        }
    }

    #[test]
    fn a_score_never_grows_and_may_be_kept_forever() {
        for seconds in [0, 1, 63, 3_599, 21_599, 21_600, u32::MAX] {
            assert!(decayed(u32::MAX, seconds, 6 * HOURS) <= u32::MAX);
            assert_eq!(decayed(77, seconds, 0), 77);
        }
        assert_eq!(decayed(u32::MAX, u32::MAX, 1), 0);
    }
}
