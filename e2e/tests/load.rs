//! The load counts what happens to it, on the development server of Temporal's command line tool: no cluster is needed.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "these are tests")]

use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use e2e::build;
use e2e::layout::Layout;
use e2e::load::{Load, Target};
use e2e::step::Screen;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

const RATE: f64 = 10.0;
const PAUSE: Duration = Duration::from_secs(3);

#[test]
fn a_pause_of_the_server_is_seen_in_every_workflow_that_was_due() {
    let layout = Layout::from_environment().unwrap();
    let python = build::python(&Screen::new(&layout), &layout).unwrap();
    let server = Server::start(&python.with_file_name("temporal"));
    let target = Target {
        address: server.address.clone(),
        namespace: "default".to_owned(),
        queue: "load-test".to_owned(),
        queues: 2,
    };
    let files = std::env::temp_dir().join(format!("load-test-{}", std::process::id()));
    let mut load = Load::start(&python, &layout.repo, &files, &target, RATE).unwrap();
    load.phase("steady");
    sleep(Duration::from_secs(3));
    load.phase("paused");
    server.signal(Signal::SIGSTOP);
    sleep(PAUSE);
    server.signal(Signal::SIGCONT);
    load.phase("after");
    sleep(Duration::from_secs(3));
    let report = load.stop().unwrap();
    std::fs::remove_dir_all(files).unwrap();

    let due: usize = report.figures.iter().map(|f| f.due).sum();
    assert!((80..=110).contains(&due), "9 s of {RATE} a second: {:?}", report.figures);
    for phase in &report.figures {
        assert_eq!((phase.completed, phase.failed, phase.lost, phase.duplicated), (phase.due, 0, 0, 0), "{report:?}");
    }
    let paused = &report.figures[1];
    // a generator that waits for answers would have started one
    assert!(paused.over(Duration::from_secs(1)) > 15, "{report:?}");
    assert!(paused.percentile(100.0).unwrap() > PAUSE.mul_f64(0.9), "{report:?}");
    assert!(report.verdict.unlisted.is_empty(), "{report:?}");
}

/// A development server that keeps nothing.
struct Server {
    child: Child,
    address: String,
}

impl Server {
    fn start(temporal: &std::path::Path) -> Self {
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port();
        let args = ["server", "start-dev", "--headless", "--log-level", "never", "--port", &port.to_string()];
        let child = Command::new(temporal).args(args).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let server = Self { child, address: format!("127.0.0.1:{port}") };
        let late = Instant::now() + Duration::from_secs(60);
        while TcpStream::connect(&server.address).is_err() {
            assert!(Instant::now() < late, "the development server does not listen");
            sleep(Duration::from_millis(100));
        }
        server
    }

    fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.child.id().cast_signed()), signal).unwrap();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
