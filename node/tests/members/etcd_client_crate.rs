//! The crate `etcd-client`, as a program that was written for etcd uses it: against a genuine etcd,
//! to see that what is asked for here is etcd's behaviour, and against Quorate.
//!
//! Building that crate needs `protoc`, so this test is only built with `--features etcd-client`.

use std::time::Duration;

use etcd_client::{
    Client, CompactionOptions, Compare, CompareOp, DeleteOptions, Error, EventType, GetOptions,
    LeaseTimeToLiveOptions, PutOptions, SortOrder, SortTarget, Txn, TxnOp, TxnOpResponse,
    WatchOptions,
};

use crate::common::Server;
use crate::common::etcd::Etcd;

/// A member of etcd that is empty, and a client of it; `None` if etcd is not installed.
async fn etcd() -> Option<(Etcd, Client)> {
    let etcd = Etcd::start("etcd_client_crate")?;
    let client = Client::connect([&etcd.endpoint], None).await.unwrap();
    Some((etcd, client))
}

/// The same of Quorate.
async fn quorate() -> (Server, Client) {
    let mut server = Server::single();
    server.run();
    let client = Client::connect([&server.client_url], None).await.unwrap();
    (server, client)
}

/// Runs a family of calls on the genuine server and, as `both`, on ours too.
macro_rules! on {
    (etcd, $family:ident) => {
        #[tokio::test]
        async fn $family() {
            if let Some((_etcd, client)) = etcd().await {
                calls::$family(client).await.unwrap();
            }
        }
    };
    (both, $family:ident) => {
        #[tokio::test]
        async fn $family() {
            if let Some((_etcd, client)) = etcd().await {
                calls::$family(client).await.unwrap();
            }
            let (_server, client) = quorate().await;
            calls::$family(client).await.unwrap();
        }
    };
}

on!(both, keys);
on!(both, transactions);
on!(both, compaction);
on!(both, watches);
on!(both, leases);
on!(both, members);
on!(both, hashes);

/// The text of a refusal.
fn refusal<Answer: std::fmt::Debug>(answer: Result<Answer, Error>) -> String {
    match answer.unwrap_err() {
        Error::GRpcStatus(status) => status.message().to_owned(),
        other => panic!("{other}"),
    }
}

mod calls {
    use super::*;

    type Done = Result<(), Error>;

    pub async fn keys(mut client: Client) -> Done {
        let first = client.put("a", "1", None).await?.header().unwrap().revision();
        client.put("b", "2", None).await?;
        let again = client.put("a", "3", Some(PutOptions::new().with_prev_key())).await?;
        assert_eq!(again.prev_key().unwrap().value(), b"1");
        let got = client.get("a", None).await?;
        let pair = &got.kvs()[0];
        assert_eq!((pair.value(), pair.version()), (&b"3"[..], 2));
        assert_eq!((pair.create_revision(), pair.mod_revision()), (first, first + 2));
        let sorted = GetOptions::new()
            .with_all_keys()
            .with_sort(SortTarget::Value, SortOrder::Descend)
            .with_limit(1);
        let got = client.get("", Some(sorted)).await?;
        assert_eq!((got.count(), got.more(), got.kvs()[0].key()), (2, true, &b"a"[..]));
        let old = client.get("a", Some(GetOptions::new().with_revision(first))).await?;
        assert_eq!(old.kvs()[0].value(), b"1");
        let deleted =
            client.delete("", Some(DeleteOptions::new().with_all_keys().with_prev_key())).await?;
        assert_eq!((deleted.deleted(), deleted.prev_kvs().len()), (2, 2));
        let text = refusal(client.put("", "v", None).await);
        assert_eq!(text, "etcdserver: key is not provided");
        Ok(())
    }

    pub async fn transactions(mut client: Client) -> Done {
        client.put("a", "1", None).await?;
        client.put("b", "1", None).await?;
        let txn = |expected: &str| {
            Txn::new()
                .when([
                    Compare::value("a", CompareOp::Equal, expected),
                    Compare::version("a", CompareOp::Greater, 0),
                    Compare::create_revision("none", CompareOp::Equal, 0),
                    Compare::lease("a", CompareOp::Equal, 0),
                ])
                .and_then([
                    TxnOp::get("a", None),
                    TxnOp::put("a", "2", Some(PutOptions::new().with_prev_key())),
                    TxnOp::txn(Txn::new().and_then([TxnOp::get("a", None)])),
                    TxnOp::delete("b", None),
                ])
                .or_else([TxnOp::get("a", None)])
        };
        let answer = client.txn(txn("other")).await?;
        assert!(!answer.succeeded() && answer.op_responses().len() == 1);
        let answer = client.txn(txn("1")).await?;
        assert!(answer.succeeded());
        let [get, put, inner, delete] = &answer.op_responses()[..] else { panic!("{answer:?}") };
        assert!(matches!(get, TxnOpResponse::Get(get) if get.kvs()[0].value() == b"1"));
        let previous = |put: &etcd_client::PutResponse| put.prev_key().unwrap().value().to_vec();
        assert!(matches!(put, TxnOpResponse::Put(put) if previous(put) == b"1"));
        let TxnOpResponse::Txn(inner) = inner else { panic!("{inner:?}") };
        let seen = &inner.op_responses()[0];
        assert!(matches!(seen, TxnOpResponse::Get(get) if get.kvs()[0].value() == b"2"));
        assert!(matches!(delete, TxnOpResponse::Delete(delete) if delete.deleted() == 1));
        let twice = Txn::new().and_then([TxnOp::put("x", "1", None), TxnOp::put("x", "2", None)]);
        let text = refusal(client.txn(twice).await);
        assert_eq!(text, "etcdserver: duplicate key given in txn request");
        Ok(())
    }

    pub async fn compaction(mut client: Client) -> Done {
        let first = client.put("a", "1", None).await?.header().unwrap().revision();
        let second = client.put("a", "2", None).await?.header().unwrap().revision();
        client.compact(second, Some(CompactionOptions::new().with_physical())).await?;
        let compacted = "etcdserver: mvcc: required revision has been compacted";
        assert_eq!(refusal(client.compact(first, None).await), compacted);
        let at = |revision| Some(GetOptions::new().with_revision(revision));
        assert_eq!(refusal(client.get("a", at(first)).await), compacted);
        assert_eq!(client.get("a", at(second)).await?.kvs()[0].value(), b"2");
        let future = "etcdserver: mvcc: required revision is a future revision";
        assert_eq!(refusal(client.compact(second + 10, None).await), future);
        Ok(())
    }

    pub async fn watches(mut client: Client) -> Done {
        let first = client.put("a", "1", None).await?.header().unwrap().revision();
        let options = WatchOptions::new().with_watch_id(7).with_prev_key().with_prefix();
        let mut stream = client.watch("a", Some(options)).await?;
        let created = stream.message().await?.unwrap();
        assert_eq!((created.created(), created.watch_id()), (true, 7));
        client.put("ab", "2", None).await?;
        client.delete("a", None).await?;
        let mut seen = Vec::new();
        while seen.len() < 2 {
            for event in stream.message().await?.unwrap().events() {
                let (key, previous) = (event.kv().unwrap().key().to_vec(), event.prev_kv());
                let previous = previous.map(|pair| pair.value().to_vec());
                seen.push((event.event_type(), key, previous));
            }
        }
        assert_eq!(seen[0], (EventType::Put, b"ab".to_vec(), None));
        assert_eq!(seen[1], (EventType::Delete, b"a".to_vec(), Some(b"1".to_vec())));
        stream.request_progress().await?;
        let progress = stream.message().await?.unwrap();
        assert!(progress.events().is_empty());
        assert_eq!(progress.header().unwrap().revision(), first + 2);
        // From the past, on the same stream; then cancelled.
        stream.watch("a", Some(WatchOptions::new().with_start_revision(first))).await?;
        let created = stream.message().await?.unwrap();
        assert!(created.created() && !created.canceled());
        let id = created.watch_id();
        let history = stream.message().await?.unwrap();
        assert_eq!((history.watch_id(), history.events().len()), (id, 2));
        stream.cancel(id).await?;
        let end = stream.message().await?.unwrap();
        assert_eq!((end.canceled(), end.watch_id()), (true, id));
        client.compact(first + 1, None).await?;
        let mut stream =
            client.watch("a", Some(WatchOptions::new().with_start_revision(first))).await?;
        assert!(stream.message().await?.unwrap().created());
        let end = stream.message().await?.unwrap();
        assert_eq!((end.canceled(), end.compact_revision()), (true, first + 1));
        Ok(())
    }

    pub async fn leases(mut client: Client) -> Done {
        let id = client.lease_grant(60, None).await?.id();
        client.put("a", "1", Some(PutOptions::new().with_lease(id))).await?;
        let keys = Some(LeaseTimeToLiveOptions::new().with_keys());
        let left = client.lease_time_to_live(id, keys).await?;
        assert!(left.granted_ttl() == 60 && (1..=60).contains(&left.ttl()));
        assert_eq!(left.keys(), [b"a"]);
        let (mut keeper, mut stream) = client.lease_keep_alive(id).await?;
        keeper.keep_alive().await?;
        assert_eq!(stream.message().await?.unwrap().ttl(), 60);
        assert_eq!(client.leases().await?.leases()[0].id(), id);
        client.lease_revoke(id).await?;
        assert_eq!(client.get("a", None).await?.count(), 0);
        let unknown = "etcdserver: requested lease not found";
        assert_eq!(refusal(client.lease_revoke(id).await), unknown);
        assert_eq!(client.lease_time_to_live(id, None).await?.ttl(), -1);
        // One that nobody renews.
        let id = client.lease_grant(2, None).await?.id();
        client.put("b", "1", Some(PutOptions::new().with_lease(id))).await?;
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert_eq!(client.get("b", None).await?.count(), 1);
        tokio::time::sleep(Duration::from_secs(4)).await;
        assert_eq!(client.get("b", None).await?.count(), 0);
        Ok(())
    }

    pub async fn members(mut client: Client) -> Done {
        let status = client.status().await?;
        let members = client.member_list().await?;
        let member = &members.members()[0];
        assert_eq!((members.members().len(), member.id()), (1, status.leader()));
        assert!(!member.name().is_empty() && !member.client_urls().is_empty());
        client.move_leader(status.leader()).await?;
        let text = refusal(client.move_leader(7).await);
        assert_eq!(text, "etcdserver: bad leader transferee");
        Ok(())
    }

    pub async fn hashes(mut client: Client) -> Done {
        let first = client.put("a", "1", None).await?.header().unwrap().revision();
        let hash = client.hash_kv(0).await?.hash();
        client.put("a", "2", None).await?;
        assert_eq!(client.hash_kv(first).await?.hash(), hash);
        assert_ne!(client.hash_kv(0).await?.hash(), hash);
        let future = "etcdserver: mvcc: required revision is a future revision";
        assert_eq!(refusal(client.hash_kv(first + 10).await), future);
        Ok(())
    }
}
