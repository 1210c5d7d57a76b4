//! Calls and answers in the words of the judges.
//!
//! Not here: the words for calls (`record/ask.rs`), answers (`record/answer.rs`) and watches
//! (`record/watch.rs`), what they are judged by (`judge.rs`).

mod answer;
mod ask;
mod watch;

use std::fmt;
use std::sync::Arc;

use quorate_checks::history as said;
use said::{ByteString, ClientId, OpNumber, Outcome, Request, Response};

use crate::clock::Micros;

pub use answer::{outcome, pair};
pub use ask::request;
pub use watch::{watch_message, watch_request};

/// A call, as long as its outcome is open.
#[derive(Debug)]
pub struct Asked {
    /// The number of the operation.
    pub number: u32,
    /// The connection that it went over.
    pub session: u64,
    /// When.
    pub invoked: Micros,
    /// What was asked, if the judges have a word for it.
    pub request: Option<Request>,
}

impl Asked {
    /// The whole operation. `endpoint` is the member and its life.
    #[must_use]
    pub fn over(self, outcome: Outcome, endpoint: Option<(usize, u64)>) -> Option<said::Operation> {
        Some(said::Operation {
            number: OpNumber(u64::from(self.number)),
            client: ClientId(self.session),
            endpoint: endpoint.map(|(at, boot)| self::endpoint(at, boot)),
            invoked: said::Micros(self.invoked),
            request: self.request?,
            outcome,
        })
    }
}

/// A life of a member.
#[must_use]
pub fn endpoint(at: usize, boot: u64) -> Arc<str> {
    Arc::from(format!("n{}.{boot}", at + 1))
}

fn bytes(bytes: &[u8]) -> ByteString {
    ByteString::from(bytes)
}

/// An outcome in a few words.
pub struct Shown<'a>(pub &'a Option<Outcome>);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            None => f.write_str("done"),
            Some(Outcome::Ok { response: Response::Range(range), .. }) => {
                write!(f, "ok at revision {} with {} pairs", range.revision.0, range.kvs.len())
            }
            Some(Outcome::Ok { response, .. }) => {
                write!(f, "ok at revision {}", response.revision().0)
            }
            Some(Outcome::Refused { refusal, .. }) => write!(f, "refused: {}", refusal.message),
            Some(Outcome::Unknown { why }) => write!(f, "unknown: {why}"),
        }
    }
}
