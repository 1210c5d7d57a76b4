//! Leases in the hands of a script. Their ids are small numbers; negative ones are allowed.

use bytes::Bytes;
use quorate_core::api::Refusal;
use quorate_core::api::etcdserverpb::{LeaseGrantRequest, LeaseRevokeRequest, PutRequest};
use quorate_core::member::Input;
use quorate_core::request::{self, MAX_REQUEST_BYTES, Request};
use quorate_core::types::{LeaseId, LeaseLife, RequestId, Ticks};

use super::Node;
use crate::script::{Words, number};

impl Node {
    /// Carries out a command about leases.
    pub fn run_lease(&mut self, verb: &str, words: &mut Words<'_>) -> Result<(), String> {
        match verb {
            "grant" | "revoke" | "hold-with" | "renew" | "ttl" => {
                let mut requests = Vec::new();
                while !words.0.is_empty() {
                    requests.push(self.ask_about_lease(verb, words)?);
                }
                self.take_in(requests);
            }
            "doze" => {
                let ticks = Ticks(number(words.next()?)?);
                self.take_in([Input::Tick(ticks)]);
            }
            "leases" => self.lines.push(self.leases()),
            unknown => return Err(format!("there is no command {unknown:?}")),
        }
        Ok(())
    }

    fn ask_about_lease(&mut self, verb: &str, words: &mut Words<'_>) -> Result<Input, String> {
        let lease = LeaseId(number(words.next()?)?);
        let id = self.waiters.id();
        let request = match verb {
            "grant" => {
                let (ttl, floor) = (number(words.next()?)?, self.config.lease_floor());
                let grant = LeaseGrantRequest { id: lease.0, ttl };
                request::lease_grant(id, grant, floor, MAX_REQUEST_BYTES)
            }
            "revoke" => {
                request::lease_revoke(id, LeaseRevokeRequest { id: lease.0 }, MAX_REQUEST_BYTES)
            }
            "hold-with" => {
                let (key, lease) = (words.bytes()?, lease.0);
                let put = PutRequest { key, value: words.bytes()?, lease, ..Default::default() };
                request::put(id, put, MAX_REQUEST_BYTES)
            }
            "renew" => Ok(Request::KeepAlive(lease)),
            _ => Ok(Request::TimeToLive(lease)),
        };
        // Who asks for a TTL is told of the lease that was asked about.
        let asked = if verb == "ttl" { lease.0.to_be_bytes().to_vec() } else { Vec::new() };
        self.waiters.wait(id, Bytes::from(asked));
        Ok(Input::Request(id, request.map_err(|refusal: Refusal| refusal.to_string())?))
    }

    /// What the client gets.
    pub fn told_of_lease(&self, id: RequestId, asked: &[u8], life: Option<LeaseLife>) -> String {
        let Ok(lease) = asked.try_into().map(i64::from_be_bytes).map(LeaseId) else {
            let ttl = life.map_or(0, |life| life.granted.0);
            return format!("answer {id} ttl {ttl}");
        };
        let told = self.store.time_to_live(lease, life, true);
        let keys = keys(told.keys.iter().map(|key| &**key));
        format!("answer {id} ttl {} of {}{keys}", told.ttl, told.granted_ttl)
    }

    fn leases(&self) -> String {
        let leases = self.store.leases().map(|(id, span)| {
            let keys = keys(self.store.keys_of(id));
            let told = span.remaining.map_or(String::new(), |left| format!(", {left} left"));
            format!(" {}: {} since {}{told}{keys}", id.0, span.ttl, span.since)
        });
        let leases: Vec<String> = leases.collect();
        if leases.is_empty() {
            "leases none".to_string()
        } else {
            format!("leases{}", leases.join(";"))
        }
    }
}

fn keys<'a>(keys: impl Iterator<Item = &'a [u8]>) -> String {
    keys.map(|key| format!(", {}", key.escape_ascii())).collect()
}
