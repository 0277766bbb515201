//! The worker's program.

use anyhow::Result;
use clap::Parser;
use hello::settings::Settings;

fn main() -> Result<()> {
    hello::worker::run(&Settings::parse())
}
