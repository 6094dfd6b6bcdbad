//! What can be promised without privileges: the engine, on memory of our own.

mod decision;
mod evidence;
mod flags;
mod headers;
mod refusal;
mod truncation;
