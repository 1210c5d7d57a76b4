//! One revision of one key, as the bytes that everybody shares.
//!
//! A record is the encoded `mvccpb.KeyValue` in one allocation of exactly its size. The durable
//! row, the answer of a range and the event of a watcher are slices of it; nobody copies a value.
//!
//! ```text
//!   field   1: key   2: create   3: mod   4: version   5: value   6: lease
//!   bytes   0a len.. 10 varint   18 ..    20 ..        2a len..   30 ..
//!           ^ always             ^ a field that is zero or empty is left out
//! ```
//! A tombstone holds the key alone.
//!
//! Invariants:
//! - C1. The encoding is canonical: fields in order, none twice, none that is zero. Equal records
//!   are equal bytes, here and on every member, and equal to what any protobuf library writes.
//! - C2. What a `Record` holds was encoded here or passed `View::parse`; it always parses.
//!
//! Not here: which revision it belongs to (`records.rs`).

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;

use bytes::Bytes;
use prost::encoding::{decode_varint, encode_varint};

use crate::api::mvccpb::KeyValue;

const KEY: u8 = 0x0a;
const CREATE: u8 = 0x10;
const MOD: u8 = 0x18;
const VERSION: u8 = 0x20;
const VALUE: u8 = 0x2a;
const LEASE: u8 = 0x30;

/// An encoded pair or tombstone. Cloning shares the bytes.
#[derive(Clone, PartialEq, Eq)]
pub struct Record(Arc<[u8]>);

/// What a record stands for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// A pair.
    Put,
    /// The removal of one.
    Tombstone,
}

/// The fields of a record, borrowed from wherever its bytes are.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct View<'a> {
    /// The key; never empty.
    pub key: &'a [u8],
    /// Main revision of the put that began this life of the key (KV-4).
    pub create: i64,
    /// Main revision of this put. Zero in a tombstone.
    pub modified: i64,
    /// Number of puts in this life, from 1. Zero in a tombstone.
    pub version: i64,
    /// The value.
    pub value: &'a [u8],
    /// The lease it is attached to; zero for none.
    pub lease: i64,
}

impl<'a> View<'a> {
    /// The record of a delete: it knows only its key (KV-33).
    pub fn tombstone(key: &'a [u8]) -> Self {
        Self { key, ..Self::default() }
    }

    /// Whether it stands for a delete.
    pub fn is_tombstone(&self) -> bool {
        *self == Self::tombstone(self.key)
    }

    /// Appends the canonical encoding (C1).
    pub fn encode(&self, out: &mut Vec<u8>) {
        put_bytes(KEY, self.key, out);
        put_number(CREATE, self.create, out);
        put_number(MOD, self.modified, out);
        put_number(VERSION, self.version, out);
        put_bytes(VALUE, self.value, out);
        put_number(LEASE, self.lease, out);
    }

    /// Reads an encoding; none if the bytes are anything but a canonical one with a key (C1).
    pub fn parse(bytes: &'a [u8]) -> Option<Self> {
        let mut rest = bytes;
        let view = Self {
            key: take_bytes(KEY, &mut rest)?,
            create: take_number(CREATE, &mut rest)?,
            modified: take_number(MOD, &mut rest)?,
            version: take_number(VERSION, &mut rest)?,
            value: take_bytes(VALUE, &mut rest)?,
            lease: take_number(LEASE, &mut rest)?,
        };
        (rest.is_empty() && !view.key.is_empty()).then_some(view)
    }
}

impl Record {
    /// Encodes a record into its own right-sized allocation. `scratch` only saves the time to
    /// find out the size beforehand.
    pub fn new(view: &View<'_>, scratch: &mut Vec<u8>) -> Self {
        assert!(!view.key.is_empty(), "C2: a record has a key");
        scratch.clear();
        view.encode(scratch);
        Self(Arc::from(scratch.as_slice()))
    }

    /// Takes over foreign bytes if they are a canonical record (C2).
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        View::parse(bytes).map(|_| Self(Arc::from(bytes)))
    }

    /// Its fields.
    pub fn view(&self) -> View<'_> {
        View::parse(&self.0).expect("C2: a record parses")
    }

    /// Its key, without a look at the other fields.
    pub fn key(&self) -> &[u8] {
        self.split_key().0
    }

    /// Whether it stands for a pair or a delete.
    pub fn kind(&self) -> Kind {
        if self.split_key().1.is_empty() { Kind::Tombstone } else { Kind::Put }
    }

    fn split_key(&self) -> (&[u8], &[u8]) {
        let mut rest = &*self.0;
        let key = take_bytes(KEY, &mut rest).expect("C2: a record begins with its key");
        (key, rest)
    }

    /// The same pair with an empty value (KV-15).
    pub fn without_value(&self) -> Self {
        Self::new(&View { value: &[], ..self.view() }, &mut Vec::new())
    }

    /// The encoded bytes, shared.
    pub fn bytes(&self) -> Bytes {
        Bytes::from_owner(self.clone())
    }

    /// The pair as clients get it: key and value are slices of the record.
    pub fn key_value(&self) -> KeyValue {
        let view = self.view();
        let bytes = self.bytes();
        KeyValue {
            key: bytes.slice_ref(view.key),
            create_revision: view.create,
            mod_revision: view.modified,
            version: view.version,
            value: if view.value.is_empty() { Bytes::new() } else { bytes.slice_ref(view.value) },
            lease: view.lease,
        }
    }
}

impl AsRef<[u8]> for Record {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.view())
    }
}

fn put_number(tag: u8, number: i64, out: &mut Vec<u8>) {
    if number != 0 {
        out.push(tag);
        // Protobuf writes a negative int64 as its two's complement.
        encode_varint(number.cast_unsigned(), out);
    }
}

fn put_bytes(tag: u8, bytes: &[u8], out: &mut Vec<u8>) {
    if !bytes.is_empty() {
        out.push(tag);
        encode_varint(bytes.len() as u64, out);
        out.extend_from_slice(bytes);
    }
}

/// Zero if another field comes next; none if what is there is not canonical.
fn take_number(tag: u8, rest: &mut &[u8]) -> Option<i64> {
    let number = match *rest {
        [first, tail @ ..] if *first == tag => {
            *rest = tail;
            take_varint(rest).filter(|number| *number != 0)?
        }
        _ => 0,
    };
    Some(number.cast_signed())
}

/// Empty if another field comes next; none if what is there is not canonical.
fn take_bytes<'a>(tag: u8, rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let [first, tail @ ..] = *rest else { return Some(&[]) };
    if *first != tag {
        return Some(&[]);
    }
    *rest = tail;
    let len = usize::try_from(take_varint(rest).filter(|len| *len > 0)?).ok()?;
    let (bytes, tail) = rest.split_at_checked(len)?;
    *rest = tail;
    Some(bytes)
}

/// A varint in its shortest form.
fn take_varint(rest: &mut &[u8]) -> Option<u64> {
    let before = *rest;
    let number = decode_varint(rest).ok()?;
    let used = before.len() - rest.len();
    // A longer form ends in a byte without payload.
    (used == 1 || before[used - 1] != 0).then_some(number)
}
