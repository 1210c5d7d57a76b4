//! Real members: processes of the built binary, their clients, and a genuine etcd beside them.
//!
//! One binary, so that the tests, which mostly wait, wait together. `common` is what they share.
//!
//! | files | what they attack |
//! |---|---|
//! | `single`, `cluster`, `handover`, `refusals`, `metrics` | a member, three of them, their starts and ends |
//! | `peers` | the port of members, and their connections |
//! | `snapshot`, `lease`, `watch` | one part of the key space each |
//! | `hashkv_against_etcd`, `watch_against_etcd` | the answers of a genuine etcd to the same requests |
//! | `ctl_*`, `etcdctl_urls` | `quorate ctl` and `etcdctl`, on both servers |
//! | `etcd_client_crate` | a program that was written for etcd (feature `etcd-client`) |

#![allow(clippy::unwrap_used, reason = "a helper of a test may panic as the test may")]

mod cluster;
mod common;
mod ctl_against_etcd;
mod ctl_cluster;
mod ctl_sessions;
mod ctl_watch;
#[cfg(feature = "etcd-client")]
mod etcd_client_crate;
mod etcdctl_urls;
mod handover;
mod hashkv_against_etcd;
mod lease;
mod metrics;
mod peers;
mod refusals;
mod single;
mod snapshot;
mod watch;
mod watch_against_etcd;
