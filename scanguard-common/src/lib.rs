//! The scan-blocking engine: what is true in the kernel and in user space alike.
//!
//! # The path of one packet
//!
//! A [`frame`] arrives: bytes that may lie anywhere, in a driver's buffer or in a capture file. They are
//! **[`parse`]d** into a [`Packet`](parse::Packet), or the reason why not is kept and the frame passes.
//! Headers and TCP flags alone are **[`classify`]d** first, because that needs no memory but the frame's own:
//! some of them no stack ever sends. The rest depends on the [`flow`]: the kernel is asked
//! which socket, if any, the segment belongs to. From the answers we **[`decide`]**: exactly one
//! [`cause`] for every packet, and the cause alone says whether the packet passes or is dropped.
//! A segment that fits no connection is not always a probe; [`stray`] keeps the small budget on which the
//! honest ones live. What knocks, or belongs to nothing, may bear the [`mark`] of a tool, and dies by it. What was
//! decided a moment ago is asked before all of this ([`recent`]), so that of bulk data and of
//! floods most frames are not even parsed. What was done is counted by cause, and told as an [`event`].
//!
//! A packet that leaves passes a second door. If it carries on a conversation, that is remembered as
//! [`speech`], for the first door to ask about. If it is a [`refusal`], by which something closed would give
//! itself away, it is silenced unless something speaks for it, and the first door learns from it for a while that the
//! port is [`closed`].
//!
//! What either door has seen of a source's first contacts is [`evidence`] for it or against it. Enough of that is a
//! [`ban`], which refuses new contacts and nothing else; enough bans in one [`network`] may ban all of it. What many sources do together, each too little for that, is an
//! [`incident`]. What the operator chose is a [`policy`].
//!
//! Nothing here owns a clock, a map or a log. Time and lookups are arguments, so the very same code runs in
//! the XDP program, in the tests and over a capture file.

#![cfg_attr(not(test), no_std)]
#![forbid(unsafe_code)]

pub mod frame;

pub mod parse;

pub mod classify;

pub mod flow;

pub mod stray;

pub mod speech;

pub mod recent;

pub mod closed;

pub mod decide;

pub mod mark;

pub mod evidence;

pub mod ban;

pub mod network;

pub mod incident;

pub mod refusal;

pub mod policy;

pub mod cause;

pub mod event;

pub mod count;

pub mod key;

pub mod dated;

pub mod schema;

pub mod time;
