//! The text of a plan: words between spaces, a thing per line, `#` before remarks.
//!
//! Writing and reading stand next to each other, shape by shape, so that they cannot drift apart.

mod op;

use std::fmt;
use std::str::{FromStr, SplitWhitespace};

use super::{
    Actor, Direction, Fault, Flight, Moment, Op, Plan, Settings, Shelf, Target, Unit, VERSION,
    What, When, Who,
};
use crate::clock::{MILLI, Micros, SECOND};

/// Which line cannot be read, and why.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PlanError(String);

impl fmt::Display for PlanError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for PlanError {}

/// The words of one line, taken from the front.
pub(super) struct Words<'a>(SplitWhitespace<'a>);

pub(super) type Read<T> = Result<T, String>;

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "quorate plan {VERSION}")?;
        for (name, unit, value) in self.settings.each() {
            match unit {
                Unit::Number => writeln!(f, "{name} {value}")?,
                Unit::Span => writeln!(f, "{name} {}", Span(value))?,
            }
        }
        self.faults.iter().try_for_each(|fault| writeln!(f, "{fault}"))?;
        self.ops.iter().try_for_each(|op| writeln!(f, "{op}"))?;
        self.expect.fmt(f)
    }
}

impl FromStr for Plan {
    type Err = PlanError;

    fn from_str(text: &str) -> Result<Self, PlanError> {
        let mut plan = Self::default();
        let mut lines = text.lines().enumerate().filter_map(|(at, line)| {
            let line = line.split('#').next().unwrap_or_default().trim();
            (!line.is_empty()).then_some((at + 1, line))
        });
        let head = lines.next().and_then(|(_, line)| line.strip_prefix("quorate plan "));
        // What a plan of version 1 can say, version 2 says alike.
        if head
            .and_then(|version| version.parse::<u32>().ok())
            .is_none_or(|it| it == 0 || it > VERSION)
        {
            let why = format!("a plan begins with the line \"quorate plan {VERSION}\"");
            return Err(PlanError(why));
        }
        for (at, line) in lines {
            plan.read_line(line).map_err(|why| PlanError(format!("line {at}: {why}: {line}")))?;
        }
        plan.check().map_err(PlanError)?;
        Ok(plan)
    }
}

impl Plan {
    fn read_line(&mut self, line: &str) -> Read<()> {
        let mut words = Words(line.split_whitespace());
        match words.word()? {
            "fault" => self.faults.push(Fault::read(&mut words)?),
            "op" => self.ops.push(Op::read(&mut words)?),
            "expect" => self.expect.read(&mut words)?,
            name => self.settings.read(name, &mut words)?,
        }
        words.end()
    }

    /// What a run takes for granted.
    fn check(&self) -> Read<()> {
        let settings = &self.settings;
        let names =
            ["members", "clients", "page", "segment", "heartbeat", "election", "store-sync"];
        for (name, _, value) in settings.each() {
            if names.contains(&name) && value == 0 {
                return Err(format!("{name} is missing or 0"));
            }
        }
        if settings.members > 5 || settings.clients > 32 || !settings.segment.is_multiple_of(512) {
            return Err("at most 5 members and 32 clients, segments of whole sectors".to_owned());
        }
        let stranger = |op: &&Op| u64::from(op.client) >= settings.clients;
        self.ops
            .iter()
            .find(stranger)
            .map_or(Ok(()), |op| Err(format!("op {} has no client", op.number)))
    }
}

impl Settings {
    fn read(&mut self, name: &str, words: &mut Words<'_>) -> Read<()> {
        let (place, unit) = self.place(name).ok_or("no such setting")?;
        *place = match unit {
            Unit::Number => words.number()?,
            Unit::Span => words.span()?,
        };
        Ok(())
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "fault {} {} for {} {}", self.id, self.when, Span(self.lasts), self.what)
    }
}

impl Fault {
    fn read(words: &mut Words<'_>) -> Read<Self> {
        let id = words.number()?;
        let when = When::read(words)?;
        words.expect("for")?;
        Ok(Self { id, when, lasts: words.span()?, what: What::read(words)? })
    }
}

impl fmt::Display for When {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::At(at) => write!(f, "at {}", Span(*at)),
            Self::Nth { who, moment, nth, after } => {
                write!(f, "when {who} {} nth {nth} after {}", moment.word(), Span(*after))
            }
        }
    }
}

impl When {
    fn read(words: &mut Words<'_>) -> Read<Self> {
        if words.expect_one_of(&["at", "when"])? == 0 {
            return Ok(Self::At(words.span()?));
        }
        let who = Who::read(words.word()?)?;
        let moment = words.choice(Moment::ALL, |moment| moment.word())?;
        words.expect("nth")?;
        let nth = words.number()?;
        words.expect("after")?;
        Ok(Self::Nth { who, moment, nth, after: words.span()? })
    }
}

impl fmt::Display for Who {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Member(member) => write!(f, "{member}"),
            Self::Leader => f.write_str("leader"),
            Self::Anyone => f.write_str("anyone"),
        }
    }
}

impl Who {
    fn read(word: &str) -> Read<Self> {
        match word {
            "leader" => Ok(Self::Leader),
            "anyone" => Ok(Self::Anyone),
            member => Ok(Self::Member(number(member)?)),
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Member(member) => write!(f, "{member}"),
            Self::Leader => f.write_str("leader"),
            Self::It => f.write_str("it"),
            Self::All => f.write_str("all"),
        }
    }
}

impl Target {
    fn read(words: &mut Words<'_>) -> Read<Self> {
        match words.word()? {
            "leader" => Ok(Self::Leader),
            "it" => Ok(Self::It),
            "all" => Ok(Self::All),
            member => Ok(Self::Member(number(member)?)),
        }
    }
}

impl fmt::Display for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Crash(target) => write!(f, "crash {target}"),
            Self::PowerLoss(target) => write!(f, "power-loss {target}"),
            Self::Pause(target) => write!(f, "pause {target}"),
            Self::Stall(target, actor) => write!(f, "stall {target} {}", actor.word()),
            Self::SlowDisk(target, times) => write!(f, "slow-disk {target} {times}"),
            Self::FailingDisk(target) => write!(f, "failing-disk {target}"),
            Self::FullDisk(target) => write!(f, "full-disk {target}"),
            Self::Rot(target, shelf) => write!(f, "rot {target} {}", shelf.word()),
            Self::Isolate { target, with, direction, flight } => {
                write!(f, "isolate {target} with {with} {} {}", direction.word(), flight.word())
            }
            Self::Cut(links, flight) => {
                write!(f, "cut {}", flight.word())?;
                links.iter().try_for_each(|(from, to)| write!(f, " {from}>{to}"))
            }
            Self::Loss(target, rate) => write!(f, "loss {target} {rate}"),
            Self::Duplicate(target, rate) => write!(f, "duplicate {target} {rate}"),
            Self::Reorder(target, rate, by) => write!(f, "reorder {target} {rate} {}", Span(*by)),
            Self::Delay(target, rate, by) => write!(f, "delay {target} {rate} {}", Span(*by)),
            Self::Drift(target, ppm) => write!(f, "drift {target} {ppm}"),
            Self::Jump(target, by) => write!(f, "jump {target} {by}"),
        }
    }
}

impl What {
    fn read(words: &mut Words<'_>) -> Read<Self> {
        Ok(match words.word()? {
            "crash" => Self::Crash(Target::read(words)?),
            "power-loss" => Self::PowerLoss(Target::read(words)?),
            "pause" => Self::Pause(Target::read(words)?),
            "stall" => {
                Self::Stall(Target::read(words)?, words.choice(Actor::ALL, |actor| actor.word())?)
            }
            "slow-disk" => Self::SlowDisk(Target::read(words)?, words.number()?),
            "failing-disk" => Self::FailingDisk(Target::read(words)?),
            "full-disk" => Self::FullDisk(Target::read(words)?),
            "rot" => {
                Self::Rot(Target::read(words)?, words.choice(Shelf::ALL, |shelf| shelf.word())?)
            }
            "isolate" => Self::read_isolate(words)?,
            "cut" => {
                let flight = words.choice(Flight::ALL, |flight| flight.word())?;
                Self::Cut(words.links()?, flight)
            }
            "loss" => Self::Loss(Target::read(words)?, words.number()?),
            "duplicate" => Self::Duplicate(Target::read(words)?, words.number()?),
            "reorder" => Self::Reorder(Target::read(words)?, words.number()?, words.span()?),
            "delay" => Self::Delay(Target::read(words)?, words.number()?, words.span()?),
            "drift" => Self::Drift(Target::read(words)?, words.number()?),
            "jump" => Self::Jump(Target::read(words)?, words.number()?),
            other => return Err(format!("no fault is called {other}")),
        })
    }

    fn read_isolate(words: &mut Words<'_>) -> Read<Self> {
        let target = Target::read(words)?;
        words.expect("with")?;
        let with = words.number()?;
        let direction = words.choice(Direction::ALL, |direction| direction.word())?;
        let flight = words.choice(Flight::ALL, |flight| flight.word())?;
        Ok(Self::Isolate { target, with, direction, flight })
    }
}

/// A span of time, in the largest unit that shows it whole.
pub(crate) struct Span(pub(crate) Micros);

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            span if span % SECOND == 0 => write!(f, "{}s", span / SECOND),
            span if span % MILLI == 0 => write!(f, "{}ms", span / MILLI),
            span => write!(f, "{span}us"),
        }
    }
}

impl<'a> Words<'a> {
    pub(super) fn word(&mut self) -> Read<&'a str> {
        self.0.next().ok_or_else(|| "something is missing at the end".to_owned())
    }

    fn end(&mut self) -> Read<()> {
        self.0.next().map_or(Ok(()), |word| Err(format!("\"{word}\" does not belong here")))
    }

    pub(super) fn expect(&mut self, word: &str) -> Read<()> {
        self.expect_one_of(&[word]).map(drop)
    }

    pub(super) fn expect_one_of(&mut self, choices: &[&str]) -> Read<usize> {
        let word = self.word()?;
        let place = choices.iter().position(|choice| *choice == word);
        place.ok_or_else(|| format!("\"{word}\" should be {}", choices.join(" or ")))
    }

    fn choice<T: Copy>(&mut self, all: &[T], name: impl Fn(T) -> &'static str) -> Read<T> {
        let word = self.word()?;
        let found = all.iter().copied().find(|each| name(*each) == word);
        found.ok_or_else(|| format!("\"{word}\" is not known"))
    }

    /// Whether the next word is this one; takes it if so.
    fn flag(&mut self, word: &str) -> bool {
        let mut ahead = self.0.clone();
        let found = ahead.next() == Some(word);
        if found {
            self.0 = ahead;
        }
        found
    }

    /// All words to the end of the line, as one.
    pub(super) fn rest(&mut self) -> String {
        self.0.by_ref().collect::<Vec<_>>().join(" ")
    }

    pub(super) fn number<T: FromStr>(&mut self) -> Read<T> {
        number(self.word()?)
    }

    fn span(&mut self) -> Read<Micros> {
        let word = self.word()?;
        let digits = word.trim_end_matches(|letter: char| letter.is_ascii_alphabetic());
        let unit = match &word[digits.len()..] {
            "s" => SECOND,
            "ms" => MILLI,
            "us" => 1,
            _ => return Err(format!("\"{word}\" is no span: s, ms, us")),
        };
        number::<u64>(digits)?.checked_mul(unit).ok_or_else(|| format!("\"{word}\" is too long"))
    }

    fn links(&mut self) -> Read<Vec<(u8, u8)>> {
        let mut links = Vec::new();
        for word in self.0.by_ref() {
            let (from, to) = word.split_once('>').ok_or("a link is written 1>2")?;
            links.push((number(from)?, number(to)?));
        }
        Ok(links)
    }
}

fn number<T: FromStr>(word: &str) -> Read<T> {
    word.parse().map_err(|_| format!("\"{word}\" is no number that fits here"))
}
