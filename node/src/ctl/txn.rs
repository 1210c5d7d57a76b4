//! `txn`: several requests at once, which depend on comparisons.
//!
//! ```text
//! compares:                 mod("a") > "0"        all must hold
//!                           <empty line>
//! success requests:         put b "1"             done if they do
//!                           <empty line>
//! failure requests:         get b                 done if one does not
//!                           <empty line>
//! ```
//!
//! The three lists come from stdin, a terminal or not; only `--interactive` shows the titles.
//!
//! **Departure**: etcdctl crashes on a comparison of leases and on an operator that it does not
//! know. Here a lease is compared, in hexadecimal as it is written everywhere, and the operator is
//! refused. A delete of a range does not wait for second thoughts: the empty line is still to come.
//!
//! Not here: how lines are cut into words (`line.rs`); the requests (`kv.rs`).

use std::ffi::OsString;
use std::io::{BufRead, Write};
use std::os::unix::ffi::OsStringExt;

use quorate_core::api::etcdserverpb::compare::{CompareResult, CompareTarget, TargetUnion};
use quorate_core::api::etcdserverpb::request_op::Request;
use quorate_core::api::etcdserverpb::{Compare, RequestOp, TxnRequest};

use super::client::{Client, Repeat};
use super::flags::{Flag, Flags};
use super::print::Printer;
use super::settings::Settings;
use super::{Exit, Failure, go, kv, line};
use crate::rpc::etcdserverpb::kv_client::KvClient;

/// The flags of `txn`.
pub static FLAGS: [Flag; 1] =
    [Flag::switch("interactive", "show what is to be typed next").short('i')];

/// `txn`
pub async fn txn(
    flags: &Flags,
    args: &[Vec<u8>],
    settings: &Settings,
    printer: &mut Printer<impl Write>,
) -> Result<(), Failure> {
    if !args.is_empty() {
        return Err(Failure::new(Exit::Arguments, "txn command does not accept argument"));
    }
    let client = Client::patient(settings)?;
    let prompts = flags.bool("interactive");
    let request = read(&mut std::io::stdin().lock(), |title| match prompts {
        true => printer.line(title),
        false => Ok(()),
    })?;
    let only_reads = request.success.iter().chain(&request.failure).all(is_read);
    let repeat = if only_reads { Repeat::Harmless } else { Repeat::Never };
    let answer = client
        .call(repeat, |channel| {
            let request = request.clone();
            async move {
                KvClient::new(channel).max_decoding_message_size(usize::MAX).txn(request).await
            }
        })
        .await?;
    printer.txn(&answer)
}

fn is_read(operation: &RequestOp) -> bool {
    matches!(operation.request, Some(Request::RequestRange(_)))
}

/// Reads the three lists, each behind its title.
fn read(
    input: &mut impl BufRead,
    mut title: impl FnMut(&str) -> Result<(), Failure>,
) -> Result<TxnRequest, Failure> {
    title("compares:")?;
    let compare = read_list(input, compare)?;
    title("success requests (get, put, del):")?;
    let success = read_list(input, operation)?;
    title("failure requests (get, put, del):")?;
    let failure = read_list(input, operation)?;
    Ok(TxnRequest { compare, success, failure })
}

fn read_list<Item>(
    input: &mut impl BufRead,
    parse: impl Fn(&[u8]) -> Result<Item, Failure>,
) -> Result<Vec<Item>, Failure> {
    let mut list = Vec::new();
    loop {
        let line = line::read(input).map_err(|why| Failure::new(Exit::Input, why))?;
        match line.trim_ascii() {
            [] => return Ok(list),
            line => list.push(parse(line)?),
        }
    }
}

/// The parts of `mod("a") > "0"` as far as they could be read.
#[derive(Default)]
struct Parts {
    key: Vec<u8>,
    operator: Vec<u8>,
    value: Vec<u8>,
}

fn compare(line: &[u8]) -> Result<Compare, Failure> {
    let shown = String::from_utf8_lossy(line);
    let bad = |text: String| Failure::new(Exit::Input, text);
    let Some(bracket) = line.iter().position(|byte| *byte == b'(') else {
        return Err(bad(format!("malformed comparison: {shown}")));
    };
    let target = String::from_utf8_lossy(&line[..bracket]);
    let mut parts = Parts::default();
    if read_parts(&line[bracket + 1..], &mut parts).is_none() {
        let (key, value) = (go::quote(&parts.key), go::quote(&parts.value));
        let operator = String::from_utf8_lossy(&parts.operator);
        let got = format!("got {target}({key}) {operator} {value}");
        return Err(bad(format!("malformed comparison: {shown}; {got}")));
    }
    let invalid = |_| bad(format!("invalid txn compare request: {shown}"));
    let value = String::from_utf8_lossy(&parts.value).into_owned();
    let decimal = || go::parse_decimal(&value).map_err(invalid);
    let (target, union) = match &*target {
        "ver" | "version" => (CompareTarget::Version, TargetUnion::Version(decimal()?)),
        "c" | "create" => (CompareTarget::Create, TargetUnion::CreateRevision(decimal()?)),
        "m" | "mod" => (CompareTarget::Mod, TargetUnion::ModRevision(decimal()?)),
        "val" | "value" => (CompareTarget::Value, TargetUnion::Value(parts.value.into())),
        "lease" => {
            let lease = go::parse_hex(&value).map_err(invalid)?;
            (CompareTarget::Lease, TargetUnion::Lease(lease))
        }
        _ => return Err(bad(format!("malformed comparison: {shown} (unknown target {target})"))),
    };
    let result = match parts.operator.as_slice() {
        b"=" => CompareResult::Equal,
        b"!=" => CompareResult::NotEqual,
        b">" => CompareResult::Greater,
        b"<" => CompareResult::Less,
        other => {
            let other = String::from_utf8_lossy(other);
            return Err(bad(format!("malformed comparison: {shown} (unknown operator {other})")));
        }
    };
    Ok(Compare {
        result: result.into(),
        target: target.into(),
        key: parts.key.into(),
        range_end: bytes::Bytes::new(),
        target_union: Some(union),
    })
}

/// Reads `"key") operator "value"`. What stands behind is of no interest to etcdctl.
fn read_parts(text: &[u8], parts: &mut Parts) -> Option<()> {
    let (key, rest) = go::unquote(text.trim_ascii_start())?;
    parts.key = key;
    let rest = rest.strip_prefix(b")")?;
    let operator = rest.trim_ascii_start();
    if operator.len() == rest.len() {
        return None;
    }
    let length = operator.iter().position(u8::is_ascii_whitespace).unwrap_or(operator.len());
    let (operator, rest) = operator.split_at(length);
    parts.operator = operator.to_vec();
    (parts.value, _) = go::unquote(rest.trim_ascii_start())?;
    Some(())
}

/// The commands whose lines are requests, with their flags.
static OPERATIONS: [(&str, &[Flag]); 3] = [("del", &kv::DEL), ("get", &kv::GET), ("put", &kv::PUT)];

fn operation(line: &[u8]) -> Result<RequestOp, Failure> {
    let shown = String::from_utf8_lossy(line);
    let bad = |what| Failure::new(Exit::Input, format!("invalid txn {what}: {shown}"));
    let words = line::words(line)?;
    let [word, args @ ..] = words.as_slice() else { return Err(bad("compare request")) };
    if args.is_empty() {
        return Err(bad("compare request"));
    }
    let known =
        OPERATIONS.iter().find(|(name, _)| !word.is_empty() && name.as_bytes().starts_with(word));
    let Some((name, known)) = known else { return Err(bad("request")) };
    let mut flags = Flags::new(known.iter().collect());
    let args: Vec<OsString> = args.iter().cloned().map(OsString::from_vec).collect();
    let args = flags.parse(&args).map_err(|_| bad("request"))?;
    let request = match *name {
        // The lines behind this one are not its value.
        "put" => Request::RequestPut(kv::put_request(&flags, &args, || None)?),
        "del" => Request::RequestDeleteRange(kv::del_request(&flags, &args)?),
        _ => Request::RequestRange(kv::get_request(&flags, &args)?),
    };
    Ok(RequestOp { request: Some(request) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comparisons_of_every_kind() {
        let target = |line: &str| {
            let compare = compare(line.as_bytes()).unwrap();
            (compare.result(), compare.target(), compare.target_union.unwrap())
        };
        use {CompareResult as R, CompareTarget as T, TargetUnion as U};
        let table = [
            ("ver(\"a\") = \"1\"", (R::Equal, T::Version, U::Version(1))),
            ("version(`a`) != \"-1\" more", (R::NotEqual, T::Version, U::Version(-1))),
            ("c(\"a\")\t>  \"+2\"", (R::Greater, T::Create, U::CreateRevision(2))),
            ("create(\"a\") < \"2\"", (R::Less, T::Create, U::CreateRevision(2))),
            ("m( \"a\") = \"3\"", (R::Equal, T::Mod, U::ModRevision(3))),
            ("mod(\"a\") = \"3\")", (R::Equal, T::Mod, U::ModRevision(3))),
            ("val(\"a\") = \"\\x41\"", (R::Equal, T::Value, U::Value("A".into()))),
            ("value(\"a\") = \"a b\"", (R::Equal, T::Value, U::Value("a b".into()))),
            ("lease(\"a\") = \"1f\"", (R::Equal, T::Lease, U::Lease(31))),
        ];
        for (line, expected) in table {
            assert_eq!(target(line), expected, "{line}");
        }
    }

    #[test]
    fn a_refusal_names_the_line_and_how_far_it_could_be_read() {
        let table = [
            ("x", "malformed comparison: x"),
            ("c(a) > \"0\"", "malformed comparison: c(a) > \"0\"; got c(\"\")  \"\""),
            ("c(\"a\")>\"0\"", "malformed comparison: c(\"a\")>\"0\"; got c(\"a\")  \"\""),
            ("c(\"a\") > 0", "malformed comparison: c(\"a\") > 0; got c(\"a\") > \"\""),
            ("f(\"a\") == \"0\"", "malformed comparison: f(\"a\") == \"0\" (unknown target f)"),
            ("c(\"a\") == \"0\"", "malformed comparison: c(\"a\") == \"0\" (unknown operator ==)"),
            ("c(\"a\") == \"x\"", "invalid txn compare request: c(\"a\") == \"x\""),
            ("lease(\"a\") = \"0x1\"", "invalid txn compare request: lease(\"a\") = \"0x1\""),
        ];
        for (line, expected) in table {
            let failure = compare(line.as_bytes()).unwrap_err();
            assert_eq!(failure, Failure::new(Exit::Input, expected));
        }
    }

    #[test]
    fn three_lists_each_ended_by_an_empty_line() {
        let mut titles = Vec::new();
        let mut input = &b" c(\"a\") > \"0\" \n\nput \"a b\" c\nget a --prefix\n \n\n"[..];
        let request = read(&mut input, |title| {
            titles.push(title.to_owned());
            Ok(())
        });
        let request = request.unwrap();
        assert_eq!(titles.len(), 3);
        assert_eq!((request.compare.len(), request.success.len()), (1, 2));
        let cut = read(&mut &b"\n\nput a b"[..], |_| Ok(())).unwrap_err();
        assert_eq!(cut, Failure::new(Exit::Input, "EOF"));
    }

    #[test]
    fn bad_requests_are_named() {
        let table = [
            ("get", Exit::Input, "invalid txn compare request: get"),
            ("foo k", Exit::Input, "invalid txn request: foo k"),
            ("get k --zz", Exit::Input, "invalid txn request: get k --zz"),
            ("get k -w json", Exit::Input, "invalid txn request: get k -w json"),
            ("get k --order UP", Exit::Feature, "bad sort order UP"),
        ];
        for (line, exit, text) in table {
            assert_eq!(operation(line.as_bytes()).unwrap_err(), Failure::new(exit, text));
        }
        let failure = operation(b"put k").unwrap_err();
        assert_eq!(failure.exit, Exit::Arguments);
    }
}
