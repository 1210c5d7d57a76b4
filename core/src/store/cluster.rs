//! The members of the cluster, as far as they are applied (CL-7, CL-8).
//!
//! The table is small and changes rarely, so it is one row: a change replaces the whole of it, and
//! a member that goes leaves nothing behind.
//!
//! Invariants:
//! - B1. Members are sorted by id, each id once.
//!
//! Not here: who votes (`raft/membership.rs`).

use alloc::vec::Vec;

use prost::Message;

use super::rows::{Damage, Row, RowKey};
use crate::api::etcdserverpb::Member;
use crate::api::wire::{Configuration, Publish};

/// The members, sorted by id.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Cluster {
    members: Vec<Member>,
}

impl Cluster {
    /// The members, sorted by id.
    pub fn members(&self) -> &[Member] {
        &self.members
    }

    /// Replaces all of them.
    pub fn configure(&mut self, mut members: Vec<Member>) {
        assert!(!members.is_empty(), "a configuration without members");
        members.sort_by_key(|member| member.id);
        assert!(is_sorted(&members), "B1: a configuration names a member twice");
        self.members = members;
    }

    /// A member tells its name and where clients reach it (CL-7). Tells whether it is one.
    pub fn publish(&mut self, news: Publish) -> bool {
        let known = self.members.iter_mut().find(|member| member.id == news.id);
        let Some(member) = known else { return false };
        member.name = news.name;
        member.client_ur_ls = news.client_urls;
        true
    }

    /// The row of the table; none while it is empty, as before the first entry.
    pub fn row(&self) -> Option<Row> {
        let table = Configuration { members: self.members.clone() };
        let row =
            || Row { key: RowKey::Members.encode(), value: Some(table.encode_to_vec().into()) };
        (!table.members.is_empty()).then(row)
    }

    /// Reads the row of the table.
    pub fn parse(key: &[u8], value: &[u8]) -> Result<Self, Damage> {
        let table = Configuration::decode(value)
            .map_err(|_| Damage::row(key, "is not an encoded list of members"))?;
        let cluster = Self { members: table.members };
        let same = cluster.row().is_some_and(|row| row.value.as_deref() == Some(value));
        if !same || !is_sorted(&cluster.members) {
            return Err(Damage::row(key, "is not a list of members as a store writes it"));
        }
        Ok(cluster)
    }
}

fn is_sorted(members: &[Member]) -> bool {
    members.windows(2).all(|pair| pair[0].id < pair[1].id)
}
