//! What two members tell each other before the first envelope, and when the receiver hangs up.
//!
//! ```text
//!   GET /quorate/peer HTTP/1.1          HTTP/1.1 101 Switching Protocols
//!   upgrade: quorate-peer          -->  and from here on envelopes; or any other
//!   quorate-cluster: 7c21..             status, with the reason in words
//!   quorate-from: .. -to: .. -protocol: 2
//! ```
//! A member that was founded with another token, or that took over another one's address, must
//! not be listened to: its terms and votes belong to another cluster (CL-14).
//!
//! Not here: the connection (`link.rs`, `inlet.rs`).

use std::fmt;

use http::header::{CONNECTION, UPGRADE};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use quorate_core::types::{ClusterId, NodeId};
use quorate_core::wal::Identity;

/// Where members are spoken to.
pub const PATH: &str = "/quorate/peer";

/// The version of the protocol: the greeting, the frames and the envelopes in them.
const PROTOCOL: u64 = 2;
/// Its name.
const NAME: HeaderValue = HeaderValue::from_static("quorate-peer");

const CLUSTER: HeaderName = HeaderName::from_static("quorate-cluster");
const FROM: HeaderName = HeaderName::from_static("quorate-from");
const TO: HeaderName = HeaderName::from_static("quorate-to");
const VERSION: HeaderName = HeaderName::from_static("quorate-protocol");

/// Who speaks to whom.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Greeting {
    cluster: ClusterId,
    /// Who speaks.
    pub from: NodeId,
    /// Who listens.
    pub to: NodeId,
}

/// Why a greeting is not accepted.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Refusal {
    /// What kind of reason it is.
    pub status: StatusCode,
    /// The reason.
    pub text: String,
}

/// Whether the change of protocol is asked for, or agreed to.
pub fn upgrades(headers: &HeaderMap) -> bool {
    headers.get(UPGRADE).is_some_and(|name| name.as_bytes().eq_ignore_ascii_case(NAME.as_bytes()))
}

/// Asks for, or agrees to, the change of protocol.
pub fn upgrade(headers: &mut HeaderMap) {
    headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
    headers.insert(UPGRADE, NAME);
}

impl Greeting {
    /// What `identity` says to `peer`.
    pub fn new(identity: Identity, peer: NodeId) -> Self {
        Self { cluster: identity.cluster, from: identity.member, to: peer }
    }

    /// Puts it into the headers of a request.
    pub fn write(&self, headers: &mut HeaderMap) {
        upgrade(headers);
        let fields =
            [(CLUSTER, self.cluster.0), (FROM, self.from.0), (TO, self.to.0), (VERSION, PROTOCOL)];
        for (name, value) in fields {
            // Hex digits are always valid in a header.
            if let Ok(value) = HeaderValue::try_from(format!("{value:x}")) {
                headers.insert(name, value);
            }
        }
    }

    /// Reads and checks it on the receiving side. `members` are the ids that may speak.
    pub fn read(
        headers: &HeaderMap,
        identity: Identity,
        members: &[NodeId],
    ) -> Result<Self, Refusal> {
        if !upgrades(headers) {
            return Err(refuse(StatusCode::UPGRADE_REQUIRED, "members of Quorate speak here"));
        }
        let protocol = field(headers, &VERSION)?;
        if protocol != PROTOCOL {
            return Err(forbid(format!(
                "this member speaks protocol {PROTOCOL} of Quorate, not {protocol}"
            )));
        }
        let cluster = ClusterId(field(headers, &CLUSTER)?);
        if cluster != identity.cluster {
            tracing::warn!(theirs = %cluster, ours = %identity.cluster, "cluster ID mismatch");
            return Err(forbid("cluster ID mismatch"));
        }
        let (from, to) = (NodeId(field(headers, &FROM)?), NodeId(field(headers, &TO)?));
        if to != identity.member {
            return Err(forbid(format!("this is member {}, not {to}", identity.member)));
        }
        if from == to || !members.contains(&from) {
            return Err(forbid(format!("{from} is no other member of this cluster")));
        }
        Ok(Self { cluster, from, to })
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.status, self.text)
    }
}

fn field(headers: &HeaderMap, name: &HeaderName) -> Result<u64, Refusal> {
    let text = headers.get(name).and_then(|value| value.to_str().ok());
    text.and_then(|text| u64::from_str_radix(text, 16).ok()).ok_or_else(|| {
        refuse(StatusCode::BAD_REQUEST, format!("not a greeting: {name} is missing, or no number"))
    })
}

fn forbid(text: impl Into<String>) -> Refusal {
    refuse(StatusCode::PRECONDITION_FAILED, text)
}

fn refuse(status: StatusCode, text: impl Into<String>) -> Refusal {
    Refusal { status, text: text.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: Identity = Identity { cluster: ClusterId(7), member: NodeId(1) };
    const B: Identity = Identity { cluster: ClusterId(7), member: NodeId(2) };

    fn said(greeting: Greeting) -> HeaderMap {
        let mut headers = HeaderMap::new();
        greeting.write(&mut headers);
        headers
    }

    fn hear(headers: &HeaderMap) -> Result<Greeting, Refusal> {
        Greeting::read(headers, B, &[NodeId(1), NodeId(2)])
    }

    #[test]
    fn members_of_one_cluster_understand_each_other() {
        let greeting = Greeting::new(A, B.member);
        assert_eq!(hear(&said(greeting)).unwrap(), greeting);
    }

    #[test]
    fn strangers_are_refused_with_the_reason() {
        let stranger = Identity { cluster: ClusterId(8), member: NodeId(1) };
        let refusal = hear(&said(Greeting::new(stranger, B.member))).unwrap_err();
        assert_eq!(refusal, forbid("cluster ID mismatch"));
        let elsewhere = hear(&said(Greeting::new(A, NodeId(3)))).unwrap_err();
        assert_eq!(elsewhere.text, format!("this is member {}, not {}", B.member, NodeId(3)));
        let unknown = Identity { cluster: ClusterId(7), member: NodeId(9) };
        for from in [unknown, B] {
            let refusal = hear(&said(Greeting::new(from, B.member))).unwrap_err();
            assert!(refusal.text.contains("no other member"), "{refusal}");
        }
    }

    #[test]
    fn what_is_no_greeting_is_told_so() {
        let nothing = hear(&HeaderMap::new()).unwrap_err();
        assert_eq!(nothing.status, StatusCode::UPGRADE_REQUIRED);
        let mut headers = said(Greeting::new(A, B.member));
        headers.insert(VERSION, HeaderValue::from_static("1"));
        let older = hear(&headers).unwrap_err();
        assert_eq!(older, forbid("this member speaks protocol 2 of Quorate, not 1"));
        headers = said(Greeting::new(A, B.member));
        headers.insert(FROM, HeaderValue::from_static("-1"));
        let half = hear(&headers).unwrap_err();
        assert_eq!(half.status, StatusCode::BAD_REQUEST);
        assert!(half.text.contains("quorate-from"), "{half}");
    }
}
