//! The generated gRPC services, servers and clients. Their messages are in `quorate_core::api`.

/// The etcd v3 services.
#[allow(missing_docs, unused_qualifications, clippy::all, clippy::pedantic)]
pub mod etcdserverpb {
    tonic::include_proto!("etcdserverpb");
}

/// The service between members.
#[allow(missing_docs, unused_qualifications, clippy::all, clippy::pedantic)]
pub mod peer {
    tonic::include_proto!("quorate.peer");
}
