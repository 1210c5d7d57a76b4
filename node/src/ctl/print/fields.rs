//! `"Name" : value`, one per line.

use std::fmt::Display;

use quorate_core::api::etcdserverpb::response_op::Response;
use quorate_core::api::etcdserverpb::{
    DeleteRangeResponse, LeaseGrantResponse, LeaseKeepAliveResponse, LeaseLeasesResponse,
    LeaseRevokeResponse, LeaseTimeToLiveResponse, MemberListResponse, PutResponse, RangeResponse,
    ResponseHeader, TxnResponse, WatchResponse,
};
use quorate_core::api::mvccpb::KeyValue;

use crate::ctl::endpoint::{EndpointHash, EndpointHealth, EndpointStatus};
use crate::ctl::go;

pub fn put(answer: &PutResponse, hex: bool) -> Vec<u8> {
    let mut page = Page::new(hex);
    page.header(answer.header.as_ref());
    answer.prev_kv.iter().for_each(|pair| page.pair("Prev", pair));
    page.done()
}

pub fn get(answer: &RangeResponse, hex: bool) -> Vec<u8> {
    let mut page = Page::new(hex);
    page.header(answer.header.as_ref());
    answer.kvs.iter().for_each(|pair| page.pair("", pair));
    page.line("More", answer.more);
    page.line("Count", answer.count);
    page.done()
}

pub fn del(answer: &DeleteRangeResponse, hex: bool) -> Vec<u8> {
    let mut page = Page::new(hex);
    page.header(answer.header.as_ref());
    page.line("Deleted", answer.deleted);
    answer.prev_kvs.iter().for_each(|pair| page.pair("Prev", pair));
    page.done()
}

pub fn txn(answer: &TxnResponse, hex: bool) -> Vec<u8> {
    let mut page = Page::new(hex);
    page.header(answer.header.as_ref());
    page.line("Succeeded", answer.succeeded);
    let mut text = page.done();
    for operation in &answer.responses {
        text.extend(match &operation.response {
            Some(Response::ResponseRange(answer)) => get(answer, hex),
            Some(Response::ResponsePut(answer)) => put(answer, hex),
            Some(Response::ResponseDeleteRange(answer)) => del(answer, hex),
            Some(Response::ResponseTxn(answer)) => txn(answer, hex),
            None => Vec::new(),
        });
    }
    text
}

pub fn watch(answer: &WatchResponse, hex: bool) -> Vec<u8> {
    let mut page = Page::new(hex);
    page.header(answer.header.as_ref());
    for event in &answer.events {
        page.line("Type", event.r#type().as_str_name());
        event.prev_kv.iter().for_each(|pair| page.pair("Prev", pair));
        event.kv.iter().for_each(|pair| page.pair("", pair));
    }
    page.done()
}

pub fn lease_grant(answer: &LeaseGrantResponse, hex: bool) -> Vec<u8> {
    let mut page = Page::new(hex);
    page.header(answer.header.as_ref());
    page.lease("ID", answer.id);
    page.line("TTL", answer.ttl);
    page.done()
}

pub fn lease_revoke(answer: &LeaseRevokeResponse, hex: bool) -> Vec<u8> {
    let mut page = Page::new(hex);
    page.header(answer.header.as_ref());
    page.done()
}

pub fn lease_time_to_live(answer: &LeaseTimeToLiveResponse, hex: bool) -> Vec<u8> {
    let mut page = Page::new(hex);
    page.header(answer.header.as_ref());
    page.lease("ID", answer.id);
    page.line("TTL", answer.ttl);
    page.line("GrantedTTL", answer.granted_ttl);
    answer.keys.iter().for_each(|key| page.line("Key", go::quote(key)));
    page.done()
}

pub fn lease_list(answer: &LeaseLeasesResponse, hex: bool) -> Vec<u8> {
    let mut page = Page::new(hex);
    page.header(answer.header.as_ref());
    answer.leases.iter().for_each(|lease| page.lease("ID", lease.id));
    page.done()
}

pub fn lease_keep_alive(answer: &LeaseKeepAliveResponse, hex: bool) -> Vec<u8> {
    let mut page = Page::new(hex);
    page.header(answer.header.as_ref());
    page.lease("ID", answer.id);
    page.line("TTL", answer.ttl);
    page.done()
}

pub fn member_list(answer: &MemberListResponse, hex: bool) -> Vec<u8> {
    let mut page = Page::new(hex);
    page.header(answer.header.as_ref());
    for member in &answer.members {
        page.id("ID", member.id);
        page.quoted("Name", &member.name);
        member.peer_ur_ls.iter().for_each(|url| page.quoted("PeerURL", url));
        member.client_ur_ls.iter().for_each(|url| page.quoted("ClientURL", url));
        page.line("IsLearner", member.is_learner);
        page.gap();
    }
    page.done()
}

pub fn endpoint_status(list: &[EndpointStatus], hex: bool) -> Vec<u8> {
    let mut page = Page::new(hex);
    for EndpointStatus { endpoint, status } in list {
        page.header(status.header.as_ref());
        page.quoted("Version", &status.version);
        page.quoted("StorageVersion", &status.storage_version);
        page.line("DBSize", status.db_size);
        page.line("DBSizeInUse", status.db_size_in_use);
        page.line("DBSizeQuota", status.db_size_quota);
        page.line("Leader", status.leader);
        page.line("IsLearner", status.is_learner);
        page.line("RaftIndex", status.raft_index);
        page.line("RaftTerm", status.raft_term);
        page.line("RaftAppliedIndex", status.raft_applied_index);
        page.line("Errors", format_args!("[{}]", status.errors.join(" ")));
        page.quoted("Endpoint", endpoint);
        let downgrade = status.downgrade_info.clone().unwrap_or_default();
        page.quoted("DowngradeTargetVersion", &downgrade.target_version);
        page.line("DowngradeEnabled", downgrade.enabled);
        page.gap();
    }
    page.done()
}

pub fn endpoint_health(list: &[EndpointHealth]) -> Vec<u8> {
    let mut page = Page::new(false);
    for EndpointHealth { endpoint, took, error } in list {
        page.quoted("Endpoint", endpoint);
        page.line("Health", error.is_none());
        page.line("Took", go::duration(*took));
        page.line("Error", error.as_deref().unwrap_or_default());
        page.gap();
    }
    page.done()
}

pub fn endpoint_hash_kv(list: &[EndpointHash], hex: bool) -> Vec<u8> {
    let mut page = Page::new(hex);
    for EndpointHash { endpoint, hash } in list {
        page.header(hash.header.as_ref());
        page.quoted("Endpoint", endpoint);
        page.line("Hash", hash.hash);
        page.line("HashRevision", hash.hash_revision);
        page.gap();
    }
    page.done()
}

struct Page {
    hex: bool,
    text: String,
}

impl Page {
    fn new(hex: bool) -> Self {
        Self { hex, text: String::new() }
    }

    fn done(self) -> Vec<u8> {
        self.text.into_bytes()
    }

    fn line(&mut self, name: &str, value: impl Display) {
        self.text.push_str(&format!("\"{name}\" : {value}\n"));
    }

    fn quoted(&mut self, name: &str, value: &str) {
        self.line(name, go::quote(value.as_bytes()));
    }

    fn id(&mut self, name: &str, id: u64) {
        if self.hex {
            self.line(name, format_args!("{id:x}"));
        } else {
            self.line(name, id);
        }
    }

    fn lease(&mut self, name: &str, id: i64) {
        if self.hex {
            self.line(name, go::padded_hex(id));
        } else {
            self.line(name, id);
        }
    }

    fn gap(&mut self) {
        self.text.push('\n');
    }

    fn header(&mut self, header: Option<&ResponseHeader>) {
        let header = header.copied().unwrap_or_default();
        self.id("ClusterID", header.cluster_id);
        self.id("MemberID", header.member_id);
        if header.revision > 0 {
            self.line("Revision", header.revision);
        }
        self.line("RaftTerm", header.raft_term);
    }

    fn pair(&mut self, prefix: &str, pair: &KeyValue) {
        self.line(&format!("{prefix}Key"), go::quote(&pair.key));
        self.line(&format!("{prefix}CreateRevision"), pair.create_revision);
        self.line(&format!("{prefix}ModRevision"), pair.mod_revision);
        self.line(&format!("{prefix}Version"), pair.version);
        self.line(&format!("{prefix}Value"), go::quote(&pair.value));
        self.lease(&format!("{prefix}Lease"), pair.lease);
    }
}
