//! The JSON that Go makes of the answers: names as in the proto files, members in their order,
//! numbers bare, bytes in base64, and nothing that is zero or empty.
//!
//! It is a dialect of its own: the JSON gateway quotes 64-bit numbers.

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use quorate_core::api::etcdserverpb::{
    DeleteRangeResponse, DowngradeInfo, Member, MemberListResponse, PutResponse, RangeResponse,
    ResponseHeader, StatusResponse,
};
use quorate_core::api::mvccpb::KeyValue;

use crate::ctl::endpoint::{EndpointHealth, EndpointStatus};
use crate::ctl::go;

pub fn put(answer: &PutResponse) -> Vec<u8> {
    let mut object = Object::new();
    object.some("header", answer.header.as_ref().map(header));
    object.some("prev_kv", answer.prev_kv.as_ref().map(pair));
    object.line()
}

pub fn get(answer: &RangeResponse) -> Vec<u8> {
    let mut object = Object::new();
    object.some("header", answer.header.as_ref().map(header));
    object.list("kvs", answer.kvs.iter().map(pair));
    object.flag("more", answer.more);
    object.number("count", answer.count);
    object.line()
}

pub fn del(answer: &DeleteRangeResponse) -> Vec<u8> {
    let mut object = Object::new();
    object.some("header", answer.header.as_ref().map(header));
    object.number("deleted", answer.deleted);
    object.list("prev_kvs", answer.prev_kvs.iter().map(pair));
    object.line()
}

pub fn member_list(answer: &MemberListResponse, hex: bool) -> Vec<u8> {
    let mut object = Object::new();
    let form = if hex { hex_header } else { header };
    object.some("header", answer.header.as_ref().map(form));
    object.list("members", answer.members.iter().map(|it| member(it, hex)));
    object.line()
}

pub fn endpoint_status(list: &[EndpointStatus]) -> Vec<u8> {
    array_line(list.iter().map(|entry| {
        let mut object = Object::new();
        object.raw("Endpoint", &text(&entry.endpoint));
        object.raw("Status", &status(&entry.status).closed());
        object
    }))
}

pub fn endpoint_health(list: &[EndpointHealth]) -> Vec<u8> {
    array_line(list.iter().map(|entry| {
        let mut object = Object::new();
        object.raw("endpoint", &text(&entry.endpoint));
        object.raw("health", &entry.error.is_none().to_string());
        object.raw("took", &text(&go::duration(entry.took)));
        object.text("error", entry.error.as_deref().unwrap_or_default());
        object
    }))
}

fn header(header: &ResponseHeader) -> Object {
    let mut object = Object::new();
    object.number("cluster_id", header.cluster_id);
    object.number("member_id", header.member_id);
    object.number("revision", header.revision);
    object.number("raft_term", header.raft_term);
    object
}

fn hex_header(header: &ResponseHeader) -> Object {
    let mut object = Object::new();
    object.raw("cluster_id", &text(&format!("{:x}", header.cluster_id)));
    object.raw("member_id", &text(&format!("{:x}", header.member_id)));
    object.number("revision", header.revision);
    object.number("raft_term", header.raft_term);
    object
}

fn pair(pair: &KeyValue) -> Object {
    let mut object = Object::new();
    object.bytes("key", &pair.key);
    object.number("create_revision", pair.create_revision);
    object.number("mod_revision", pair.mod_revision);
    object.number("version", pair.version);
    object.bytes("value", &pair.value);
    object.number("lease", pair.lease);
    object
}

/// With ids in hex etcdctl does not tell who is a learner.
fn member(member: &Member, hex: bool) -> Object {
    let mut object = Object::new();
    if hex {
        object.raw("ID", &text(&format!("{:x}", member.id)));
    } else {
        object.number("ID", member.id);
    }
    object.text("name", &member.name);
    object.texts("peerURLs", &member.peer_ur_ls);
    object.texts("clientURLs", &member.client_ur_ls);
    object.flag("isLearner", member.is_learner && !hex);
    object
}

fn status(status: &StatusResponse) -> Object {
    let mut object = Object::new();
    object.some("header", status.header.as_ref().map(header));
    object.text("version", &status.version);
    object.number("dbSize", status.db_size);
    object.number("leader", status.leader);
    object.number("raftIndex", status.raft_index);
    object.number("raftTerm", status.raft_term);
    object.number("raftAppliedIndex", status.raft_applied_index);
    object.texts("errors", &status.errors);
    object.number("dbSizeInUse", status.db_size_in_use);
    object.flag("isLearner", status.is_learner);
    object.text("storageVersion", &status.storage_version);
    object.number("dbSizeQuota", status.db_size_quota);
    object.some("downgradeInfo", status.downgrade_info.as_ref().map(downgrade));
    object
}

fn downgrade(info: &DowngradeInfo) -> Object {
    let mut object = Object::new();
    object.flag("enabled", info.enabled);
    object.text("targetVersion", &info.target_version);
    object
}

/// An object under construction. All but `raw` leave out what is zero or empty.
struct Object(String);

impl Object {
    fn new() -> Self {
        Self(String::new())
    }

    fn raw(&mut self, name: &str, value: &str) {
        let comma = if self.0.is_empty() { "" } else { "," };
        self.0.push_str(&format!("{comma}\"{name}\":{value}"));
    }

    fn number(&mut self, name: &str, value: impl Into<i128>) {
        let value = value.into();
        if value != 0 {
            self.raw(name, &value.to_string());
        }
    }

    fn flag(&mut self, name: &str, value: bool) {
        if value {
            self.raw(name, "true");
        }
    }

    fn text(&mut self, name: &str, value: &str) {
        if !value.is_empty() {
            self.raw(name, &text(value));
        }
    }

    fn bytes(&mut self, name: &str, value: &[u8]) {
        if !value.is_empty() {
            self.raw(name, &format!("\"{}\"", BASE64.encode(value)));
        }
    }

    fn texts(&mut self, name: &str, values: &[String]) {
        if !values.is_empty() {
            let values: Vec<_> = values.iter().map(|value| text(value)).collect();
            self.raw(name, &format!("[{}]", values.join(",")));
        }
    }

    fn some(&mut self, name: &str, value: Option<Self>) {
        if let Some(value) = value {
            self.raw(name, &value.closed());
        }
    }

    fn list(&mut self, name: &str, values: impl Iterator<Item = Self>) {
        let values: Vec<_> = values.map(Self::closed).collect();
        if !values.is_empty() {
            self.raw(name, &format!("[{}]", values.join(",")));
        }
    }

    fn closed(self) -> String {
        format!("{{{}}}", self.0)
    }

    fn line(self) -> Vec<u8> {
        (self.closed() + "\n").into_bytes()
    }
}

fn array_line(values: impl Iterator<Item = Object>) -> Vec<u8> {
    let values: Vec<_> = values.map(Object::closed).collect();
    format!("[{}]\n", values.join(",")).into_bytes()
}

/// A JSON string in which, as Go does it, nothing could be taken for HTML.
fn text(value: &str) -> String {
    let mut quoted = serde_json::Value::from(value).to_string();
    for (plain, escaped) in [
        ('<', "\\u003c"),
        ('>', "\\u003e"),
        ('&', "\\u0026"),
        ('\u{2028}', "\\u2028"),
        ('\u{2029}', "\\u2029"),
    ] {
        quoted = quoted.replace(plain, escaped);
    }
    quoted
}
