//! What can be promised without privileges: the engine, on memory of our own.

mod decision;
mod evidence;
mod flags;
mod headers;
mod hostile;
mod questions;
mod recent;
mod refusal;
mod regressions;
mod replay;
mod signatures;
mod truncation;
mod watched;
