//! The packet that a program is at work on, where all of its functions find it.
//!
//! Global functions are read by the verifier once, each by itself, and not again for each way that leads to them: they
//! made attaching several times faster. In return they take nothing but the context and numbers, so the packet lies in a
//! map, and there takes no part of the stack either.

use core::hint::black_box;

use scanguard_common::parse::Packet;

use crate::maps;

/// Which program: the doors do not share a place.
#[derive(Clone, Copy)]
pub(crate) enum Door {
    In = 0,
    Out = 1,
}

impl Door {
    /// The door of this number.
    pub(crate) fn from_number(number: u8) -> Option<Door> {
        match number {
            0 => Some(Door::In),
            1 => Some(Door::Out),
            _ => None,
        }
    }
}

/// Puts a packet aside.
pub(crate) fn put(door: Door, packet: &Packet) {
    if let Some(place) = maps::ASIDE.get_ptr_mut(door as u32) {
        // SAFETY: a pointer from a map look-up is valid until the program ends, and this processor's alone.
        unsafe { place.write(*packet) };
    }
}

/// The same number, of which the verifier knows nothing any more: it lay in a map meanwhile. A constant that leads on
/// would have it read all that follows once for each.
pub(crate) fn forgotten(number: u32) -> u32 {
    let Some(place) = maps::FORGOTTEN.get_ptr_mut(0) else { return number };
    // SAFETY: as above. Volatile, or the compiler would not go to the map; and it must not look at the number while it
    // may still be the place.
    unsafe {
        place.write_volatile(number);
        black_box(place.read_volatile())
    }
}

/// The packet that was put aside last.
pub(crate) fn get(door: Door) -> Option<&'static mut Packet> {
    let place = maps::ASIDE.get_ptr_mut(door as u32)?;
    // SAFETY: as above; whoever puts another aside has no use for this one any more.
    Some(unsafe { &mut *place })
}
