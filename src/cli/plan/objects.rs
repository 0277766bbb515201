//! Objects as YAML.

use crate::cli::{Failure, print};
use temporal_operator::build::Object;

/// Prints them in the order they are applied.
pub(super) fn print_all(objects: &[Object]) -> Result<(), Failure> {
    for object in objects {
        print(&format!("---\n{}", yaml(object)?))?;
    }
    Ok(())
}

fn yaml(object: &Object) -> Result<String, Failure> {
    Ok(serde_yaml::to_string(&object.sealed()?.body)?)
}
