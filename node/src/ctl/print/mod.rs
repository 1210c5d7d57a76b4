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
    DeleteRangeResponse, MemberListResponse, PutResponse, RangeResponse,
};

use super::endpoint::{EndpointHealth, EndpointStatus};
use super::settings::Format;
use super::{Exit, Failure};

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
