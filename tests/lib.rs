//! Every promise of the README is a file below `host/` (no privileges) or `kernel/` (root).
