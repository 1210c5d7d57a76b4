//! Many seeds on many threads.
pub fn placeholder() {}
