//! The generated gRPC services. Their messages are in `quorate_core::api`.

/// The etcd v3 services: clients of them, and what a server must implement.
#[allow(missing_docs, unused_qualifications, clippy::all, clippy::pedantic)]
pub mod etcdserverpb {
    include!(concat!(env!("OUT_DIR"), "/etcdserverpb.rs"));
    include!(concat!(env!("OUT_DIR"), "/server/etcdserverpb.rs"));
}
