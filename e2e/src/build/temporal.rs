//! Temporal's server, its schema tools and its Web UI.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::go;
use crate::layout::Layout;
use crate::step::Screen;
use crate::versions;

/// A built server.
#[derive(Debug)]
pub struct Server {
    /// `temporal-server`.
    pub server: PathBuf,
    /// `temporal-sql-tool`.
    pub sql_tool: PathBuf,
    /// `temporal-elasticsearch-tool`.
    pub elasticsearch_tool: PathBuf,
    /// The schema files.
    pub schema: PathBuf,
}

impl Server {
    /// Builds a version unless it is there.
    pub fn build(screen: &Screen, layout: &Layout, version: &str) -> Result<Self> {
        let dir = layout.build().join(format!("temporal-{version}"));
        let package = |path: &str| format!("go.temporal.io/server/cmd/{path}@v{version}");
        let (server, sql, elasticsearch) = (package("server"), package("tools/sql"), package("tools/elasticsearch"));
        let packages = [
            (server.as_str(), "temporal-server"),
            (sql.as_str(), "temporal-sql-tool"),
            (elasticsearch.as_str(), "temporal-elasticsearch-tool"),
        ];
        go::install(screen, layout, &format!("Temporal server {version}"), &dir, &packages)?;
        Ok(Self {
            server: dir.join("temporal-server"),
            sql_tool: dir.join("temporal-sql-tool"),
            elasticsearch_tool: dir.join("temporal-elasticsearch-tool"),
            schema: go::module_source(&format!("go.temporal.io/server@v{version}/schema"))?,
        })
    }
}

/// The Web UI's program and its directory of configuration. The pages are inside the program, the configuration is not.
pub fn temporal_ui(screen: &Screen, layout: &Layout) -> Result<(PathBuf, PathBuf)> {
    let version = versions::TEMPORAL_UI;
    let dir = layout.build().join(format!("temporal-ui-{version}"));
    let package = format!("github.com/temporalio/ui-server/v2/cmd/server@v{version}");
    go::install(screen, layout, &format!("Temporal Web UI {version}"), &dir, &[(&package, "ui-server")])?;
    let config = layout.build().join(format!("temporal-ui-config-{version}"));
    if !config.exists() {
        let source = go::module_source(&format!("github.com/temporalio/ui-server/v2@v{version}/config"))?;
        super::once(&config, |part| {
            for file in ["base.yaml", "docker.yaml"] {
                copy_text(&source.join(file), &part.join(file))?;
            }
            Ok(())
        })?;
    }
    Ok((dir.join("ui-server"), config))
}

/// A copy with ordinary rights: Go's own are read-only.
fn copy_text(from: &Path, to: &Path) -> Result<()> {
    let text = std::fs::read(from).with_context(|| format!("cannot read {}", from.display()))?;
    std::fs::write(to, text).with_context(|| format!("cannot write {}", to.display()))
}
