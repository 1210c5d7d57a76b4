//! `"Name" : value`, one per line.

use std::fmt::Display;

use quorate_core::api::etcdserverpb::{
    DeleteRangeResponse, MemberListResponse, PutResponse, RangeResponse, ResponseHeader,
};
use quorate_core::api::mvccpb::KeyValue;

use crate::ctl::endpoint::{EndpointHealth, EndpointStatus};
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
        if self.hex {
            self.line(&format!("{prefix}Lease"), format_args!("{:016x}", pair.lease));
        } else {
            self.line(&format!("{prefix}Lease"), pair.lease);
        }
    }
}
