//! `watch` as `etcdctl` and `quorate ctl` show it, on etcd and on Quorate.
//!
//! How the sessions are run and compared is told in `common/session.rs`.

use crate::common::session::{Session, compare, compare_servers};

/// Changes of every kind, from revision 2 to 8.
fn history(run: &mut Session) {
    for line in ["put a 1", "put a 2", "put ab x", "del a", "put a 3", "put b y", "del none"] {
        run.ctl(line);
    }
    run.typed("txn", "\nput a 4\nput c z\ndel ab\n\n\n");
}

#[test]
fn history_in_every_format() {
    compare("history_in_every_format", |run| {
        history(run);
        // The lines that tell of it in each format, with and without what was before.
        let formats = [("simple", 12, 18), ("json", 1, 1), ("fields", 32, 50)];
        for (format, plain, with_previous) in formats {
            let line = format!("watch a --rev 2 -w {format}");
            let stream = run.start(&line);
            run.shows(stream, if format == "simple" { 15 } else { plain });
            let stream = run.start(&format!("{line} --prev-kv"));
            run.shows(stream, if format == "simple" { 21 } else { with_previous });
        }
        for (line, lines) in [
            ("watch a --rev 4 --hex", 9),
            ("watch a --prefix --rev 2", 21),
            ("watch --prefix=true --rev 7 --prev-kv a", 8),
            ("watch a c --rev 2", 24),
            ("watch a c x --rev 2", 15),
            ("watch b --rev 1", 3),
        ] {
            let stream = run.start(line);
            run.shows(stream, lines);
        }
    });
}

#[test]
fn live_changes() {
    compare("live_changes", |run| {
        history(run);
        for format in ["simple", "json", "fields"] {
            let mut stream = run.start(&format!("watch -i -w {format}"));
            stream.type_line("watch live --prefix --prev-kv");
            stream.type_line("progress");
            stream.wait_lines(1);
            let shown = match format {
                "simple" => [1, 4, 9, 14],
                "json" => [2, 3, 4, 5],
                _ => [5, 16, 33, 50],
            };
            stream.wait_lines(shown[0]);
            for (line, lines) in
                [("put live 1", shown[1]), ("put live 2", shown[2]), ("del live", shown[3])]
            {
                run.ctl(line);
                stream.wait_lines(lines);
            }
            run.shows(stream, shown[3]);
        }
        // A first revision that is still to come.
        let stream = run.start("watch next --rev 17");
        run.ctl("put next early");
        run.ctl("put next late");
        run.shows(stream, 3);
    });
}

#[test]
fn typed_commands() {
    compare("typed_commands", |run| {
        history(run);
        for line in [
            "",
            "foo",
            "cancel 1",
            "watchwa",
            "watch",
            "watch ",
            "watch -- echo x",
            "watch a --",
            "watch --rev 1",
            "watch a c --prefix",
            "watch a --zz",
            "watch a --rev abc",
            "watch a -w json",
            "watch a --help",
            "progress",
        ] {
            run.typed("watch -i", &format!("{line}\n"));
        }
        run.typed("watch -i words", "watch no");
        run.with("watch -i", &[("ETCDCTL_WATCH_KEY", "a")], "watch a\n");
        for (typed, lines) in [
            ("watch a --rev 4", 9),
            ("  watch --rev 4 --prev-kv \"a\" \"c\"  ", 24),
            ("watch \"a\\x62\" --rev 2", 6),
            ("watch b --rev 2 -- echo \"a b\" c", 4),
            ("watch -i b --rev 2", 3),
        ] {
            let mut stream = run.start("watch --interactive --prefix");
            stream.type_line(typed);
            run.shows(stream, lines);
        }
        // A watcher that is refused does not disturb the others.
        let mut stream = run.start("watch -i");
        for line in ["watch x", "watch a a", "watch y", "progress"] {
            stream.type_line(line);
        }
        stream.wait_lines(2);
        run.ctl("put y 1");
        run.shows(stream, 5);
    });
}

#[test]
fn programs() {
    compare("programs", |run| {
        history(run);
        let show = "env|grep${IFS}^ETCD_WATCH|sort";
        let stream = run.start(&format!("watch a --rev 2 -- sh -c {show}"));
        run.shows(stream, 15 + 5 * 4);
        let stream = run.start("watch b --rev 2 -w json -- echo x --rev y");
        run.shows(stream, 2);
        let stream = run.start("watch --prefix --rev 7 a -- cat");
        run.shows(stream, 6);
        for program in ["false", "no-such-program a b", "./no-such-program", "/tmp"] {
            run.ctl(&format!("watch b --rev 2 -- {program}"));
        }
        run.ctl("watch b --rev 2 -- sh -c exit${IFS}3");
    });
}

#[test]
fn refusals_and_ends() {
    compare("refusals_and_ends", |run| {
        history(run);
        for line in [
            "watch",
            "watch -- echo x",
            "watch a --",
            "watch a c --prefix",
            "watch a -w xml",
            "watch a --rev x",
            "watch a --nonsense",
            "watch a --rev 2 -w table",
        ] {
            run.ctl(line);
        }
        let (key, end) = (("ETCDCTL_WATCH_KEY", "a"), ("ETCDCTL_WATCH_RANGE_END", "c"));
        run.with("watch a", &[key], "");
        run.with("watch a", &[end], "");
        run.with("watch --prefix", &[key, end], "");
        run.with("watch --rev 2 -- false", &[key, end], "");
        for format in ["simple", "json", "fields"] {
            run.ctl(&format!("watch b b -w {format}"));
            run.ctl(&format!("watch b a -w {format}"));
        }
        run.ctl("compaction 6");
        for format in ["simple", "json", "fields"] {
            run.ctl(&format!("watch a --rev 4 -w {format}"));
        }
        run.ctl("watch a --rev 4 -- echo x");
        let stream = run.start("watch a --rev 6 --prev-kv");
        run.shows(stream, 8);
        let mut stream = run.start("watch -i");
        stream.type_line("watch a --rev 2");
        stream.type_line("watch b --rev 6");
        run.shows(stream, 3);
    });
}

/// The installed etcdctl cannot ask for it.
#[test]
fn progress_that_comes_by_itself() {
    compare_servers("progress_that_comes_by_itself", |run| {
        let watch = run.start("watch quiet --progress-notify");
        assert_eq!(watch.first_lines(2), ["progress notify: 1\n", "progress notify: 1\n"]);
        run.ctl("put other 1");
        let watch = run.start("watch quiet --progress-notify -w json");
        let lines = watch.first_lines(4);
        assert!(lines[0] == "progress notify: 2\n" && lines[0] == lines[2], "{lines:?}");
        let json = "\"Events\":[],\"CompactRevision\":0,\"Canceled\":false,\"Created\":false}\n";
        assert!(lines[1].ends_with(json) && lines[1] == lines[3], "{lines:?}");
    });
}

/// After each cut the watchers go on where they were: nothing is missed, nothing is told twice.
#[test]
fn broken_connections() {
    compare("broken_connections", |run| {
        run.ctl("put a 0");
        let proxy = run.proxy();
        let mut stream = run.start_behind(&proxy, "watch -i");
        stream.type_line("watch a --prev-kv");
        stream.type_line("progress");
        stream.wait_lines(1);
        let mut shown = 1;
        for round in 1..=3 {
            run.ctl(&format!("put a {round}"));
            shown += 5;
            stream.wait_lines(shown);
            proxy.cut();
            // Nobody tells of these before the next connection.
            run.ctl(&format!("put a missed-{round}"));
            shown += 5;
            stream.wait_lines(shown);
            proxy.cut();
            run.ctl("put other 1");
        }
        run.shows(stream, shown);
        // Cut before anything was seen: the creation told where to begin.
        let mut stream = run.start_behind(&proxy, "watch -i");
        stream.type_line("watch b");
        stream.type_line("progress");
        stream.wait_lines(1);
        proxy.cut();
        run.ctl("put b 1");
        run.shows(stream, 4);
    });
}
