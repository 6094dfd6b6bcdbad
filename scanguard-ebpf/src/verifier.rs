//! What keeps the verifier's work small.

use core::hint::black_box;

use scanguard_common::cause::Cause;

/// The same cause, of which the verifier does not know any more which one it is.
///
/// It follows a number that it knows through all that comes after, and so would read the reports and the ledger once for
/// each of the causes that `decide` returns. One byte in the middle of an eighth of the stack's words it does not keep
/// track of.
#[inline(always)] // a call costs more
pub(crate) fn forget(cause: Cause) -> Cause {
    #[repr(align(8))]
    struct Aside([u8; 8]);
    let mut aside = Aside([0; 8]);
    aside.0[3] = cause.index();
    let Aside([_, _, _, index, ..]) = black_box(aside);
    Cause::from_index(index).unwrap_or(Cause::UnknownDestination)
}
