//! `put`, `get`, `del`: from arguments to requests, with etcdctl's checks in its order.

use std::io::{Read, Write};
use std::time::Duration;

use bytes::Bytes;
use quorate_core::api::etcdserverpb::range_request::{SortOrder, SortTarget};
use quorate_core::api::etcdserverpb::{DeleteRangeRequest, PutRequest, RangeRequest};

use super::client::{Client, Repeat};
use super::flags::{Flag, Flags, Kind};
use super::print::Printer;
use super::settings::{Format, Settings};
use super::{Exit, Failure, go};
use crate::rpc::etcdserverpb::kv_client::KvClient;

/// A range end that stands for "no end", and the smallest key.
const ZERO: &[u8] = &[0];

/// Time to think before a range is deleted that might have been meant as two keys.
const SECOND_THOUGHTS: Duration = Duration::from_secs(2);

/// The flags of `put`.
pub static PUT: [Flag; 4] = [
    Flag::switch("ignore-lease", "leave the key on the lease it has"),
    Flag::switch("ignore-value", "leave the key the value it has"),
    Flag::new("lease", Kind::Text, "0", "lease (in hexadecimal) that the key is to end with"),
    Flag::switch("prev-kv", "show the pair that was replaced"),
];

/// The flags of `get`.
pub static GET: [Flag; 14] = [
    Flag::new("consistency", Kind::Text, "l", "linearizable (l) or serializable (s)"),
    Flag::switch("count-only", "only how many keys there are"),
    Flag::switch("from-key", "all keys from this one on"),
    Flag::switch("keys-only", "keys without their values"),
    Flag::new("limit", Kind::Int, "0", "most pairs to show"),
    Flag::new("max-create-rev", Kind::Int, "0", "leave out keys created later"),
    Flag::new("max-mod-rev", Kind::Int, "0", "leave out keys changed later"),
    Flag::new("min-create-rev", Kind::Int, "0", "leave out keys created before"),
    Flag::new("min-mod-rev", Kind::Int, "0", "leave out keys changed before"),
    Flag::new("order", Kind::Text, "", "ASCEND or DESCEND"),
    Flag::switch("prefix", "all keys that begin with this"),
    Flag::switch("print-value-only", "values without their keys"),
    Flag::new("rev", Kind::Int, "0", "as it was at this revision"),
    Flag::new("sort-by", Kind::Text, "", "CREATE, KEY, MODIFY, VALUE or VERSION"),
];

/// The flags of `del`.
pub static DEL: [Flag; 4] = [
    Flag::switch("from-key", "all keys from this one on"),
    Flag::switch("prefix", "all keys that begin with this"),
    Flag::switch("prev-kv", "show the pairs that were deleted"),
    Flag::switch("range", "the second argument is meant as the end of a range"),
];

/// `put <key> [<value>]`
pub async fn put(
    flags: &Flags,
    args: &[Vec<u8>],
    settings: &Settings,
    printer: &mut Printer<impl Write>,
) -> Result<(), Failure> {
    let request = put_request(flags, args, || {
        let mut value = Vec::new();
        std::io::stdin().lock().read_to_end(&mut value).ok().map(|_| value)
    })?;
    let client = Client::new(settings)?;
    let answer = client
        .call(Repeat::Never, |channel| {
            let request = request.clone();
            async move {
                KvClient::new(channel).max_decoding_message_size(usize::MAX).put(request).await
            }
        })
        .await?;
    printer.put(&answer)
}

/// `get <key> [<range_end>]`
pub async fn get(
    flags: &Flags,
    args: &[Vec<u8>],
    settings: &Settings,
    printer: &mut Printer<impl Write>,
) -> Result<(), Failure> {
    let request = get_request(flags, args)?;
    let client = Client::new(settings)?;
    let answer = client
        .call(Repeat::Harmless, |channel| {
            let request = request.clone();
            async move {
                KvClient::new(channel).max_decoding_message_size(usize::MAX).range(request).await
            }
        })
        .await?;
    if flags.bool("count-only") && settings.format != Format::Fields {
        return Err(bad("--count-only is only for `--write-out=fields`"));
    }
    let value_only = flags.bool("print-value-only");
    if value_only && settings.format != Format::Simple {
        return Err(bad("print-value-only is only for `--write-out=simple`"));
    }
    printer.get(&answer, value_only)
}

/// `del <key> [<range_end>]`
pub async fn del(
    flags: &Flags,
    args: &[Vec<u8>],
    settings: &Settings,
    printer: &mut Printer<impl Write>,
) -> Result<(), Failure> {
    let request = del_request(flags, args)?;
    if let [first, end] = args
        && !flags.bool("range")
    {
        eprintln!(
            "Warning: Keys between {} and {} will be deleted. Please interrupt the command within \
             next 2 seconds to cancel. You can provide `--range` flag to avoid the delay.",
            go::quote(first),
            go::quote(end)
        );
        tokio::time::sleep(SECOND_THOUGHTS).await;
    }
    let client = Client::new(settings)?;
    let answer = client
        .call(Repeat::Never, |channel| {
            let request = request.clone();
            async move {
                KvClient::new(channel)
                    .max_decoding_message_size(usize::MAX)
                    .delete_range(request)
                    .await
            }
        })
        .await?;
    printer.del(&answer)
}

pub fn put_request(
    flags: &Flags,
    args: &[Vec<u8>],
    stdin: impl FnOnce() -> Option<Vec<u8>>,
) -> Result<PutRequest, Failure> {
    let missing = || bad("put command needs 1 argument and input from stdin or 2 arguments");
    let ignore_value = flags.bool("ignore-value");
    let (key, value) = match args {
        [] => return Err(missing()),
        [_, _, ..] if ignore_value => {
            return Err(bad("put command needs only 1 argument when 'ignore-value' is set"));
        }
        [key] if ignore_value => (key, Vec::new()),
        [key] => (key, stdin().filter(|value| !value.is_empty()).ok_or_else(missing)?),
        [key, value, ..] => (key, value.clone()),
    };
    let lease = go::parse_hex(flags.text("lease"))
        .map_err(|why| bad(&format!("bad lease ID ({why}), expecting ID in Hex")))?;
    Ok(PutRequest {
        key: Bytes::copy_from_slice(key),
        value: value.into(),
        lease,
        prev_kv: flags.bool("prev-kv"),
        ignore_value,
        ignore_lease: flags.bool("ignore-lease"),
    })
}

pub fn get_request(flags: &Flags, args: &[Vec<u8>]) -> Result<RangeRequest, Failure> {
    if args.is_empty() {
        let text = "get command needs one argument as key and an optional argument as range_end";
        return Err(bad(text));
    }
    check_range_flags(flags)?;
    if flags.bool("keys-only") && flags.bool("count-only") {
        let text = "`--keys-only` and `--count-only` cannot be set at the same time, choose one";
        return Err(bad(text));
    }
    let serializable = is_serializable(flags)?;
    let (key, range_end) = key_range(flags, args)?;
    Ok(RangeRequest {
        key,
        range_end,
        limit: flags.int("limit"),
        revision: flags.int("rev").max(0),
        sort_order: sort_order(flags.text("order"))?.into(),
        sort_target: sort_target(flags.text("sort-by"))?.into(),
        serializable,
        keys_only: flags.bool("keys-only"),
        count_only: flags.bool("count-only"),
        min_mod_revision: flags.int("min-mod-rev"),
        max_mod_revision: flags.int("max-mod-rev"),
        min_create_revision: flags.int("min-create-rev"),
        max_create_revision: flags.int("max-create-rev"),
    })
}

pub fn del_request(flags: &Flags, args: &[Vec<u8>]) -> Result<DeleteRangeRequest, Failure> {
    if !(1..=2).contains(&args.len()) {
        let text = "del command needs one argument as key and an optional argument as range_end";
        return Err(bad(text));
    }
    check_range_flags(flags)?;
    let (key, range_end) = key_range(flags, args)?;
    Ok(DeleteRangeRequest { key, range_end, prev_kv: flags.bool("prev-kv") })
}

fn check_range_flags(flags: &Flags) -> Result<(), Failure> {
    if flags.bool("prefix") && flags.bool("from-key") {
        let text = "`--prefix` and `--from-key` cannot be set at the same time, choose one";
        return Err(bad(text));
    }
    Ok(())
}

/// Reads `--consistency`.
pub fn is_serializable(flags: &Flags) -> Result<bool, Failure> {
    match flags.text("consistency") {
        "l" => Ok(false),
        "s" => Ok(true),
        other => {
            let other = go::quote(other.as_bytes());
            Err(Failure::new(Exit::Feature, format!("unknown consistency flag {other}")))
        }
    }
}

/// Key and range end as the wire has them. A range needs a first key, so that of all keys is zero.
fn key_range(flags: &Flags, args: &[Vec<u8>]) -> Result<(Bytes, Bytes), Failure> {
    let open = flags.bool("prefix") || flags.bool("from-key");
    let (key, end) = match args {
        [_, _, ..] if open => {
            let text = "too many arguments, only accept one argument when `--prefix` or \
                        `--from-key` is set";
            return Err(bad(text));
        }
        [key, end, ..] => (key.as_slice(), end.clone()),
        [key] if flags.bool("prefix") => return Ok(prefix(key)),
        [key] if open && key.is_empty() => (ZERO, ZERO.to_vec()),
        [key] if open => (key.as_slice(), ZERO.to_vec()),
        [key] => (key.as_slice(), Vec::new()),
        [] => unreachable!("checked by the caller"),
    };
    Ok((Bytes::copy_from_slice(key), end.into()))
}

/// Key and range end of all keys that begin with this.
pub fn prefix(key: &[u8]) -> (Bytes, Bytes) {
    let first = if key.is_empty() { ZERO } else { key };
    (Bytes::copy_from_slice(first), behind_prefix(key).into())
}

/// The first key behind all that begin with `prefix`.
fn behind_prefix(prefix: &[u8]) -> Vec<u8> {
    match prefix.iter().rposition(|byte| *byte < 0xff) {
        Some(last) => {
            let mut end = prefix[..=last].to_vec();
            end[last] += 1;
            end
        }
        None => ZERO.to_vec(),
    }
}

fn sort_order(text: &str) -> Result<SortOrder, Failure> {
    match text.to_uppercase().as_str() {
        "" => Ok(SortOrder::None),
        "ASCEND" => Ok(SortOrder::Ascend),
        "DESCEND" => Ok(SortOrder::Descend),
        _ => Err(Failure::new(Exit::Feature, format!("bad sort order {text}"))),
    }
}

fn sort_target(text: &str) -> Result<SortTarget, Failure> {
    match text.to_uppercase().as_str() {
        "" | "KEY" => Ok(SortTarget::Key),
        "CREATE" => Ok(SortTarget::Create),
        "MODIFY" => Ok(SortTarget::Mod),
        "VALUE" => Ok(SortTarget::Value),
        "VERSION" => Ok(SortTarget::Version),
        _ => Err(Failure::new(Exit::Feature, format!("bad sort target {text}"))),
    }
}

fn bad(text: &str) -> Failure {
    Failure::new(Exit::Arguments, text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(known: &'static [Flag], args: &[&str]) -> (Flags, Vec<Vec<u8>>) {
        let mut flags = Flags::new(known.iter().collect());
        let args: Vec<_> = args.iter().map(std::ffi::OsString::from).collect();
        let others = flags.parse(&args).expect("known flags");
        (flags, others)
    }

    fn range(args: &[&str]) -> Result<(Vec<u8>, Vec<u8>), Failure> {
        let (flags, others) = parse(&GET, args);
        get_request(&flags, &others).map(|it| (it.key.to_vec(), it.range_end.to_vec()))
    }

    #[test]
    fn ranges_on_the_wire() {
        let table: [(&[&str], &str, &str); 7] = [
            (&["k"], "k", ""),
            (&["a", "c"], "a", "c"),
            (&["ab", "--prefix"], "ab", "ac"),
            (&["k", "--from-key"], "k", "\0"),
            (&["", "--prefix"], "\0", "\0"),
            (&["", "--from-key"], "\0", "\0"),
            (&[""], "", ""),
        ];
        for (args, key, end) in table {
            assert_eq!(range(args), Ok((key.into(), end.into())), "{args:?}");
        }
        assert_eq!(behind_prefix(b"a\xff\xff"), b"b");
        assert_eq!(behind_prefix(b"\xff"), b"\0");
    }

    #[test]
    fn bad_arguments_of_get() {
        let table: [(&[&str], Exit, &str); 6] = [
            (&[], Exit::Arguments, "get command needs one argument as key and an optional"),
            (&["k", "--prefix", "--from-key"], Exit::Arguments, "`--prefix` and `--from-key`"),
            (&["k", "z", "--prefix"], Exit::Arguments, "too many arguments, only accept one"),
            (&["k", "--order", "UP"], Exit::Feature, "bad sort order UP"),
            (&["k", "--sort-by", "FOO"], Exit::Feature, "bad sort target FOO"),
            (&["k", "--consistency", "x"], Exit::Feature, "unknown consistency flag \"x\""),
        ];
        for (args, exit, text) in table {
            let failure = range(args).unwrap_err();
            assert!(failure.exit == exit && failure.text.starts_with(text), "{failure:?}");
        }
    }

    #[test]
    fn the_value_of_a_put_may_come_from_stdin() {
        let request = |args: &[&str], stdin: Option<&str>| {
            let (flags, others) = parse(&PUT, args);
            put_request(&flags, &others, || stdin.map(Into::into))
        };
        assert_eq!(request(&["k"], Some("v\n")).unwrap().value, "v\n");
        assert_eq!(request(&["k", "v", "ignored"], None).unwrap().value, "v");
        assert_eq!(request(&["k", ""], None).unwrap().value, "");
        assert_eq!(request(&["k"], Some("")).unwrap_err().exit, Exit::Arguments);
        assert_eq!(request(&["k", "v", "--ignore-value"], None).unwrap_err().exit, Exit::Arguments);
        assert_eq!(request(&["k", "v", "--lease", "1f"], None).unwrap().lease, 31);
        let failure = request(&["k", "v", "--lease", "zz"], None).unwrap_err();
        assert_eq!(
            failure.text,
            "bad lease ID (strconv.ParseInt: parsing \"zz\": invalid syntax), expecting ID in Hex"
        );
    }
}
