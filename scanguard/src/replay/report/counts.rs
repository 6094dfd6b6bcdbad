//! How many packets were dropped for which cause.

use scanguard_common::cause::Cause;

/// Few causes, mostly one: that one needs no memory of its own.
#[derive(Clone, Debug, Default)]
pub(crate) struct Counts {
    first: Option<(Cause, u64)>,
    others: Vec<(Cause, u64)>,
}

impl Counts {
    /// Counts one more.
    pub(super) fn add(&mut self, cause: Cause) {
        let (present, count) = self.first.get_or_insert((cause, 0));
        if *present == cause {
            *count += 1;
            return;
        }
        match self.others.iter_mut().find(|(other, _)| *other == cause) {
            Some((_, count)) => *count += 1,
            None => self.others.push((cause, 1)),
        }
    }

    /// How many for this cause.
    pub(crate) fn of(&self, cause: Cause) -> u64 {
        self.unsorted().filter(|(counted, _)| *counted == cause).map(|(_, count)| count).sum()
    }

    /// How many for any.
    pub(crate) fn all(&self) -> u64 {
        self.unsorted().map(|(_, count)| count).sum()
    }

    /// Every cause that was counted and how often, in the order of causes.
    pub(crate) fn sorted(&self) -> Vec<(Cause, u64)> {
        let mut all: Vec<_> = self.unsorted().collect();
        all.sort_unstable();
        all
    }

    fn unsorted(&self) -> impl Iterator<Item = (Cause, u64)> + '_ {
        self.first.iter().chain(&self.others).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_cause_is_counted_by_itself() {
        let mut counts = Counts::default();
        for cause in
            [Cause::TcpXmas, Cause::TcpNull, Cause::Banned, Cause::TcpNull, Cause::TcpXmas, Cause::TcpNull]
        {
            counts.add(cause);
        }
        let mut expected = [(Cause::TcpNull, 3), (Cause::TcpXmas, 2), (Cause::Banned, 1)];
        expected.sort_unstable();
        assert_eq!(counts.sorted(), expected);
        assert_eq!((counts.of(Cause::TcpNull), counts.of(Cause::TcpSynFin), counts.all()), (3, 0, 6));
    }
}
