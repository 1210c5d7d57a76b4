//! The history file: round trips, errors that help, no panic on any input.

use proptest::prelude::*;
use quorate_checks::history::{
    ByteString, History, KeyRange, Kind, Malformed, Micros, OpNumber, Problem, Reader, Writer,
};
use quorate_checks::linearizable::{Budget, Verdict, guided, wgl};
use quorate_checks::revision;

use crate::arbitrary::any_history;

const HEADER: &str = "{\"format\":\"quorate-history\",\"version\":2}\n";

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(100) })]

    #[test]
    fn what_is_written_is_read(history in any_history()) {
        let text = history.write(Vec::new()).unwrap();
        let lines = text.iter().filter(|byte| **byte == b'\n').count();
        prop_assert_eq!(lines, 1 + history.clone().into_records().len());
        prop_assert_eq!(History::read(&text[..]).unwrap(), history.clone());
        let mut writer = Writer::new(Vec::new()).unwrap();
        history.into_records().iter().for_each(|record| writer.write_record(record).unwrap());
        prop_assert_eq!(writer.finish().unwrap(), text);
    }

    #[test]
    fn any_history_is_judged_without_a_panic(history in any_history()) {
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
        history in any_history(),
        at in any::<prop::sample::Index>(),
        byte in any::<u8>(),
    ) {
        let mut text = history.write(Vec::new()).unwrap();
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

const WATCH: &str = r#"{"watch":1,"client":0,"stream":0,"invoked":10,"request":{"key":"a","start_revision":2},"messages":[{"at":25,"revision":3,"watch_id":0,"created":true}],"end":"running"}"#;

#[test]
fn histories_of_the_first_version_are_read() {
    let text = format!("{}{PUT}\n", HEADER.replace('2', "1"));
    let history = History::read(text.as_bytes()).unwrap();
    assert_eq!(history, History::read(format!("{HEADER}{PUT}\n").as_bytes()).unwrap());
}

#[test]
fn errors_of_other_records_name_the_line_and_what_would_be_right() {
    let fact = |fact: &str| fact.to_owned();
    for (line, parts) in [
        (WATCH.replace("\"running\"", "\"walking\""), &["not a watch", "`walking`"][..]),
        (WATCH.replace("\"stream\":0,", ""), &["not a watch", "missing field `stream`"]),
        (WATCH.replace("\"at\":25", "\"at\":9"), &["watch 1 happened at 9", "at 10"]),
        (WATCH.replace("\"key\":\"a\"", "\"key\":1"), &["not a watch", "must look like"]),
        (format!("{WATCH}\n{WATCH}"), &["watch 1 is on record twice"]),
        (fact(r#"{"lease_end":{"lease":0,"at":1}}"#), &["not the end of a lease", "nonzero"]),
        (fact(r#"{"healthy":{"from":5,"until":4}}"#), &["at least 5"]),
        (fact(r#"{"healthy":{"from":5}}"#), &["not a span of health", "`until`"]),
        (fact(r#"{"revealed":{"revision":2}}"#), &["not what a revision changed", "`events`"]),
        (
            fact(
                r#"{"revealed":{"revision":2,"events":[{"kind":"put","kv":{"key":"a","create_revision":3,"mod_revision":3,"version":1}}]}}"#,
            ),
            &["with an event of revision 3", "must be 2"],
        ),
        (
            format!("{0}\n{0}", r#"{"revealed":{"revision":2,"events":[]}}"#),
            &["revision 2 is revealed twice"],
        ),
        (
            PUT.replace(
                r#"{"put":{"key":"a","value":"x"}}"#,
                r#"{"txn":{"compare":[{"key":"a","result":"equal","target":{"colour":1}}]}}"#,
            ),
            &["unknown variant `colour`"],
        ),
    ] {
        let error = error(&line);
        let expected = 2 + line.matches('\n').count();
        assert!(error.starts_with(&format!("line {expected}: ")), "{error}");
        for part in parts {
            assert!(error.contains(part), "{part:?} is not in {error}");
        }
    }
}

#[test]
fn the_order_of_fields_does_not_tell_the_kind() {
    let moved = WATCH.replace("\"watch\":1,", "").replace(",\"end\"", ",\"watch\":1,\"end\"");
    let read = |line: &str| History::read(format!("{HEADER}{line}\n").as_bytes()).unwrap();
    assert_eq!(read(&moved), read(WATCH));
    let moved = PUT.replace("\"op\":1,", "").replace(",\"outcome\"", ",\"op\":1,\"outcome\"");
    assert_eq!(read(&moved), read(PUT));
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
        ("{\"format\":\"quorate-history\",\"version\":3}\n", "format version 3"),
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
    assert!(matches!(
        exact.next().unwrap().unwrap_err().problem,
        Problem::NoRecord(Kind::Operation, _)
    ));
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
