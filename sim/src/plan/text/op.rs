//! A client's operation as the end of a line.
//!
//! Not here: what the words mean (`plan/op.rs`).

use std::fmt;

use super::{Read, Span, Words, number};
use crate::plan::op::{
    Aspect, Compare, Delete, Filter, Keys, Lease, Only, Op, Operand, Point, Put, Range, Relation,
    Request, Step, Stream, Tie, Txn, Watch,
};

/// Whether to write a word, with a blank before it.
struct Flag(bool, &'static str);

impl fmt::Display for Flag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 { write!(f, " {}", self.1) } else { Ok(()) }
    }
}

impl fmt::Display for Op {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { number, client, think, request } = self;
        write!(f, "op {number} client {client} think {} {request}", Span(*think))
    }
}

impl Op {
    pub(super) fn read(words: &mut Words<'_>) -> Read<Self> {
        let number = words.number()?;
        words.expect("client")?;
        let client = words.number()?;
        words.expect("think")?;
        Ok(Self { number, client, think: words.span()?, request: Request::read(words)? })
    }
}

impl fmt::Display for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Put(put) => put.fmt(f),
            Self::Delete(delete) => delete.fmt(f),
            Self::Range(range) => range.fmt(f),
            Self::Txn(txn) => txn.fmt(f),
            Self::Compact { at, physical } => {
                write!(f, "compact {at}{}", Flag(*physical, "physical"))
            }
            Self::Grant { lease, ttl } => write!(f, "grant {lease} ttl {ttl}"),
            Self::Revoke(lease) => write!(f, "revoke {lease}"),
            Self::KeepAlive(lease) => write!(f, "keep-alive {lease}"),
            Self::Keep { lease, every, times } => {
                write!(f, "keep {lease} every {} times {times}", Span(*every))
            }
            Self::TimeToLive { lease, keys } => {
                write!(f, "time-to-live {lease}{}", Flag(*keys, "keys"))
            }
            Self::Leases => f.write_str("leases"),
            Self::Watch(watch) => watch.fmt(f),
            Self::Cancel(op) => write!(f, "cancel {op}"),
            Self::Progress(stream) => write!(f, "progress {stream}"),
            Self::Pace(stream, every) => write!(f, "pace {stream} {}", Span(*every)),
            Self::Close(stream) => write!(f, "close {stream}"),
            Self::MoveLeader(member) => write!(f, "move-leader {member}"),
        }
    }
}

impl Request {
    fn read(words: &mut Words<'_>) -> Read<Self> {
        Ok(match words.word()? {
            "compact" => {
                Self::Compact { at: Point::read(words)?, physical: words.flag("physical") }
            }
            "grant" => Self::read_grant(words)?,
            "revoke" => Self::Revoke(Lease::read(words)?),
            "keep-alive" => Self::KeepAlive(Lease::read(words)?),
            "keep" => Self::read_keep(words)?,
            "time-to-live" => {
                Self::TimeToLive { lease: Lease::read(words)?, keys: words.flag("keys") }
            }
            "leases" => Self::Leases,
            "watch" => Self::Watch(Watch::read(words)?),
            "cancel" => Self::Cancel(words.number()?),
            "progress" => Self::Progress(Stream::read(words)?),
            "pace" => Self::Pace(Stream::read(words)?, words.span()?),
            "close" => Self::Close(Stream::read(words)?),
            "move-leader" => Self::MoveLeader(words.number()?),
            step => match Step::read(step, words)? {
                Step::Put(put) => Self::Put(put),
                Step::Delete(delete) => Self::Delete(delete),
                Step::Range(range) => Self::Range(range),
                Step::Txn(txn) => Self::Txn(txn),
            },
        })
    }

    fn read_grant(words: &mut Words<'_>) -> Read<Self> {
        let lease = Lease::read(words)?;
        words.expect("ttl")?;
        Ok(Self::Grant { lease, ttl: words.number()? })
    }

    fn read_keep(words: &mut Words<'_>) -> Read<Self> {
        let lease = Lease::read(words)?;
        words.expect("every")?;
        let every = words.span()?;
        words.expect("times")?;
        Ok(Self::Keep { lease, every, times: words.number()? })
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Put(put) => put.fmt(f),
            Self::Delete(delete) => delete.fmt(f),
            Self::Range(range) => range.fmt(f),
            Self::Txn(txn) => txn.fmt(f),
        }
    }
}

impl Step {
    fn read(first: &str, words: &mut Words<'_>) -> Read<Self> {
        Ok(match first {
            "put" => Self::Put(Put::read(words)?),
            "delete" => Self::Delete(Delete { keys: Keys::read(words)?, prev: words.flag("prev") }),
            "range" => Self::Range(Range::read(words)?),
            "txn" => Self::Txn(Txn::read(words)?),
            other => return Err(format!("no operation is called {other}")),
        })
    }
}

impl fmt::Display for Put {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "put k{}", self.key)?;
        match self.size {
            Some(size) => write!(f, " size {size}")?,
            None => f.write_str(" ignore-value")?,
        }
        match self.tie {
            Tie::Loose => {}
            Tie::To(lease) => write!(f, " lease {lease}")?,
            Tie::Kept => f.write_str(" ignore-lease")?,
        }
        Flag(self.prev, "prev").fmt(f)
    }
}

impl Put {
    fn read(words: &mut Words<'_>) -> Read<Self> {
        let key = key(words.word()?)?;
        let sized = words.expect_one_of(&["size", "ignore-value"])? == 0;
        let size = if sized { Some(words.number()?) } else { None };
        let tie = if words.flag("lease") {
            Tie::To(Lease::read(words)?)
        } else if words.flag("ignore-lease") {
            Tie::Kept
        } else {
            Tie::Loose
        };
        Ok(Self { key, size, tie, prev: words.flag("prev") })
    }
}

impl fmt::Display for Delete {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "delete {}{}", self.keys, Flag(self.prev, "prev"))
    }
}

impl fmt::Display for Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "range {}{}", self.keys, Flag(self.serializable, "serializable"))?;
        if self.limit > 0 {
            write!(f, " limit {}", self.limit)?;
        }
        if let Some(only) = self.only {
            write!(f, " {}", only.word())?;
        }
        self.at.map_or(Ok(()), |at| write!(f, " {at}"))
    }
}

impl Range {
    fn read(words: &mut Words<'_>) -> Read<Self> {
        let keys = Keys::read(words)?;
        let serializable = words.flag("serializable");
        let limit = if words.flag("limit") { words.number()? } else { 0 };
        let only = Only::ALL.iter().copied().find(|only| words.flag(only.word()));
        Ok(Self { keys, limit, at: Point::read_if_any(words)?, serializable, only })
    }
}

impl fmt::Display for Txn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("txn")?;
        for (place, compare) in self.compares.iter().enumerate() {
            write!(f, " {} {compare}", if place == 0 { "if" } else { "and" })?;
        }
        for (word, steps) in [("then", &self.success), ("else", &self.failure)] {
            for (place, step) in steps.iter().enumerate() {
                write!(f, " {} {step}", if place == 0 { word } else { ";" })?;
            }
        }
        f.write_str(" end")
    }
}

impl Txn {
    fn read(words: &mut Words<'_>) -> Read<Self> {
        let mut txn = Self::default();
        let mut more = words.flag("if");
        while more {
            txn.compares.push(Compare::read(words)?);
            more = words.flag("and");
        }
        for (word, steps) in [("then", &mut txn.success), ("else", &mut txn.failure)] {
            let mut more = words.flag(word);
            while more {
                steps.push(Step::read(words.word()?, words)?);
                more = words.flag(";");
            }
        }
        words.expect("end")?;
        Ok(txn)
    }
}

impl fmt::Display for Compare {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { aspect, keys, relation, operand } = self;
        write!(f, "{} {keys} {} {operand}", aspect.word(), relation.word())
    }
}

impl Compare {
    fn read(words: &mut Words<'_>) -> Read<Self> {
        Ok(Self {
            aspect: words.choice(Aspect::ALL, |aspect| aspect.word())?,
            keys: Keys::read(words)?,
            relation: words.choice(Relation::ALL, |relation| relation.word())?,
            operand: Operand::read(words.word()?)?,
        })
    }
}

impl fmt::Display for Operand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => write!(f, "{number}"),
            Self::Seen(0) => f.write_str("seen"),
            Self::Seen(more) => write!(f, "seen{more:+}"),
        }
    }
}

impl Operand {
    fn read(word: &str) -> Read<Self> {
        match word.strip_prefix("seen") {
            None => Ok(Self::Number(number(word)?)),
            Some("") => Ok(Self::Seen(0)),
            Some(more) => Ok(Self::Seen(number(more)?)),
        }
    }
}

impl fmt::Display for Point {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Back(by) => write!(f, "back {by}"),
            Self::Ahead(by) => write!(f, "ahead {by}"),
            Self::Tombstone(by) => write!(f, "tombstone {by}"),
            Self::Mark(by) => write!(f, "mark {by}"),
        }
    }
}

impl Point {
    fn read(words: &mut Words<'_>) -> Read<Self> {
        let what = "a revision is told by back, ahead, tombstone or mark";
        Self::read_if_any(words)?.ok_or_else(|| what.to_owned())
    }

    fn read_if_any(words: &mut Words<'_>) -> Read<Option<Self>> {
        Ok(if words.flag("back") {
            Some(Self::Back(words.number()?))
        } else if words.flag("ahead") {
            Some(Self::Ahead(words.number()?))
        } else if words.flag("tombstone") {
            Some(Self::Tombstone(words.number()?))
        } else if words.flag("mark") {
            Some(Self::Mark(words.number()?))
        } else {
            None
        })
    }
}

impl fmt::Display for Lease {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Id(id) => write!(f, "l{id}"),
            Self::Own => f.write_str("own"),
        }
    }
}

impl Lease {
    fn read(words: &mut Words<'_>) -> Read<Self> {
        match words.word()? {
            "own" => Ok(Self::Own),
            word => Ok(Self::Id(number(word.strip_prefix('l').ok_or("a lease is written l7")?)?)),
        }
    }
}

impl fmt::Display for Watch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "watch {} {}", self.stream, self.keys)?;
        if let Some(from) = self.from {
            write!(f, " from {from}")?;
        }
        if let Some(id) = self.id {
            write!(f, " id {id}")?;
        }
        if let Some(without) = self.without {
            write!(f, " {}", without.word())?;
        }
        Flag(self.prev, "prev").fmt(f)?;
        Flag(self.fragment, "fragment").fmt(f)?;
        Flag(self.progress, "progress").fmt(f)
    }
}

impl Watch {
    fn read(words: &mut Words<'_>) -> Read<Self> {
        Ok(Self {
            stream: Stream::read(words)?,
            keys: Keys::read(words)?,
            from: if words.flag("from") { Some(Point::read(words)?) } else { None },
            id: if words.flag("id") { Some(words.number()?) } else { None },
            without: Filter::ALL.iter().copied().find(|filter| words.flag(filter.word())),
            prev: words.flag("prev"),
            fragment: words.flag("fragment"),
            progress: words.flag("progress"),
        })
    }
}

impl fmt::Display for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "s{}", self.0)
    }
}

impl Stream {
    fn read(words: &mut Words<'_>) -> Read<Self> {
        number(words.word()?.strip_prefix('s').ok_or("a stream is written s1")?).map(Self)
    }
}

impl fmt::Display for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::One(key) => write!(f, "k{key}"),
            Self::Span(first, end) => write!(f, "k{first}..k{end}"),
            Self::From(first) => write!(f, "k{first}.."),
        }
    }
}

impl Keys {
    fn read(words: &mut Words<'_>) -> Read<Self> {
        let word = words.word()?;
        Ok(match word.split_once("..") {
            None => Self::One(key(word)?),
            Some((first, "")) => Self::From(key(first)?),
            Some((first, end)) => Self::Span(key(first)?, key(end)?),
        })
    }
}

fn key(word: &str) -> Read<u8> {
    number(word.strip_prefix('k').ok_or("a key is written k7")?)
}
