//! What `spec.size` means for each role.
//!
//! Measured on server 1.31.2, 512 shards and less: an idle process has 100 to 190 MB, history the most. Under load history
//! grows with its cache of workflows, up to 128,000 of some KB each in a process (`history.hostLevelCacheMaxSize`), the
//! others hardly.

use crate::api::resources::Size;
use crate::api::services::Role;
use k8s_openapi::api::core::v1::ResourceRequirements;
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use std::collections::BTreeMap;

/// CPU in thousandths, memory in MiB.
const fn numbers(size: Size, role: Role) -> (u32, u32) {
    match (size, role) {
        (Size::Dev, Role::History) => (100, 512),
        (Size::Dev, _) => (50, 256),
        (Size::Small, Role::History) => (500, 1024),
        (Size::Small, Role::Worker) => (100, 256),
        (Size::Small, _) => (250, 512),
        (Size::Medium, Role::History) => (2000, 4096),
        (Size::Medium, Role::Worker) => (250, 512),
        (Size::Medium, _) => (1000, 1024),
        (Size::Large, Role::History) => (4000, 8192),
        (Size::Large, Role::Worker) => (500, 1024),
        (Size::Large, _) => (2000, 2048),
    }
}

/// What a pod of the role asks for. Memory that is asked for is also the limit, since memory that is only hoped for is what
/// the node takes back first, by ending the pod. CPU has no limit: a server that is throttled misses heartbeats and
/// deadlines, while CPU that nobody else wants costs nothing.
pub(super) fn resources(size: Size, role: Role) -> ResourceRequirements {
    let (cpu, memory) = numbers(size, role);
    let memory = ("memory".to_owned(), Quantity(format!("{memory}Mi")));
    ResourceRequirements {
        requests: Some(BTreeMap::from([("cpu".to_owned(), Quantity(format!("{cpu}m"))), memory.clone()])),
        limits: Some(BTreeMap::from([memory])),
        ..ResourceRequirements::default()
    }
}

/// `GOMEMLIMIT`: at nine tenths of the limit Go collects its garbage more eagerly, instead of being ended at the limit.
pub(super) fn go_memory_limit(size: Size, role: Role) -> String {
    format!("{}MiB", numbers(size, role).1 * 9 / 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_size_is_more_than_the_one_before() {
        for role in Role::ALL {
            let sizes = [Size::Dev, Size::Small, Size::Medium, Size::Large].map(|size| numbers(size, role));
            assert!(sizes.is_sorted() && sizes[0] != sizes[3], "{role}: {sizes:?}");
        }
    }
}
