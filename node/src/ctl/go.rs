//! Texts as Go's standard library reads and writes them: etcdctl is a Go program, and scripts have
//! come to rely on its spelling of numbers, durations and quoted strings.

use std::fmt::Write as _;
use std::time::Duration;

/// `strconv.ParseInt` with base 0: decimal, or hex, octal and binary by their prefix.
pub fn parse_int(text: &str) -> Result<i64, String> {
    let (negative, magnitude) = signed(text);
    let lower = magnitude.to_ascii_lowercase();
    let (radix, digits) = if let Some(digits) = lower.strip_prefix("0x") {
        (16, digits)
    } else if let Some(digits) = lower.strip_prefix("0b") {
        (2, digits)
    } else if let Some(digits) = lower.strip_prefix("0o") {
        (8, digits)
    } else if lower.len() > 1 && lower.starts_with('0') {
        (8, &lower[1..])
    } else {
        (10, lower.as_str())
    };
    integer(text, negative, digits, radix)
}

/// `strconv.ParseInt` with base 10.
pub fn parse_decimal(text: &str) -> Result<i64, String> {
    let (negative, digits) = signed(text);
    integer(text, negative, digits, 10)
}

/// `strconv.ParseInt` with base 16 and no prefix, as leases are written.
pub fn parse_hex(text: &str) -> Result<i64, String> {
    let (negative, digits) = signed(text);
    integer(text, negative, digits, 16)
}

/// `strconv.ParseUint` with base 16, as members are written.
pub fn parse_unsigned_hex(text: &str) -> Result<u64, String> {
    let failed = |why| format!("strconv.ParseUint: parsing {}: {why}", quote(text.as_bytes()));
    if text.is_empty() || !text.chars().all(|digit| digit.is_ascii_hexdigit()) {
        return Err(failed("invalid syntax"));
    }
    u64::from_str_radix(text, 16).map_err(|_| failed("value out of range"))
}

/// `%016x`: a minus sign counts as a digit.
pub fn padded_hex(id: i64) -> String {
    if id < 0 { format!("-{:015x}", id.unsigned_abs()) } else { format!("{id:016x}") }
}

fn signed(text: &str) -> (bool, &str) {
    match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    }
}

fn integer(text: &str, negative: bool, digits: &str, radix: u32) -> Result<i64, String> {
    let failed = |why| format!("strconv.ParseInt: parsing {}: {why}", quote(text.as_bytes()));
    if digits.is_empty() || !digits.chars().all(|digit| digit.is_digit(radix)) {
        return Err(failed("invalid syntax"));
    }
    let sign = if negative { "-" } else { "" };
    i64::from_str_radix(&format!("{sign}{digits}"), radix).map_err(|_| failed("value out of range"))
}

/// `strconv.ParseBool`.
pub fn parse_bool(text: &str) -> Result<bool, String> {
    match text {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Ok(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Ok(false),
        _ => Err(format!("strconv.ParseBool: parsing {}: invalid syntax", quote(text.as_bytes()))),
    }
}

/// `time.ParseDuration`, but for negative durations, which mean nothing to a client.
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    let quoted = quote(text.as_bytes());
    let invalid = || format!("time: invalid duration {quoted}");
    if text == "0" {
        return Ok(Duration::ZERO);
    }
    let mut rest = text.strip_prefix('+').unwrap_or(text);
    if rest.is_empty() {
        return Err(invalid());
    }
    let mut seconds = 0.0;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
        let count: f64 = rest[..digits].parse().map_err(|_| invalid())?;
        rest = &rest[digits..];
        let letters = rest.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(rest.len());
        let unit = &rest[..letters];
        seconds += count
            * match unit {
                "ns" => 1e-9,
                "us" | "µs" | "μs" => 1e-6,
                "ms" => 1e-3,
                "s" => 1.0,
                "m" => 60.0,
                "h" => 3600.0,
                "" => return Err(format!("time: missing unit in duration {quoted}")),
                _ => {
                    let unit = quote(unit.as_bytes());
                    return Err(format!("time: unknown unit {unit} in duration {quoted}"));
                }
            };
        rest = &rest[letters..];
    }
    Duration::try_from_secs_f64(seconds).map_err(|_| invalid())
}

/// `time.Duration.String`: the largest unit that leaves a whole part, and all digits behind it.
pub fn duration(span: Duration) -> String {
    let nanos = span.as_nanos();
    match nanos {
        0 => "0s".to_owned(),
        1..1_000 => format!("{nanos}ns"),
        1_000..1_000_000 => format!("{}µs", fraction(nanos, 1_000)),
        1_000_000..1_000_000_000 => format!("{}ms", fraction(nanos, 1_000_000)),
        1_000_000_000.. => {
            let (hours, minutes) = (span.as_secs() / 3600, span.as_secs() / 60 % 60);
            let seconds = fraction(nanos % 60_000_000_000, 1_000_000_000);
            match (hours, minutes) {
                (0, 0) => format!("{seconds}s"),
                (0, _) => format!("{minutes}m{seconds}s"),
                (_, _) => format!("{hours}h{minutes}m{seconds}s"),
            }
        }
    }
}

fn fraction(value: u128, unit: u128) -> String {
    let width = unit.ilog10() as usize;
    let text = format!("{}.{:0width$}", value / unit, value % unit);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// `strconv.Quote` of bytes that need not be text.
pub fn quote(bytes: &[u8]) -> String {
    let mut quoted = String::from("\"");
    for chunk in bytes.utf8_chunks() {
        chunk.valid().chars().for_each(|c| quote_char(c, &mut quoted));
        chunk.invalid().iter().for_each(|byte| escape(&mut quoted, format_args!("\\x{byte:02x}")));
    }
    quoted.push('"');
    quoted
}

fn quote_char(c: char, quoted: &mut String) {
    match c {
        '"' | '\\' => quoted.extend(['\\', c]),
        '\x07' => quoted.push_str("\\a"),
        '\x08' => quoted.push_str("\\b"),
        '\x0c' => quoted.push_str("\\f"),
        '\n' => quoted.push_str("\\n"),
        '\r' => quoted.push_str("\\r"),
        '\t' => quoted.push_str("\\t"),
        '\x0b' => quoted.push_str("\\v"),
        c if is_printable(c) => quoted.push(c),
        c => match u32::from(c) {
            code @ (0..0x20 | 0x7f) => escape(quoted, format_args!("\\x{code:02x}")),
            code @ 0..0x10000 => escape(quoted, format_args!("\\u{code:04x}")),
            code => escape(quoted, format_args!("\\U{code:08x}")),
        },
    }
}

/// Rust escapes what Go calls unprintable, quotes, and a combining mark that has no letter before.
fn is_printable(c: char) -> bool {
    c == '\'' || format!("a{c}").escape_debug().count() == 2
}

fn escape(quoted: &mut String, text: std::fmt::Arguments<'_>) {
    quoted.write_fmt(text).expect("a String takes any text");
}

/// `strconv.Unquote` of the string at the beginning of a text, in double quotes or in backquotes;
/// with it comes what stands behind. `None` if there is none, or none that Go would take.
pub fn unquote(text: &[u8]) -> Option<(Vec<u8>, &[u8])> {
    let (quote, mut rest) = text.split_first()?;
    if *quote == b'`' {
        let length = rest.iter().position(|byte| *byte == b'`')?;
        return Some((rest[..length].to_vec(), &rest[length + 1..]));
    }
    if *quote != b'"' {
        return None;
    }
    let mut plain = Vec::new();
    loop {
        match rest {
            [b'"', behind @ ..] => return Some((plain, behind)),
            [b'\\', letter, behind @ ..] => rest = unescape(*letter, behind, &mut plain)?,
            [] | [b'\\'] | [b'\n', ..] => return None,
            [byte, behind @ ..] => {
                plain.push(*byte);
                rest = behind;
            }
        }
    }
}

/// Reads what stands behind a backslash; returns what is left.
fn unescape<'a>(letter: u8, rest: &'a [u8], plain: &mut Vec<u8>) -> Option<&'a [u8]> {
    let digits = match letter {
        b'x' => 2,
        b'u' => 4,
        b'U' => 8,
        b'0'..=b'7' => {
            let (more, behind) = rest.split_at_checked(2)?;
            plain.push(u8::try_from(number(&[&[letter], more].concat(), 8)?).ok()?);
            return Some(behind);
        }
        b'a' => return push_escaped(b'\x07', rest, plain),
        b'b' => return push_escaped(b'\x08', rest, plain),
        b'f' => return push_escaped(b'\x0c', rest, plain),
        b'n' => return push_escaped(b'\n', rest, plain),
        b'r' => return push_escaped(b'\r', rest, plain),
        b't' => return push_escaped(b'\t', rest, plain),
        b'v' => return push_escaped(b'\x0b', rest, plain),
        b'\\' | b'"' => return push_escaped(letter, rest, plain),
        _ => return None,
    };
    let (code, behind) = rest.split_at_checked(digits)?;
    let code = number(code, 16)?;
    if letter == b'x' {
        plain.push(u8::try_from(code).ok()?);
    } else {
        plain.extend(char::from_u32(code)?.encode_utf8(&mut [0; 4]).bytes());
    }
    Some(behind)
}

fn push_escaped<'a>(byte: u8, rest: &'a [u8], plain: &mut Vec<u8>) -> Option<&'a [u8]> {
    plain.push(byte);
    Some(rest)
}

fn number(digits: &[u8], radix: u32) -> Option<u32> {
    let digits = std::str::from_utf8(digits).ok().filter(|text| !text.starts_with('+'))?;
    u32::from_str_radix(digits, radix).ok()
}

/// A size in SI units, as `humanize.Bytes` writes it: two digits, or the whole part.
pub fn size(bytes: u64) -> String {
    const UNITS: [&str; 7] = ["B", "kB", "MB", "GB", "TB", "PB", "EB"];
    if bytes < 10 {
        return format!("{bytes} B");
    }
    let power = (bytes.ilog10() / 3) as usize;
    let value = (bytes as f64 / 1000_f64.powi(power as i32) * 10.0 + 0.5).floor() / 10.0;
    let digits = usize::from(value < 10.0);
    format!("{value:.digits$} {}", UNITS[power])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_take_prefixes_and_tell_what_is_wrong() {
        let good = [("0", 0), ("-7", -7), ("+7", 7), ("0x1F", 31), ("010", 8), ("0b11", 3)];
        for (text, number) in good {
            assert_eq!(parse_int(text), Ok(number), "{text}");
        }
        let bad = parse_int("abc").unwrap_err();
        assert_eq!(bad, "strconv.ParseInt: parsing \"abc\": invalid syntax");
        let far = parse_int("9223372036854775808").unwrap_err();
        assert_eq!(far, "strconv.ParseInt: parsing \"9223372036854775808\": value out of range");
        assert_eq!(parse_hex("-a"), Ok(-10));
        assert!(parse_hex("0xa").is_err() && parse_decimal("0xa").is_err());
        assert_eq!((parse_decimal("-010"), parse_unsigned_hex("ff")), (Ok(-10), Ok(255)));
        let signed = parse_unsigned_hex("-1").unwrap_err();
        assert_eq!(signed, "strconv.ParseUint: parsing \"-1\": invalid syntax");
        assert_eq!(
            (padded_hex(10).as_str(), padded_hex(-10).as_str()),
            ("000000000000000a", "-00000000000000a")
        );
    }

    #[test]
    fn durations_are_read_and_written() {
        let millis = Duration::from_millis;
        let good = [("5s", 5000), ("1m30s", 90_000), ("1.5h", 5_400_000), ("250ms", 250)];
        for (text, span) in good {
            assert_eq!(parse_duration(text), Ok(millis(span)), "{text}");
        }
        assert_eq!(parse_duration("5").unwrap_err(), "time: missing unit in duration \"5\"");
        assert_eq!(parse_duration("x").unwrap_err(), "time: invalid duration \"x\"");
        assert_eq!(
            parse_duration("5d").unwrap_err(),
            "time: unknown unit \"d\" in duration \"5d\""
        );
        let shown = [
            (Duration::ZERO, "0s"),
            (Duration::from_nanos(999), "999ns"),
            (Duration::from_nanos(1_500), "1.5µs"),
            (Duration::from_nanos(4_669_413), "4.669413ms"),
            (millis(5000), "5s"),
            (millis(61_500), "1m1.5s"),
            (millis(3_600_000), "1h0m0s"),
        ];
        for (span, text) in shown {
            assert_eq!(duration(span), text);
        }
    }

    #[test]
    fn quotes_are_those_of_go() {
        let quoted: [(&[u8], &str); 5] = [
            (b"a\"b\\", r#""a\"b\\""#),
            (b"\x00\n\x7f", r#""\x00\n\x7f""#),
            ("\u{e9}\u{301}'".as_bytes(), "\"\u{e9}\u{301}'\""),
            ("\u{200b}\u{e000}".as_bytes(), r#""\u200b\ue000""#),
            (b"\xffz", r#""\xffz""#),
        ];
        for (bytes, text) in quoted {
            assert_eq!(quote(bytes), text);
        }
    }

    #[test]
    fn strings_are_unquoted_as_go_does_it() {
        let good: [(&[u8], &[u8], &[u8]); 4] = [
            (br#""a\"b\\" rest"#, b"a\"b\\", b" rest"),
            (br#""\x00\101\u00e9\U0001f600""#, "\0A\u{e9}\u{1f600}".as_bytes(), b""),
            (b"`\\q\"`x", b"\\q\"", b"x"),
            (b"\"\"", b"", b""),
        ];
        for (text, plain, rest) in good {
            assert_eq!(unquote(text), Some((plain.to_vec(), rest)));
        }
        let bad = [
            "",
            "a",
            "\"a",
            "`a",
            "\"\\q\"",
            "\"\\'\"",
            "\"\\x+1\"",
            "\"\\400\"",
            "\"\\ud800\"",
            "\"\n\"",
        ];
        for text in bad {
            assert_eq!(unquote(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn sizes_have_two_digits_or_a_whole_part() {
        let sizes = [(0, "0 B"), (9, "9 B"), (24_576, "25 kB"), (2_147_483_648, "2.1 GB")];
        for (bytes, text) in sizes {
            assert_eq!(size(bytes), text);
        }
    }
}
