//! Who a member is: ids derived from what it was founded with (semantics CL-1 and CL-2).
//!
//! The ids are etcd's, so that a dashboard, a script or a person that knows a cluster by them
//! finds the same ones. The member's name has no part in them.
//!
//! Not here: ids of members added at run time, which take the clock in.

use quorate_core::types::{ClusterId, NodeId};
use sha1::{Digest, Sha1};

/// The id of a founding member: SHA-1 over its sorted peer URLs and the cluster's token.
pub fn member_id(peer_urls: &[String], token: &str) -> NodeId {
    let mut sorted: Vec<&str> = peer_urls.iter().map(String::as_str).collect();
    sorted.sort_unstable();
    let mut text = sorted.concat();
    text.push_str(token);
    NodeId(first_eight(text.as_bytes()))
}

/// The id of a cluster: SHA-1 over the ids of its founding members in ascending order.
pub fn cluster_id(members: &[NodeId]) -> ClusterId {
    let mut sorted = members.to_vec();
    sorted.sort_unstable();
    let bytes: Vec<u8> = sorted.iter().flat_map(|id| id.0.to_be_bytes()).collect();
    ClusterId(first_eight(&bytes))
}

fn first_eight(bytes: &[u8]) -> u64 {
    let digest: [u8; 20] = Sha1::digest(bytes).into();
    digest.iter().take(8).fold(0, |id, byte| id << 8 | u64::from(*byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn alone(url: &str) -> (String, String) {
        let member = member_id(&[url.to_owned()], "etcd-cluster");
        (member.to_string(), cluster_id(&[member]).to_string())
    }

    #[test]
    fn ids_are_those_of_etcd() {
        let expected = ("8e9e05c52164694d".to_owned(), "cdf818194e3a8c32".to_owned());
        assert_eq!(alone("http://localhost:2380"), expected);
        let expected = ("2e1259d415f2a040".to_owned(), "48276a8f75b6a87".to_owned());
        assert_eq!(alone("http://127.0.0.1:23800"), expected);
    }

    #[test]
    fn the_order_of_urls_and_members_does_not_matter() {
        let (a, b) = ("http://10.0.0.1:2380".to_owned(), "http://10.0.0.2:2380".to_owned());
        assert_eq!(member_id(&[a.clone(), b.clone()], "t"), member_id(&[b, a], "t"));
        assert_eq!(cluster_id(&[NodeId(1), NodeId(2)]), cluster_id(&[NodeId(2), NodeId(1)]));
    }
}
