//! What etcdctl 3.4.23 sends, byte for byte, in pieces of all sizes.

use super::{LARGEST, Opening, PREFACE};

/// The header block of `etcdctl --endpoints http://127.0.0.1:31001 endpoint status`.
const URL: &str = "8386459760a924882d9dcb6571afa066a925a87510ac6e48d36a3f41909d29aee30c044eae05c0b86e\
    3210003f5f8b1d75d0620d263d4c4d65647a8b9acac8b4c7602bb2caecff40027465864d833505b11f40899acac8b2\
    4d494f6a7f860befb400bd6f408d25062d495875996ee5b1063d5f03332e34";
/// That of `get a`, where the authority is 127.0.0.1:31001.
const HOST: &str = "8386459060a924882d9dcb6571af9b8b1b4754c5418b089d5c0b8170dc6420007f5f8b1d75d0620d\
    263d4c4d65647a8b9acac8b4c7602bb2caecff40027465864d833505b11f40899acac8b24d494f6a7f860befbcf05f\
    b7408d25062d495875996ee5b1063d5f03332e34";
const VALUE: &str = "41909d29aee30c044eae05c0b86e3210003f";
const BLANKED: &str = "411078787878787878787878787878787878";

fn bytes(hex: &str) -> Vec<u8> {
    let digit = |at: usize| u8::from_str_radix(&hex[at..at + 2], 16).unwrap();
    (0..hex.len()).step_by(2).map(digit).collect()
}

fn frame(kind: u8, flags: u8, content: &[u8]) -> Vec<u8> {
    let [.., high, middle, low] = content.len().to_be_bytes();
    [&[high, middle, low, kind, flags, 0, 0, 0, 1], content].concat()
}

/// A connection that begins with this request, and goes on with a second one just like it.
fn connection(block: &str, flags: u8) -> Vec<u8> {
    let (settings, request) = (frame(4, 0, &[]), frame(1, flags, &bytes(block)));
    let data = frame(0, 1, b"\0\0\0\0\0");
    [PREFACE, &settings, &settings, &request, &data, &request].concat()
}

/// What is let through of a stream that comes in pieces of `size` bytes, and ends.
fn through(stream: &[u8], size: usize) -> Vec<u8> {
    let mut opening = Opening::default();
    stream.chunks(size).for_each(|piece| opening.take_in(piece));
    opening.take_in(&[]);
    assert!(opening.over && opening.held.is_empty());
    opening.ready
}

#[test]
fn a_url_is_blanked_in_the_first_request_alone() {
    let stream = connection(URL, 4);
    let whole = connection(&URL.replace(VALUE, BLANKED), 4);
    let first = whole.len() - frame(1, 4, &bytes(URL)).len();
    let expected = [&whole[..first], &stream[first..]].concat();
    assert_ne!(stream, expected);
    for size in 1..=stream.len() {
        assert_eq!(through(&stream, size), expected, "in pieces of {size}");
    }
}

#[test]
fn all_else_goes_through_as_it_is() {
    let http1 = b"GET /metrics HTTP/1.1\r\nHost: http://a\r\n\r\n".to_vec();
    let huge = [PREFACE, &frame(4, 0, &vec![7; LARGEST]), &frame(1, 4, &bytes(URL))].concat();
    let unfinished = connection(URL, 4)[..60].to_vec();
    for stream in [
        connection(HOST, 4),
        connection(URL, 0),
        connection(URL, 4 | 8),
        connection(URL, 4 | 0x20),
        http1,
        huge,
        unfinished,
        b"P".to_vec(),
        Vec::new(),
    ] {
        for size in [1, 7, 1024] {
            assert_eq!(through(&stream, size), stream);
        }
    }
}

/// Whatever a block holds, its bytes are as many, and nobody panics.
#[test]
fn a_broken_block_is_left_to_the_library() {
    let block = bytes(URL);
    for at in 0..block.len() {
        for value in 0..=u8::MAX {
            let mut broken = block.clone();
            broken[at] = value;
            let stream = [PREFACE, &frame(1, 4, &broken)].concat();
            assert_eq!(through(&stream, 1024).len(), stream.len());
        }
        let cut = [PREFACE, &frame(1, 4, &block[..at])].concat();
        assert_eq!(through(&cut, 1024).len(), cut.len());
    }
}

#[test]
fn a_url_without_huffmans_code_is_blanked_too() {
    let plain = [&[0x41, 15][..], b"http://10.0.0.1"].concat();
    let blanked = [&[0x41, 15][..], b"xxxxxxxxxxxxxxx"].concat();
    let [stream, expected] = [plain, blanked].map(|block| [PREFACE, &frame(1, 4, &block)].concat());
    assert_eq!(through(&stream, 3), expected);
}
