//! Makes image archives, each from a directory of `e2e/images` and the parts it names.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::buildah::{Work, archive, forget_older};
use super::context::Parts;
use super::{Archive, Image, digest, own};
use crate::layout::Layout;
use crate::step::Screen;

/// The archive of an image; made unless one of the same parts is there.
pub fn make(screen: &Screen, layout: &Layout, image: &Image) -> Result<Archive> {
    if !image.own().is_empty() {
        return own::make(screen, layout, image);
    }
    let parts = Parts::of(image, screen, layout)?;
    let source = layout.repo.join("e2e/images").join(image.name());
    let key = digest(format!("{}{}", text_of(&source)?, parts.key()).as_bytes());
    let archive = archive(layout, image, &key);
    if archive.file.exists() {
        return Ok(archive);
    }
    screen.step(&format!("make image {}", image.reference()), |step| {
        let context = Work::new(layout, image)?;
        for file in files(&source)? {
            let name = file.file_name().context("a file has a name")?;
            fs::copy(&file, context.dir.join(name)).with_context(|| format!("cannot copy {}", file.display()))?;
        }
        parts.lay_out(&context.dir)?;
        let bud = context.buildah("bud").args(["-t", &archive.reference]).arg(&context.dir);
        context.archive(step, bud, &archive)
    })?;
    forget_older(layout, image, &archive.file);
    Ok(archive)
}

fn files(dir: &Path) -> Result<Vec<PathBuf>> {
    let entries = fs::read_dir(dir).with_context(|| format!("cannot read {}", dir.display()))?;
    let mut files = entries.map(|e| Ok(e?.path())).collect::<Result<Vec<_>>>()?;
    files.sort();
    Ok(files)
}

fn text_of(dir: &Path) -> Result<String> {
    files(dir)?.iter().map(|f| fs::read_to_string(f).with_context(|| format!("cannot read {}", f.display()))).collect()
}
