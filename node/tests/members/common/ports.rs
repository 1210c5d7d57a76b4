//! Ports on which nothing listens, each given out once.
//!
//! They lie below those that the system itself gives to the near ends of connections (from 32768 on
//! with Linux, from 49152 elsewhere), so that no client of another test takes one before the server
//! that it was given to has started.

use std::net::TcpListener;
use std::process;
use std::sync::atomic::{AtomicU32, Ordering};

/// The first of them, and how many there are.
const PORTS: (u16, u16) = (10_000, 20_000);

/// How many were tried in this process.
static TRIED: AtomicU32 = AtomicU32::new(0);

/// A port on which nothing listened a moment ago. Two processes begin at different ones.
pub fn free_port() -> u16 {
    let (first, count) = PORTS;
    let place = || {
        let tried = TRIED.fetch_add(1, Ordering::Relaxed);
        process::id().wrapping_mul(257).wrapping_add(tried) % u32::from(count)
    };
    let ports = (0..count).map(|_| first + u16::try_from(place()).expect("below the count"));
    let is_free = |port: &u16| TcpListener::bind(("127.0.0.1", *port)).is_ok();
    ports.into_iter().find(is_free).expect("no port of all these is free")
}
