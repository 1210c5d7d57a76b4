//! Transactions, compaction and the past in the hands of a script.
//!
//! ```text
//!   txn n1 if mod(a)=3 value(b)!=x then put(a)=2 get(a) del(b..d) else [ then put(c)=1 ] get(a@2)
//! ```

use bytes::Bytes;
use quorate_core::api::etcdserverpb::compare::{CompareResult, CompareTarget, TargetUnion};
use quorate_core::api::etcdserverpb::request_op::Request as Op;
use quorate_core::api::etcdserverpb::response_op::Response as Done;
use quorate_core::api::etcdserverpb::{
    CompactionRequest, Compare, DeleteRangeRequest, PutRequest, RangeRequest, RequestOp,
    ResponseHeader, TxnRequest, TxnResponse,
};
use quorate_core::api::{KeyRange, Refusal};
use quorate_core::member::Input;
use quorate_core::request::{self, MAX_REQUEST_BYTES, Request};
use quorate_core::store::{HashStep, Record, Written};
use quorate_core::types::RequestId;

use super::{Node, pair};
use crate::script::{Words, number};

impl Node {
    /// Carries out a command about transactions, compaction or the past.
    pub fn run_history(&mut self, verb: &str, words: &mut Words<'_>) -> Result<(), String> {
        match verb {
            "txn" => {
                let txn = txn(words)?;
                self.ask(|id| request::txn(id, txn, MAX_REQUEST_BYTES));
            }
            "compact" => {
                let revision = number(words.next()?)?;
                let physical = words.0.pop_front_if(|word| *word == "physical").is_some();
                let compaction = CompactionRequest { revision, physical };
                self.ask(|id| request::compact(id, compaction, MAX_REQUEST_BYTES));
            }
            "sweep" => {
                let swept = self.store.sweep(words.count(1000)?);
                let gone: String = swept.rows.iter().map(|row| name(&row.key)).collect();
                self.rows.extend(swept.rows);
                self.lines.push(format!("sweep removed{gone}; left: {:?}", swept.left));
            }
            "past" => {
                let past = self.past().iter().map(|key| name(key)).collect::<String>();
                self.lines.push(format!("past{past}"));
            }
            "changes" => {
                let told = self.store.events(number(words.next()?)?, i64::MAX, usize::MAX);
                let told = told.map(|events| events.changes.iter().map(change).collect::<String>());
                self.lines.push(match told {
                    Ok(told) => format!("changes{told}"),
                    Err(refusal) => format!("changes: {refusal}"),
                });
            }
            _ => {
                let hash = self.store.hash_kv(number(words.next()?)?, None, usize::MAX);
                self.lines.push(match hash {
                    Ok(HashStep::Done(hash)) => format!("hash {:08x}", hash.hash),
                    Ok(HashStep::More(_)) => unreachable!("the budget is without end"),
                    Err(refusal) => format!("hash: {refusal}"),
                });
            }
        }
        Ok(())
    }

    /// A client asks, or is refused there and then.
    fn ask(&mut self, make: impl FnOnce(RequestId) -> Result<Request, Refusal>) {
        let id = self.waiters.id();
        match make(id) {
            Ok(request) => {
                self.waiters.wait(id, Bytes::new());
                self.take_in([Input::Request(id, request)]);
            }
            Err(refusal) => self.lines.push(format!("refused {id} {refusal}")),
        }
    }

    /// Removal is durable so far: who waited for that is told.
    pub fn removal_is_durable(&mut self) {
        self.held.synced(self.store.removed());
        for (id, answer) in self.held.release() {
            self.answer(id, &answer);
        }
    }

    /// The keys of the records that the store would keep.
    fn past(&self) -> Vec<Vec<u8>> {
        let mut past = std::collections::BTreeSet::new();
        for row in self.rows.iter().filter(|row| row.key[0] == b'k') {
            match row.value {
                Some(_) => past.insert(row.key.to_vec()),
                None => past.remove(row.key.as_ref()),
            };
        }
        past.into_iter().collect()
    }
}

/// `2.0`, or `2.0x` for a tombstone.
fn name(key: &[u8]) -> String {
    let word = |at: usize| u64::from_be_bytes(key[at..at + 8].try_into().expect("8 bytes"));
    let tombstone = if key.len() > 17 { "x" } else { "" };
    format!(" {}.{}{tombstone}", word(1), word(9))
}

fn change(change: &Written) -> String {
    let what = |record: &Record| pair(&record.key_value());
    let was = change.previous.as_ref().map_or(String::new(), |was| format!(" (was {})", what(was)));
    let key = change.record.key().escape_ascii();
    let now = match change.record.kind() {
        quorate_core::store::Kind::Put => what(&change.record),
        quorate_core::store::Kind::Tombstone => format!("no {key}"),
    };
    format!(" | {} {now}{was}", change.at)
}

fn txn(words: &mut Words<'_>) -> Result<TxnRequest, String> {
    let mut txn = TxnRequest::default();
    let mut part = "";
    while let Ok(word) = words.next() {
        match (part, word) {
            (_, "if" | "then" | "else") => part = word,
            (_, "]") => break,
            ("if", compare) => txn.compare.push(self::compare(compare)?),
            ("then", word) => txn.success.push(operation(word, words)?),
            ("else", word) => txn.failure.push(operation(word, words)?),
            _ => return Err(format!("{word:?} stands before if, then and else")),
        }
    }
    Ok(txn)
}

/// The parts of `name(argument)=value`.
fn parts(word: &str) -> Result<(&str, &str, &str), String> {
    let wrong = || format!("{word:?} is not of the form name(key)..");
    let (name, rest) = word.split_once('(').ok_or_else(wrong)?;
    let (argument, rest) = rest.split_once(')').ok_or_else(wrong)?;
    Ok((name, argument, rest))
}

fn compare(word: &str) -> Result<Compare, String> {
    let (target, key, rest) = parts(word)?;
    let sign = rest.trim_end_matches(|c| !"=!<>".contains(c));
    let value = &rest[sign.len()..];
    let result = match sign {
        "=" => CompareResult::Equal,
        "!=" => CompareResult::NotEqual,
        "<" => CompareResult::Less,
        ">" => CompareResult::Greater,
        _ => return Err(format!("{sign:?} compares nothing")),
    };
    let (target, union) = match target {
        "version" => (CompareTarget::Version, TargetUnion::Version(number(value)?)),
        "create" => (CompareTarget::Create, TargetUnion::CreateRevision(number(value)?)),
        "mod" => (CompareTarget::Mod, TargetUnion::ModRevision(number(value)?)),
        "value" => (CompareTarget::Value, TargetUnion::Value(value.to_owned().into())),
        _ => return Err(format!("{target:?} cannot be compared")),
    };
    Ok(Compare {
        result: result as i32,
        target: target as i32,
        key: key.to_owned().into(),
        range_end: Bytes::new(),
        target_union: Some(union),
    })
}

fn operation(word: &str, words: &mut Words<'_>) -> Result<RequestOp, String> {
    if word == "[" {
        return Ok(RequestOp { request: Some(Op::RequestTxn(txn(words)?)) });
    }
    let (name, argument, rest) = parts(word)?;
    let text = |text: &str| Bytes::copy_from_slice(text.as_bytes());
    let request = match name {
        "put" => {
            let (key, value) = (text(argument), text(rest.trim_start_matches('=')));
            Op::RequestPut(PutRequest { key, value, ..Default::default() })
        }
        "get" => Op::RequestRange(range(argument)?),
        "del" => {
            let (key, end) = argument.split_once("..").unwrap_or((argument, ""));
            let (key, range_end, prev_kv) = (text(key), text(end), false);
            Op::RequestDeleteRange(DeleteRangeRequest { key, range_end, prev_kv })
        }
        _ => return Err(format!("{name:?} is no operation")),
    };
    Ok(RequestOp { request: Some(request) })
}

/// `key`, or `key@revision`.
pub fn range(word: &str) -> Result<RangeRequest, String> {
    let (key, revision) = word.split_once('@').unwrap_or((word, "0"));
    let (key, revision) = (key.to_owned().into(), number(revision)?);
    Ok(RangeRequest { key, revision, ..Default::default() })
}

/// What a transaction did. Behind `@` is the revision of an inner header.
pub fn told(txn: &TxnResponse) -> String {
    let at = |header: &Option<ResponseHeader>| header.as_ref().map_or(0, |header| header.revision);
    let done = txn.responses.iter().map(|response| match &response.response {
        Some(Done::ResponsePut(done)) => format!("put @{}", at(&done.header)),
        Some(Done::ResponseDeleteRange(done)) => {
            format!("deleted {} @{}", done.deleted, at(&done.header))
        }
        Some(Done::ResponseRange(done)) => {
            let found = done.kvs.first().map_or("nothing".to_string(), pair);
            format!("{found} @{}", at(&done.header))
        }
        Some(Done::ResponseTxn(nested)) => format!("[ {} ]", told(nested)),
        None => "nothing".to_string(),
    });
    let list = if txn.succeeded { "then" } else { "else" };
    format!("{list}: {}", done.collect::<Vec<_>>().join("; "))
}

#[test]
fn a_span_is_written_with_two_dots() {
    let mut words = Words::of("then del(a..c)");
    let txn = txn(&mut words).expect("a transaction");
    let Some(Op::RequestDeleteRange(delete)) = &txn.success[0].request else { panic!("a delete") };
    let range = KeyRange::new(&delete.key, &delete.range_end);
    assert_eq!(range, KeyRange::Span(b"a", b"c"));
}
