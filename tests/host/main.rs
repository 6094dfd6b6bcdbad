//! What can be promised without privileges: the engine, on memory of our own.

mod decision;
mod flags;
mod headers;
mod hostile;
mod questions;
mod refusal;
mod regressions;
mod signatures;
mod truncation;
mod watched;
