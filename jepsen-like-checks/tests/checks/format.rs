//! The history file: round trips, errors that help, no panic on any input.

use std::num::NonZeroU64;
use std::sync::Arc;

use proptest::prelude::*;
use quorate_checks::history::{
    ByteString, ClientId, DeleteRangeRequest, DeleteRangeResponse, History, KeyRange, KeyValue,
    Lease, Malformed, Micros, OpNumber, Operation, Outcome, Problem, PutRequest, PutResponse,
    RangeRequest, RangeResponse, Reader, Refusal, Request, Response, Revision,
};
use quorate_checks::linearizable::{Budget, Verdict, guided, wgl};
use quorate_checks::revision;

const HEADER: &str = "{\"format\":\"quorate-history\",\"version\":1}\n";

fn byte_string() -> impl Strategy<Value = ByteString> {
    prop_oneof![
        any::<Vec<u8>>().prop_map(ByteString::from),
        any::<String>().prop_map(ByteString::from),
        "[a-z/]{0,9}".prop_map(ByteString::from),
    ]
}

/// Any number, but often one that a small history might hold.
fn number() -> impl Strategy<Value = i64> {
    prop_oneof![any::<i64>(), -1..5i64]
}

prop_compose! {
    fn key_value()(
        key in byte_string(),
        value in byte_string(),
        (create, modified, version) in (number(), number(), number()),
        lease in any::<i64>(),
    ) -> KeyValue {
        KeyValue {
            key,
            value,
            create_revision: Revision(create),
            mod_revision: Revision(modified),
            version,
            lease: Lease::new(lease % 3),
        }
    }
}

fn pairs() -> impl Strategy<Value = Vec<KeyValue>> {
    proptest::collection::vec(key_value(), 0..4)
}

prop_compose! {
    fn put()(
        key in byte_string(),
        value in byte_string(),
        lease in -1..2i64,
        flag in any::<bool>(),
        revision in number(),
        prev_kv in proptest::option::of(key_value()),
    ) -> (Request, Response) {
        let request = PutRequest { key, value, lease: Lease::new(lease), prev_kv: flag };
        let response = PutResponse { revision: Revision(revision), prev_kv };
        (Request::Put(request), Response::Put(response))
    }
}

prop_compose! {
    fn range()(
        key in byte_string(),
        range_end in byte_string(),
        limit in any::<u64>(),
        revision in proptest::option::of(1..i64::MAX),
        (serializable, count_only, keys_only, more) in any::<(bool, bool, bool, bool)>(),
        (header, count) in (number(), number()),
        kvs in pairs(),
    ) -> (Request, Response) {
        let request = RangeRequest {
            key,
            range_end,
            limit: NonZeroU64::new(limit % 3),
            revision: revision.map(Revision),
            serializable,
            count_only,
            keys_only,
        };
        let response = RangeResponse { revision: Revision(header), kvs, more, count };
        (Request::Range(request), Response::Range(response))
    }
}

prop_compose! {
    fn delete()(
        key in byte_string(),
        range_end in byte_string(),
        prev_kv in any::<bool>(),
        (header, deleted) in (number(), number()),
        prev_kvs in pairs(),
    ) -> (Request, Response) {
        let request = DeleteRangeRequest { key, range_end, prev_kv };
        let response = DeleteRangeResponse { revision: Revision(header), deleted, prev_kvs };
        (Request::DeleteRange(request), Response::DeleteRange(response))
    }
}

prop_compose! {
    fn operation()(
        (number, client, invoked) in any::<(u64, u64, u64)>(),
        endpoint in proptest::option::of(any::<String>()),
        (request, response) in prop_oneof![put(), range(), delete()],
        ending in 0..3,
        (lasted, code, message) in any::<(u64, String, String)>(),
    ) -> Operation {
        let returned = Micros(invoked.saturating_add(lasted));
        let outcome = match ending {
            0 => Outcome::Ok { returned, response },
            1 => Outcome::Refused { returned, refusal: Refusal { code, message } },
            _ => Outcome::Unknown { why: message },
        };
        Operation {
            number: OpNumber(number),
            client: ClientId(client),
            endpoint: endpoint.map(Arc::from),
            invoked: Micros(invoked),
            request,
            outcome,
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(100) })]

    #[test]
    fn what_is_written_is_read(mut operations in proptest::collection::vec(operation(), 0..6)) {
        operations.sort_by_key(|operation| operation.number);
        operations.dedup_by_key(|operation| operation.number);
        let history = History::new(operations).unwrap();
        let text = history.write(Vec::new()).unwrap();
        prop_assert_eq!(text.iter().filter(|byte| **byte == b'\n').count(), 1 + history.operations().len());
        prop_assert_eq!(History::read(&text[..]).unwrap(), history);
    }

    #[test]
    fn any_history_is_judged_without_a_panic(
        mut operations in proptest::collection::vec(operation(), 0..6),
    ) {
        operations.sort_by_key(|operation| operation.number);
        operations.dedup_by_key(|operation| operation.number);
        let history = History::new(operations).unwrap();
        let one = guided::judge(&history, Budget::default());
        let two = wgl::judge(&history, Budget::default());
        prop_assert_eq!(
            matches!(one, Verdict::Illegal(_)), matches!(two, Verdict::Illegal(_)), "{} {}", one, two
        );
        drop((revision::sessions(&history), revision::endpoints(&history), one.to_string()));
    }

    #[test]
    fn any_bytes_are_read_without_a_panic(bytes in any::<Vec<u8>>()) {
        drop(History::read(&bytes[..]));
        let mut text = HEADER.as_bytes().to_vec();
        text.extend(bytes);
        drop(History::read(&text[..]));
    }

    #[test]
    fn damaged_histories_are_read_without_a_panic(
        operation in operation(),
        at in any::<prop::sample::Index>(),
        byte in any::<u8>(),
    ) {
        let mut text = History::new(vec![operation]).unwrap().write(Vec::new()).unwrap();
        let at = at.index(text.len());
        text[at] = byte;
        if let Err(error) = History::read(&text[..]) {
            prop_assert!(error.to_string().starts_with("line "));
        }
    }
}

fn error(lines: &str) -> String {
    History::read(format!("{HEADER}{lines}").as_bytes()).expect_err("no history").to_string()
}

const PUT: &str = r#"{"op":1,"client":0,"invoked":10,"returned":25,"request":{"put":{"key":"a","value":"x"}},"outcome":{"ok":{"put":{"revision":2}}}}"#;

#[test]
fn text_stays_text_and_other_bytes_are_hexadecimal() {
    for (bytes, json) in [
        (&b"a/1"[..], r#""a/1""#),
        ("käse \"".as_bytes(), r#""käse \"""#),
        (b"", r#""""#),
        (b"{\"hex\":\"00\"}", r#""{\"hex\":\"00\"}""#),
        (b"\0", r#"{"hex":"00"}"#),
        (b"a\n", r#"{"hex":"610a"}"#),
        (b"\xff\x10", r#"{"hex":"ff10"}"#),
    ] {
        let value = ByteString::from(bytes);
        assert_eq!(serde_json::to_string(&value).unwrap(), json);
        assert_eq!(serde_json::from_str::<ByteString>(json).unwrap(), value);
    }
    for wrong in [r#"{"hex":"0"}"#, r#"{"hex":"0g"}"#, r#"{"hex":"00","x":"1"}"#, "{}", "[1]", "1"]
    {
        assert!(serde_json::from_str::<ByteString>(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn a_line_is_as_documented() {
    let history = History::read(format!("{HEADER}{PUT}\n").as_bytes()).unwrap();
    assert_eq!(history.operations()[0].returned(), Some(Micros(25)));
    assert_eq!(history.write(Vec::new()).unwrap(), format!("{HEADER}{PUT}\n").into_bytes());
    // The last line may lack its end; the header may say more.
    let text = format!("{{\"seed\":7,{}{PUT}", &HEADER[1..]);
    assert_eq!(History::read(text.as_bytes()).unwrap(), history);
}

#[test]
fn errors_name_the_line_and_what_would_be_right() {
    for (lines, line, parts) in [
        (PUT.replace("\"client\":0,", ""), 2, &["missing field `client`", "must look like"][..]),
        (PUT.replace("\"put\":{\"key\"", "\"putt\":{\"key\""), 2, &["unknown variant `putt`"]),
        (PUT.replace("\"op\":1", "\"op\":1.5"), 2, &["floating point", "u64"]),
        (PUT.replace("\"client\"", "\"colour\":1,\"client\""), 2, &["unknown field `colour`"]),
        (PUT.replace("\"returned\":25,", ""), 2, &["give the time"]),
        (PUT.replace("\"returned\":25", "\"returned\":9"), 2, &["at least 10"]),
        (
            PUT.replace(r#"{"ok":{"put":{"revision":2}}}"#, r#"{"unknown":"cut"}"#),
            2,
            &["leave it out"],
        ),
        (PUT.replace("\"ok\":{\"put\"", "\"ok\":{\"range\""), 2, &["missing field `count`"]),
        (
            PUT.replace(
                "{\"put\":{\"revision\":2}",
                "{\"delete_range\":{\"revision\":2,\"deleted\":1}",
            ),
            2,
            &["put with the response of a delete_range", "{\"ok\":{\"put\""],
        ),
        (format!("{PUT}\n{PUT}"), 3, &["operation 1 is on record twice"]),
        (format!("{PUT}\n\n"), 3, &["must look like"]),
        (PUT[..40].to_owned(), 2, &["EOF", "must look like"]),
        (PUT.replace(r#""key":"a""#, r#""key":{"hex":"0"}"#), 2, &["even number of digits"]),
    ] {
        let error = error(&lines);
        assert!(error.starts_with(&format!("line {line}: ")), "{error}");
        for part in parts {
            assert!(error.contains(part), "{part:?} is not in {error}");
        }
    }
}

#[test]
fn a_read_at_revision_zero_is_no_request() {
    let line = r#"{"op":1,"client":0,"invoked":1,"request":{"range":{"key":"a","revision":0}},"outcome":{"unknown":"cut"}}"#;
    assert!(error(line).contains("must be 1 or more, or left out"), "{}", error(line));
}

#[test]
fn other_headers_are_refused() {
    for (text, part) in [
        ("", "the input is empty"),
        ("{}\n", "missing field `format`"),
        ("{\"format\":\"other\",\"version\":1}\n", "the format is \"other\""),
        ("{\"format\":\"quorate-history\",\"version\":2}\n", "format version 2"),
    ] {
        let error = History::read(text.as_bytes()).unwrap_err();
        assert_eq!(error.line, 1);
        assert!(error.to_string().contains(part), "{error}");
    }
}

#[test]
fn a_line_over_the_limit_is_refused_and_ends_the_reading() {
    let text = format!("{HEADER}{}\n{PUT}\n", "x".repeat(1000));
    let mut reader = Reader::with_line_limit(text.as_bytes(), 999).unwrap();
    let error = reader.next().unwrap().unwrap_err();
    assert!(matches!(error.problem, Problem::TooLong(999)), "{error}");
    assert!(reader.next().is_none());
    let mut exact = Reader::with_line_limit(text.as_bytes(), 1000).unwrap();
    assert!(matches!(exact.next().unwrap().unwrap_err().problem, Problem::NoOperation(_)));
}

#[test]
fn histories_made_in_memory_are_checked_too() {
    let read = History::read(format!("{HEADER}{PUT}").as_bytes()).unwrap();
    let operation = read.operations()[0].clone();
    let twice = History::new(vec![operation.clone(), operation]).unwrap_err();
    assert_eq!(twice, (1, Malformed::NumberUsedTwice(OpNumber(1))));
}

#[test]
fn ranges_follow_the_convention_of_the_wire() {
    let inside = |key: &str, end: &str, it: &str| {
        KeyRange::new(key.as_bytes(), end.as_bytes()).contains(it.as_bytes())
    };
    assert!(inside("a", "", "a") && !inside("a", "", "aa"));
    assert!(inside("a", "\0", "zz") && !inside("b", "\0", "a"));
    assert!(inside("\0", "\0", "a"));
    assert!(inside("a", "c", "bz") && !inside("a", "c", "c") && !inside("c", "a", "b"));
}
