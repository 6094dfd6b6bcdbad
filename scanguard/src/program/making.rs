//! The maps that are pinned, made before the object is loaded, which finds them then.

use aya::EbpfError;
use aya::maps::{MapData, MapError};
use aya_obj::Object;

use crate::maps;
use crate::pin::Pins;

/// Makes and pins all maps of an object that are shared and are not pinned yet, as the object describes them.
///
/// # Errors
///
/// Fails where one cannot be made or pinned; others may have been by then.
pub(super) fn pin_missing(object: &[u8], pins: &Pins) -> Result<(), EbpfError> {
    let mut described = Object::parse(object)?.maps;
    for name in maps::names().filter(|name| !pins.map(name).exists()) {
        let Some(map) = described.remove(maps::in_object(name)) else { continue }; // which is found out when a program wants it
        let made = MapData::create(map, name, None)?;
        let pinned = made.pin(pins.map(name));
        pinned.map_err(|error| MapError::PinError { name: Some(name.to_owned()), error })?;
    }
    Ok(())
}
