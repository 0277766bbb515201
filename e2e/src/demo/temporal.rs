//! Uses a new Temporal cluster: registers a namespace, asks the Web UI.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::command::Cmd;
use crate::failure::WithRemedy;
use crate::step::Screen;

/// Registers a Temporal namespace, if it is missing.
pub fn register_namespace(screen: &Screen, python: &Path, address: &str, name: &str) -> Result<()> {
    let temporal = || Cmd::new(python.with_file_name("temporal"));
    let target = ["--namespace", name, "--address", address];
    screen
        .step(&format!("Temporal namespace {name}"), |_| {
            let describe = || temporal().args(["operator", "namespace", "describe"]).args(target).succeeds();
            let create =
                || temporal().args(["operator", "namespace", "create", "--retention", "72h"]).args(target).run();
            let late = Instant::now() + Duration::from_secs(60);
            while !describe() {
                match create() {
                    Err(error) if Instant::now() > late => return Err(error),
                    Err(_) => sleep(Duration::from_millis(500)),
                    Ok(()) => break,
                }
            }
            Ok(())
        })
        .remedy(format!("`temporal operator cluster health --address {address}` says whether the frontend answers"))
}

/// Waits until the Web UI serves its page.
pub fn ui_answers(screen: &Screen, address: &str) -> Result<()> {
    screen.step("Web UI answers", |_| {
        let late = Instant::now() + Duration::from_secs(60);
        loop {
            match page(address) {
                Ok(()) => return Ok(()),
                Err(error) if Instant::now() > late => return Err(error).context("the Web UI does not answer"),
                Err(_) => sleep(Duration::from_millis(300)),
            }
        }
    })
}

fn page(address: &str) -> Result<()> {
    let target = address.parse().with_context(|| format!("{address} is no address"))?;
    let mut stream = TcpStream::connect_timeout(&target, Duration::from_secs(2))?;
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    write!(stream, "GET / HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n")?;
    let mut start = [0; 12];
    stream.read_exact(&mut start)?;
    if start.ends_with(b" 200") { Ok(()) } else { bail!("its page answers {}", String::from_utf8_lossy(&start)) }
}
