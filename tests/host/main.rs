//! What can be promised without privileges: the engine, on memory of our own.

mod decision;
mod flags;
mod headers;
mod questions;
mod refusal;
mod replay;
mod signatures;
mod truncation;
