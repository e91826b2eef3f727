//! A real browser, driven by chromedriver.

use std::{path::PathBuf, process::Stdio, sync::Arc};

use rustix::process::{Pid, Signal, kill_process_group};
use serde_json::{Value, json};
use thirtyfour::{By, ChromiumLikeCapabilities as _, DesiredCapabilities, WebDriver, WebElement};
use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    process::{Child, Command},
    sync::{OwnedSemaphorePermit, Semaphore},
    time::timeout,
};

use fineract_gateway::tls::http_client;

use crate::support::eventually::{DEADLINE, eventually_ok};

/// The accessibility checker, as its authors publish it.
const AXE: &str = include_str!("../../axe-core/axe.min.js");
/// Collects what the policy of a page forbids, from the beginning of each page.
const COLLECT_VIOLATIONS: &str = "window.forbidden = [];
    document.addEventListener('securitypolicyviolation', (e) => window.forbidden.push(`${e.violatedDirective} ${e.blockedURI}`));";
/// The arguments of a script that needs none.
const NO_ARGUMENTS: Vec<Value> = Vec::new();
/// How many browsers the tests run at the same time.
static BROWSERS: std::sync::LazyLock<Arc<Semaphore>> =
    std::sync::LazyLock::new(|| Arc::new(Semaphore::new(1)));

/// What the browser's window is like.
#[derive(Clone, Copy, Debug)]
pub(super) struct Window {
    /// Its size in CSS pixels.
    pub(super) size: (u32, u32),
    /// The pixels of the screen for each CSS pixel, in each direction.
    pub(super) scale: u32,
    pub(super) is_dark: bool,
}

/// A laptop.
pub(super) const LAPTOP: Window = Window {
    size: (1280, 900),
    scale: 1,
    is_dark: false,
};
/// A phone that is 360 pixels wide.
pub(super) const PHONE: Window = Window {
    size: (360, 740),
    scale: 2,
    is_dark: false,
};

/// A browser. It ends with its driver when it is dropped.
pub(super) struct Browser {
    driver: WebDriver,
    base: String,
    chromedriver: Child,
    _permit: OwnedSemaphorePermit,
}

/// Ends the browser with its driver. Closing the session first would block the test's runtime.
impl Drop for Browser {
    fn drop(&mut self) {
        drop(self.driver.clone().leak());
        let pid = self.chromedriver.id().and_then(|id| i32::try_from(id).ok());
        if let Some(group) = pid.and_then(Pid::from_raw) {
            kill_process_group(group, Signal::KILL).ok();
        }
    }
}

impl Browser {
    /// Starts a browser that opens pages of the gateway at this address.
    pub(super) async fn start(address: std::net::SocketAddr) -> Self {
        let permit = Arc::clone(&BROWSERS)
            .acquire_owned()
            .await
            .expect("never closed");
        let mut chromedriver = Command::new("chromedriver")
            .arg("--port=0")
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .process_group(0)
            .spawn()
            .expect("chromedriver is installed (scripts/install.sh)");
        let stdout = chromedriver.stdout.take().expect("stdout is a pipe");
        let port = timeout(DEADLINE, port_in(BufReader::new(stdout)));
        let port = port.await.expect("chromedriver starts in time");
        // The HTTP client of the driver uses the TLS implementation that this installs.
        drop(http_client());
        let mut capabilities = DesiredCapabilities::chrome();
        for argument in [
            "--headless=new",
            // Chromium's own sandbox does not work for root, and the tests open only their own pages.
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--force-prefers-reduced-motion",
            "--hide-scrollbars",
            "--lang=en-IN",
        ] {
            capabilities.add_arg(argument).expect("an argument");
        }
        let url = format!("http://127.0.0.1:{port}");
        let driver = WebDriver::new(&url, capabilities).await.expect("a browser");
        let browser = Self {
            driver,
            base: format!("http://{address}"),
            chromedriver,
            _permit: permit,
        };
        browser.show_in(LAPTOP).await;
        let source = json!({ "source": COLLECT_VIOLATIONS });
        browser
            .tell("Page.addScriptToEvaluateOnNewDocument", source)
            .await;
        browser
    }

    /// Sends a command of Chromium's protocol for developers.
    pub(super) async fn tell(&self, method: &str, parameters: Value) -> Value {
        let answer = self.driver.cdp().send_raw(method, parameters).await;
        answer.expect("the browser obeys")
    }

    /// Changes the window.
    pub(super) async fn show_in(&self, window: Window) {
        let (width, height) = window.size;
        let metrics = json!({ "width": width, "height": height, "deviceScaleFactor": window.scale, "mobile": false });
        self.tell("Emulation.setDeviceMetricsOverride", metrics)
            .await;
        let scheme = if window.is_dark { "dark" } else { "light" };
        let media = json!({ "features": [{ "name": "prefers-color-scheme", "value": scheme },
                                         { "name": "prefers-reduced-motion", "value": "reduce" }] });
        self.tell("Emulation.setEmulatedMedia", media).await;
    }

    /// Opens a page of the gateway.
    pub(super) async fn open(&self, path: &str) {
        let url = format!("{}{path}", self.base);
        self.driver.goto(&url).await.expect("the page opens");
    }

    /// Signs in as `admin`.
    pub(super) async fn sign_in(&self) {
        self.open("/ops").await;
        self.fill("input[name=name]", "admin").await;
        self.fill("input[name=secret]", crate::support::OPS_TOKEN)
            .await;
        self.click("main button.primary").await;
        self.shows("h1", "need").await;
    }

    /// Waits for an element.
    pub(super) async fn find(&self, selector: &str) -> WebElement {
        eventually_ok(selector, async || {
            let found = self.driver.find(By::Css(selector)).await;
            found.map_err(|error| error.to_string())
        })
        .await
    }

    /// Clicks on an element.
    pub(super) async fn click(&self, selector: &str) {
        eventually_ok(selector, async || {
            let element = self.driver.find(By::Css(selector)).await;
            let element = element.map_err(|error| error.to_string())?;
            element
                .scroll_into_view()
                .await
                .map_err(|error| error.to_string())?;
            element.click().await.map_err(|error| error.to_string())
        })
        .await;
    }

    /// Presses a key.
    pub(super) async fn press(&self, key: &str) {
        let keys = self.driver.action_chain().send_keys(key);
        keys.perform().await.expect("a keyboard");
    }

    /// Types into a field.
    pub(super) async fn fill(&self, selector: &str, text: &str) {
        let field = self.find(selector).await;
        field.clear().await.expect("a field");
        field.send_keys(text).await.expect("a field");
    }

    /// Waits until an element contains this text.
    pub(super) async fn shows(&self, selector: &str, text: &str) {
        eventually_ok(&format!("{selector} shows {text:?}"), async || {
            let found = self.driver.find(By::Css(selector)).await;
            let shown = match found {
                Ok(element) => element.text().await.map_err(|error| error.to_string())?,
                // Then the whole page says more than the error.
                Err(_) => return Err(self.find("body").await.text().await.unwrap_or_default()),
            };
            if shown.contains(text) {
                Ok(())
            } else {
                Err(shown)
            }
        })
        .await;
    }

    /// The result of a script.
    pub(super) async fn run(&self, script: &str) -> Value {
        let result = self.driver.execute(script, NO_ARGUMENTS).await;
        result.expect("the script runs").json().clone()
    }

    /// What is wrong with the page for people who cannot see or use it like others: the serious and critical findings
    /// of axe, and everything that the page's own policy forbids.
    pub(super) async fn faults(&self) -> Vec<String> {
        self.driver
            .execute(AXE, Vec::new())
            .await
            .expect("axe loads");
        let check = "const done = arguments[arguments.length - 1];
            axe.run(document, { resultTypes: ['violations'] }).then((found) => done(found.violations
                .filter((one) => one.impact === 'serious' || one.impact === 'critical')
                .map((one) => `${one.id}: ${one.nodes.map((node) => node.html + ' ' + node.failureSummary).join(' / ')}`)));";
        let found = self
            .driver
            .execute_async(check, Vec::new())
            .await
            .expect("axe runs");
        let mut faults: Vec<String> = serde_json::from_value(found.json().clone()).expect("texts");
        let forbidden = self.run("return window.forbidden").await;
        let forbidden: Vec<String> = serde_json::from_value(forbidden).expect("texts");
        faults.extend(
            forbidden
                .into_iter()
                .map(|what| format!("forbidden: {what}")),
        );
        faults
    }

    /// By how many pixels the page is wider than the window.
    pub(super) async fn overflow(&self) -> i64 {
        let script = "return document.documentElement.scrollWidth - window.innerWidth";
        self.run(script).await.as_i64().expect("a number")
    }

    /// Writes a picture of the whole page into the folder that `OPS_SCREENSHOTS` names, if it is set.
    pub(super) async fn picture(&self, name: &str) {
        let Some(folder) = option_env_at_run("OPS_SCREENSHOTS") else {
            return;
        };
        let height = self
            .run("return Math.min(document.documentElement.scrollHeight, 2200)")
            .await;
        let size = self
            .run("return [window.innerWidth, window.devicePixelRatio]")
            .await;
        let clip = json!({ "format": "png", "captureBeyondViewport": true,
            "clip": { "x": 0, "y": 0, "width": size[0], "height": height, "scale": 1 } });
        let picture = self.tell("Page.captureScreenshot", clip).await;
        let bytes = base64_bytes(picture["data"].as_str().expect("a picture"));
        std::fs::create_dir_all(&folder).expect("the folder can be made");
        std::fs::write(folder.join(format!("{name}.png")), bytes)
            .expect("the picture can be written");
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "pictures are made only when a person asks for them"
)]
fn option_env_at_run(name: &str) -> Option<PathBuf> {
    std::env::var(name)
        .ok()
        .filter(|folder| !folder.is_empty())
        .map(PathBuf::from)
}

/// The port on which chromedriver listens, from what it prints.
async fn port_in(mut lines: BufReader<tokio::process::ChildStdout>) -> u16 {
    let mut line = String::new();
    loop {
        line.clear();
        let read = lines.read_line(&mut line).await.expect("a line");
        assert!(read > 0, "chromedriver ended");
        if let Some((_, port)) = line.rsplit_once("on port ")
            && let Ok(port @ 1..) = port.trim().trim_end_matches('.').parse()
        {
            return port;
        }
    }
}

fn base64_bytes(text: &str) -> Vec<u8> {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD
        .decode(text)
        .expect("base64")
}
