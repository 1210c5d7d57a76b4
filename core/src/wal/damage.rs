//! Why a log is refused: what no crash can have left behind.
//!
//! Every message says which file, where, what is wrong and what would be right. A member whose
//! log is damaged may have forgotten a vote or an acknowledgement: it must not start.
//!
//! Not here: repair from the other members (DESIGN §4).

use alloc::string::{String, ToString};
use core::fmt;

use super::Identity;

/// The refusal to start from a log.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Damage {
    /// The disk did not answer.
    Unreadable {
        /// File name; empty for the directory.
        file: String,
        /// The disk's words.
        error: String,
    },
    /// A name like ours that no version writes.
    Name {
        /// File name.
        file: String,
    },
    /// A file that others need is not there.
    Missing {
        /// File name.
        file: String,
        /// The file that needs it.
        needed_by: String,
    },
    /// A segment that belongs to someone else than the ones before it.
    Stranger {
        /// File name.
        file: String,
        /// Whose it is.
        found: Identity,
        /// Whose the segments before it are.
        expected: Identity,
    },
    /// Bytes that are not what was written.
    Broken {
        /// File name.
        file: String,
        /// Where.
        offset: u64,
        /// How.
        flaw: Flaw,
    },
}

/// What is wrong with bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Flaw {
    /// The file has another size than it was made with.
    Size {
        /// The size in its header, if there is a header.
        expected: Option<u64>,
        /// The size it has.
        found: u64,
    },
    /// The header does not check.
    Header,
    /// The header is one of another version.
    Version(u32),
    /// The header names another sequence than the file's name.
    Renamed(u64),
    /// A sector does not check.
    Sector,
    /// A sector that was durable is blank.
    Lost,
    /// A good sector of another batch than the one that belongs here.
    Misplaced {
        /// The batch it is of.
        found: u64,
        /// The batch that belongs here.
        expected: u64,
    },
    /// What is here does not continue what stands before it.
    Link,
    /// The sum is right, the content contradicts itself or what stands before it.
    Content(&'static str),
}

impl Damage {
    pub(super) fn broken(file: &str, offset: u64, flaw: Flaw) -> Self {
        Self::Broken { file: file.to_string(), offset, flaw }
    }
}

impl core::error::Error for Damage {}

const ANEW: &str = "remove this member from the cluster and add it anew with an empty directory";

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable { file, error } if file.is_empty() => {
                write!(f, "the directory of the log cannot be read: {error}")
            }
            Self::Unreadable { file, error } => write!(f, "{file} cannot be read: {error}"),
            Self::Name { file } => write!(
                f,
                "{file} looks like a part of the log but has no name that the log gives; if it is \
                 one, give it back its name, if it is not, move it elsewhere"
            ),
            Self::Missing { file, needed_by } => write!(
                f,
                "{file} is missing, and {needed_by} continues it; put the very same file back, or \
                 {ANEW}"
            ),
            Self::Stranger { file, found, expected } => write!(
                f,
                "{file} belongs to {found}, and the files before it to {expected}; put each \
                 member's files into its own directory"
            ),
            Self::Broken { file, offset, flaw: Flaw::Version(version) } => write!(
                f,
                "{file} at byte {offset}: format version {version}, this program knows version \
                 1; start the program that wrote it"
            ),
            Self::Broken { file, offset, flaw } => {
                write!(
                    f,
                    "{file} at byte {offset}: {flaw}; {ANEW}, or put back a copy of the file "
                )?;
                f.write_str("from after its last write: an older one forgets what was promised")
            }
        }
    }
}

impl fmt::Display for Flaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Size { expected: Some(expected), found } => {
                write!(f, "the file has {found} bytes, and was made with {expected}")
            }
            Self::Size { expected: None, found } => {
                write!(f, "the file has {found} bytes, too few for a header")
            }
            Self::Header => f.write_str("the header of the segment does not check"),
            Self::Version(version) => write!(f, "format version {version}"),
            Self::Renamed(sequence) => write!(f, "this is segment {sequence:x} under a wrong name"),
            Self::Sector => f.write_str("the sector has changed since it was written"),
            Self::Lost => f.write_str("the sector is blank, and was durable"),
            Self::Misplaced { found, expected } => {
                write!(f, "a sector of batch {found} stands where batch {expected} belongs")
            }
            Self::Link => f.write_str("this does not continue what stands before it"),
            Self::Content(what) => write!(f, "the sum is right, but {what}"),
        }
    }
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "member {} of cluster {}", self.member, self.cluster)
    }
}
