//! Sessions of commands that `etcdctl` and `quorate ctl` must show alike, on etcd and on Quorate.
//!
//! How they are run and compared is told in `common/session.rs`. More of what the installed etcdctl
//! has not got is in `ctl_against_etcd.rs`, watches are in `ctl_watch.rs`.

use crate::common::session::{Session, compare, compare_servers};

/// The words behind `|` and at the ends of lines.
fn lines(text: &str) -> impl Iterator<Item = &str> {
    text.split(['\n', '|']).map(str::trim).filter(|line| !line.is_empty())
}

#[test]
fn keys() {
    compare("keys", |run| {
        for line in lines(
            "put a 1 | put a 2 --prev-kv | put ab x | put b --ignore-value | put b y | put a 3
             get a | get a --prefix | get a c | get b --from-key | get nothing | get a --rev 3
             get --prefix a --limit 1 | get --prefix a --keys-only | get a --rev 99 | get a --rev 1
             get --prefix a --sort-by VALUE --order DESCEND | get a b --sort-by MODIFY
             put a 4 --prev-kv | put a --ignore-value | put c v --lease 7 | put c v --ignore-lease
             del a --prev-kv | del nothing | del a --prefix --prev-kv | get a --prefix",
        ) {
            run.formats(line);
        }
        run.ctl("put a \u{e9}<&>\u{1}\\ --hex");
        run.ctl("get a --hex");
        run.ctl("get a -w json");
        run.ctl("get a -w fields");
        run.typed("put typed", "from stdin\n");
        run.ctl("get typed");
    });
}

const COMPARES: &str = "
    c(\"a\") > \"0\" | c(\"a\") = \"2\" | c(\"a\") < \"2\" | c(\"a\") != \"2\" | create(\"a\") = \"2\"
    m(\"a\") = \"3\" | mod(\"a\") > \"3\" | ver(\"a\") = \"2\" | version(\"a\") < \"+2\"
    ver(\"no\") = \"0\" | m(\"no\") = \"0\" | c(\"no\") < \"1\" | ver(\"a\") > \"-1\"
    val(\"a\") = \"two\" | value(\"a\") < \"z\" | val(\"a\") > \"\\x00\" | val(\"a\") != \"two\"
    val(\"no\") = \"\" | val(\"no\") != \"\" | val(`a`) = `two` | val( \"a\")   =  \"two\" extra
    val(\"\\u00e9 \\\"\") = \"\\t\" | val(\"a\") = \"\\164\\167\\157\"";

const BAD_COMPARES: &str = "
    x | c(a) > \"0\" | c(\"a\")>\"0\" | c(\"a\") > 0 | c(\"a\") > \"x\" | c(\"a\") >\"0\"
    foo(\"a\") = \"0\" | val (\"a\") = \"1\" | VAL(\"a\") = \"1\" | (\"a\") = \"1\" | val() = \"1\"
    val(\"a\" ) = \"1\" | val(\"\\q\") = \"1\" | val(\"a\") = \"\\q\" | val(\"a\") = \"1
    ver(\"a\") = \"0x1\" | ver(\"a\") = \"\" | ver(\"a\") = \" 1\" | \"a\" = \"b\"
    ver(\"a\") = \"9999999999999999999\" | c(\"\") = \"0\" | val('a') = '1'";

/// All of them in one transaction.
const READS: &str = "
    get a | get \"a\" | g a | get \"spa ce\" | get a\"b | get \"a\"\"b\" | get \"a | get nothing
    get a --prefix | get a --prefix --keys-only | get a --prefix --limit=1 | get a b | get -- a
    get a --rev 2 | get a --prefix --print-value-only | get \"\" --prefix | get \"\\x61\"
    get a --prefix --order DESCEND | get a --consistency s";

const WRITES: &str = "
    put p v | put p w extra | put p \"a\\n\\\"b\\\"\" --prev-kv | put \"p\" \"\" --prev-kv
    put p --ignore-value=true x | put p v --lease 7 | put new --ignore-lease v
    del p --prev-kv | del p | del x z | del a --prefix --prev-kv | put a two";

const BAD_OPERATIONS: &str = "
    get | put | foo k | txn a | get k --zz | get k --rev abc | get a -w json | get a z --prefix
    get a --prefix --from-key | get a --order UP | get a --sort-by x | get a --consistency x
    put k | del a z x | put k v --lease zz | put --ignore-value k v";

fn transactions(run: &mut Session) {
    for line in ["put a one", "put a two", "put ab x", "put spa v"] {
        run.ctl(line);
    }
    for compare in lines(COMPARES).chain(lines(BAD_COMPARES)) {
        run.typed("txn", &format!("{compare}\n\nget a\n\nget no\nput seen 1\n\n"));
    }
    run.typed("txn", "c(\"a\") = \"2\"\n ver(\"a\") > \"5\" \n\n\n put seen 2\n\n");
    for format in ["simple", "json", "fields"] {
        let reads: Vec<_> = lines(READS).collect();
        run.typed(&format!("txn -w {format}"), &format!("\n{}\n\n\n", reads.join("\n")));
    }
    for operation in lines(WRITES) {
        for format in ["simple", "json"] {
            run.typed(&format!("txn -w {format}"), &format!("\n{operation}\n\n\n"));
        }
    }
    for operation in lines(BAD_OPERATIONS) {
        run.typed("txn", &format!("\n{operation}\n\n\n"));
    }
    let several = "\nget a\nput n 1 --prev-kv\nget n\ndel n --prev-kv\nget n\n\nput not 1\n\n";
    for format in ["simple", "json", "fields", "table"] {
        run.typed(&format!("txn -w {format}"), several);
        run.typed(&format!("txn --interactive -w {format}"), several);
        run.typed(&format!("txn --hex -w {format}"), several.replace("get", "del").as_str());
    }
    for cut in ["", "\n", "\n\n", "\n\nput cut 1", "\n\nput cut 1\n", "c(\"a\") > \"0\""] {
        run.typed("txn -i", cut);
        run.typed("txn", cut);
    }
    run.typed("txn", "\nput twice 1\nput twice 2\n\n\n");
    run.typed("txn", "\nput in 1\ndel a z\n\n\n");
    run.typed("txn", &format!("\n{}\n\n", "get a\n".repeat(129)));
    run.typed("txn", "\nget a --rev 99999\n\n\n");
    run.ctl("txn words");
    run.formats("get cut");
    run.formats("get --prefix a");
}

#[test]
fn transactions_line_by_line() {
    compare("transactions_line_by_line", transactions);
}

/// etcdctl crashes on these.
#[test]
fn transactions_of_3_6() {
    compare_servers("transactions_of_3_6", |run| {
        let granted = run.ctl("lease grant 600");
        let lease = granted.split_whitespace().nth(1).unwrap().to_owned();
        run.ctl(&format!("put leased v --lease {lease}"));
        for (compare, verdict) in [
            (format!("lease(\"leased\") = \"{lease}\""), "SUCCESS\n"),
            ("lease(\"leased\") = \"0\"".to_owned(), "FAILURE\n"),
            ("lease(\"none\") = \"0\"".to_owned(), "SUCCESS\n"),
        ] {
            assert_eq!(run.typed("txn", &format!("{compare}\n\n\n\n")), verdict);
        }
        for line in ["c(\"a\") == \"1\"", "c(\"a\") >= \"1\"", "val(\"a\") ! \"1\""] {
            run.typed("txn", &format!("{line}\n\n\n\n"));
            let text = format!("Error: malformed comparison: {line} (unknown operator ");
            let seen = run.last();
            assert!(seen.starts_with(&text) && seen.ends_with("Some(3)"), "{seen}");
        }
        let shown = run.typed("txn", "\nput 'q k' 'a \\n \"b\"'\nget 'q k'\n\n\n");
        assert_eq!(shown, "SUCCESS\n\nOK\n\nq k\na \\n \"b\"\n");
        let fields = run.ctl(&format!("lease timetolive {lease} -w=fields --hex"));
        assert!(fields.contains(&format!("\"ID\" : {lease}\n")), "{fields}");
        run.ctl("get leased -w fields --hex");
    });
}

#[test]
fn compaction() {
    compare("compaction", |run| {
        for line in lines(
            "put a 1 | put a 2 | put b 1 | del b | put a 3
             compaction | compaction a | compaction 1 2 | compaction 0x5 | compaction 99999
             compaction -- -1 | compaction 3 -w xml | compaction 3 | compact 3 | compaction 2
             get a --rev 2 | get a --rev 3 | get b --rev 4 | compaction 4 --physical -w json
             compaction 4 --physical | compaction 6 | compaction 7 | get a | get b --rev 6
             get a --rev 5",
        ) {
            run.ctl(line);
        }
        run.typed("txn", "\nget a --rev 5\n\n\n");
    });
}

#[test]
fn leases() {
    compare("leases", |run| {
        let granted = run.ctl("lease grant 600");
        let lease = granted.split_whitespace().nth(1).unwrap().to_owned();
        let of_this = |line: &str| line.replace("ID", &lease);
        run.ctl(&of_this("put leased v --lease=ID"));
        for line in lines(
            "lease timetolive ID | lease timetolive ID --keys | lease list | lease timetolive 77
             lease keep-alive ID --once | get leased",
        ) {
            run.formats(&of_this(line));
            run.ctl(&of_this(&format!("{line} --hex")));
        }
        for line in lines(
            "lease revoke ID | get leased | lease revoke ID | lease timetolive ID --keys
             lease keep-alive ID | lease keep-alive ID --once | put leased v --lease ID | lease list
             lease grant | lease grant x | lease grant 5 6 | lease grant 0x5 | lease grant 0
             lease grant -- -5 | lease grant 99999999999 | lease revoke | lease revoke zz
             lease revoke ID ID | lease timetolive | lease timetolive zz | lease timetolive ID ID
             lease timetolive -- -5 | lease timetolive FFFFFFFFFFFFFFFFF | lease keep-alive
             lease keep-alive zz | lease keep-alive ID ID | lease | lease nonsense",
        ) {
            run.ctl(&of_this(line));
        }
        run.formats("lease grant 60");
        for format in ["simple", "json", "fields", "table"] {
            let granted = run.ctl("lease grant 60");
            let lease = granted.split_whitespace().nth(1).unwrap();
            run.ctl(&format!("lease revoke {lease} -w {format}"));
        }
    });
}

#[test]
fn leases_in_time() {
    compare("leases_in_time", |run| {
        let grant = |run: &mut Session| {
            let granted = run.ctl("lease grant 3");
            let lease = granted.split_whitespace().nth(1).unwrap().to_owned();
            run.ctl(&format!("put of-{} v --lease {lease}", run.steps()));
            lease
        };
        for format in ["simple", "json", "fields"] {
            // Revoked by somebody else: the next answer tells.
            let lease = grant(run);
            let mut stream = run.start(&format!("lease keep-alive {lease} -w {format}"));
            stream.wait_lines(1);
            run.ctl(&format!("lease revoke {lease}"));
            run.ends(stream);
        }
        // Kept alive for longer than it would have lived, then left alone.
        let lease = grant(run);
        let mut stream = run.start(&format!("lease keep-alive {lease}"));
        stream.wait_lines(6);
        run.ctl("get of --prefix");
        run.shows(stream, 6);
        std::thread::sleep(std::time::Duration::from_secs(5));
        run.ctl("get of --prefix");
        run.ctl(&format!("lease timetolive {lease}"));
    });
}

#[test]
fn members() {
    compare("members", |run| {
        for line in lines(
            "member list | member list -w json | mem l -w json | endpoint health -w json
             endpoint health --cluster -w json | member | endpoint | member nonsense
             endpoint health -w protobuf | endpoint status -w protobuf",
        ) {
            run.ctl(line);
        }
    });
}

#[test]
fn leaders() {
    compare("leaders", |run| {
        let members = run.ask("member list");
        let id = members.split(',').next().unwrap().to_owned();
        run.formats(&format!("move-leader {id}"));
        for line in lines("move-leader | move-leader zz | move-leader 77 | move-leader 77 78") {
            run.ctl(line);
        }
        run.ctl(&format!("move-leader {}", "9".repeat(20)));
    });
}

/// Without `--cluster`: etcdctl 3.4 would call the member by a name that HTTP/2 does not allow.
#[test]
fn hashes() {
    compare("hashes", |run| {
        for line in lines(
            "put a 1 | put b 2 | put a 3 | del b | put c 1
             endpoint hashkv -w json | endpoint hashkv --rev 3 -w json | endpoint hashkv --rev 99
             endpoint hashkv --rev 4 -w json | endpoint hashkv -w protobuf
             compaction 4 | endpoint hashkv -w json | endpoint hashkv --rev 5 -w json
             endpoint hashkv --rev 3 | endpoint hashkv --rev 3 -w json",
        ) {
            run.ctl(line);
        }
    });
}
