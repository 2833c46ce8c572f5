//! An authority of time stamps (RFC 3161): openssl signs them, with a certificate made anew.

use std::{
    io,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::{Arc, Mutex, PoisonError},
};

use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, StatusCode, header::CONTENT_TYPE},
    response::{IntoResponse, Response},
    routing::post,
};
use tempfile::TempDir;

use crate::served::Served;

const CONFIG: &str = "\
[req]
distinguished_name = dn
[dn]
[authority]
serial = serial
crypto_device = builtin
signer_cert = certificate.pem
signer_key = key.pem
signer_digest = sha256
default_policy = 1.2.3.4.1
digests = sha256
accuracy = secs:1
ess_cert_id_alg = sha256
";

/// The authority, until it is dropped.
pub struct Authority {
    served: Served,
    desk: Arc<Desk>,
}

struct Desk {
    folder: TempDir,
    course: Mutex<Course>,
}

#[derive(Default)]
struct Course {
    asked: usize,
    repeats: bool,
    last: Option<Vec<u8>>,
}

impl Authority {
    /// One with a certificate of its own; `None` where openssl is not installed.
    ///
    /// # Errors
    /// It makes no certificate, or no port can be bound.
    pub async fn start() -> io::Result<Option<Self>> {
        let folder = tempfile::tempdir()?;
        let installed = Command::new("openssl").arg("version").stdout(Stdio::null()).status();
        if installed.is_err() {
            return Ok(None);
        }
        std::fs::write(folder.path().join("config"), CONFIG)?;
        std::fs::write(folder.path().join("serial"), "01\n")?;
        openssl(
            folder.path(),
            &[
                "req",
                "-config",
                "config",
                "-x509",
                "-newkey",
                "ec",
                "-pkeyopt",
                "ec_paramgen_curve:P-256",
                "-nodes",
                "-keyout",
                "key.pem",
                "-out",
                "certificate.pem",
                "-days",
                "30",
                "-subj",
                "/CN=time stamps",
                "-addext",
                "extendedKeyUsage=critical,timeStamping",
                "-addext",
                "keyUsage=critical,digitalSignature",
            ],
        )?;
        let desk = Arc::new(Desk { folder, course: Mutex::default() });
        let app = Router::new().route("/", post(stamp)).with_state(Arc::clone(&desk));
        Ok(Some(Self { served: Served::start(app).await?, desk }))
    }

    /// Where it is.
    #[must_use]
    pub fn url(&self) -> String {
        self.served.url()
    }

    /// How often it was asked.
    #[must_use]
    pub fn asked(&self) -> usize {
        self.desk.course().asked
    }

    /// From now on it answers everybody with what it answered last.
    pub fn repeat(&self) {
        self.desk.course().repeats = true;
    }

    /// Makes sure of a time stamp over a file, as whoever has the certificate does.
    ///
    /// # Errors
    /// It is none; the error shows what openssl said.
    pub fn verify(&self, data: &Path, stamp: &Path) -> io::Result<()> {
        let [data, stamp] = [data, stamp].map(|path| path.display().to_string());
        let trust = ["-CAfile", "certificate.pem"];
        let verify = ["ts", "-verify", "-data", &data, "-in", &stamp];
        openssl(self.desk.folder.path(), &[&verify[..], &trust].concat())
    }
}

impl Desk {
    fn course(&self) -> std::sync::MutexGuard<'_, Course> {
        self.course.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn answer(&self, query: &[u8]) -> io::Result<Vec<u8>> {
        let mut course = self.course();
        course.asked += 1;
        if let Some(last) = course.last.clone().filter(|_| course.repeats) {
            return Ok(last);
        }
        let folder = self.folder.path();
        std::fs::write(folder.join("query"), query)?;
        let reply = ["ts", "-reply", "-config", "config", "-section", "authority"];
        openssl(folder, &[&reply[..], &["-queryfile", "query", "-out", "answer"]].concat())?;
        let answer = std::fs::read(folder.join("answer"))?;
        course.last = Some(answer.clone());
        Ok(answer)
    }
}

async fn stamp(State(desk): State<Arc<Desk>>, headers: HeaderMap, query: Bytes) -> Response {
    if headers.get(CONTENT_TYPE).is_none_or(|kind| kind != "application/timestamp-query") {
        return StatusCode::UNSUPPORTED_MEDIA_TYPE.into_response();
    }
    match tokio::task::spawn_blocking(move || desk.answer(&query)).await {
        Ok(Ok(answer)) => ([(CONTENT_TYPE, "application/timestamp-reply")], answer).into_response(),
        _ => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

fn openssl(folder: &Path, arguments: &[&str]) -> io::Result<()> {
    let folder: PathBuf = folder.to_owned();
    let output = Command::new("openssl").args(arguments).current_dir(folder).output()?;
    match output.status.success() {
        true => Ok(()),
        false => Err(io::Error::other(String::from_utf8_lossy(&output.stderr).into_owned())),
    }
}
