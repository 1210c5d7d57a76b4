//! The JSON that Go makes of the answers: names as in the proto files, members in their order,
//! numbers bare, bytes in base64, and nothing that is zero or empty.
//!
//! It is a dialect of its own: the JSON gateway quotes 64-bit numbers.

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use quorate_core::api::etcdserverpb::response_op::Response;
use quorate_core::api::etcdserverpb::{
    DeleteRangeResponse, DowngradeInfo, HashKvResponse, LeaseGrantResponse, LeaseKeepAliveResponse,
    LeaseLeasesResponse, LeaseRevokeResponse, LeaseTimeToLiveResponse, Member, MemberListResponse,
    MoveLeaderResponse, PutResponse, RangeResponse, ResponseHeader, ResponseOp, StatusResponse,
    TxnResponse, WatchResponse,
};
use quorate_core::api::mvccpb::{Event, KeyValue};

use crate::ctl::endpoint::{EndpointHash, EndpointHealth, EndpointStatus};
use crate::ctl::go;

pub fn put(answer: &PutResponse) -> Vec<u8> {
    put_object(answer).line()
}

pub fn get(answer: &RangeResponse) -> Vec<u8> {
    range_object(answer).line()
}

pub fn del(answer: &DeleteRangeResponse) -> Vec<u8> {
    delete_object(answer).line()
}

pub fn txn(answer: &TxnResponse) -> Vec<u8> {
    txn_object(answer).line()
}

/// An end that the client made up, because the server has not told one, has neither header nor
/// list of events.
pub fn watch(answer: &WatchResponse) -> Vec<u8> {
    let mut object = Object::new();
    object.raw("Header", &answer.header.as_ref().map_or(Object::new(), header).closed());
    let events: Vec<_> = answer.events.iter().map(|it| event(it).closed()).collect();
    let events = answer.header.map(|_| format!("[{}]", events.join(",")));
    object.raw("Events", events.as_deref().unwrap_or("null"));
    object.raw("CompactRevision", &answer.compact_revision.to_string());
    object.raw("Canceled", &answer.canceled.to_string());
    object.raw("Created", &answer.created.to_string());
    object.line()
}

pub fn lease_grant(answer: &LeaseGrantResponse) -> Vec<u8> {
    let mut object = answer.header.as_ref().map_or(Object::new(), header);
    object.raw("ID", &answer.id.to_string());
    object.raw("TTL", &answer.ttl.to_string());
    object.raw("Error", &text(&answer.error));
    object.line()
}

pub fn lease_revoke(answer: &LeaseRevokeResponse) -> Vec<u8> {
    let mut object = Object::new();
    object.some("header", answer.header.as_ref().map(header));
    object.line()
}

pub fn lease_time_to_live(answer: &LeaseTimeToLiveResponse) -> Vec<u8> {
    let mut object = answer.header.as_ref().map_or(Object::new(), header);
    object.raw("id", &answer.id.to_string());
    object.raw("ttl", &answer.ttl.to_string());
    object.raw("granted-ttl", &answer.granted_ttl.to_string());
    let keys: Vec<_> = answer.keys.iter().map(|key| base64(key)).collect();
    let keys = (!keys.is_empty()).then(|| format!("[{}]", keys.join(",")));
    object.raw("keys", keys.as_deref().unwrap_or("null"));
    object.line()
}

pub fn lease_list(answer: &LeaseLeasesResponse) -> Vec<u8> {
    let mut object = answer.header.as_ref().map_or(Object::new(), header);
    let leases: Vec<_> = answer.leases.iter().map(|it| format!("{{\"id\":{}}}", it.id)).collect();
    object.raw("leases", &format!("[{}]", leases.join(",")));
    object.line()
}

pub fn lease_keep_alive(answer: &LeaseKeepAliveResponse) -> Vec<u8> {
    let mut object = answer.header.as_ref().map_or(Object::new(), header);
    object.raw("ID", &answer.id.to_string());
    object.raw("TTL", &answer.ttl.to_string());
    object.line()
}

pub fn move_leader(answer: &MoveLeaderResponse) -> Vec<u8> {
    let mut object = Object::new();
    object.some("header", answer.header.as_ref().map(header));
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

pub fn endpoint_hash_kv(list: &[EndpointHash]) -> Vec<u8> {
    array_line(list.iter().map(|entry| {
        let mut object = Object::new();
        object.raw("Endpoint", &text(&entry.endpoint));
        object.raw("HashKV", &hash(&entry.hash).closed());
        object
    }))
}

fn put_object(answer: &PutResponse) -> Object {
    let mut object = Object::new();
    object.some("header", answer.header.as_ref().map(header));
    object.some("prev_kv", answer.prev_kv.as_ref().map(pair));
    object
}

fn range_object(answer: &RangeResponse) -> Object {
    let mut object = Object::new();
    object.some("header", answer.header.as_ref().map(header));
    object.list("kvs", answer.kvs.iter().map(pair));
    object.flag("more", answer.more);
    object.number("count", answer.count);
    object
}

fn delete_object(answer: &DeleteRangeResponse) -> Object {
    let mut object = Object::new();
    object.some("header", answer.header.as_ref().map(header));
    object.number("deleted", answer.deleted);
    object.list("prev_kvs", answer.prev_kvs.iter().map(pair));
    object
}

fn txn_object(answer: &TxnResponse) -> Object {
    let mut object = Object::new();
    object.some("header", answer.header.as_ref().map(header));
    object.flag("succeeded", answer.succeeded);
    object.list("responses", answer.responses.iter().map(operation));
    object
}

fn operation(operation: &ResponseOp) -> Object {
    let (name, inner) = match &operation.response {
        Some(Response::ResponseRange(answer)) => ("response_range", range_object(answer)),
        Some(Response::ResponsePut(answer)) => ("response_put", put_object(answer)),
        Some(Response::ResponseDeleteRange(answer)) => {
            ("response_delete_range", delete_object(answer))
        }
        Some(Response::ResponseTxn(answer)) => ("response_txn", txn_object(answer)),
        None => return Object::new(),
    };
    let mut choice = Object::new();
    choice.some(name, Some(inner));
    let mut object = Object::new();
    object.some("Response", Some(choice));
    object
}

fn event(event: &Event) -> Object {
    let mut object = Object::new();
    object.number("type", event.r#type);
    object.some("kv", event.kv.as_ref().map(pair));
    object.some("prev_kv", event.prev_kv.as_ref().map(pair));
    object
}

fn hash(hash: &HashKvResponse) -> Object {
    let mut object = Object::new();
    object.some("header", hash.header.as_ref().map(header));
    object.number("hash", hash.hash);
    object.number("compact_revision", hash.compact_revision);
    object.number("hash_revision", hash.hash_revision);
    object
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
            self.raw(name, &base64(value));
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

fn base64(bytes: &[u8]) -> String {
    format!("\"{}\"", BASE64.encode(bytes))
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
