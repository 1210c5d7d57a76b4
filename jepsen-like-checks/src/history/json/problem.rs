//! Why a text is no history, in words that say what would be right.
//!
//! Not here: the checks (`json.rs`, `history.rs`).

use std::fmt;
use std::io;

use super::super::Malformed;
use super::line::Kind;
use super::{FORMAT, VERSION};

/// Why a text is no history.
#[derive(Debug)]
pub struct ReadError {
    /// The line, from 1.
    pub line: u64,
    /// What is wrong with it.
    pub problem: Problem,
}

/// What can be wrong with a line.
#[derive(Debug)]
pub enum Problem {
    /// The input itself failed.
    Io(io::Error),
    /// The first line is not the header.
    NoHeader(String),
    /// The header of another version.
    Version(u64),
    /// More bytes than this.
    TooLong(usize),
    /// The line does not read as a record of the kind that it seems to be.
    NoRecord(Kind, String),
    /// An answer without the time at which it came.
    NoReturn,
    /// A time of return on an operation that nobody answered.
    ReturnOfUnknown,
    /// The line reads well, but a history cannot hold it.
    Malformed(Malformed),
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.problem)
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(error) => write!(f, "cannot be read: {error}"),
            Self::NoHeader(what) => write!(
                f,
                "not the header of a history ({what}); \
                 it must be {{\"format\":\"{FORMAT}\",\"version\":{VERSION}}}",
            ),
            Self::Version(found) => {
                write!(f, "format version {found}; this reader knows versions 1 to {VERSION}")
            }
            Self::TooLong(limit) => {
                write!(f, "longer than {limit} bytes, the limit of this reader")
            }
            Self::NoRecord(kind, what) => {
                write!(f, "not {kind} ({what}); it must look like {}", kind.example())
            }
            Self::NoReturn => {
                f.write_str("an answer without `returned`; give the time at which it came")
            }
            Self::ReturnOfUnknown => f.write_str(
                "an unknown outcome with `returned`; leave it out, since nobody knows when \
                 the operation took effect",
            ),
            Self::Malformed(malformed) => malformed.fmt(f),
        }
    }
}

impl std::error::Error for ReadError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match &self.problem {
            Problem::Io(error) => Some(error),
            Problem::Malformed(malformed) => Some(malformed),
            Problem::NoHeader(_)
            | Problem::Version(_)
            | Problem::TooLong(_)
            | Problem::NoRecord(..)
            | Problem::NoReturn
            | Problem::ReturnOfUnknown => None,
        }
    }
}
