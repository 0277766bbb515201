//! The step of a schema Job that refuses a database of another Temporal cluster.
//!
//! A server that starts on such a database with a name of its own writes a second row into `cluster_metadata_info` before
//! it looks at what is there (`ApplyClusterMetadataConfigProvider` in `temporal/fx.go`, servers 1.30–1.32). From then on
//! every server on that database ends with `Cluster info initial versions have duplicates`, those of the rightful owner
//! too, until somebody deletes the row. So it must not come to that.

use crate::api::annotations;
use crate::api::jobs::CHECK_STEP;
use crate::validate::{StoreKind, ValidCluster, ValidStore};
use k8s_openapi::api::core::v1::{
    Container, DownwardAPIVolumeFile, DownwardAPIVolumeSource, ObjectFieldSelector, Volume, VolumeMount,
};

const VOLUME: &str = "owner-check";
const DIR: &str = "/etc/temporal/owner-check";
const FILE: &str = "check.sql";

/// Whether the Job of a store has this step.
pub(super) fn applies(store: &ValidStore) -> bool {
    store.kind == StoreKind::Default && store.sql().is_some()
}

/// What the step runs, as an annotation of the pod, which reads it as a file. `setup-schema` without versioning is the
/// only way to make the schema tool run a file; the statement changes nothing. Rows of other names beside our own are
/// clusters that this one replicates with. The name needs no quoting: it has letters, digits and `._-` only.
pub(super) fn annotation(cluster: &ValidCluster) -> (String, String) {
    let name = &cluster.temporal_name;
    let statement = format!(
        r#"DO $$
DECLARE
  owner text;
BEGIN
  IF to_regclass('cluster_metadata_info') IS NULL THEN
    RETURN;
  END IF;
  SELECT min(cluster_name) INTO owner FROM cluster_metadata_info
    HAVING count(*) > 0 AND count(*) FILTER (WHERE cluster_name = '{name}') = 0;
  IF owner IS NOT NULL THEN
    RAISE EXCEPTION 'this database belongs to the Temporal cluster "%", not to "{name}"', owner;
  END IF;
END $$;
"#
    );
    (annotations::OWNER_CHECK.to_owned(), statement)
}

/// The file with the statement.
pub(super) fn volume() -> Volume {
    let field_path = format!("metadata.annotations['{}']", annotations::OWNER_CHECK);
    let item = DownwardAPIVolumeFile {
        path: FILE.to_owned(),
        field_ref: Some(ObjectFieldSelector { field_path, ..ObjectFieldSelector::default() }),
        ..DownwardAPIVolumeFile::default()
    };
    Volume {
        name: VOLUME.to_owned(),
        downward_api: Some(DownwardAPIVolumeSource { items: Some(vec![item]), ..DownwardAPIVolumeSource::default() }),
        ..Volume::default()
    }
}

/// The step, made of any other step of the Job.
pub(super) fn step(like: Container) -> Container {
    let arguments = ["setup-schema", "--disable-versioning", "--schema-file", &format!("{DIR}/{FILE}")];
    let own = VolumeMount {
        name: VOLUME.to_owned(),
        mount_path: DIR.to_owned(),
        read_only: Some(true),
        ..VolumeMount::default()
    };
    let mut mounts = like.volume_mounts.clone().unwrap_or_default();
    mounts.push(own);
    Container {
        name: CHECK_STEP.to_owned(),
        args: Some(arguments.iter().map(|a| (*a).to_owned()).collect()),
        volume_mounts: Some(mounts),
        ..like
    }
}
