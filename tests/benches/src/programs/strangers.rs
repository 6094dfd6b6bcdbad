//! What the programs remember of strangers, by which one measurement would disturb the next.

use anyhow::{Result, bail};
use aya::Pod;
use aya::maps::{Array, Map, MapData, PerCpuArray, PerCpuValues};
use aya::util::nr_cpus;
use scanguard_common::event::EventGate;
use scanguard_common::evidence::Knock;
use scanguard_common::schema::{AT_ONCE, DOOR_PLACES, EVENT_GATES, Several};

/// Who waits for a second contact, and whose drops were told of just now; open beside the programs that are in use.
pub(crate) struct Strangers {
    door: Array<MapData, Record<Knock>>,
    gates: PerCpuArray<MapData, Record<Several<EventGate>>>,
}

#[repr(transparent)]
#[derive(Clone, Copy)]
struct Record<T>(T);

// SAFETY: it is a `repr(C)` record of integers without padding, of which every bit pattern is a value.
unsafe impl Pod for Record<Knock> {}
// SAFETY: as above.
unsafe impl Pod for Record<Several<EventGate>> {}

impl Strangers {
    /// Opens the two maps a second time.
    pub(super) fn of(door: &Map, gates: &Map) -> Result<Strangers> {
        Ok(Strangers { door: again(door)?.try_into()?, gates: again(gates)?.try_into()? })
    }

    /// How many wait for a second contact.
    pub(crate) fn waiting(&self) -> Result<u64> {
        let mut waiting = 0;
        for place in 0..DOOR_PLACES {
            waiting += u64::from(self.door.get(&place, 0)?.0 != Knock::default());
        }
        Ok(waiting)
    }

    /// Sends away all who wait.
    pub(crate) fn send_away(&mut self) -> Result<()> {
        (0..DOOR_PLACES).try_for_each(|place| Ok(self.door.set(place, Record(Knock::default()), 0)?))
    }

    /// Forgets of whom was told: while a crowd holds the slots, others of whom nothing can be told cost more.
    pub(crate) fn forget_news(&mut self) -> Result<()> {
        let processors = nr_cpus().map_err(|(what, error)| anyhow::anyhow!("{what}: {error}"))?;
        for several in 0..EVENT_GATES / AT_ONCE {
            let none = [EventGate::default(); AT_ONCE as usize];
            self.gates.set(several, PerCpuValues::try_from(vec![Record(none); processors])?, 0)?;
        }
        Ok(())
    }
}

fn again(map: &Map) -> Result<Map> {
    let (Map::Array(data) | Map::PerCpuArray(data)) = map else { bail!("a map of another kind: {map:?}") };
    Ok(Map::from_map_data(MapData::from_id(data.info()?.id())?)?)
}
