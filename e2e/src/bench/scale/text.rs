//! The part of the page about many clusters.

use super::Scale;
use crate::bench::page::{SCALE, mib};
use crate::host::cores;
use crate::versions;

/// What the Go operator was said to take for as many clusters, in another measurement on a machine of this size.
struct Other {
    clusters: usize,
    seconds: f64,
    memory_before: f64,
    memory_after: f64,
    cpu: f64,
}

const GO: Other = Other { clusters: 50, seconds: 127.0, memory_before: 76.0, memory_after: 114.0, cpu: 6.0 };
/// Bytes in a MB.
const MB: f64 = 1e6;

/// Few clusters and many, for which there are goals.
const FEW: usize = 50;
const MANY: usize = 500;
/// Seconds until few are Ready.
const SECONDS: f64 = 15.0;
/// Times that a cluster among many may cost what one among few does.
const FLAT: f64 = 1.2;

/// The part, in Markdown.
pub(crate) fn text(scales: &[Scale]) -> String {
    let mut text = format!(
        "{SCALE}\n\nThe sample `demo` so many times in one namespace, each with databases of its own, all in one `kubectl \
         apply --server-side`. API server, etcd, controllers and scheduler are real. The nodes are not: kwok {} says of each \
         pod that it is ready, and of each schema Job that it is done, as soon as it has a node. So **no Temporal runs**. Every \
         address of these pods leads to one small gRPC server on the same machine, which answers the operator in Temporal's \
         place as a settled cluster would; the operator itself runs in its pod as it is shipped and asks it as it asks Temporal. \
         Everything shares the same {} cores.\n\n",
        versions::KWOK,
        cores()
    );
    text.push_str(&figures(scales));
    if let Some(few) = scales.iter().find(|s| s.clusters == GO.clusters) {
        text.push_str(&beside_go(few));
    }
    text.push_str(&goals(scales));
    if let Some(late) = scales.iter().find(|s| s.clusters == FEW && s.seconds > SECONDS) {
        text.push_str(&limit(late));
    }
    text
}

fn figures(scales: &[Scale]) -> String {
    let row = |name: &str, of: &dyn Fn(&Scale) -> String| {
        let figures: Vec<String> = scales.iter().map(of).collect();
        format!("| {name} | {} |\n", figures.join(" | "))
    };
    let each = |figure: f64, s: &Scale| figure / s.clusters as f64;
    [
        row("clusters", &|s| s.clusters.to_string()),
        format!("|---|{}\n", "---|".repeat(scales.len())),
        row("until all are Ready, s", &|s| format!("{:.1}", s.seconds)),
        row("resident memory before", &|s| mib(s.memory_before)),
        row("when all are Ready", &|s| mib(s.memory_ready)),
        row("settled", &|s| mib(s.settled.memory)),
        row("the most there was", &|s| mib(s.memory_peak)),
        row("processor time of the operator, s", &|s| format!("{:.1}", s.cpu)),
        row("of API server and etcd, s", &|s| format!("{:.1}", s.api_cpu)),
        row("of controllers, scheduler and kwok, s", &|s| format!("{:.1}", s.controllers_cpu)),
        row("processor time of the operator for each cluster, ms", &|s| format!("{:.0}", each(s.cpu * 1000.0, s))),
        row("of that, but for what those that were Ready cost meanwhile, ms", &|s| {
            format!("{:.0}", each(s.making() * 1000.0, s))
        }),
        row("reads of the API server for each", &|s| format!("{:.1}", each(s.calls.reads as f64, s))),
        row("writes for each", &|s| format!("{:.1}", each(s.calls.writes as f64, s))),
        row("settled, processor time of the operator for each, ms a minute", &|s| {
            format!("{:.1}", each(s.settled.cpu_per_minute * 1000.0, s))
        }),
        row("settled, reads for each a minute", &|s| format!("{:.2}", each(s.settled.reads_per_minute, s))),
        row("settled, writes in a minute, but for the Lease", &|s| s.settled.writes.to_string()),
    ]
    .concat()
}

fn beside_go(here: &Scale) -> String {
    let row = |name: &str, here: f64, other: f64| format!("| {name} | {here:.1} | {other} | {:.2} |\n", here / other);
    [
        format!(
            "\nThe figures of the Go operator are given ones: another measurement of {} clusters, on a machine of this \
             size.\n\n| | here | Go operator | ratio |\n|---|---|---|---|\n",
            GO.clusters
        ),
        row("until all are Ready, s", here.seconds, GO.seconds),
        row("resident memory before, MB", here.memory_before as f64 / MB, GO.memory_before),
        row("after, MB", here.settled.memory as f64 / MB, GO.memory_after),
        row("processor time of the operator, s", here.cpu, GO.cpu),
    ]
    .concat()
}

fn goals(scales: &[Scale]) -> String {
    let of = |count: usize| scales.iter().find(|s| s.clusters == count);
    let mut rows = Vec::new();
    let mut row = |goal: String, measured: f64, most: f64, unit: &str| {
        let verdict = if measured <= most { "met" } else { "**not met**" };
        rows.push(format!("| {goal} | {measured:.1}{unit} | {verdict} |\n"));
    };
    if let Some(few) = of(FEW) {
        row(format!("{FEW} clusters Ready within {SECONDS} s"), few.seconds, SECONDS, " s");
        row("at most 20 MB before".to_owned(), few.memory_before as f64 / MB, 20.0, " MB");
        row(format!("at most 30 MB with {FEW}"), few.settled.memory as f64 / MB, 30.0, " MB");
    }
    if let Some(many) = of(MANY) {
        row(format!("at most 60 MB with {MANY}"), many.settled.memory as f64 / MB, 60.0, " MB");
    }
    if let (Some(few), Some(many)) = (of(FEW), of(MANY)) {
        let times =
            |what: &dyn Fn(&Scale) -> f64| (what(many) / many.clusters as f64) / (what(few) / few.clusters as f64);
        let flat = |name: &str| format!("{name} for each of {MANY} : of {FEW}, at most {FLAT}");
        row(flat("processor time of the operator"), times(&|s| s.cpu), FLAT, "");
        row(flat("the same, but for what those that were Ready cost meanwhile"), times(&Scale::making), FLAT, "");
        row(flat("calls of the API server"), times(&|s| (s.calls.reads + s.calls.writes) as f64), FLAT, "");
    }
    format!("\n| goal | measured | |\n|---|---|---|\n{}", rows.concat())
}

/// Why it takes longer than it should.
fn limit(late: &Scale) -> String {
    let others = late.api_cpu + late.controllers_cpu;
    let least = others / cores() as f64;
    let mut text = format!(
        "\nWhat limits the time is the machine. For {} clusters API server, etcd, controllers, scheduler and kwok took {others:.1} \
         s of processor time, which is {least:.1} s on {} cores before the operator has had any; the operator took {:.1} s.",
        late.clusters,
        cores(),
        late.cpu
    );
    if let Some(without) = late.by_kubectl {
        text.push_str(&format!(
            " The same objects without the operator, applied by 8 kubectl at once in no order and without waiting, took {:.1} s \
             until all were available, and {:.1} s of processor time of API server, etcd, controllers, scheduler and kwok: the \
             operator takes **{:.2}** times as long, with schema before servers, status, events and Temporal's proof.",
            without.seconds,
            without.api_cpu + without.controllers_cpu,
            late.seconds / without.seconds
        ));
    }
    text.push('\n');
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::scale::by_kubectl::ByKubectl;

    fn measured(seconds: f64) -> String {
        let few = Scale { clusters: FEW, seconds, api_cpu: 30.0, controllers_cpu: 10.0, ..Scale::default() };
        text(&[Scale { by_kubectl: Some(ByKubectl { seconds: 10.0, ..ByKubectl::default() }), ..few }])
    }

    #[test]
    fn a_goal_that_is_not_met_is_said_with_what_limits_it() {
        let late = measured(20.0);
        assert!(late.contains("| 50 clusters Ready within 15 s | 20.0 s | **not met** |"), "{late}");
        assert!(late.contains("took 40.0 s of processor time") && late.contains("**2.00** times as long"), "{late}");
        let early = measured(14.0);
        assert!(early.contains("| 14.0 s | met |") && !early.contains("What limits"), "{early}");
    }

    #[test]
    fn the_stand_in_and_the_other_measurement_are_named() {
        let text = measured(20.0);
        assert!(text.contains("no Temporal runs") && text.contains("given ones"), "{text}");
        assert!(text.contains("| until all are Ready, s | 20.0 | 127 | 0.16 |"), "{text}");
    }
}
