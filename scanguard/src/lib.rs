//! The controller, as a library: everything but the argument parser.
