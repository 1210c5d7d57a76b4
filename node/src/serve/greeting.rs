//! What two members tell each other before the first frame, and when the receiver hangs up.
//!
//! A member that was founded with another token, or that took over another one's address, must
//! not be listened to: its terms and votes belong to another cluster (CL-14).

use quorate_core::types::{ClusterId, NodeId};
use quorate_core::wal::Identity;
use tonic::Status;
use tonic::metadata::{Ascii, MetadataMap, MetadataValue};

/// The version of the protocol: the greeting, the frames and the envelopes in them.
const PROTOCOL: u64 = 1;

const CLUSTER: &str = "quorate-cluster";
const FROM: &str = "quorate-from";
const TO: &str = "quorate-to";
const VERSION: &str = "quorate-protocol";

/// Who speaks to whom.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Greeting {
    cluster: ClusterId,
    /// Who speaks.
    pub from: NodeId,
    to: NodeId,
}

impl Greeting {
    /// What `identity` says to `peer`.
    pub fn new(identity: Identity, peer: NodeId) -> Self {
        Self { cluster: identity.cluster, from: identity.member, to: peer }
    }

    /// Puts it into the metadata of a call.
    pub fn write(&self, metadata: &mut MetadataMap) {
        let fields =
            [(CLUSTER, self.cluster.0), (FROM, self.from.0), (TO, self.to.0), (VERSION, PROTOCOL)];
        for (name, value) in fields {
            // Hex digits are always valid metadata.
            if let Ok(value) = MetadataValue::<Ascii>::try_from(format!("{value:x}")) {
                metadata.insert(name, value);
            }
        }
    }

    /// Reads and checks it on the receiving side. `members` are the ids that may speak.
    pub fn read(
        metadata: &MetadataMap,
        identity: Identity,
        members: &[NodeId],
    ) -> Result<Self, Status> {
        let protocol = field(metadata, VERSION)?;
        if protocol != PROTOCOL {
            return Err(refuse(format!(
                "this member speaks protocol {PROTOCOL} of Quorate, not {protocol}"
            )));
        }
        let cluster = ClusterId(field(metadata, CLUSTER)?);
        if cluster != identity.cluster {
            tracing::warn!(theirs = %cluster, ours = %identity.cluster, "cluster ID mismatch");
            return Err(refuse("cluster ID mismatch".to_owned()));
        }
        let (from, to) = (NodeId(field(metadata, FROM)?), NodeId(field(metadata, TO)?));
        if to != identity.member {
            return Err(refuse(format!("this is member {}, not {to}", identity.member)));
        }
        if from == to || !members.contains(&from) {
            return Err(refuse(format!("{from} is no other member of this cluster")));
        }
        Ok(Self { cluster, from, to })
    }
}

fn field(metadata: &MetadataMap, name: &str) -> Result<u64, Status> {
    let text = metadata.get(name).and_then(|value| value.to_str().ok());
    text.and_then(|text| u64::from_str_radix(text, 16).ok())
        .ok_or_else(|| Status::invalid_argument(format!("not a greeting: {name} is missing")))
}

fn refuse(why: String) -> Status {
    Status::failed_precondition(why)
}

#[cfg(test)]
mod tests {
    use super::*;
    use tonic::Code;

    const A: Identity = Identity { cluster: ClusterId(7), member: NodeId(1) };
    const B: Identity = Identity { cluster: ClusterId(7), member: NodeId(2) };

    fn hear(greeting: Greeting, identity: Identity) -> Result<Greeting, Status> {
        let mut metadata = MetadataMap::new();
        greeting.write(&mut metadata);
        Greeting::read(&metadata, identity, &[NodeId(1), NodeId(2)])
    }

    #[test]
    fn members_of_one_cluster_understand_each_other() {
        let greeting = Greeting::new(A, B.member);
        assert_eq!(hear(greeting, B).unwrap(), greeting);
    }

    #[test]
    fn strangers_are_refused_with_the_reason() {
        let stranger = Identity { cluster: ClusterId(8), member: NodeId(1) };
        let refusal = hear(Greeting::new(stranger, B.member), B).unwrap_err();
        assert_eq!(refusal.code(), Code::FailedPrecondition);
        assert_eq!(refusal.message(), "cluster ID mismatch");
        assert!(hear(Greeting::new(A, NodeId(3)), B).is_err(), "meant for somebody else");
        let unknown = Identity { cluster: ClusterId(7), member: NodeId(9) };
        assert!(hear(Greeting::new(unknown, B.member), B).is_err(), "no member");
        assert!(hear(Greeting::new(B, B.member), B).is_err(), "an echo");
        assert!(Greeting::read(&MetadataMap::new(), B, &[]).is_err(), "no greeting at all");
    }
}
