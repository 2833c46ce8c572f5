//! A real Chromium, driven over WebDriver: windows of people, at the size of a phone or a desk.
//!
//! `cargo xtask test` installs chromium and its driver where they are missing. What a window shows
//! is kept as pictures in `target/pages`, and judged by axe-core.

mod driver;

use std::{
    env, fs,
    path::PathBuf,
    process::Stdio,
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use base64::{Engine, prelude::BASE64_STANDARD};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use support::eventually;
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, Command},
};

pub use crate::driver::{Driver, Element};

/// Longer than a page takes on a machine that does other things too.
pub const SOON: Duration = Duration::from_secs(20);
/// What the driver prints when it listens: its port behind this.
const LISTENS: &str = "was started successfully on port ";
/// axe-core's rules of WCAG 2.2 AA.
const RULES: [&str; 6] = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];

/// How large a window is, in CSS pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Size {
    /// 390 × 844: a telephone held upright.
    Phone,
    /// 1280 × 900.
    Desk,
}

impl Size {
    fn pixels(self) -> (u32, u32) {
        match self {
            Self::Phone => (390, 844),
            Self::Desk => (1280, 900),
        }
    }
}

/// A browser: each window is a person of its own, with its own cookies and keys.
pub struct Browser {
    driver: Child,
    url: String,
    folder: TempDir,
    windows: AtomicUsize,
}

/// A person's window.
pub struct Window {
    /// What drives it.
    pub driver: Driver,
    origin: String,
    name: String,
    pictures: AtomicUsize,
}

impl Browser {
    /// Starts the driver on a free port. It is ended when this is dropped.
    ///
    /// # Errors
    /// There is no chromedriver, or it does not start.
    pub async fn start() -> Result<Self> {
        let mut command = Command::new("chromedriver");
        command.arg("--port=0").stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
        command.kill_on_drop(true);
        let mut driver = command.spawn().context(
            "chromedriver is missing: `cargo xtask test` installs it; on Debian: \
             apt-get install chromium chromium-driver",
        )?;
        let stdout = driver.stdout.take().context("no standard output")?;
        let mut lines = BufReader::new(stdout).lines();
        let port = async {
            while let Some(line) = lines.next_line().await? {
                if let Some((_, port)) = line.split_once(LISTENS) {
                    return Ok(port.trim_end_matches('.').to_owned());
                }
            }
            anyhow::bail!("chromedriver ended before it listened")
        };
        let port = tokio::time::timeout(SOON, port).await.context("chromedriver is silent")??;
        let folder = tempfile::Builder::new().prefix("keng-browser-").tempdir()?;
        let url = format!("http://127.0.0.1:{port}");
        Ok(Self { driver, url, folder, windows: AtomicUsize::new(0) })
    }

    /// Opens a window for a person, who reaches the server at `http` as `localhost`: an address
    /// that browsers trust, and that a passkey may be for.
    ///
    /// # Errors
    /// Chromium does not start.
    pub async fn window(&self, name: &str, size: Size, http: &str) -> Result<Window> {
        let number = self.windows.fetch_add(1, Ordering::Relaxed);
        let profile = self.folder.path().join(number.to_string());
        let arguments = [
            "--headless=new",
            // As root there is no sandbox; nothing but our own pages is shown.
            "--no-sandbox",
            "--disable-dev-shm-usage",
            "--disable-gpu",
            "--disable-background-networking",
            "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE localhost , EXCLUDE 127.0.0.1",
            &format!("--user-data-dir={}", profile.display()),
        ];
        let driver = Driver::begin(&self.url, &arguments.map(str::to_owned)).await;
        let driver = driver.context("Chromium does not start")?;
        let (width, height) = size.pixels();
        let metrics = json!({
            "width": width, "height": height, "deviceScaleFactor": 1,
            "mobile": size == Size::Phone,
        });
        driver.devtools("Emulation.setDeviceMetricsOverride", metrics).await?;
        let port = http.rsplit(':').next().context("no port")?;
        Ok(Window {
            driver,
            origin: format!("http://localhost:{port}"),
            name: name.to_owned(),
            pictures: AtomicUsize::new(0),
        })
    }

    /// Ends it.
    ///
    /// # Errors
    /// It cannot be waited for.
    pub async fn stop(mut self) -> Result<()> {
        self.driver.kill().await.context("ending chromedriver")
    }
}

/// Also where a story fails in the middle, and for what Chromium leaves behind: each process is
/// ended by its own id, known by the folder of its profile, which no other browser has.
impl Drop for Browser {
    fn drop(&mut self) {
        let folder = self.folder.path().to_string_lossy().into_owned();
        for process in fs::read_dir("/proc").into_iter().flatten().flatten() {
            let told = fs::read(process.path().join("cmdline")).unwrap_or_default();
            let id = process.file_name().to_str().and_then(|id| id.parse().ok());
            if let Some(id) = id.and_then(Pid::from_raw)
                && String::from_utf8_lossy(&told).contains(&folder)
            {
                // Who is gone already needs nothing.
                let _ = kill_process(id, Signal::KILL);
            }
        }
    }
}

impl Window {
    /// Goes to a path, or to an address on this machine.
    ///
    /// # Errors
    /// The page does not load.
    pub async fn go(&self, path: &str) -> Result<()> {
        self.driver.goto(&format!("{}{path}", self.origin)).await.context(path.to_owned())
    }

    /// Waits for the first element that fits, which is shown.
    ///
    /// # Errors
    /// None is, soon; the error shows the page's words.
    pub async fn find(&self, css: &str) -> Result<Element> {
        let found = eventually(SOON, async || {
            let found = self.driver.find(css).await?;
            ensure!(found.is_displayed().await?, "{css} is hidden");
            Ok(found)
        });
        match found.await {
            Ok(found) => Ok(found),
            Err(error) => Err(error.context(format!("{css} in: {}", self.words().await?))),
        }
    }

    /// Presses the first element that fits.
    ///
    /// # Errors
    /// There is none, or something lies over it.
    pub async fn press(&self, css: &str) -> Result<()> {
        let found = self.find(css).await?;
        found.click().await.context(css.to_owned())
    }

    /// Types into the first field that fits, in the place of what stands there.
    ///
    /// # Errors
    /// There is none.
    pub async fn fill(&self, css: &str, text: &str) -> Result<()> {
        let field = self.find(css).await?;
        field.clear().await?;
        field.send_keys(text).await.context(css.to_owned())
    }

    /// The words of the page, as somebody reads them.
    ///
    /// # Errors
    /// There is no page.
    pub async fn words(&self) -> Result<String> {
        self.driver.find("body").await?.text().await
    }

    /// Waits until the page says this.
    ///
    /// # Errors
    /// It does not, soon; the error shows what it says.
    pub async fn says(&self, words: &str) -> Result<()> {
        eventually(SOON, async || {
            let said = self.words().await?;
            ensure!(said.contains(words), "{words:?} is missing in: {said}");
            Ok(())
        })
        .await
    }

    /// Goes to a path again and again, until the page says this: what anyone may see is kept on the
    /// way for a moment.
    ///
    /// # Errors
    /// It does not, soon; the error shows what it says.
    pub async fn comes_to_say(&self, path: &str, words: &str) -> Result<()> {
        eventually(SOON, async || {
            self.go(path).await?;
            let said = self.words().await?;
            ensure!(said.contains(words), "{words:?} is missing in: {said}");
            Ok(())
        })
        .await
    }

    /// Keeps a picture of the whole page in `target/pages`, and has axe-core judge the page.
    ///
    /// # Errors
    /// There is a serious violation, or something that the page's policy refused.
    pub async fn look(&self, what: &str) -> Result<()> {
        let folder = target().join("pages");
        fs::create_dir_all(&folder)?;
        let number = self.pictures.fetch_add(1, Ordering::Relaxed) + 1;
        let file = folder.join(format!("{}-{number:02}-{what}.png", self.name));
        let wanted = json!({ "captureBeyondViewport": true });
        let picture = self.driver.devtools("Page.captureScreenshot", wanted).await?;
        let picture = picture.get("data").and_then(Value::as_str).context("no picture")?;
        fs::write(&file, BASE64_STANDARD.decode(picture)?)?;
        self.judge().await.with_context(|| format!("{what}: {}", file.display()))
    }

    async fn judge(&self) -> Result<()> {
        let axe = target().join("tools").join("axe.min.js");
        let axe = fs::read_to_string(&axe)
            .with_context(|| format!("{}: `cargo xtask tools` fetches it", axe.display()))?;
        // Not as a script of the page, whose policy would refuse it.
        let script = format!(
            "{axe}; const done = arguments[arguments.length - 1]; \
             axe.run(document, {{ runOnly: {} }}).then((it) => done(it.violations.map((found) => \
             ({{ id: found.id, impact: found.impact, nodes: found.nodes.map((it) => it.html) }}))))",
            json!(RULES)
        );
        let found = self.driver.execute(&script).await?;
        let found = found.as_array().cloned().context("axe-core says nothing")?;
        let impact = |it: &Value| it.get("impact").and_then(Value::as_str).map(str::to_owned);
        let serious = |it: &&Value| matches!(impact(it).as_deref(), Some("serious" | "critical"));
        let serious: Vec<_> = found.iter().filter(serious).collect();
        ensure!(serious.is_empty(), "axe-core: {}", json!(serious));
        Ok(())
    }

    /// Closes it.
    ///
    /// # Errors
    /// It does not close.
    pub async fn close(self) -> Result<()> {
        self.driver.quit().await.context("closing a window")
    }
}

/// The target folder of this tree.
fn target() -> PathBuf {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("../../target"), PathBuf::from)
}
