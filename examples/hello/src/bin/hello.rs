//! The starter's program.

use anyhow::Result;
use clap::Parser;
use hello::starter::Cli;

fn main() -> Result<()> {
    hello::starter::run(Cli::parse())
}
