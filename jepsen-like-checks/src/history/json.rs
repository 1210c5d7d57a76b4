//! A history as text: JSON lines, a header first, then one operation per line.
//!
//! ```text
//! {"format":"quorate-history","version":1}
//! {"op":1,"client":0,"endpoint":"n1","invoked":10,"returned":25,
//!  "request":{"put":{"key":"a","value":"x"}},"outcome":{"ok":{"put":{"revision":2}}}}
//! {"op":2,"client":1,"invoked":12,"request":{"delete_range":{"key":"a"}},
//!  "outcome":{"unknown":"timeout"}}
//! ```
//!
//! (Folded for print: an operation is one line.) `returned` is absent exactly when the outcome is
//! unknown. The header may carry further fields for people (a seed, a date); an operation may not,
//! since a field that this version does not know could change what the record means.
//!
//! Invariants:
//! - J1. What the writer wrote, the reader gives back.
//! - J2. No input makes the reader panic or hold more than one line over the limit in memory.
//! - J3. Every error names its line and says what would be right.

use std::borrow::Cow;
use std::fmt;
use std::io::{self, BufRead, Read, Write};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{
    ClientId, History, Malformed, Micros, OpNumber, Operation, Outcome, Refusal, Request, Response,
    check,
};

/// The longest line that a reader takes unless told otherwise, in bytes.
pub const LINE_LIMIT: usize = 64 << 20;

const FORMAT: &str = "quorate-history";
const VERSION: u64 = 1;

/// What the error of a line that is no operation shows as the right form.
const EXAMPLE: &str = r#"{"op":1,"client":0,"endpoint":"n1","invoked":10,"returned":25,"request":{"put":{"key":"a","value":"x"}},"outcome":{"ok":{"put":{"revision":2}}}}, all on one line"#;

#[derive(Serialize, Deserialize)]
struct Header<'a> {
    format: Cow<'a, str>,
    version: u64,
}

/// An operation as its line spells it.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line<'a> {
    op: OpNumber,
    client: ClientId,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    endpoint: Option<Cow<'a, str>>,
    invoked: Micros,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    returned: Option<Micros>,
    request: Cow<'a, Request>,
    outcome: Ending<'a>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Ending<'a> {
    Ok(Cow<'a, Response>),
    Refused(Cow<'a, Refusal>),
    Unknown(Cow<'a, str>),
}

impl<'a> From<&'a Operation> for Line<'a> {
    fn from(operation: &'a Operation) -> Self {
        Self {
            op: operation.number,
            client: operation.client,
            endpoint: operation.endpoint.as_deref().map(Cow::Borrowed),
            invoked: operation.invoked,
            returned: operation.returned(),
            request: Cow::Borrowed(&operation.request),
            outcome: match &operation.outcome {
                Outcome::Ok { response, .. } => Ending::Ok(Cow::Borrowed(response)),
                Outcome::Refused { refusal, .. } => Ending::Refused(Cow::Borrowed(refusal)),
                Outcome::Unknown { why } => Ending::Unknown(Cow::Borrowed(why)),
            },
        }
    }
}

impl Line<'_> {
    fn into_operation(self) -> Result<Operation, Problem> {
        let outcome = match (self.outcome, self.returned) {
            (Ending::Ok(response), Some(returned)) => {
                Outcome::Ok { returned, response: response.into_owned() }
            }
            (Ending::Refused(refusal), Some(returned)) => {
                Outcome::Refused { returned, refusal: refusal.into_owned() }
            }
            (Ending::Unknown(why), None) => Outcome::Unknown { why: why.into_owned() },
            (Ending::Ok(_) | Ending::Refused(_), None) => return Err(Problem::NoReturn),
            (Ending::Unknown(_), Some(_)) => return Err(Problem::ReturnOfUnknown),
        };
        Ok(Operation {
            number: self.op,
            client: self.client,
            endpoint: self.endpoint.map(Arc::from),
            invoked: self.invoked,
            request: self.request.into_owned(),
            outcome,
        })
    }
}

/// Writes a history, operation by operation.
#[derive(Debug)]
pub struct Writer<W> {
    output: W,
}

impl<W: Write> Writer<W> {
    /// Begins a history with its header. A buffered output is a good idea.
    ///
    /// # Errors
    /// The output fails.
    pub fn new(mut output: W) -> io::Result<Self> {
        serde_json::to_writer(
            &mut output,
            &Header { format: Cow::Borrowed(FORMAT), version: VERSION },
        )?;
        output.write_all(b"\n")?;
        Ok(Self { output })
    }

    /// Appends one operation.
    ///
    /// # Errors
    /// The output fails.
    pub fn write(&mut self, operation: &Operation) -> io::Result<()> {
        serde_json::to_writer(&mut self.output, &Line::from(operation))?;
        self.output.write_all(b"\n")
    }

    /// Flushes, and hands the output back.
    ///
    /// # Errors
    /// The output fails.
    pub fn finish(mut self) -> io::Result<W> {
        self.output.flush()?;
        Ok(self.output)
    }
}

/// Reads a history, operation by operation; ends at the first error.
#[derive(Debug)]
pub struct Reader<R> {
    input: R,
    limit: usize,
    /// The number of the line in `buffer`, from 1.
    line: u64,
    buffer: Vec<u8>,
    failed: bool,
}

impl<R: BufRead> Reader<R> {
    /// Reads the header.
    ///
    /// # Errors
    /// There is none, or it is that of another format or version.
    pub fn new(input: R) -> Result<Self, ReadError> {
        Self::with_line_limit(input, LINE_LIMIT)
    }

    /// As `new`, with a limit of its own on the bytes of a line.
    ///
    /// # Errors
    /// As `new`.
    pub fn with_line_limit(input: R, limit: usize) -> Result<Self, ReadError> {
        let mut reader = Self { input, limit, line: 0, buffer: Vec::new(), failed: false };
        reader.header().map_err(|problem| ReadError { line: 1, problem })?;
        Ok(reader)
    }

    /// Reads the rest, and checks that no number is used twice.
    ///
    /// # Errors
    /// A line is no operation, or no part of one history.
    pub fn history(mut self) -> Result<History, ReadError> {
        let before = self.line;
        let operations = self.by_ref().collect::<Result<Vec<_>, _>>()?;
        History::new(operations).map_err(|(place, malformed)| ReadError {
            line: before + 1 + place as u64,
            problem: Problem::Malformed(malformed),
        })
    }

    fn header(&mut self) -> Result<(), Problem> {
        if !self.advance()? {
            return Err(Problem::NoHeader("the input is empty".to_owned()));
        }
        let header: Header<'_> = serde_json::from_slice(&self.buffer)
            .map_err(|error| Problem::NoHeader(without_line(&error)))?;
        if header.format != FORMAT {
            return Err(Problem::NoHeader(format!("the format is {:?}", header.format)));
        }
        if header.version != VERSION {
            return Err(Problem::Version(header.version));
        }
        Ok(())
    }

    fn operation(&mut self) -> Result<Option<Operation>, Problem> {
        if !self.advance()? {
            return Ok(None);
        }
        let line: Line<'_> = serde_json::from_slice(&self.buffer)
            .map_err(|error| Problem::NoOperation(without_line(&error)))?;
        let operation = line.into_operation()?;
        check(&operation).map_err(Problem::Malformed)?;
        Ok(Some(operation))
    }

    /// Fills the buffer with the next line. Whether there was one.
    fn advance(&mut self) -> Result<bool, Problem> {
        self.line += 1;
        self.buffer.clear();
        let most = (self.limit as u64).saturating_add(1);
        self.input.by_ref().take(most).read_until(b'\n', &mut self.buffer).map_err(Problem::Io)?;
        let some = !self.buffer.is_empty();
        if self.buffer.ends_with(b"\n") {
            self.buffer.pop();
        }
        if self.buffer.len() > self.limit {
            return Err(Problem::TooLong(self.limit));
        }
        Ok(some)
    }
}

impl<R: BufRead> Iterator for Reader<R> {
    type Item = Result<Operation, ReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.failed {
            return None;
        }
        let read = self.operation();
        self.failed = read.is_err();
        read.map_err(|problem| ReadError { line: self.line, problem }).transpose()
    }
}

impl History {
    /// Reads a whole history.
    ///
    /// # Errors
    /// As [`Reader::new`] and [`Reader::history`].
    pub fn read<R: BufRead>(input: R) -> Result<Self, ReadError> {
        Reader::new(input)?.history()
    }

    /// Writes the whole history.
    ///
    /// # Errors
    /// The output fails.
    pub fn write<W: Write>(&self, output: W) -> io::Result<W> {
        let mut writer = Writer::new(output)?;
        self.operations().iter().try_for_each(|operation| writer.write(operation))?;
        writer.finish()
    }
}

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
    /// The line does not read as an operation.
    NoOperation(String),
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
                write!(f, "format version {found}; this reader knows version {VERSION} only")
            }
            Self::TooLong(limit) => {
                write!(f, "longer than {limit} bytes, the limit of this reader")
            }
            Self::NoOperation(what) => {
                write!(f, "not an operation ({what}); it must look like {EXAMPLE}")
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
            | Problem::NoOperation(_)
            | Problem::NoReturn
            | Problem::ReturnOfUnknown => None,
        }
    }
}

/// The message of a parser that saw one line only and so calls every line the first.
fn without_line(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let message = text.rsplit_once(" at line ").map_or(text.as_str(), |(message, _)| message);
    format!("{message}, at column {}", error.column())
}
