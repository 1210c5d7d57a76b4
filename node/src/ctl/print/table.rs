//! Tables in a frame of dashes: titles centred, cells to the right, long texts folded.

use quorate_core::api::etcdserverpb::MemberListResponse;

use super::simple;
use crate::ctl::endpoint::{EndpointHash, EndpointHealth, EndpointStatus};
use crate::ctl::go;

/// Cells are folded at blanks so that no line is longer, unless a word is.
const FOLD: usize = 30;

pub fn member_list(answer: &MemberListResponse) -> Vec<u8> {
    let titles = ["ID", "STATUS", "NAME", "PEER ADDRS", "CLIENT ADDRS", "IS LEARNER"];
    framed(titles, answer.members.iter().map(simple::member_cells))
}

pub fn endpoint_status(list: &[EndpointStatus]) -> Vec<u8> {
    let titles = [
        "ENDPOINT",
        "ID",
        "VERSION",
        "STORAGE VERSION",
        "DB SIZE",
        "IN USE",
        "PERCENTAGE NOT IN USE",
        "QUOTA",
        "IS LEADER",
        "IS LEARNER",
        "RAFT TERM",
        "RAFT INDEX",
        "RAFT APPLIED INDEX",
        "ERRORS",
        "DOWNGRADE TARGET VERSION",
        "DOWNGRADE ENABLED",
    ];
    framed(titles, list.iter().map(simple::status_cells))
}

pub fn endpoint_health(list: &[EndpointHealth]) -> Vec<u8> {
    let rows = list.iter().map(|EndpointHealth { endpoint, took, error }| {
        let healthy = error.is_none().to_string();
        [endpoint.clone(), healthy, go::duration(*took), error.clone().unwrap_or_default()]
    });
    framed(["ENDPOINT", "HEALTH", "TOOK", "ERROR"], rows)
}

pub fn endpoint_hash_kv(list: &[EndpointHash]) -> Vec<u8> {
    framed(["ENDPOINT", "HASH", "HASH REVISION"], list.iter().map(simple::hash_cells))
}

fn framed<const N: usize>(titles: [&str; N], rows: impl Iterator<Item = [String; N]>) -> Vec<u8> {
    let titles = titles.map(folded);
    let rows: Vec<[Vec<String>; N]> = rows.map(|row| row.map(|cell| folded(&cell))).collect();
    let mut widths = [0; N];
    for row in std::iter::once(&titles).chain(&rows) {
        for (width, lines) in widths.iter_mut().zip(row) {
            let longest = lines.iter().map(|line| line.chars().count()).max().unwrap_or(0);
            *width = longest.max(*width);
        }
    }
    let rule = widths.map(|width| "-".repeat(width + 2)).join("+");
    let rule = format!("+{rule}+\n");
    let mut text = rule.clone();
    push_row(&mut text, &titles, &widths, |line, width| format!("{line:^width$}"));
    text.push_str(&rule);
    for row in &rows {
        push_row(&mut text, row, &widths, |line, width| format!("{line:>width$}"));
    }
    if !rows.is_empty() {
        text.push_str(&rule);
    }
    text.into_bytes()
}

fn push_row<const N: usize>(
    text: &mut String,
    row: &[Vec<String>; N],
    widths: &[usize; N],
    align: impl Fn(&str, usize) -> String,
) {
    let height = row.iter().map(Vec::len).max().unwrap_or(0);
    for line in 0..height {
        for (lines, width) in row.iter().zip(widths) {
            let line = lines.get(line).map_or("", String::as_str);
            text.push_str(&format!("| {} ", align(line, *width)));
        }
        text.push_str("|\n");
    }
}

fn folded(cell: &str) -> Vec<String> {
    if cell.chars().count() <= FOLD {
        return vec![cell.to_owned()];
    }
    let mut lines: Vec<String> = Vec::new();
    for word in cell.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= FOLD => {
                line.push(' ');
                line.push_str(word);
            }
            Some(_) | None => lines.push(word.to_owned()),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn titles_are_centred_cells_to_the_right_and_long_texts_folded() {
        let long = "memberID:1 alarm:NOSPACE etcdserver: no leader".to_owned();
        let rows = [["a".to_owned(), long], ["longer".to_owned(), String::new()]];
        let expected = "\
+--------+--------------------------+
| NUMBER |          ERRORS          |
+--------+--------------------------+
|      a | memberID:1 alarm:NOSPACE |
|        |    etcdserver: no leader |
| longer |                          |
+--------+--------------------------+
";
        let table = framed(["NUMBER", "ERRORS"], rows.into_iter());
        assert_eq!(String::from_utf8(table).unwrap(), expected);
    }
}
