//! Brings image archives into the nodes' containerds.

use std::thread;

use anyhow::{Context, Result, anyhow};

use super::Archive;
use crate::command::Cmd;
use crate::failure::WithRemedy;
use crate::layout::{Layout, Node};
use crate::step::Screen;

/// The label that says what an image was made from.
const KEY: &str = "testbed.key";

/// The containerd client of a node, on the images and containers of Kubernetes.
pub fn ctr(layout: &Layout, node: Node) -> Cmd {
    Cmd::new("ctr").arg("--address").arg(node.socket(layout)).args(["--namespace", "k8s.io"])
}

/// Imports those archives that a node has not got.
pub fn load(screen: &Screen, layout: &Layout, nodes: &[Node], archives: &[Archive]) -> Result<()> {
    let mut missing = Vec::new();
    for node in nodes {
        let there = loaded(layout, *node)?;
        let wanted: Vec<&Archive> =
            archives.iter().filter(|a| !there.contains(&(a.reference.clone(), a.key.clone()))).collect();
        if !wanted.is_empty() {
            missing.push((*node, wanted));
        }
    }
    if missing.is_empty() {
        return Ok(());
    }
    let count: usize = missing.iter().map(|(_, wanted)| wanted.len()).sum();
    screen.step(&format!("load images into {} node(s)", missing.len()), |step| {
        step.now(&format!("{count} images"));
        thread::scope(|scope| {
            let jobs: Vec<_> = missing
                .iter()
                .map(|(node, wanted)| {
                    scope.spawn(move || wanted.iter().try_for_each(|archive| import(layout, *node, archive)))
                })
                .collect();
            jobs.into_iter().try_for_each(|job| job.join().map_err(|_| anyhow!("an import broke off"))?)
        })
    })
}

/// The images of a node that came from here: name and key.
pub fn loaded(layout: &Layout, node: Node) -> Result<Vec<(String, String)>> {
    Ok(parse(&ctr(layout, node).args(["images", "ls"]).output()?))
}

fn parse(table: &str) -> Vec<(String, String)> {
    let row = |line: &str| {
        let reference = line.split_whitespace().next()?;
        let labels = line.split_whitespace().last()?;
        let key = labels.split(',').find_map(|label| label.strip_prefix(KEY)?.strip_prefix('='))?;
        Some((reference.to_owned(), key.to_owned()))
    };
    table.lines().filter_map(row).collect()
}

fn import(layout: &Layout, node: Node, archive: &Archive) -> Result<()> {
    let import = ctr(layout, node).args(["images", "import"]).arg(&archive.file).run();
    import
        .with_context(|| format!("cannot load {} into {}", archive.reference, node.name()))
        .remedy(format!("remove {} and run the same command again", archive.file.display()))?;
    // The label comes last: an interrupted import is done again.
    ctr(layout, node).args(["images", "label", &archive.reference, &format!("{KEY}={}", archive.key)]).run()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_labelled_images_count_as_loaded() {
        let table = "REF TYPE DIGEST SIZE PLATFORMS LABELS\n\
            docker.io/a/b:1 application/x sha256:1 1.0 MiB linux/amd64 io.cri-containerd.image=managed,testbed.key=abc\n\
            docker.io/a/c:1 application/x sha256:1 1.0 MiB linux/amd64 io.cri-containerd.image=managed\n";
        assert_eq!(parse(table), [("docker.io/a/b:1".to_owned(), "abc".to_owned())]);
    }
}
