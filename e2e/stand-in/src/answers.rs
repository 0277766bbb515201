//! What a settled cluster says of itself; names and numbers of the fields are those in `proto/`.

use prost::Message;

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

/// The message that answers a call.
pub fn to(call: &str) -> Vec<u8> {
    match call {
        "DescribeCluster" => cluster().encode_to_vec(),
        "DescribeHistoryHost" => HistoryHost { shard_ids: (1..=SHARDS).collect() }.encode_to_vec(),
        "GetSystemInfo" => System { server_version: VERSION.to_owned() }.encode_to_vec(),
        _ => Vec::new(),
    }
}

fn cluster() -> Cluster {
    let ring = |(role, port): (&str, u16)| Ring {
        role: role.to_owned(),
        members: vec![Host { identity: format!("127.0.0.1:{port}") }],
    };
    let roles = [("frontend", 7233), ("history", 7234), ("matching", 7235), ("worker", 7239)];
    Cluster {
        server_version: VERSION.to_owned(),
        membership: Some(Membership { rings: roles.map(ring).into() }),
        history_shard_count: SHARDS,
    }
}
