//! The key space.
