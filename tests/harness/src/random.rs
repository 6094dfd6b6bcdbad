//! Randomness that can be had again.

/// A generator (SplitMix64) whose whole run follows from its seed.
#[derive(Debug, Clone)]
pub struct Random {
    state: u64,
}

impl Random {
    /// Starts from a seed, and prints it so that a failed run can be repeated.
    pub fn seeded(seed: u64) -> Self {
        eprintln!("random seed: {seed:#x}");
        Self { state: seed }
    }

    /// Returns the next 64 random bits.
    pub fn bits(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// Returns a number below `bound`; the bias towards small ones is one in 2⁶⁴ / `bound`.
    ///
    /// # Panics
    ///
    /// Panics when `bound` is zero.
    pub fn below(&mut self, bound: usize) -> usize {
        assert!(bound > 0, "no number is below zero");
        let wide = u128::from(self.bits()) * bound as u128;
        usize::try_from(wide >> 64).expect("it is below `bound`, which is a usize")
    }

    /// Returns true once in `many` times.
    ///
    /// # Panics
    ///
    /// Panics when `many` is zero.
    pub fn once_in(&mut self, many: usize) -> bool {
        self.below(many) == 0
    }

    /// Returns one of the choices.
    ///
    /// # Panics
    ///
    /// Panics when there is none.
    pub fn pick<'a, T>(&mut self, choices: &'a [T]) -> &'a T {
        choices.get(self.below(choices.len())).expect("a number below the length is an index")
    }

    /// Returns a random byte.
    pub fn byte(&mut self) -> u8 {
        self.bits().to_le_bytes()[0]
    }

    /// Returns a random 16-bit number.
    pub fn short(&mut self) -> u16 {
        let [low, high, ..] = self.bits().to_le_bytes();
        u16::from_le_bytes([low, high])
    }

    /// Returns `length` random bytes.
    pub fn bytes(&mut self, length: usize) -> Vec<u8> {
        (0..length).map(|_| self.byte()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::Random;

    #[test]
    fn the_first_numbers_are_those_of_the_reference_implementation() {
        let mut random = Random::seeded(1_234_567);
        assert_eq!(
            [random.bits(), random.bits(), random.bits()],
            [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423],
        );
    }

    #[test]
    fn every_number_below_the_bound_comes_up_and_none_beyond() {
        let mut random = Random::seeded(7);
        let mut seen = [0_usize; 5];
        for _ in 0..1_000 {
            *seen.get_mut(random.below(5)).expect("below the bound") += 1;
        }
        assert!(seen.iter().all(|&count| count > 100), "{seen:?}");
    }
}
