//! The lines of a history file: how each kind of record is spelt.
//!
//! A line begins with the field that says what it is: `op`, `watch`, `lease_end`, `healthy` or
//! `revealed`. Whatever the order of its fields, it is one of these by the field that it has.
//!
//! Not here: lines one after the other (`json.rs`).

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};

use super::super::record::{Healthy, LeaseEnd, Record, Revealed};
use super::super::watch::{StreamId, Watch, WatchEnd, WatchMessage, WatchNumber, WatchRequest};
use super::super::{ClientId, Micros, OpNumber, Operation, Outcome, Refusal, Request, Response};
use super::problem::Problem;
use super::without_line;

/// What a line is a record of.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// An operation.
    Operation,
    /// A watch.
    Watch,
    /// A lease's end.
    LeaseEnd,
    /// A span of health.
    Healthy,
    /// What a revision changed.
    Revealed,
}

impl Kind {
    /// A line of this kind as it should be.
    pub(super) fn example(self) -> &'static str {
        match self {
            Self::Operation => {
                r#"{"op":1,"client":0,"endpoint":"n1","invoked":10,"returned":25,"request":{"put":{"key":"a","value":"x"}},"outcome":{"ok":{"put":{"revision":2}}}}, all on one line"#
            }
            Self::Watch => {
                r#"{"watch":1,"client":0,"stream":0,"endpoint":"n1","invoked":10,"request":{"key":"a"},"messages":[{"at":25,"revision":2,"watch_id":0,"created":true}],"end":"running"}, all on one line"#
            }
            Self::LeaseEnd => r#"{"lease_end":{"lease":7,"at":25,"revision":3}}"#,
            Self::Healthy => r#"{"healthy":{"from":10,"until":25}}"#,
            Self::Revealed => {
                r#"{"revealed":{"revision":2,"events":[{"kind":"put","kv":{"key":"a","value":"x","create_revision":2,"mod_revision":2,"version":1}}]}}, all on one line"#
            }
        }
    }

    /// The kind of a line, by the field that only this kind has; an operation if none has it.
    fn of(bytes: &[u8]) -> Self {
        // Nearly all lines begin like this; looking ahead in each would cost a second parse.
        if bytes.starts_with(br#"{"op":"#) {
            return Self::Operation;
        }
        match serde_json::from_slice(bytes) {
            Ok(Telling { watch: Some(_), .. }) => Self::Watch,
            Ok(Telling { lease_end: Some(_), .. }) => Self::LeaseEnd,
            Ok(Telling { healthy: Some(_), .. }) => Self::Healthy,
            Ok(Telling { revealed: Some(_), .. }) => Self::Revealed,
            Ok(Telling { watch: None, lease_end: None, healthy: None, revealed: None })
            | Err(_) => Self::Operation,
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Operation => "an operation",
            Self::Watch => "a watch",
            Self::LeaseEnd => "the end of a lease",
            Self::Healthy => "a span of health",
            Self::Revealed => "what a revision changed",
        })
    }
}

/// The fields that tell the kinds apart.
#[derive(Deserialize)]
struct Telling {
    watch: Option<IgnoredAny>,
    lease_end: Option<IgnoredAny>,
    healthy: Option<IgnoredAny>,
    revealed: Option<IgnoredAny>,
}

/// Reads a line.
pub(super) fn read(bytes: &[u8]) -> Result<Record, Problem> {
    let kind = Kind::of(bytes);
    let wrong = |error: serde_json::Error| Problem::NoRecord(kind, without_line(&error));
    Ok(match kind {
        Kind::Operation => {
            let line: Line<'_> = serde_json::from_slice(bytes).map_err(wrong)?;
            Record::Operation(line.into_operation()?)
        }
        Kind::Watch => {
            let line: WatchLine<'_> = serde_json::from_slice(bytes).map_err(wrong)?;
            Record::Watch(line.into_watch())
        }
        Kind::LeaseEnd | Kind::Healthy | Kind::Revealed => {
            match serde_json::from_slice(bytes).map_err(wrong)? {
                Fact::LeaseEnd(end) => Record::LeaseEnd(end.into_owned()),
                Fact::Healthy(healthy) => Record::Healthy(healthy.into_owned()),
                Fact::Revealed(revealed) => Record::Revealed(revealed.into_owned()),
            }
        }
    })
}

/// A line that is one object in one field.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Fact<'a> {
    LeaseEnd(Cow<'a, LeaseEnd>),
    Healthy(Cow<'a, Healthy>),
    Revealed(Cow<'a, Revealed>),
}

/// A watch as its line spells it.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct WatchLine<'a> {
    watch: WatchNumber,
    client: ClientId,
    stream: StreamId,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    endpoint: Option<Cow<'a, str>>,
    invoked: Micros,
    request: Cow<'a, WatchRequest>,
    messages: Cow<'a, [WatchMessage]>,
    end: Cow<'a, WatchEnd>,
}

impl<'a> From<&'a Watch> for WatchLine<'a> {
    fn from(watch: &'a Watch) -> Self {
        Self {
            watch: watch.number,
            client: watch.client,
            stream: watch.stream,
            endpoint: watch.endpoint.as_deref().map(Cow::Borrowed),
            invoked: watch.invoked,
            request: Cow::Borrowed(&watch.request),
            messages: Cow::Borrowed(&watch.messages),
            end: Cow::Borrowed(&watch.end),
        }
    }
}

impl WatchLine<'_> {
    fn into_watch(self) -> Watch {
        Watch {
            number: self.watch,
            client: self.client,
            stream: self.stream,
            endpoint: self.endpoint.map(Arc::from),
            invoked: self.invoked,
            request: self.request.into_owned(),
            messages: self.messages.into_owned(),
            end: self.end.into_owned(),
        }
    }
}

/// An operation as its line spells it.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Line<'a> {
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
