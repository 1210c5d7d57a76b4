//! What happened, line by line, and one number that stands for all of it.
//!
//! ```text
//!   2.041337 n2 send 2 -> 1 @4 append-accepted matched=17
//!   2.041337 n2 apply 16@4..17@4          every line --FNV-1a--> hash
//! ```
//! Two runs are equal when their hashes are. A line is made only once: it goes through the hash
//! and, when somebody reads along, into the reader. No line holds an address, a thread or a real
//! time.

use std::fmt;

use crate::clock::Micros;

/// Takes each line without its end.
pub type Reader = Box<dyn FnMut(&str) + Send>;

/// The record of one run.
pub struct Trace {
    hash: u64,
    lines: u64,
    line: String,
    reader: Option<Reader>,
}

impl Trace {
    /// A record that somebody reads along, or nobody.
    #[must_use]
    pub fn new(reader: Option<Reader>) -> Self {
        Self { hash: 0xcbf2_9ce4_8422_2325, lines: 0, line: String::new(), reader }
    }

    /// Something happened.
    pub fn event(&mut self, now: Micros, what: fmt::Arguments<'_>) {
        self.lines += 1;
        self.fold(&now.to_le_bytes());
        // Writing into a hash or a string cannot fail.
        let _ = fmt::Write::write_fmt(self, what);
        if let Some(reader) = &mut self.reader {
            reader(&format!("{:>4}.{:06} {}", now / 1_000_000, now % 1_000_000, self.line));
            self.line.clear();
        }
    }

    /// The number that stands for everything so far.
    #[must_use]
    pub fn hash(&self) -> u64 {
        self.hash
    }

    /// How many lines there were.
    #[must_use]
    pub fn lines(&self) -> u64 {
        self.lines
    }

    fn fold(&mut self, bytes: &[u8]) {
        let mut hash = self.hash;
        for byte in bytes {
            hash = (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
        self.hash = hash;
    }
}

impl fmt::Write for Trace {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.fold(text.as_bytes());
        if self.reader.is_some() {
            self.line.push_str(text);
        }
        Ok(())
    }
}

impl fmt::Debug for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "trace {:016x} of {} lines", self.hash, self.lines)
    }
}
