//! Tables of plans: what is wanted and seen, and what is done about it.
#![allow(clippy::unwrap_used, clippy::panic)]

use super::*;
use crate::api::allowed::AllowedNamespaces;
use crate::api::conditions::{self, READY, STALLED};
use crate::api::reference::ClusterRef;
use crate::plan::seat::{Home, Host};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use k8s_openapi::jiff::SignedDuration;
use rstest::rstest;

const WEEK: Duration = Duration::from_secs(168 * 3600);
const DAY: Duration = Duration::from_secs(24 * 3600);

fn valid() -> ValidNamespace {
    ValidNamespace {
        own: "ns".to_owned(),
        name: "orders".to_owned(),
        cluster: ClusterRef { namespace: "ns".to_owned(), name: "c".to_owned() },
        retention: WEEK,
        description: None,
        owner_email: None,
        data: None,
        security_token: None,
        attributes: BTreeMap::new(),
        removes_attributes: false,
        deletes: false,
        deleting: false,
    }
}

fn columns() -> AttributeStore {
    AttributeStore::Columns([(AttributeType::Keyword, 2), (AttributeType::Int, 1)].into())
}

fn seat(attributes: AttributeStore) -> Seat {
    let allowed: Option<AllowedNamespaces> = None;
    let host = Host { leaving: false, ready: true, port: 7233, allowed, attributes };
    Seat::Serving(Home { cluster: valid().cluster, host })
}

fn live() -> LiveNamespace {
    LiveNamespace { name: "orders".to_owned(), id: "id".to_owned(), retention: WEEK, ..LiveNamespace::default() }
}

fn attributes(all: &[(&str, AttributeType)]) -> BTreeMap<String, AttributeType> {
    all.iter().map(|(name, type_)| ((*name).to_owned(), *type_)).collect()
}

fn seen(live: LiveNamespace) -> Seen {
    let of = |(column, name): (&String, &String)| Some((name.clone(), type_of_column(column)?));
    Seen { attributes: live.columns.iter().filter_map(of).collect(), live: Some(live), ..Seen::default() }
}

fn ready() -> TemporalNamespaceStatus {
    TemporalNamespaceStatus {
        phase: Some(Phase::Ready),
        observed_generation: Some(1),
        namespace_id: Some("id".to_owned()),
        ..TemporalNamespaceStatus::default()
    }
}

fn planned(valid: &ValidNamespace, seen: &Seen, old: &TemporalNamespaceStatus) -> NamespacePlan {
    plan(valid, (Some(1), false), &seat(columns()), Some(seen), old, Timestamp::UNIX_EPOCH)
}

fn reason(plan: &NamespacePlan, type_: &str) -> String {
    conditions::get(&plan.status.conditions, type_).unwrap().reason.clone()
}

fn message(plan: &NamespacePlan) -> &str {
    plan.status.message.as_deref().unwrap()
}

#[test]
fn one_that_is_missing_is_registered_with_all_that_is_wanted() {
    let wanted = ValidNamespace {
        description: Some("d".to_owned()),
        data: Some([("k".to_owned(), "v".to_owned())].into()),
        attributes: attributes(&[("Customer", AttributeType::Keyword)]),
        ..valid()
    };
    let plan = planned(&wanted, &Seen::default(), &TemporalNamespaceStatus::default());
    let [Act::Register(registration)] = &plan.acts[..] else { panic!("{:?}", plan.acts) };
    assert_eq!((registration.retention, registration.description.as_str()), (WEEK, "d"));
    assert_eq!(registration.data["k"], "v");
    assert!(plan.news.is_empty(), "nothing was lost");
    assert_eq!(plan.finalizer, Finalizer::LetGo);
    // one that was there and is gone is worth an event
    let plan = planned(&wanted, &Seen::default(), &ready());
    assert!(plan.news[0].note.contains("registered anew"), "{:?}", plan.news);
    assert_eq!(plan.status.namespace_id, None);
}

#[test]
fn one_that_is_as_it_should_be_is_left_alone() {
    let plan = planned(&valid(), &seen(live()), &TemporalNamespaceStatus::default());
    assert!(plan.acts.is_empty() && plan.news.is_empty());
    assert_eq!(message(&plan), "Temporal has the namespace, with a retention of 168h.");
    assert_eq!((reason(&plan, READY).as_str(), plan.wake), ("NamespaceReady", Wake::AtNextLook));
    let again = planned(&valid(), &seen(live()), &plan.status);
    assert_eq!(again.status, plan.status, "a second pass says the same");
}

#[rstest]
#[case::retention(|v: &mut ValidNamespace| v.retention = DAY, "retention from 168h to 24h")]
#[case::description(|v: &mut ValidNamespace| v.description = Some("new".to_owned()), "description")]
#[case::owner(|v: &mut ValidNamespace| v.owner_email = Some("a@b".to_owned()), "ownerEmail")]
#[case::data(|v: &mut ValidNamespace| v.data = Some([("k".to_owned(), "new".to_owned())].into()), "data k")]
fn what_differs_is_changed_and_nothing_else(#[case] change: fn(&mut ValidNamespace), #[case] words: &str) {
    let mut wanted = valid();
    change(&mut wanted);
    let plan = planned(&wanted, &seen(live()), &ready());
    let [Act::Update(change)] = &plan.acts[..] else { panic!("{:?}", plan.acts) };
    let changed = [
        change.retention.is_some(),
        change.description.is_some(),
        change.owner_email.is_some(),
        !change.data.is_empty(),
    ];
    assert_eq!(changed.iter().filter(|c| **c).count(), 1, "{change:?}");
    // the manifest was carried out before: somebody else did it
    assert!(plan.news[0].note.ends_with(&format!("put right: {words}.")), "{:?}", plan.news);
    let edited = TemporalNamespaceStatus { observed_generation: Some(0), ..ready() };
    assert!(planned(&wanted, &seen(live()), &edited).news.is_empty(), "the manifest changed");
}

#[rstest]
#[case::cleared(Some(""), None)]
#[case::taken_out(None, None)]
#[case::as_it_is(Some("old"), None)]
#[case::another(Some("new"), Some("new"))]
fn a_description_is_changed_but_never_cleared(#[case] wanted: Option<&str>, #[case] sent: Option<&str>) {
    let wanted = ValidNamespace { description: wanted.map(str::to_owned), ..valid() };
    let there = LiveNamespace { description: "old".to_owned(), ..live() };
    let plan = planned(&wanted, &seen(there), &ready());
    match sent {
        Some(_) => assert!(matches!(&plan.acts[..], [Act::Update(c)] if c.description.as_deref() == sent)),
        None => assert!(plan.acts.is_empty(), "{:?}", plan.acts),
    }
    let told = message(&plan).contains("The description that Temporal has stays");
    assert_eq!(told, wanted.description.as_deref().unwrap_or_default().is_empty());
}

#[test]
fn keys_of_data_that_cannot_be_removed_are_told() {
    let there = LiveNamespace { data: [("old".to_owned(), "v".to_owned())].into(), ..live() };
    let plan = planned(&valid(), &seen(there), &ready());
    assert!(plan.acts.is_empty());
    assert!(message(&plan).ends_with("since Temporal cannot remove them: old."), "{}", message(&plan));
    assert_eq!(plan.status.phase, Some(Phase::Ready));
}

#[test]
fn new_attributes_are_added_at_once_and_usable_after_a_while() {
    let wanted = ValidNamespace {
        attributes: attributes(&[("Customer", AttributeType::Keyword), ("Items", AttributeType::Int)]),
        ..valid()
    };
    let plan = planned(&wanted, &seen(live()), &TemporalNamespaceStatus::default());
    assert_eq!(plan.acts, [Act::AddAttributes(wanted.attributes.clone())]);
    assert_eq!(plan.status.search_attributes_left, [("Int".to_owned(), 1), ("Keyword".to_owned(), 2)].into());

    let columns = [("Keyword01", "Customer"), ("Int01", "Items")].map(|(c, n)| (c.to_owned(), n.to_owned()));
    let there = LiveNamespace { columns: columns.into(), ..live() };
    let plan = planned(&wanted, &seen(there.clone()), &TemporalNamespaceStatus::default());
    assert!(plan.acts.is_empty());
    assert_eq!(reason(&plan, READY), "SearchAttributesPending");
    assert_eq!(plan.wake, Wake::After(Duration::from_secs(6)));
    assert_eq!(plan.status.search_attributes_left["Int"], 0);

    let later = Timestamp::UNIX_EPOCH + SignedDuration::from_secs(6);
    let status = &plan.status;
    let plan = super::plan(&wanted, (Some(1), false), &seat(self::columns()), Some(&seen(there)), status, later);
    assert_eq!((reason(&plan, READY).as_str(), &plan.status.usable_from), ("NamespaceReady", &None));
    assert!(message(&plan).ends_with("and 2 search attributes."), "{}", message(&plan));
}

#[test]
fn an_index_takes_longer_to_be_known_and_has_no_limit() {
    let wanted = ValidNamespace { attributes: attributes(&[("A", AttributeType::Text)]), ..valid() };
    let there = Seen { attributes: wanted.attributes.clone(), ..seen(live()) };
    let old = TemporalNamespaceStatus::default();
    let plan = plan(&wanted, (Some(1), false), &seat(AttributeStore::Index), Some(&there), &old, Timestamp::UNIX_EPOCH);
    let known = Timestamp::UNIX_EPOCH + SignedDuration::from_secs(65);
    assert_eq!(plan.status.usable_from, Some(Time(known)));
    assert!(plan.status.search_attributes_left.is_empty());
}

#[test]
fn a_type_that_is_another_is_reported_and_never_sent() {
    let wanted = ValidNamespace {
        attributes: attributes(&[("Customer", AttributeType::Keyword), ("Items", AttributeType::Int)]),
        ..valid()
    };
    let there = LiveNamespace { columns: [("Text01".to_owned(), "Customer".to_owned())].into(), ..live() };
    let plan = planned(&wanted, &seen(there), &TemporalNamespaceStatus::default());
    assert_eq!(plan.acts, [Act::AddAttributes(attributes(&[("Items", AttributeType::Int)]))]);
    assert_eq!(reason(&plan, STALLED), "SearchAttributeConflict");
    assert!(message(&plan).contains("Customer is Text in Temporal and Keyword in the manifest"));
}

#[test]
fn what_has_no_column_is_named_and_the_rest_is_added() {
    let wanted = ValidNamespace {
        attributes: attributes(&[("A", AttributeType::Int), ("B", AttributeType::Int), ("C", AttributeType::Keyword)]),
        ..valid()
    };
    let plan = planned(&wanted, &seen(live()), &TemporalNamespaceStatus::default());
    let fit = attributes(&[("A", AttributeType::Int), ("C", AttributeType::Keyword)]);
    assert_eq!(plan.acts, [Act::AddAttributes(fit)]);
    assert_eq!(reason(&plan, STALLED), "SearchAttributesExhausted");
    assert!(message(&plan).contains("no room for search attribute B (Int)"), "{}", message(&plan));
}

#[rstest]
#[case::not_allowed(
    false,
    AttributeStore::Columns(BTreeMap::new()),
    false,
    "allowSearchAttributeDeletion: true removes"
)]
#[case::allowed(true, AttributeStore::Columns(BTreeMap::new()), true, "")]
#[case::of_the_index(true, AttributeStore::Index, true, "")]
fn attributes_that_were_declared_go_when_that_is_allowed(
    #[case] allowed: bool,
    #[case] store: AttributeStore,
    #[case] removed: bool,
    #[case] words: &str,
) {
    let wanted = ValidNamespace { removes_attributes: allowed, ..valid() };
    let there = attributes(&[("Declared", AttributeType::Int), ("Theirs", AttributeType::Int)]);
    let seen = Seen { attributes: there, ..seen(live()) };
    let old = TemporalNamespaceStatus { search_attributes: attributes(&[("Declared", AttributeType::Int)]), ..ready() };
    let plan = plan(&wanted, (Some(1), false), &seat(store), Some(&seen), &old, Timestamp::UNIX_EPOCH);
    let expected = if removed { vec![Act::RemoveAttributes(vec!["Declared".to_owned()])] } else { Vec::new() };
    assert_eq!(plan.acts, expected, "and what nobody declared stays");
    assert!(message(&plan).contains(words), "{}", message(&plan));
    assert_eq!(plan.status.search_attributes.contains_key("Declared"), !removed, "it is remembered while it is there");
}

#[test]
fn an_attribute_of_the_index_stays_while_others_declare_it() {
    let wanted = ValidNamespace { removes_attributes: true, ..valid() };
    let declared = attributes(&[("Shared", AttributeType::Int)]);
    let seen = Seen { attributes: declared.clone(), shared: BTreeSet::from(["Shared".to_owned()]), ..seen(live()) };
    let old = TemporalNamespaceStatus { search_attributes: declared, ..ready() };
    let at = Timestamp::UNIX_EPOCH;
    let plan = plan(&wanted, (Some(1), false), &seat(AttributeStore::Index), Some(&seen), &old, at);
    assert!(plan.acts.is_empty());
    assert!(message(&plan).contains("other resources declare them"), "{}", message(&plan));
}

#[test]
fn the_younger_of_two_does_nothing_and_says_whose_it_is() {
    let seen = Seen { elder: Some("team/orders".to_owned()), ..Seen::default() };
    let wanted = ValidNamespace { deletes: true, ..valid() };
    let plan = planned(&wanted, &seen, &ready());
    assert!(plan.acts.is_empty());
    assert_eq!((reason(&plan, STALLED).as_str(), plan.finalizer), ("NamespaceTaken", Finalizer::LetGo));
    assert!(message(&plan).contains("belongs to TemporalNamespace team/orders"), "{}", message(&plan));
}

#[rstest]
#[case::absent(Seat::Absent("w".to_owned()), "ClusterNotFound", Phase::Pending)]
#[case::leaving(Seat::Leaving("w".to_owned()), "ClusterLeaving", Phase::Pending)]
#[case::refused(Seat::Refused("w".to_owned()), "ClusterRefused", Phase::Failed)]
#[case::waiting(Seat::Waiting("w".to_owned()), "ClusterNotReady", Phase::Pending)]
fn without_a_cluster_it_waits(#[case] seat: Seat, #[case] because: &str, #[case] phase: Phase) {
    let wanted = ValidNamespace { deletes: true, ..valid() };
    let plan = plan(&wanted, (Some(1), true), &seat, None, &ready(), Timestamp::UNIX_EPOCH);
    assert!(plan.acts.is_empty());
    assert_eq!((reason(&plan, READY).as_str(), plan.status.phase), (because, Some(phase)));
    assert_eq!(plan.finalizer, Finalizer::Hold, "what holds it stays, so that a deletion is not forgotten");
    assert_eq!(plan.status.namespace_id.as_deref(), Some("id"));
}

#[rstest]
#[case::not_wanted(|v: &mut ValidNamespace| v.deletes = false, seat(columns()), true, Finalizer::LetGo)]
#[case::no_cluster(|_: &mut ValidNamespace| {}, Seat::Absent(String::new()), false, Finalizer::LetGo)]
#[case::cluster_going(|_: &mut ValidNamespace| {}, Seat::Leaving(String::new()), false, Finalizer::LetGo)]
#[case::not_allowed(|_: &mut ValidNamespace| {}, Seat::Refused(String::new()), false, Finalizer::LetGo)]
#[case::not_ready(|_: &mut ValidNamespace| {}, Seat::Waiting(String::new()), false, Finalizer::Hold)]
#[case::gone_already(|_: &mut ValidNamespace| {}, seat(columns()), false, Finalizer::LetGo)]
fn when_a_deletion_lets_go(
    #[case] change: fn(&mut ValidNamespace),
    #[case] seat: Seat,
    #[case] there: bool,
    #[case] expected: Finalizer,
) {
    let mut wanted = ValidNamespace { deletes: true, deleting: true, ..valid() };
    change(&mut wanted);
    let seen = if there { seen(live()) } else { Seen::default() };
    let seen = seat.home().is_some().then_some(&seen);
    let plan = plan(&wanted, (Some(1), true), &seat, seen, &ready(), Timestamp::UNIX_EPOCH);
    assert!(plan.acts.is_empty(), "{:?}", plan.acts);
    assert_eq!(plan.finalizer, expected);
    if expected == Finalizer::Hold {
        assert!(message(&plan).contains("temporal.io/let-go=true"), "{}", message(&plan));
    }
}

#[rstest]
#[case(Some(0), "no open workflow.")]
#[case(Some(1), "1 open workflow.")]
#[case(Some(12), "12 open workflows.")]
#[case(None, "an unknown number of open workflows.")]
fn a_deletion_says_first_what_ends_with_it(#[case] open: Option<u64>, #[case] words: &str) {
    let wanted = ValidNamespace { deletes: true, deleting: true, ..valid() };
    let plan = planned(&wanted, &Seen { open, ..seen(live()) }, &ready());
    assert_eq!((&plan.acts[..], plan.tell_first), (&[Act::Delete][..], true));
    assert_eq!(plan.finalizer, Finalizer::Hold);
    assert!(message(&plan).ends_with(words), "{}", message(&plan));
    let elder = Seen { elder: Some("a/b".to_owned()), ..seen(live()) };
    let plan = planned(&wanted, &elder, &ready());
    assert!(plan.acts.is_empty() && plan.finalizer == Finalizer::LetGo, "it is not its own");
}

#[test]
fn columns_tell_types() {
    assert_eq!(type_of_column("Keyword01"), Some(AttributeType::Keyword));
    assert_eq!(type_of_column("KeywordList10"), Some(AttributeType::KeywordList));
    assert_eq!(type_of_column("Vector01"), None);
}
