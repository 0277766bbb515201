//! What a settled cluster says of itself; names and numbers of the fields are those in `proto/`.

use prost::Message;

use crate::pods::Rings;

/// Those of the sample that the bench multiplies.
const SHARDS: i32 = 64;
const VERSION: &str = "1.31.2";

#[derive(Clone, PartialEq, Message)]
struct Cluster {
    #[prost(string, tag = "2")]
    server_version: String,
    #[prost(message, optional, tag = "3")]
    membership: Option<Membership>,
    #[prost(int32, tag = "6")]
    history_shard_count: i32,
}

#[derive(Clone, PartialEq, Message)]
struct Membership {
    #[prost(message, repeated, tag = "3")]
    rings: Vec<Ring>,
}

#[derive(Clone, PartialEq, Message)]
struct Ring {
    #[prost(string, tag = "1")]
    role: String,
    #[prost(message, repeated, tag = "3")]
    members: Vec<Host>,
}

#[derive(Clone, PartialEq, Message)]
struct Host {
    #[prost(string, tag = "1")]
    identity: String,
}

#[derive(Clone, PartialEq, Message)]
struct HistoryHost {
    #[prost(int32, repeated, tag = "2")]
    shard_ids: Vec<i32>,
}

#[derive(Clone, PartialEq, Message)]
struct System {
    #[prost(string, tag = "1")]
    server_version: String,
}

/// The message that answers a call to a frontend of the cluster with these rings. A history host has all shards, whichever
/// it is: the sample has one. What is not here gets an empty message, which is answer enough to the other legs of the
/// canary and to a list of workflows.
pub fn to(call: &str, rings: Rings) -> Vec<u8> {
    match call {
        "DescribeCluster" => cluster(rings).encode_to_vec(),
        "DescribeHistoryHost" => HistoryHost { shard_ids: (1..=SHARDS).collect() }.encode_to_vec(),
        "GetSystemInfo" => System { server_version: VERSION.to_owned() }.encode_to_vec(),
        _ => Vec::new(),
    }
}

fn cluster(rings: Rings) -> Cluster {
    let rings = rings.into_iter().map(|(role, members)| {
        let members = members.iter().map(|address| Host { identity: address.to_string() }).collect();
        Ring { role, members }
    });
    Cluster {
        server_version: VERSION.to_owned(),
        membership: Some(Membership { rings: rings.collect() }),
        history_shard_count: SHARDS,
    }
}
