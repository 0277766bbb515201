//! Whether a live object holds everything that is wanted. What the API server adds does not count.

use serde_json::Value;

/// Keys by which the lists of our objects are merged, as the API server does.
const MERGE_KEYS: [&str; 6] = ["name", "mountPath", "containerPort", "port", "type", "uid"];

/// Every field of `wanted` is in `live` with the same value; quantities, which the server writes in its own form,
/// may differ and cost one more apply.
#[must_use]
pub fn contains(live: &Value, wanted: &Value) -> bool {
    match (live, wanted) {
        (Value::Object(live), Value::Object(wanted)) => {
            wanted.iter().all(|(key, value)| live.get(key).map_or(is_empty(value), |found| contains(found, value)))
        }
        (Value::Array(live), Value::Array(wanted)) => contains_list(live, wanted),
        _ => live == wanted,
    }
}

fn contains_list(live: &[Value], wanted: &[Value]) -> bool {
    let key = MERGE_KEYS.into_iter().find(|k| !wanted.is_empty() && wanted.iter().all(|item| item.get(k).is_some()));
    match key {
        Some(key) => {
            wanted.iter().all(|item| live.iter().any(|found| found.get(key) == item.get(key) && contains(found, item)))
        }
        None => live.len() == wanted.len() && live.iter().zip(wanted).all(|(l, w)| contains(l, w)),
    }
}

/// The server drops empty lists and maps.
fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(list) => list.is_empty(),
        Value::Object(map) => map.is_empty(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;
    use serde_json::json;

    #[rstest]
    #[case(json!({"a": 1, "added": 2}), json!({"a": 1}), true)]
    #[case(json!({"a": 1}), json!({"a": 2}), false)]
    #[case(json!({}), json!({"a": 1}), false)]
    #[case(json!({}), json!({"a": {}}), true)]
    #[case(json!([{"name": "b", "x": 1}, {"name": "a", "y": 2}]), json!([{"name": "a"}]), true)]
    #[case(json!([{"name": "a", "image": "old"}]), json!([{"name": "a", "image": "new"}]), false)]
    #[case(json!(["a", "b"]), json!(["a"]), false)]
    #[case(json!(["a", "b"]), json!(["a", "b"]), true)]
    fn cases(#[case] live: Value, #[case] wanted: Value, #[case] expected: bool) {
        assert_eq!(contains(&live, &wanted), expected);
    }
}
