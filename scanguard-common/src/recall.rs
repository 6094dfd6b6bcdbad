//! What was decided of a flow a moment ago: so that bulk data costs one look, and no look-up.

use crate::cause::Cause;

/// One place of a processor's own table: which flow, by part of its spread, in which while, and why it passed.
#[repr(transparent)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Recalled(u64);

const _: () = assert!(size_of::<Recalled>() == 8);

/// The bits that hold the cause and the while; those of the spread that have chosen the place are among them.
const NOT_FLOW: u64 = (1 << 20) - 1;

impl Recalled {
    /// A flow with this spread that passes for `cause`, in the current while: a number of at most 12 bits.
    pub fn new(spread: u64, a_while: u64, cause: Cause) -> Recalled {
        Recalled(spread & !NOT_FLOW | (a_while & 0xfff) << 8 | u64::from(cause.index()))
    }

    /// Why this flow passed, if that was in the current while.
    pub fn cause(self, spread: u64, a_while: u64) -> Option<Cause> {
        let expected = spread & !NOT_FLOW | (a_while & 0xfff) << 8;
        if self.0 & !0xff != expected {
            return None;
        }
        let [cause, ..] = self.0.to_le_bytes();
        is_kept(cause)
    }

    /// Whether it is worth remembering that a flow passes for this cause: each of its packets will, and finding that out
    /// takes a look-up.
    pub fn is_worth(cause: Cause) -> bool {
        is_kept(cause.index()).is_some()
    }
}

/// The few causes that are kept, so that reading one takes no table. None of them depends on anything but the flow: what
/// is forwarded, say, is so because of the station that its frame is for.
fn is_kept(index: u8) -> Option<Cause> {
    const KEPT: [Cause; 3] = [Cause::InConnection, Cause::InFlow, Cause::Udp];
    KEPT.into_iter().find(|cause| cause.index() == index)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: u64 = 0x1111_1111_1110_0000;

    #[test]
    fn a_flow_is_recalled_in_the_same_while_only() {
        for cause in Cause::ALL.iter().copied().filter(|cause| Recalled::is_worth(*cause)) {
            let recalled = Recalled::new(ONE, 7, cause);
            assert_eq!(recalled.cause(ONE, 7), Some(cause));
            assert_eq!(recalled.cause(ONE, 8), None);
            assert_eq!(recalled.cause(ONE + (1 << 20), 7), None);
        }
    }

    #[test]
    fn nothing_is_recalled_that_was_not_kept() {
        assert_eq!(Recalled::default().cause(0, 0), None);
        assert!(!Recalled::is_worth(Cause::Stray));
        assert!(!Recalled::is_worth(Cause::NewConnection));
        assert!(
            Cause::ALL
                .iter()
                .all(|cause| !Recalled::is_worth(*cause) || cause.action() == crate::cause::Action::Pass)
        );
    }
}
