//! The figures as a page.

use anyhow::{Context, Result};

use super::{Cost, Create};
use crate::command;
use crate::host;
use crate::layout::Layout;
use crate::versions;

/// The figures of one run.
#[derive(Debug, Default)]
pub(super) struct Page {
    pub image_size: u64,
    pub binary_size: u64,
    pub idle: Cost,
    pub settled: Option<Cost>,
    pub operator: Vec<Create>,
    pub by_hand: Vec<f64>,
}

fn median(values: impl IntoIterator<Item = f64>) -> f64 {
    let mut all: Vec<f64> = values.into_iter().collect();
    all.sort_by(f64::total_cmp);
    match all.len() {
        0 => f64::NAN,
        n if n % 2 == 1 => all[n / 2],
        n => f64::midpoint(all[n / 2 - 1], all[n / 2]),
    }
}

fn list(values: impl IntoIterator<Item = f64>) -> String {
    values.into_iter().map(|v| format!("{v:.1}")).collect::<Vec<_>>().join(", ")
}

pub(super) fn mib(bytes: u64) -> String {
    format!("{:.1} MiB", bytes as f64 / f64::from(1 << 20))
}

impl Page {
    /// The page in Markdown.
    pub fn text(&self) -> String {
        let seconds = |c: &Create| c.seconds;
        let operator = median(self.operator.iter().map(seconds));
        let by_hand = median(self.by_hand.iter().copied());
        let settled = self.settled.clone().unwrap_or_default();
        let cores = host::cores();
        let row = |name: &str, figure: String| format!("| {name} | {figure} |\n");
        let mut text = format!(
            "{ONE}\n\nWritten by `make bench` on {cores} cores: Kubernetes {}, Temporal {}, one node, the sample `demo` \
             with a PostgreSQL that is up. Times are seconds, from `kubectl apply` to the cluster's condition `Ready`; by \
             hand, the same objects are applied by `kubectl` in the right order with `kubectl wait` between, until every \
             Deployment is `Available`. The operator's `Ready` also has Temporal's own proof: rings, shards, a canary call. \
             The operator is what is shipped (`cargo build --profile dist`).\n\n",
            versions::KUBERNETES,
            versions::TEMPORAL
        );
        text.push_str("| apply to ready | |\n|---|---|\n");
        text.push_str(&row("operator, each run", list(self.operator.iter().map(seconds))));
        text.push_str(&row("by hand, each run", list(self.by_hand.iter().copied())));
        text.push_str(&row(
            "median, operator : by hand",
            format!("{operator:.1} : {by_hand:.1} = **{:.2}**", operator / by_hand),
        ));
        text.push_str("\n| what a create costs | |\n|---|---|\n");
        text.push_str(&row(
            "processor time of the operator, s",
            format!("{:.2}", median(self.operator.iter().map(|c| c.cpu))),
        ));
        text.push_str(&row(
            "reads of the API server",
            format!("{:.0}", median(self.operator.iter().map(|c| c.reads as f64))),
        ));
        text.push_str(&row("writes", format!("{:.0}", median(self.operator.iter().map(|c| c.writes as f64)))));
        text.push_str("\n| what it costs to be there | no cluster | one settled cluster |\n|---|---|---|\n");
        let both =
            |name: &str, of: &dyn Fn(&Cost) -> String| format!("| {name} | {} | {} |\n", of(&self.idle), of(&settled));
        text.push_str(&both("resident memory", &|c| mib(c.memory)));
        text.push_str(&both("processor time, s a minute", &|c| format!("{:.2}", c.cpu_per_minute)));
        text.push_str(&both("reads of the API server a minute", &|c| format!("{:.0}", c.reads_per_minute)));
        text.push_str(&both("writes in a minute, but for the Lease", &|c| c.writes.to_string()));
        text.push_str("\n| size | |\n|---|---|\n");
        text.push_str(&row("image, uncompressed", mib(self.image_size)));
        text.push_str(&row("program", mib(self.binary_size)));
        text
    }
}

/// Heading of the part about one cluster, which is the first.
pub(super) const ONE: &str = "# Benchmarks";
/// Of what clients notice.
pub(super) const LOAD: &str = "## What clients notice";
/// Of many clusters.
pub(super) const SCALE: &str = "## Many clusters at once";
/// Of workers' pods.
pub(super) const SCALING: &str = "## The number of pods of a worker";
/// The headings in their order.
const PARTS: [&str; 4] = [ONE, LOAD, SCALE, SCALING];

/// Writes one part; the others stay.
pub(super) fn put(layout: &Layout, heading: &str, text: &str) -> Result<()> {
    let file = layout.repo.join("BENCHMARKS.md");
    let page = std::fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?;
    let of = |part: &&str| if *part == heading { text.to_owned() } else { part_of(&page, part) };
    let all: Vec<String> = PARTS.iter().map(of).map(|text| text.trim_end().to_owned()).collect();
    let all: Vec<String> = all.into_iter().filter(|text| !text.is_empty()).collect();
    command::put(&file, all.join("\n\n") + "\n").map(drop)
}

/// From its heading to that of the next part.
fn part_of(page: &str, heading: &str) -> String {
    let begins = |text: &str| PARTS.iter().any(|part| text.lines().next() == Some(part));
    let Some(from) = page.match_indices(heading).map(|(at, _)| at).find(|at| begins(&page[*at..])) else {
        return String::new();
    };
    let rest = &page[from..];
    let lines = rest.match_indices('\n').map(|(at, _)| at + 1);
    let end = lines.into_iter().find(|at| begins(&rest[*at..])).unwrap_or(rest.len());
    rest[..end].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_is_replaced_and_the_others_stay() {
        let dir = std::env::temp_dir().join(format!("bench-page-{}", std::process::id()));
        let layout = Layout { repo: dir.clone(), cache: dir.clone() };
        let page = || std::fs::read_to_string(dir.join("BENCHMARKS.md")).unwrap();
        command::put(&dir.join("BENCHMARKS.md"), format!("{ONE}\n\none\n\n{SCALE}\n\nmany\n")).unwrap();
        put(&layout, LOAD, &format!("{LOAD}\n\nload\n")).unwrap();
        let three = format!("{ONE}\n\none\n\n{LOAD}\n\nload\n\n{SCALE}\n\nmany\n");
        assert_eq!(page(), three);
        put(&layout, ONE, &format!("{ONE}\n\nother")).unwrap();
        put(&layout, SCALE, &format!("{SCALE}\n\nmore\n\n")).unwrap();
        assert_eq!(page(), three.replace("\none\n", "\nother\n").replace("many", "more"));
        std::fs::remove_dir_all(&dir).unwrap();
    }

    #[test]
    fn medians() {
        assert!((median([3.0, 1.0, 2.0]) - 2.0).abs() < 1e-9);
        assert!((median([1.0, 2.0]) - 1.5).abs() < 1e-9);
    }
}
