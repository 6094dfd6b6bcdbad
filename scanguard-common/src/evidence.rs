//! What is held against a source, and for it: a sequential hypothesis test.
//!
//! Whoever knows the services of a host finds them there; whoever looks for services mostly finds nothing. So each
//! *first contact* of a source, one destination, protocol and port, is a trial: it fails or it is answered. The score
//! is the logarithm of how much likelier the trials so far are from a scanner than from anybody else (Wald, *Sequential
//! Tests of Statistical Hypotheses*, 1945; Jung, Paxson, Berger, Balakrishnan, *Fast Portscan Detection Using
//! Sequential Hypothesis Testing*, 2004). It never falls below zero, as in Page's test (1954), so that nobody earns
//! credit for a scan to come, and it decays over hours, so that nobody is judged by last week's mistakes.
//!
//! Made for line rate as in Weaver, Staniford, Paxson, *Very Fast Containment of Scanning Worms* (2004): tables of
//! fixed size, and memories that may forget or confuse, always in the source's favour.
//!
//! No timer runs: what time has changed is computed when a record is touched next.

mod decay;
mod kind;
mod knock;
mod pending;
mod quoted;
mod source;
mod trail;
mod witness;

pub use decay::{decayed, half_life_factor};
pub use kind::{Kind, Weights};
pub use knock::{CROWDED_WITHIN, JUST_COME, Knock, ONE_IN, Visitor};
pub use pending::ANSWER_WITHIN;
pub use quoted::name_quoted;
pub use source::{REMEMBERED, Source};
pub use trail::{Entry, TRAIL_LENGTH, Trail};
pub use witness::{
    Circumstances, Contact, Tables, Trial, Verdict, is_lost_in_a_crowd, is_turned_away, punish_in,
    traces_a_route, weigh_in, witness,
};
