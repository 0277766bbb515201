//! Label and field selectors of lists, watches and collection deletes.
//!
//! Faithful: equality and set-based label selectors; field selectors on `metadata.name`,
//! `metadata.namespace` and the few fields of the table; another field is refused (400).

use std::collections::{BTreeMap, BTreeSet};

use kube::core::{Expression, Selector, SelectorExt};
use serde_json::Value;

use super::errors::{self, Failure};

/// What an object must match to be listed.
#[derive(Clone, Default)]
pub struct Selection {
    labels: Selector,
    fields: Vec<(String, String, bool)>,
}

const SELECTABLE_FIELDS: &[&str] = &[
    "metadata.name",
    "metadata.namespace",
    "status.phase",
    "spec.nodeName",
    "status.successful",
    "type",
    "involvedObject.name",
    "involvedObject.kind",
    "involvedObject.uid",
    "regarding.name",
    "reason",
];

impl Selection {
    pub fn parse(labels: &str, fields: &str) -> Result<Self, Failure> {
        let expressions = split_outside_parentheses(labels);
        let expressions = expressions.into_iter().map(expression).collect::<Result<Vec<_>, _>>()?;
        let fields = fields.split(',').filter(|term| !term.is_empty()).map(field_term);
        Ok(Self { labels: expressions.into_iter().collect(), fields: fields.collect::<Result<_, _>>()? })
    }

    pub fn matches(&self, object: &Value) -> bool {
        let labels = object["metadata"]["labels"].as_object();
        let labels: BTreeMap<String, String> = labels
            .into_iter()
            .flatten()
            .map(|(name, value)| (name.clone(), value.as_str().unwrap_or_default().to_owned()))
            .collect();
        let field = |(path, value, wanted): &(String, String, bool)| {
            let pointer = format!("/{}", path.replace('.', "/"));
            let found = object.pointer(&pointer).and_then(Value::as_str).unwrap_or_default();
            (found == value) == *wanted
        };
        self.labels.matches(&labels) && self.fields.iter().all(field)
    }
}

fn split_outside_parentheses(selector: &str) -> Vec<&str> {
    let mut depth = 0;
    let terms = selector.split(|letter| {
        match letter {
            '(' => depth += 1,
            ')' => depth -= 1,
            _ => {}
        }
        letter == ',' && depth == 0
    });
    terms.map(str::trim).filter(|term| !term.is_empty()).collect()
}

fn expression(term: &str) -> Result<Expression, Failure> {
    let owned = |text: &str| text.trim().to_owned();
    if let Some((key, values)) = term.split_once(" notin ") {
        return Ok(Expression::NotIn(owned(key), values_in(values)?));
    }
    if let Some((key, values)) = term.split_once(" in ") {
        return Ok(Expression::In(owned(key), values_in(values)?));
    }
    if let Some((key, value)) = term.split_once("!=") {
        return Ok(Expression::NotEqual(owned(key), owned(value)));
    }
    if let Some((key, value)) = term.split_once("==").or_else(|| term.split_once('=')) {
        return Ok(Expression::Equal(owned(key), owned(value)));
    }
    match term.strip_prefix('!') {
        Some(key) => Ok(Expression::DoesNotExist(owned(key))),
        None if term.contains(' ') => Err(unparsable(term)),
        None => Ok(Expression::Exists(owned(term))),
    }
}

fn values_in(values: &str) -> Result<BTreeSet<String>, Failure> {
    let values = values.trim();
    let listed = values.strip_prefix('(').and_then(|values| values.strip_suffix(')'));
    let listed = listed.ok_or_else(|| unparsable(values))?;
    Ok(listed.split(',').map(|value| value.trim().to_owned()).collect())
}

fn field_term(term: &str) -> Result<(String, String, bool), Failure> {
    let (path, value, wanted) = if let Some((path, value)) = term.split_once("!=") {
        (path, value, false)
    } else {
        let pair = term.split_once("==").or_else(|| term.split_once('='));
        let (path, value) = pair.ok_or_else(|| unparsable(term))?;
        (path, value, true)
    };
    if !SELECTABLE_FIELDS.contains(&path) {
        return Err(errors::bad_request(&format!("field label not supported: {path}")));
    }
    Ok((path.to_owned(), value.to_owned(), wanted))
}

fn unparsable(term: &str) -> Failure {
    errors::bad_request(&format!("unable to parse requirement: {term}"))
}
