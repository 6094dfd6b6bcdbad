//! Figures that were measured repeatedly.

use serde::Serialize;

/// Those who take turns, in the order of this turn: each time another comes first, so that a machine that gets slower
/// favours nobody.
pub(crate) fn in_turn<T>(turn: u32, all: impl IntoIterator<Item = T>) -> Vec<T> {
    let mut all: Vec<T> = all.into_iter().collect();
    let first = turn as usize % all.len().max(1);
    all.rotate_left(first);
    all
}

/// A figure: the median of its repetitions, and between which values the middle half of them lies.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Figure {
    /// Half of the repetitions are above, half below.
    pub median: f64,
    /// A quarter is below.
    pub lower: f64,
    /// A quarter is above.
    pub upper: f64,
    /// How many there were.
    pub repetitions: usize,
}

impl Figure {
    /// Sums up repetitions; `None` where there are none.
    pub fn of(values: impl IntoIterator<Item = f64>) -> Option<Figure> {
        let mut values: Vec<f64> = values.into_iter().collect();
        values.sort_by(f64::total_cmp);
        let repetitions = values.len();
        let quartile = |number| quantile(&values, number, 4);
        Some(Figure { median: quartile(2)?, lower: quartile(1)?, upper: quartile(3)?, repetitions })
    }
}

/// The value below which `part` of `parts` of all lie, interpolated between two neighbours.
fn quantile(sorted: &[f64], part: usize, parts: usize) -> Option<f64> {
    let place = sorted.len().checked_sub(1)? * part;
    let below = *sorted.get(place / parts)?;
    let above = sorted.get(place / parts + 1).copied().unwrap_or(below);
    #[expect(clippy::cast_precision_loss, reason = "small numbers")]
    let share = (place % parts) as f64 / parts as f64;
    Some(below + (above - below) * share)
}

/// What was measured in turn with what it is compared to: one pair for each repetition.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Pairs(Vec<(f64, f64)>);

impl Pairs {
    /// Adds a repetition.
    pub fn push(&mut self, base: f64, value: f64) {
        self.0.push((base, value));
    }

    /// What it is compared to.
    pub fn base(&self) -> Option<Figure> {
        Figure::of(self.0.iter().map(|(base, _)| *base))
    }

    /// What was measured.
    pub fn value(&self) -> Option<Figure> {
        Figure::of(self.0.iter().map(|(_, value)| *value))
    }

    /// How many times the base the value is, repetition by repetition.
    pub fn ratio(&self) -> Option<Figure> {
        Figure::of(self.0.iter().map(|(base, value)| value / base))
    }

    /// How much more than the base the value is, repetition by repetition.
    pub fn difference(&self) -> Option<Figure> {
        Figure::of(self.0.iter().map(|(base, value)| value - base))
    }
}

#[cfg(test)]
mod tests {
    use super::{Figure, Pairs};

    #[test]
    fn one_odd_repetition_moves_neither_median_nor_quartiles() {
        let figure = Figure::of([3.0, 1.0, 2.0, 1000.0, 4.0]).expect("five values");
        assert_eq!((figure.lower, figure.median, figure.upper), (2.0, 3.0, 4.0));
        assert_eq!(Figure::of([]), None);
    }

    #[test]
    fn between_two_values_a_quantile_is_interpolated() {
        let figure = Figure::of([1.0, 2.0]).expect("two values");
        assert_eq!((figure.lower, figure.median, figure.upper), (1.25, 1.5, 1.75));
    }

    #[test]
    fn a_slow_while_slows_both_and_leaves_the_ratio() {
        let mut pairs = Pairs::default();
        for (base, value) in [(10.0, 20.0), (100.0, 200.0), (10.0, 21.0)] {
            pairs.push(base, value);
        }
        assert_eq!(pairs.ratio().map(|ratio| ratio.median), Some(2.0));
        assert_eq!(pairs.difference().map(|difference| difference.median), Some(11.0));
    }
}
