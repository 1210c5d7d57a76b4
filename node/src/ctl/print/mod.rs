//! What the answers look like: one file per output format, chosen here.
//!
//! Not every format has a form for every answer. The request has been carried out by then, so a
//! put with `-w table` puts and then fails, as with etcdctl.

mod fields;
mod json;
mod simple;
mod table;

use std::io::{ErrorKind, Write};

use prost::Message;
use quorate_core::api::etcdserverpb::{
    DeleteRangeResponse, LeaseGrantResponse, LeaseKeepAliveResponse, LeaseLeasesResponse,
    LeaseRevokeResponse, LeaseTimeToLiveResponse, MemberListResponse, MoveLeaderResponse,
    PutResponse, RangeResponse, ResponseHeader, TxnResponse, WatchResponse,
};

use super::endpoint::{EndpointHash, EndpointHealth, EndpointStatus};
use super::settings::Format;
use super::{Exit, Failure, go};

/// Writes answers in one format.
pub struct Printer<W> {
    format: Format,
    hex: bool,
    out: W,
}

impl<W: Write> Printer<W> {
    /// A printer onto `out`.
    pub fn new(format: Format, hex: bool, out: W) -> Self {
        Self { format, hex, out }
    }

    /// The answer to a put.
    pub fn put(&mut self, answer: &PutResponse) -> Result<(), Failure> {
        let text = match self.format {
            Format::Simple => simple::put(answer, self.hex),
            Format::Json => json::put(answer),
            Format::Fields => fields::put(answer, self.hex),
            Format::Protobuf => answer.encode_to_vec(),
            Format::Table => return Err(self.unsupported()),
        };
        self.write(&text)
    }

    /// The answer to a range.
    pub fn get(&mut self, answer: &RangeResponse, value_only: bool) -> Result<(), Failure> {
        let text = match self.format {
            Format::Simple => simple::get(answer, self.hex, value_only),
            Format::Json => json::get(answer),
            Format::Fields => fields::get(answer, self.hex),
            Format::Protobuf => answer.encode_to_vec(),
            Format::Table => return Err(self.unsupported()),
        };
        self.write(&text)
    }

    /// The answer to a delete.
    pub fn del(&mut self, answer: &DeleteRangeResponse) -> Result<(), Failure> {
        let text = match self.format {
            Format::Simple => simple::del(answer, self.hex),
            Format::Json => json::del(answer),
            Format::Fields => fields::del(answer, self.hex),
            Format::Protobuf => answer.encode_to_vec(),
            Format::Table => return Err(self.unsupported()),
        };
        self.write(&text)
    }

    /// The answers to a transaction.
    pub fn txn(&mut self, answer: &TxnResponse) -> Result<(), Failure> {
        let text = match self.format {
            Format::Simple => simple::txn(answer, self.hex),
            Format::Json => json::txn(answer),
            Format::Fields => fields::txn(answer, self.hex),
            Format::Protobuf => answer.encode_to_vec(),
            Format::Table => return Err(self.unsupported()),
        };
        self.write(&text)
    }

    /// What a watch was told. A message of progress has a line of its own in every format.
    pub fn watch(&mut self, answer: &WatchResponse) -> Result<(), Failure> {
        let revision = answer.header.map_or(0, |header| header.revision);
        if answer.events.is_empty() && !answer.canceled {
            self.line(&format!("progress notify: {revision}"))?;
        }
        let text = match self.format {
            Format::Simple => simple::watch(answer, self.hex),
            Format::Json => json::watch(answer),
            Format::Fields => fields::watch(answer, self.hex),
            Format::Protobuf => WatchResponse {
                // etcdctl keeps to itself which watch it was and why it ended.
                watch_id: 0,
                cancel_reason: String::new(),
                ..answer.clone()
            }
            .encode_to_vec(),
            Format::Table => return Err(self.unsupported()),
        };
        self.write(&text)
    }

    /// A lease was made.
    pub fn lease_grant(&mut self, answer: &LeaseGrantResponse) -> Result<(), Failure> {
        let text = match self.format {
            Format::Simple => simple::lease_grant(answer),
            Format::Json => json::lease_grant(answer),
            Format::Fields => fields::lease_grant(answer, self.hex),
            Format::Protobuf => header_only(answer.header.as_ref()),
            Format::Table => return Err(self.unsupported()),
        };
        self.write(&text)
    }

    /// A lease was ended.
    pub fn lease_revoke(&mut self, id: i64, answer: &LeaseRevokeResponse) -> Result<(), Failure> {
        let text = match self.format {
            Format::Simple => simple::lease_revoke(id),
            Format::Json => json::lease_revoke(answer),
            Format::Fields => fields::lease_revoke(answer, self.hex),
            Format::Protobuf => {
                let text = "marshal unsupported for type clientv3.LeaseRevokeResponse";
                return Err(Failure::new(Exit::Feature, text));
            }
            Format::Table => return Err(self.unsupported()),
        };
        self.write(&text)
    }

    /// How long a lease has to live.
    pub fn lease_time_to_live(
        &mut self,
        answer: &LeaseTimeToLiveResponse,
        with_keys: bool,
    ) -> Result<(), Failure> {
        let text = match self.format {
            Format::Simple => simple::lease_time_to_live(answer, with_keys),
            Format::Json => json::lease_time_to_live(answer),
            Format::Fields => fields::lease_time_to_live(answer, self.hex),
            Format::Protobuf => header_only(answer.header.as_ref()),
            Format::Table => return Err(self.unsupported()),
        };
        self.write(&text)
    }

    /// The leases that live.
    pub fn lease_list(&mut self, answer: &LeaseLeasesResponse) -> Result<(), Failure> {
        let text = match self.format {
            Format::Simple => simple::lease_list(answer),
            Format::Json => json::lease_list(answer),
            Format::Fields => fields::lease_list(answer, self.hex),
            Format::Protobuf => header_only(answer.header.as_ref()),
            Format::Table => return Err(self.unsupported()),
        };
        self.write(&text)
    }

    /// A lease was renewed.
    pub fn lease_keep_alive(&mut self, answer: &LeaseKeepAliveResponse) -> Result<(), Failure> {
        let text = match self.format {
            Format::Simple => simple::lease_keep_alive(answer),
            Format::Json => json::lease_keep_alive(answer),
            Format::Fields => fields::lease_keep_alive(answer, self.hex),
            Format::Protobuf => header_only(answer.header.as_ref()),
            Format::Table => return Err(self.unsupported()),
        };
        self.write(&text)
    }

    /// A lease cannot be renewed any more. Only people are told.
    pub fn lease_gone(&mut self, id: i64) -> Result<(), Failure> {
        match self.format {
            Format::Simple => {
                self.line(&format!("lease {} expired or revoked.", go::padded_hex(id)))
            }
            Format::Json | Format::Fields | Format::Protobuf | Format::Table => Ok(()),
        }
    }

    /// Another member leads.
    pub fn move_leader(
        &mut self,
        from: u64,
        to: u64,
        answer: &MoveLeaderResponse,
    ) -> Result<(), Failure> {
        match self.format {
            Format::Simple => self.line(&format!("Leadership transferred from {from:x} to {to:x}")),
            Format::Json => self.write(&json::move_leader(answer)),
            Format::Protobuf => self.write(&answer.encode_to_vec()),
            Format::Fields | Format::Table => Err(self.unsupported()),
        }
    }

    /// The members of a cluster.
    pub fn member_list(&mut self, answer: &MemberListResponse) -> Result<(), Failure> {
        let text = match self.format {
            Format::Simple => simple::member_list(answer),
            Format::Json => json::member_list(answer, self.hex),
            Format::Fields => fields::member_list(answer, self.hex),
            Format::Protobuf => answer.encode_to_vec(),
            Format::Table => table::member_list(answer),
        };
        self.write(&text)
    }

    /// What the endpoints say of themselves.
    pub fn endpoint_status(&mut self, list: &[EndpointStatus]) -> Result<(), Failure> {
        let text = match self.format {
            Format::Simple => simple::endpoint_status(list),
            Format::Json => json::endpoint_status(list),
            Format::Fields => fields::endpoint_status(list, self.hex),
            Format::Table => table::endpoint_status(list),
            Format::Protobuf => return Err(self.unsupported()),
        };
        self.write(&text)
    }

    /// Which endpoints can serve. The simple form leaves out those that cannot.
    pub fn endpoint_health(&mut self, list: &[EndpointHealth]) -> Result<(), Failure> {
        let text = match self.format {
            Format::Simple => simple::endpoint_health(list),
            Format::Json => json::endpoint_health(list),
            Format::Fields => fields::endpoint_health(list),
            Format::Table => table::endpoint_health(list),
            Format::Protobuf => return Err(self.unsupported()),
        };
        self.write(&text)
    }

    /// The hash of all pairs, on each endpoint.
    pub fn endpoint_hash_kv(&mut self, list: &[EndpointHash]) -> Result<(), Failure> {
        let text = match self.format {
            Format::Simple => simple::endpoint_hash_kv(list),
            Format::Json => json::endpoint_hash_kv(list),
            Format::Fields => fields::endpoint_hash_kv(list, self.hex),
            Format::Table => table::endpoint_hash_kv(list),
            Format::Protobuf => return Err(self.unsupported()),
        };
        self.write(&text)
    }

    /// A line that is the same in every format.
    pub fn line(&mut self, line: &str) -> Result<(), Failure> {
        self.write(format!("{line}\n").as_bytes())
    }

    fn write(&mut self, text: &[u8]) -> Result<(), Failure> {
        let written = self.out.write_all(text).and_then(|()| self.out.flush());
        written.map_err(|why| {
            // Whoever reads only the beginning does not want to hear about the rest.
            if why.kind() == ErrorKind::BrokenPipe {
                return Failure::silent(Exit::Output);
            }
            Failure::new(Exit::Output, format!("cannot write the answer: {why}"))
        })
    }

    fn unsupported(&self) -> Failure {
        let format = self.format.name();
        Failure::new(Exit::Feature, format!("{format} not supported as output format"))
    }
}

/// What etcdctl makes of answers about leases in this format.
fn header_only(header: Option<&ResponseHeader>) -> Vec<u8> {
    header.map_or(Vec::new(), Message::encode_to_vec)
}
