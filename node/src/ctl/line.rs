//! Lines that are typed to a running command (`txn`, `watch --interactive`), cut into words.
//!
//! ```text
//! put key "a \"b\"\n" 'c d'     ->   put | key | a "b"<newline> | c d
//! ```
//!
//! A word in double quotes has Go's escapes, one in single quotes is taken as it stands. Quotes
//! count only where a word begins; one that is never closed counts as nothing.
//!
//! **Departure**: etcdctl cuts words in single quotes at a wrong place.
//!
//! Not here: what the words mean.

use std::io::BufRead;

use super::{Exit, Failure, go};

/// Reads one line without its end. Without an end it is not a line: the input is over.
pub fn read(input: &mut impl BufRead) -> Result<Vec<u8>, String> {
    let mut line = Vec::new();
    input.read_until(b'\n', &mut line).map_err(|why| why.to_string())?;
    match line.pop() {
        Some(b'\n') => Ok(line),
        Some(_) | None => Err("EOF".to_owned()),
    }
}

/// Cuts a line into words.
pub fn words(line: &[u8]) -> Result<Vec<Vec<u8>>, Failure> {
    let mut words = Vec::new();
    let mut rest = line;
    while let Some((first, behind)) = rest.split_first() {
        let closed = match first {
            b'"' => closing_double(behind),
            b'\'' => behind.iter().position(|byte| *byte == b'\''),
            _ => None,
        };
        rest = match (first, closed) {
            (b'"', Some(length)) => {
                let (quoted, behind) = rest.split_at(length + 2);
                let bad = || format!("invalid syntax: {}", String::from_utf8_lossy(line));
                let word = go::unquote(quoted).ok_or_else(|| Failure::new(Exit::Input, bad()))?;
                words.push(word.0);
                behind
            }
            (_, Some(length)) => {
                words.push(behind[..length].to_vec());
                &behind[length + 1..]
            }
            (b'"' | b'\'', None) => behind,
            (first, None) if first.is_ascii_whitespace() => behind,
            (_, None) => {
                let length = rest.iter().position(u8::is_ascii_whitespace).unwrap_or(rest.len());
                words.push(rest[..length].to_vec());
                &rest[length..]
            }
        };
    }
    Ok(words)
}

/// Where the quote is that is not escaped.
fn closing_double(text: &[u8]) -> Option<usize> {
    let mut place = 0;
    loop {
        match text.get(place)? {
            b'"' => return Some(place),
            b'\\' => place += 2,
            _ => place += 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_hold_words_together_where_a_word_begins() {
        let table: [(&str, &[&str]); 8] = [
            ("get a", &["get", "a"]),
            ("\tput  k \"a \\\"b\\\"\\n\" 'c \\d' ", &["put", "k", "a \"b\"\n", "c \\d"]),
            ("get \"a\"\"b\"c", &["get", "a", "b", "c"]),
            ("get a\"b c\"", &["get", "a\"b", "c\""]),
            ("get \"a", &["get", "a"]),
            ("get 'a", &["get", "a"]),
            ("get x' y'", &["get", "x'", "y'"]),
            ("get \"\" ''", &["get", "", ""]),
        ];
        for (line, expected) in table {
            let words = words(line.as_bytes()).unwrap();
            let words: Vec<_> = words.iter().map(|word| String::from_utf8_lossy(word)).collect();
            assert_eq!(words, expected, "{line}");
        }
        let failure = words(b"get \"\\q\"").unwrap_err();
        assert_eq!(failure, Failure::new(Exit::Input, "invalid syntax: get \"\\q\""));
    }

    #[test]
    fn a_line_has_an_end() {
        let mut input = &b"one\n\ntwo"[..];
        assert_eq!(read(&mut input), Ok(b"one".to_vec()));
        assert_eq!(read(&mut input), Ok(Vec::new()));
        assert_eq!(read(&mut input), Err("EOF".to_owned()));
    }
}
