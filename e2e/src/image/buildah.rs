//! Image archives and buildah, which makes them.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::{Archive, Image};
use crate::build::clear;
use crate::command::Cmd;
use crate::failure::WithRemedy;
use crate::layout::Layout;
use crate::step::Step;

/// The place and name of an image's archive.
pub(super) fn archive(layout: &Layout, image: &Image, key: &str) -> Archive {
    let reference = image.reference();
    let (path, tag) = reference.rsplit_once(':').unwrap_or((&reference, "latest"));
    let name = path.rsplit('/').next().unwrap_or(path);
    Archive { file: layout.images().join(format!("{name}-{tag}-{key}.tar")), reference, key: key.to_owned() }
}

/// A directory to make one image in; it goes with this value.
pub(super) struct Work {
    /// The build context.
    pub dir: PathBuf,
    root: PathBuf,
    log: PathBuf,
}

impl Work {
    pub(super) fn new(layout: &Layout, image: &Image) -> Result<Self> {
        let root = layout.images().join(format!(".work-{}", image.name()));
        clear(&root)?;
        let dir = root.join("context");
        fs::create_dir_all(&dir).with_context(|| format!("cannot make {}", dir.display()))?;
        Ok(Self { dir, root, log: layout.build().join(format!("log/image-{}.log", image.name())) })
    }

    /// buildah with a store of its own, so that an interrupted build leaves nothing to trip over.
    pub(super) fn buildah(&self, command: &str) -> Cmd {
        let store =
            Cmd::new("buildah").arg("--root").arg(self.root.join("store")).arg("--runroot").arg(self.root.join("run"));
        let store = store.args(["--storage-driver", "vfs", command]);
        if command == "bud" { store.args(["--isolation", "chroot", "--pull=never"]) } else { store }
    }

    pub(super) fn archive(&self, step: &Step, bud: Cmd, archive: &Archive) -> Result<()> {
        step.log(&self.log);
        let part = archive.file.with_extension("part");
        let _ = fs::remove_file(&part);
        let to = format!("docker-archive:{}:{}", part.display(), archive.reference);
        bud.logged(&self.log)
            .and_then(|()| self.buildah("push").args([&archive.reference, &to]).logged(&self.log))
            .remedy("see the log; buildah must be able to unpack files as root")?;
        fs::rename(&part, &archive.file).context("cannot name the archive")
    }
}

impl Drop for Work {
    fn drop(&mut self) {
        // What stays is removed by the next build of the same image.
        let _ = clear(&self.root);
    }
}

/// Removes the archives of earlier parts of the same image and tag.
pub(super) fn forget_older(layout: &Layout, image: &Image, keep: &Path) {
    let reference = image.reference();
    let (path, tag) = reference.rsplit_once(':').unwrap_or((&reference, ""));
    let prefix = format!("{}-{tag}-", path.rsplit('/').next().unwrap_or(path));
    for entry in fs::read_dir(layout.images()).into_iter().flatten().flatten() {
        if entry.file_name().to_string_lossy().starts_with(&prefix) && entry.path() != keep {
            let _ = fs::remove_file(entry.path());
        }
    }
}
