//! Embedded Kubernetes types, which the CRD takes as any object: read strictly, so that no word is ignored.

use super::Problems;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// Why a value is not of the type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotOfType {
    /// Where in the value, for example `containers[0].image`; empty for the value itself.
    pub path: String,
    /// What is wrong.
    pub message: String,
}

impl NotOfType {
    /// The path of the field below a base path.
    #[must_use]
    pub fn below(&self, base: &str) -> String {
        if self.path.is_empty() || self.path.starts_with('[') {
            format!("{base}{}", self.path)
        } else {
            format!("{base}.{}", self.path)
        }
    }
}

/// Reads a value as a Kubernetes type. A field that the type does not have is an error.
pub fn read<T: DeserializeOwned + Serialize>(value: &Value) -> Result<T, NotOfType> {
    let typed: T = serde_path_to_error::deserialize(value).map_err(|error| {
        let path = error.path().to_string();
        let path = if path == "." { String::new() } else { path };
        NotOfType { path, message: error.into_inner().to_string() }
    })?;
    let written =
        serde_json::to_value(&typed).map_err(|error| NotOfType { path: String::new(), message: error.to_string() })?;
    match lost(value, &written, "") {
        Some(path) => {
            let message = "this operator knows no such field (Kubernetes 1.33); correct or remove it".to_owned();
            Err(NotOfType { path, message })
        }
        None => Ok(typed),
    }
}

/// The same, for a validation: what is wrong is a problem of the field at `path`.
pub(super) fn typed<T: DeserializeOwned + Serialize>(path: &str, value: &Value, problems: &mut Problems) -> Option<T> {
    match read(value) {
        Ok(typed) => Some(typed),
        Err(error) => {
            problems.add(error.below(path), error.message);
            None
        }
    }
}

/// All of a list that can be read.
pub(super) fn list<T: DeserializeOwned + Serialize>(
    path: &str,
    values: Option<&Vec<Value>>,
    problems: &mut Problems,
) -> Vec<T> {
    let items = values.into_iter().flatten().enumerate();
    items.filter_map(|(i, value)| typed(&format!("{path}[{i}]"), value, problems)).collect()
}

/// The first path of `value` that is not in `kept`; `path` is that of `value` itself.
fn lost(value: &Value, kept: &Value, path: &str) -> Option<String> {
    match (value, kept) {
        (Value::Object(all), Value::Object(kept)) => all.iter().filter(|(_, v)| !v.is_null()).find_map(|(key, v)| {
            let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
            match kept.get(key) {
                Some(k) => lost(v, k, &path),
                None => Some(path),
            }
        }),
        (Value::Array(all), Value::Array(kept)) => {
            all.iter().zip(kept).enumerate().find_map(|(i, (v, k))| lost(v, k, &format!("{path}[{i}]")))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use k8s_openapi::api::core::v1::{Container, PodSpec};
    use rstest::rstest;
    use serde_json::json;

    #[rstest]
    #[case(json!({"containers": [{"name": "a", "resources": {"limits": {"cpu": 1}}}], "volumes": [{"name": "v", "emptyDir": {}}]}), None)]
    #[case(json!({"nodeSelector": null, "containers": []}), None)]
    #[case(json!({"containers": [{"name": "a", "env": [], "args": ["x"], "stdin": null}]}), None)]
    #[case(json!({"containers": [{"name": "a", "imge": "b"}]}), Some("containers[0].imge"))]
    #[case(json!({"containers": {}}), Some("containers"))]
    #[case(json!({"containers": [{"ports": [{"containerPort": "http"}]}]}), Some("containers[0].ports[0].containerPort"))]
    fn strictly(#[case] value: Value, #[case] wrong: Option<&str>) {
        let found = read::<PodSpec>(&value).err();
        assert_eq!(found.as_ref().map(|e| e.path.as_str()), wrong, "{found:?}");
    }

    #[test]
    fn a_field_that_kubernetes_does_not_know_is_named() {
        let given = json!({"name": "a", "image": "b", "env": [{"name": "X", "vale": "y"}], "stdin": null});
        let mut problems = Problems::default();
        let read: Option<Container> = typed("p", &given, &mut problems);
        assert_eq!((read, &*problems.0[0].field), (None, "p.env[0].vale"));
        let given = json!({"name": "a", "image": "b", "resources": {"limits": {"cpu": 1}}, "env": [], "args": ["x"]});
        let mut problems = Problems::default();
        let read: Option<Container> = typed("p", &given, &mut problems);
        assert!(problems.0.is_empty(), "{read:?} {:?}", problems.0);
    }
}
