//! A history as text: JSON lines, a header first, then one record per line.
//!
//! ```text
//! {"format":"quorate-history","version":2}
//! {"op":1,"client":0,"endpoint":"n1","invoked":10,"returned":25,
//!  "request":{"put":{"key":"a","value":"x"}},"outcome":{"ok":{"put":{"revision":2}}}}
//! {"op":2,"client":1,"invoked":12,"request":{"delete_range":{"key":"a"}},
//!  "outcome":{"unknown":"timeout"}}
//! {"watch":1,"client":1,"stream":0,"invoked":10,"request":{"key":"a","start_revision":2},
//!  "messages":[{"at":15,"revision":1,"watch_id":0,"created":true}],"end":"running"}
//! {"lease_end":{"lease":7,"at":99,"revision":3}}
//! ```
//!
//! (Folded for print: a record is one line.) `returned` is absent exactly when the outcome is
//! unknown. The header may carry further fields for people (a seed, a date); a record may not,
//! since a field that this version does not know could change what the record means.
//!
//! Version 1 knew puts, ranges and deletes; version 2 knows all that version 1 did, spelt alike.
//!
//! Invariants:
//! - J1. What the writer wrote, the reader gives back.
//! - J2. No input makes the reader panic or hold more than one line over the limit in memory.
//! - J3. Every error names its line and says what would be right.
//!
//! Not here: how a record is spelt (`json/line.rs`), the words of errors (`json/problem.rs`).

use std::borrow::Cow;
use std::io::{self, BufRead, Read, Write};

use serde::{Deserialize, Serialize};

use super::{History, Operation, Record, Watch};

mod line;
mod problem;

pub use line::Kind;
use line::{Fact, Line, WatchLine};
pub use problem::{Problem, ReadError};

/// The longest line that a reader takes unless told otherwise, in bytes.
pub const LINE_LIMIT: usize = 64 << 20;

const FORMAT: &str = "quorate-history";
const VERSION: u64 = 2;

#[derive(Serialize, Deserialize)]
struct Header<'a> {
    format: Cow<'a, str>,
    version: u64,
}

/// Writes a history, record by record.
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
        self.line(&Line::from(operation))
    }

    /// Appends one watch.
    ///
    /// # Errors
    /// The output fails.
    pub fn write_watch(&mut self, watch: &Watch) -> io::Result<()> {
        self.line(&WatchLine::from(watch))
    }

    /// Appends a record of any kind.
    ///
    /// # Errors
    /// The output fails.
    pub fn write_record(&mut self, record: &Record) -> io::Result<()> {
        match record {
            Record::Operation(operation) => self.write(operation),
            Record::Watch(watch) => self.write_watch(watch),
            Record::LeaseEnd(end) => self.line(&Fact::LeaseEnd(Cow::Borrowed(end))),
            Record::Healthy(healthy) => self.line(&Fact::Healthy(Cow::Borrowed(healthy))),
            Record::Revealed(revealed) => self.line(&Fact::Revealed(Cow::Borrowed(revealed))),
        }
    }

    fn line(&mut self, line: &impl Serialize) -> io::Result<()> {
        serde_json::to_writer(&mut self.output, line)?;
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

/// Reads a history, record by record; ends at the first error.
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
    /// A line is no record, or no part of one history.
    pub fn history(mut self) -> Result<History, ReadError> {
        let before = self.line;
        let records = self.by_ref().collect::<Result<Vec<_>, _>>()?;
        History::of(records).map_err(|(place, malformed)| ReadError {
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
        if !(1..=VERSION).contains(&header.version) {
            return Err(Problem::Version(header.version));
        }
        Ok(())
    }

    fn record(&mut self) -> Result<Option<Record>, Problem> {
        if !self.advance()? {
            return Ok(None);
        }
        let record = line::read(&self.buffer)?;
        super::check::record(&record).map_err(Problem::Malformed)?;
        Ok(Some(record))
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
    type Item = Result<Record, ReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.failed {
            return None;
        }
        let read = self.record();
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
        self.watches().iter().try_for_each(|watch| writer.write_watch(watch))?;
        for end in self.lease_ends() {
            writer.line(&Fact::LeaseEnd(Cow::Borrowed(end)))?;
        }
        for healthy in self.healthy() {
            writer.line(&Fact::Healthy(Cow::Borrowed(healthy)))?;
        }
        for revealed in self.revealed() {
            writer.line(&Fact::Revealed(Cow::Borrowed(revealed)))?;
        }
        writer.finish()
    }
}

/// The message of a parser that saw one line only and so calls every line the first.
fn without_line(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let message = text.rsplit_once(" at line ").map_or(text.as_str(), |(message, _)| message);
    format!("{message}, at column {}", error.column())
}
