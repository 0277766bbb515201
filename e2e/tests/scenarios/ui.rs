//! The Web UI in a browser.

use std::path::Path;
use std::time::Instant;

use serde_json::json;

use super::bed::{Bed, limited, output};
use super::cluster::{Scene, VERSION, manifest};
use super::temporal::NAMESPACE;
use super::wait::{PATIENCE, since, until};

const BROWSER: &str = "/usr/bin/chromium";

#[tokio::test(flavor = "multi_thread")]
async fn web_ui_shows_the_finished_workflow() {
    let bed = Bed::get();
    assert!(Path::new(BROWSER).exists(), "{BROWSER} is missing: apt-get install --no-install-recommends chromium");
    let scene = Scene::open("web-ui").await;
    let mut spec = manifest(VERSION);
    spec["ui"] = json!({"enabled": true});
    let (cluster, _) = scene.create("main", &spec).await;
    let id = format!("seen-in-the-browser-{}", scene.namespace.rsplit('-').next().unwrap());
    cluster.workflow(&id).await;
    cluster.lists(&id).await;

    let ip = cluster.service_ip("ui").await;
    let url = format!("http://{ip}:8080/namespaces/{NAMESPACE}/workflows");
    let profile = bed.layout.cache.join("browser");
    let began = Instant::now();
    let page = until("the page shows the finished workflow", PATIENCE, async || {
        let page = browse(&profile, &ip, &["--dump-dom", &url])?;
        let text = visible(&page);
        let complete = text.contains(&id) && text.contains("Completed");
        if complete { Ok(page) } else { Err(format!("{} bytes: {:.600}", page.len(), text)) }
    })
    .await;
    let took = since(began);
    let picture = bed.layout.log().join("web-ui.png");
    let _ = std::fs::remove_file(&picture);
    browse(&profile, &ip, &[&format!("--screenshot={}", picture.display()), &url]).unwrap();
    let bytes = std::fs::metadata(&picture).expect("the browser saved a picture").len();
    assert!(bytes > 20_000, "the picture has {bytes} bytes: a blank page");
    let _ = std::fs::remove_dir_all(&profile);

    cluster.patch(json!({"ui": {"enabled": false}})).await;
    until("the Web UI that is not wanted any more is gone", PATIENCE, async || {
        let of_ui = ["get", "deployments,services", "-l", "app.kubernetes.io/component=ui", "-o", "name"];
        let left = bed.kubectl(&scene.namespace, &of_ui)?;
        if left.trim().is_empty() { Ok(()) } else { Err(left) }
    })
    .await;
    scene.close(&format!("page of {} bytes with {id} Completed in {took}; {}", page.len(), picture.display())).await;
}

/// A browser without a window, that reaches nothing but the Web UI.
fn browse(profile: &Path, ip: &str, what: &[&str]) -> Result<String, String> {
    // a fresh one each time: a profile that is in use cannot be opened
    let _ = std::fs::remove_dir_all(profile);
    std::fs::create_dir_all(profile).map_err(|e| e.to_string())?;
    let browser = limited(120, Path::new(BROWSER)).env("HOME", profile).args([
        "--headless=new",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-dev-shm-usage",
        "--no-proxy-server",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        "--hide-scrollbars",
        "--window-size=1400,900",
        "--virtual-time-budget=15000",
    ]);
    let browser = browser.arg(format!("--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE {ip}"));
    output(browser.arg(format!("--user-data-dir={}", profile.join("data").display())).args(what))
}

/// The text between the tags of a page's body.
fn visible(page: &str) -> String {
    let body = page.split_once("<body").map_or(page, |(_, body)| body);
    let mut text = String::new();
    let mut inside = false;
    for c in body.chars() {
        match c {
            '<' => inside = true,
            '>' => {
                inside = false;
                text.push(' ');
            }
            c if !inside => text.push(c),
            _ => {}
        }
    }
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
