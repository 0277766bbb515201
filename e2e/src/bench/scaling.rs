//! How the number of a worker's pods is decided, beside others who decide on it, in the model of `tests/scaling_simulation.rs`.

use anyhow::{Context, Result};

use super::page::SCALING;
use crate::command::Cmd;
use crate::layout::Layout;
use crate::step::Screen;

const EXPLAINED: &str = "\
In a model, not on a cluster (`tests/scaling_simulation.rs`); each figure is the mean of three runs. Tasks come \
independently of each other, take from half to one and a half of the time that the table names, and wait in one queue. A pod \
works on 4 tasks at a time, polls 5 to 20 s after it was made, and does what it has begun when it is taken away. Everybody \
may have 40 pods. All times are seconds; the wait is that from the task's arrival until a pod has it.\n\n\
| load | in pods that are busy all the time |\n|---|---|\n\
| steady | 3, for 30 minutes |\n\
| step | 1, for ten minutes 8, 1 |\n\
| bursts | one half, and every 6 minutes the work of 5 pods in a minute at once |\n\
| day | from one half to 8 and back within an hour |\n\
| trickle | one half for a minute, then nothing for 14 |\n\
| from zero | nothing for ten minutes, then 4 |\n\n\
Trickle and from zero begin with no pod and may go back to none, but for the HPA, which cannot.\n\n\
- **operator**: the formula of [docs/workers.md](docs/workers.md#scaling-by-work) with the defaults of `spec.scaling`; Temporal's \
figures up to 5 s old, asked every 10 to 15 s, rates of 30 s; slots told once a minute, or never.\n\
- **HPA on CPU**: target 70 % of the request, every 15 s, within a tenth nothing, down after 300 s, metrics 30 s old. Tasks \
that compute use as much of it as slots are busy, the best case for it. Tasks that wait for others use 30 % of it when all \
slots are busy: it never sees that pods are full.\n\
- **KEDA**: its `temporal` trigger with its defaults: 5 waiting tasks a pod, through the same HPA algorithm, 30 s between looks \
at zero, 300 s until zero.\n\n\
What it shows: tasks wait less than with KEDA's rule everywhere, for fewer pods where tasks are short (in bursts of them about as \
many), and for more pods where they take a minute, since KEDA's rule lets four or five of them wait for each pod. They wait less than with an HPA on CPU \
wherever the load jumps, because Temporal shows at once what CPU shows after a minute. On the smooth curve of a day, and with \
tasks that compute, an HPA on CPU is as good or better in waiting, mostly with more pods. In bursts the pods are made that \
the 10 s of `maxBacklogAge` ask for, twice as many as the HPA has after it; a longer time makes fewer.\n";

/// Runs the model.
pub(super) fn modelled(screen: &Screen, layout: &Layout) -> Result<String> {
    let table = screen.step("the number of pods, in a model", |_| {
        let test = ["test", "-q", "--locked", "-p", "temporal-operator", "--test", "scaling_simulation", "table"];
        Cmd::new("cargo").dir(&layout.repo).args(test).args(["--", "--ignored", "--nocapture"]).output()
    })?;
    let from = table.find("| tasks of").context("the model has printed no table")?;
    // an empty line stands before each table; other lines are the test program's
    let rows: Vec<&str> = table[from..].lines().filter(|line| line.is_empty() || line.starts_with('|')).collect();
    Ok(format!("{SCALING}\n\n{EXPLAINED}\n{}\n", rows.join("\n").trim_end()))
}
