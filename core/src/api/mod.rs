//! What clients and members say, as types.
//!
//! The messages are generated from `core/proto`: names and numbers are the contract with every
//! etcd client. Where the wire has sentinels (a range end of one zero byte, a negative limit)
//! a typed view stands between it and the rest of the core.
//!
//! Not here: what a request does (`store/`), how it travels (`request.rs`).

mod range;
mod refusal;
mod response;

pub use range::KeyRange;
pub use refusal::{Code, Failure, Refusal, Unavailable};
pub use response::{Header, Response};

/// The etcd v3 API.
#[allow(missing_docs, clippy::all, clippy::pedantic)]
pub mod etcdserverpb {
    include!(concat!(env!("OUT_DIR"), "/etcdserverpb.rs"));
}

/// Keys and events.
#[allow(missing_docs, clippy::all, clippy::pedantic)]
pub mod mvccpb {
    include!(concat!(env!("OUT_DIR"), "/mvccpb.rs"));
}

/// Permissions.
#[allow(missing_docs, clippy::all, clippy::pedantic)]
pub mod authpb {
    include!(concat!(env!("OUT_DIR"), "/authpb.rs"));
}

/// Log entries and messages between members.
#[allow(missing_docs, clippy::all, clippy::pedantic)]
pub mod wire {
    include!(concat!(env!("OUT_DIR"), "/quorate.rs"));
}
