//! What was seen lately: a table with room for so many entries, which forgets what was not used for long.
//!
//! A capture may have any length, and what it is replayed in may not. So no entry has an allocation of its own, and what
//! is removed leaves no mark behind, as in other hash tables, which in the end need twice their memory for those.

use std::hash::{BuildHasher as _, Hash};
use std::num::NonZeroU32;

use foldhash::fast::RandomState;

/// Entries by their keys.
#[derive(Debug)]
pub(super) struct Lately<K, V> {
    state: RandomState,
    /// By the hash of a key: where a chain begins.
    chains: Vec<Option<Number>>,
    places: Vec<Place<K, V>>,
    room: usize,
    /// Where the chain of those begins that are free.
    free: Option<Number>,
    /// How many are not.
    taken: usize,
    /// Where something to forget was looked for last.
    hand: u32,
}

/// The number of a place, from 1: so a table of none of them is of zeros, which the kernel has ready.
type Number = NonZeroU32;

/// Where one entry lies.
#[derive(Debug)]
struct Place<K, V> {
    key: K,
    /// None where it is free.
    value: Option<V>,
    /// The next one of its chain.
    next: Option<Number>,
    /// Whether it was used since it was entered, or the hand came by.
    used: bool,
}

impl<K: Copy + Eq + Hash, V> Lately<K, V> {
    /// An empty one, with room for so many: at least one.
    pub(super) fn new(room: u32) -> Lately<K, V> {
        let room = room.max(1) as usize;
        Lately {
            state: RandomState::default(),
            // Twice as many as there are entries at most: what is not there is then mostly seen by an empty chain.
            chains: vec![None; 2 * room.next_power_of_two()],
            // It stays where it is, and is memory only as far as it was written to.
            places: Vec::with_capacity(room),
            room,
            free: None,
            taken: 0,
            hand: 0,
        }
    }

    /// Whether the next that is entered has room only if another is forgotten.
    pub(super) fn is_full(&self) -> bool {
        self.taken == self.room
    }

    /// What is known by this key. It does not count as used.
    pub(super) fn get(&self, key: &K) -> Option<&V> {
        if self.taken == 0 {
            return None;
        }
        self.place(self.find(self.chain_of(key), key)?)?.value.as_ref()
    }

    /// Whether anything is. It does not count as used.
    pub(super) fn contains(&self, key: &K) -> bool {
        self.get(key).is_some()
    }

    /// What is known by this key, and used.
    pub(super) fn touch(&mut self, key: &K) -> Option<&mut V> {
        if self.taken == 0 {
            return None;
        }
        let found = self.find(self.chain_of(key), key)?;
        self.touch_at(found)
    }

    /// The same, or what is made and entered where nothing is known.
    pub(super) fn touch_or(&mut self, key: K, make: impl FnOnce() -> V) -> &mut V {
        let chain = self.chain_of(&key);
        let value = match self.find(chain, &key) {
            Some(found) => self.touch_at(found),
            None => self.enter(chain, key, make()),
        };
        value.expect("it was found, or entered")
    }

    /// Enters something, in place of what was known by this key.
    pub(super) fn put(&mut self, key: K, value: V) -> Option<&mut V> {
        let chain = self.chain_of(&key);
        match self.find(chain, &key) {
            Some(found) => {
                let present = self.touch_at(found)?;
                *present = value;
                Some(present)
            }
            None => self.enter(chain, key, value),
        }
    }

    /// Forgets what is known by this key.
    pub(super) fn remove(&mut self, key: &K) {
        if self.taken > 0 {
            let chain = self.chain_of(key);
            if let Some(found) = self.find(chain, key) {
                self.leave(chain, found);
            }
        }
    }

    /// Forgets all but what is to be kept.
    pub(super) fn retain(&mut self, mut keep: impl FnMut(&V) -> bool) {
        for number in (1..).map_while(Number::new).take(self.places.len()) {
            let Some(place) = self.place(number) else { return };
            if place.value.as_ref().is_some_and(|value| !keep(value)) {
                self.leave(self.chain_of(&place.key), number);
            }
        }
    }

    /// All there is, in no order.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&K, &V)> {
        self.places.iter().filter_map(|place| Some((&place.key, place.value.as_ref()?)))
    }

    fn chain_of(&self, key: &K) -> usize {
        // Of chains there is a power of two.
        let [a, b, c, d, ..] = self.state.hash_one(key).to_le_bytes();
        u32::from_le_bytes([a, b, c, d]) as usize & (self.chains.len() - 1)
    }

    fn place(&self, number: Number) -> Option<&Place<K, V>> {
        self.places.get(number.get() as usize - 1)
    }

    fn place_mut(&mut self, number: Number) -> Option<&mut Place<K, V>> {
        self.places.get_mut(number.get() as usize - 1)
    }

    fn find(&self, chain: usize, key: &K) -> Option<Number> {
        let mut number = (*self.chains.get(chain)?)?;
        loop {
            let place = self.place(number)?;
            if place.key == *key {
                return Some(number);
            }
            number = place.next?;
        }
    }

    fn touch_at(&mut self, number: Number) -> Option<&mut V> {
        let place = self.place_mut(number)?;
        place.used = true;
        place.value.as_mut()
    }

    /// Enters what is not in its chain.
    fn enter(&mut self, chain: usize, key: K, value: V) -> Option<&mut V> {
        if self.is_full() {
            self.forget_one();
        }
        let next = *self.chains.get(chain)?;
        let entered = Place { key, value: Some(value), next, used: false };
        let number = match self.free {
            Some(number) => {
                let place = self.place_mut(number)?;
                let left = std::mem::replace(place, entered);
                self.free = left.next;
                number
            }
            None => {
                self.places.push(entered);
                Number::new(u32::try_from(self.places.len()).ok()?)?
            }
        };
        *self.chains.get_mut(chain)? = Some(number);
        self.taken += 1;
        self.place_mut(number)?.value.as_mut()
    }

    /// Frees a place where all are taken: a hand goes round, and what was used since it came by stays once more.
    fn forget_one(&mut self) {
        loop {
            self.hand = if self.hand as usize == self.room { 1 } else { self.hand + 1 };
            let Some(number) = Number::new(self.hand) else { return };
            let Some(place) = self.place_mut(number) else { return };
            if !std::mem::take(&mut place.used) {
                let key = place.key;
                return self.leave(self.chain_of(&key), number);
            }
        }
    }

    /// Takes a place out of its chain, and frees it.
    fn leave(&mut self, chain: usize, number: Number) {
        let free = self.free.replace(number);
        self.taken -= 1;
        let Some(place) = self.place_mut(number) else { return };
        place.value = None;
        let next = std::mem::replace(&mut place.next, free);
        let Some(first) = self.chains.get_mut(chain) else { return };
        if *first == Some(number) {
            *first = next;
            return;
        }
        let mut before = *first;
        while let Some(place) = before.and_then(|before| self.place_mut(before)) {
            if place.next == Some(number) {
                place.next = next;
                return;
            }
            before = place.next;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use super::*;

    fn keys(table: &Lately<u32, u32>) -> BTreeSet<u32> {
        table.iter().map(|(key, _)| *key).collect()
    }

    #[test]
    fn what_was_not_used_for_long_is_forgotten_first() {
        let mut table = Lately::new(4);
        for key in 0..4 {
            table.put(key, key);
        }
        assert!(table.is_full());
        assert_eq!(table.touch(&0), Some(&mut 0));
        assert_eq!(table.get(&1), Some(&1));
        table.put(4, 4);
        assert_eq!(keys(&table), [0, 2, 3, 4].into(), "to look is not to use");
        for key in 5..8 {
            table.put(key, key);
        }
        assert_eq!(keys(&table), [4, 5, 6, 7].into(), "used once, kept for one round");
    }

    #[test]
    fn where_something_was_removed_there_is_room() {
        let mut table = Lately::new(3);
        for key in 0..3 {
            table.put(key, key);
        }
        table.remove(&1);
        table.remove(&7);
        assert!(!table.is_full() && !table.contains(&1));
        assert_eq!(*table.touch_or(8, || 80), 80);
        assert_eq!(*table.touch_or(8, || 81), 80);
        assert_eq!(keys(&table), [0, 2, 8].into());
        table.retain(|value| *value == 80);
        assert_eq!(keys(&table), [8].into());
    }

    /// Of so many changes that every chain was taken apart and put together again.
    #[test]
    fn it_knows_what_a_map_knows_as_long_as_there_is_room() {
        const ROOM: u32 = 64;
        let (mut table, mut map, mut random) = (Lately::new(ROOM), BTreeMap::new(), 1_u32);
        for step in 0..20_000 {
            random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let key = (random >> 16) % (ROOM + 8);
            if map.len() < ROOM as usize && step % 3 != 0 {
                table.put(key, step);
                map.insert(key, step);
            } else {
                table.remove(&key);
                map.remove(&key);
            }
            assert_eq!(table.get(&key), map.get(&key), "step {step}");
        }
        assert_eq!(table.iter().map(|(key, value)| (*key, *value)).collect::<BTreeMap<_, _>>(), map);
    }

    #[test]
    fn it_never_has_more_places_than_it_has_room() {
        let mut table = Lately::new(100);
        let places = table.places.as_ptr();
        for key in 0..10_000_u32 {
            table.put(key, key);
            table.touch(&(key / 2));
        }
        assert_eq!((table.places.len(), table.iter().count()), (100, 100));
        assert_eq!(table.places.as_ptr(), places, "it was never moved");
    }
}
