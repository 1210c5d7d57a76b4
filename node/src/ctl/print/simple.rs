//! Lines for people, and for the scripts that read them.

use quorate_core::api::etcdserverpb::response_op::Response;
use quorate_core::api::etcdserverpb::{
    DeleteRangeResponse, LeaseGrantResponse, LeaseKeepAliveResponse, LeaseLeasesResponse,
    LeaseTimeToLiveResponse, Member, MemberListResponse, PutResponse, RangeResponse,
    StatusResponse, TxnResponse, WatchResponse,
};
use quorate_core::api::mvccpb::KeyValue;

use crate::ctl::endpoint::{EndpointHash, EndpointHealth, EndpointStatus};
use crate::ctl::go;

pub fn put(answer: &PutResponse, hex: bool) -> Vec<u8> {
    let mut text = b"OK\n".to_vec();
    answer.prev_kv.iter().for_each(|pair| push_pair(&mut text, pair, hex));
    text
}

pub fn get(answer: &RangeResponse, hex: bool, value_only: bool) -> Vec<u8> {
    let mut text = Vec::new();
    for pair in &answer.kvs {
        if value_only {
            push_line(&mut text, &pair.value, hex);
        } else {
            push_pair(&mut text, pair, hex);
        }
    }
    text
}

pub fn del(answer: &DeleteRangeResponse, hex: bool) -> Vec<u8> {
    let mut text = format!("{}\n", answer.deleted).into_bytes();
    answer.prev_kvs.iter().for_each(|pair| push_pair(&mut text, pair, hex));
    text
}

pub fn txn(answer: &TxnResponse, hex: bool) -> Vec<u8> {
    let verdict = if answer.succeeded { "SUCCESS\n" } else { "FAILURE\n" };
    let mut text = verdict.as_bytes().to_vec();
    for operation in &answer.responses {
        text.push(b'\n');
        text.extend(match &operation.response {
            Some(Response::ResponseRange(answer)) => get(answer, hex, false),
            Some(Response::ResponsePut(answer)) => put(answer, hex),
            Some(Response::ResponseDeleteRange(answer)) => del(answer, hex),
            Some(Response::ResponseTxn(answer)) => txn(answer, hex),
            None => Vec::new(),
        });
    }
    text
}

pub fn watch(answer: &WatchResponse, hex: bool) -> Vec<u8> {
    let mut text = Vec::new();
    for event in &answer.events {
        text.extend(format!("{}\n", event.r#type().as_str_name()).bytes());
        event.prev_kv.iter().chain(&event.kv).for_each(|pair| push_pair(&mut text, pair, hex));
    }
    text
}

pub fn lease_grant(answer: &LeaseGrantResponse) -> Vec<u8> {
    let (id, ttl) = (go::padded_hex(answer.id), answer.ttl);
    format!("lease {id} granted with TTL({ttl}s)\n").into_bytes()
}

pub fn lease_revoke(id: i64) -> Vec<u8> {
    format!("lease {} revoked\n", go::padded_hex(id)).into_bytes()
}

/// The keys are shown as they are, whatever `--hex` says.
pub fn lease_time_to_live(answer: &LeaseTimeToLiveResponse, with_keys: bool) -> Vec<u8> {
    let (id, ttl, granted) = (go::padded_hex(answer.id), answer.ttl, answer.granted_ttl);
    if granted == 0 {
        return format!("lease {id} already expired\n").into_bytes();
    }
    let mut text = format!("lease {id} granted with TTL({granted}s), remaining({ttl}s)");
    if !with_keys {
        return (text + "\n").into_bytes();
    }
    text.push_str(", attached keys([");
    [text.as_bytes(), &answer.keys.join(&b' '), b"])\n"].concat()
}

pub fn lease_list(answer: &LeaseLeasesResponse) -> Vec<u8> {
    let mut text = format!("found {} leases\n", answer.leases.len());
    for lease in &answer.leases {
        text.push_str(&go::padded_hex(lease.id));
        text.push('\n');
    }
    text.into_bytes()
}

pub fn lease_keep_alive(answer: &LeaseKeepAliveResponse) -> Vec<u8> {
    let (id, ttl) = (go::padded_hex(answer.id), answer.ttl);
    format!("lease {id} keepalived with TTL({ttl})\n").into_bytes()
}

pub fn member_list(answer: &MemberListResponse) -> Vec<u8> {
    let lines = answer.members.iter().map(|member| member_cells(member).join(", ") + "\n");
    lines.collect::<String>().into_bytes()
}

pub fn endpoint_status(list: &[EndpointStatus]) -> Vec<u8> {
    let lines = list.iter().map(|entry| status_cells(entry).join(", ") + "\n");
    lines.collect::<String>().into_bytes()
}

pub fn endpoint_health(list: &[EndpointHealth]) -> Vec<u8> {
    let healthy = list.iter().filter(|entry| entry.error.is_none());
    let lines = healthy.map(|EndpointHealth { endpoint, took, .. }| {
        let took = go::duration(*took);
        format!("{endpoint} is healthy: successfully committed proposal: took = {took}\n")
    });
    lines.collect::<String>().into_bytes()
}

pub fn endpoint_hash_kv(list: &[EndpointHash]) -> Vec<u8> {
    let lines = list.iter().map(|entry| hash_cells(entry).join(", ") + "\n");
    lines.collect::<String>().into_bytes()
}

/// A hash as columns.
pub fn hash_cells(EndpointHash { endpoint, hash }: &EndpointHash) -> [String; 3] {
    [endpoint.clone(), hash.hash.to_string(), hash.hash_revision.to_string()]
}

/// A member as columns. One that has not told its name has never been up.
pub fn member_cells(member: &Member) -> [String; 6] {
    [
        format!("{:x}", member.id),
        if member.name.is_empty() { "unstarted" } else { "started" }.to_owned(),
        member.name.clone(),
        member.peer_ur_ls.join(","),
        member.client_ur_ls.join(","),
        member.is_learner.to_string(),
    ]
}

/// A status as columns.
pub fn status_cells(entry: &EndpointStatus) -> [String; 16] {
    let status = &entry.status;
    let size = |bytes: i64| go::size(u64::try_from(bytes).unwrap_or(0));
    let id = status.header.as_ref().map_or(0, |header| header.member_id);
    let downgrade = status.downgrade_info.clone().unwrap_or_default();
    [
        entry.endpoint.clone(),
        format!("{id:x}"),
        status.version.clone(),
        status.storage_version.clone(),
        size(status.db_size),
        size(status.db_size_in_use),
        percentage_not_in_use(status),
        size(status.db_size_quota),
        (status.leader == id).to_string(),
        status.is_learner.to_string(),
        status.raft_term.to_string(),
        status.raft_index.to_string(),
        status.raft_applied_index.to_string(),
        status.errors.join(", "),
        downgrade.target_version,
        downgrade.enabled.to_string(),
    ]
}

fn percentage_not_in_use(status: &StatusResponse) -> String {
    let used = (status.db_size_in_use * 100).checked_div(status.db_size).unwrap_or(100);
    format!("{}%", 100 - used)
}

fn push_pair(text: &mut Vec<u8>, pair: &KeyValue, hex: bool) {
    push_line(text, &pair.key, hex);
    push_line(text, &pair.value, hex);
}

fn push_line(text: &mut Vec<u8>, bytes: &[u8], hex: bool) {
    if hex {
        bytes.iter().for_each(|byte| text.extend(format!("\\x{byte:02x}").bytes()));
    } else {
        text.extend_from_slice(bytes);
    }
    text.push(b'\n');
}
