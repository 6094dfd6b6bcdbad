//! What follows from a drop that the capture does not know of: it has answers that would not have been given.

use scanguard_common::speech::Flow;

use super::lately::Lately;

/// Flows of which something would have been dropped.
#[derive(Debug)]
pub(super) struct Dropped(Lately<Flow, Loss>);

/// What was lost of one.
#[derive(Clone, Copy, Debug, Default)]
struct Loss {
    /// Whether it is the packet that came last: what the host answered to it, it would not have said.
    last: bool,
    /// Whether it is what was to begin the conversation, so that there is none, and if so, whether the host answered that in
    /// the capture: then what goes on with its answer would not have come.
    beginning: Option<bool>,
}

/// How many are remembered.
const FLOWS: u32 = 1 << 16;

impl Default for Dropped {
    fn default() -> Dropped {
        Dropped(Lately::new(FLOWS))
    }
}

impl Dropped {
    /// Remembers that a packet was dropped, and of one that may begin a conversation, whether it would have.
    pub(super) fn lost(&mut self, flow: &Flow, begins: Option<bool>) {
        let loss = self.0.touch_or(*flow, Loss::default);
        loss.last = true;
        if let Some(begins) = begins {
            loss.beginning = begins.then_some(false);
        }
    }

    /// Remembers that a packet passed, and whether it may begin a conversation.
    pub(super) fn passed(&mut self, flow: &Flow, begins: bool) {
        let Some(loss) = self.0.touch(flow) else { return };
        loss.last = false;
        if begins || loss.beginning.is_none() {
            self.0.remove(flow);
        }
    }

    /// Whether the flow's last packet was dropped.
    pub(super) fn is_last(&self, flow: &Flow) -> bool {
        self.0.get(flow).is_some_and(|loss| loss.last)
    }

    /// Whether a conversation did not begin that goes on in the capture.
    pub(super) fn is_begun_in_vain(&self, flow: &Flow) -> bool {
        self.0.get(flow).is_some_and(|loss| loss.beginning == Some(true))
    }

    /// Notes that the host says something, and whether it accepts the conversation by that: false where that has begun, as
    /// far as is known.
    pub(super) fn answer(&mut self, flow: &Flow, accepts: bool) -> bool {
        let Some(answered) = self.0.touch(flow).and_then(|loss| loss.beginning.as_mut()) else {
            return false;
        };
        *answered |= accepts;
        true
    }
}

#[cfg(test)]
mod tests {
    use scanguard_common::key::Address;
    use scanguard_common::parse::network::IpProtocol;
    use scanguard_common::parse::transport::Port;

    use super::*;

    fn flow(port: u16) -> Flow {
        let [outside, here] = [1, 2].map(|host| Address::v4([198, 18, 0, host]));
        Flow::new((outside, Port(port)), (here, Port(80)), IpProtocol::TCP)
    }

    #[test]
    fn what_passes_makes_up_for_a_drop_and_only_a_beginning_for_one() {
        let (mut dropped, flow) = (Dropped::default(), flow(1));
        dropped.lost(&flow, Some(true));
        assert!(dropped.is_last(&flow) && !dropped.is_begun_in_vain(&flow));
        assert!(dropped.answer(&flow, true) && dropped.is_begun_in_vain(&flow));
        dropped.passed(&flow, false);
        assert!(!dropped.is_last(&flow) && dropped.is_begun_in_vain(&flow));
        dropped.passed(&flow, true);
        assert!(!dropped.is_begun_in_vain(&flow) && !dropped.answer(&flow, true));
        assert_eq!(dropped.0.iter().count(), 0, "of what is made up for nothing is kept");
    }

    #[test]
    fn what_is_lost_of_a_conversation_does_not_end_it() {
        let mut dropped = Dropped::default();
        for (port, begins) in [(1, None), (2, Some(false))] {
            dropped.lost(&flow(port), begins);
            assert!(dropped.is_last(&flow(port)) && !dropped.answer(&flow(port), true));
            dropped.passed(&flow(port), false);
        }
        assert_eq!(dropped.0.iter().count(), 0);
    }
}
