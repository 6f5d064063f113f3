//! Canaries: what the stories keep secret is written down aside, and logs, errors and files are searched for it.
//!
//! With `CONNECT_TESTS_CANARY=DIR` every story logs at TRACE into DIR, and its daemons and relays too, as processes or
//! not. `canary-check DIR` then searches what they left.

mod gathering;
pub mod search;

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use serde_json::Value;
use tracing_subscriber::fmt::MakeWriter;

pub use gathering::gather;
pub use search::Kind;

/// Of a run.
pub(crate) const LOGS: &str = "logs";
pub(crate) const ERRORS: &str = "errors";
pub(crate) const SECRETS: &str = "secrets";
/// What stood in a file of a story that is gone.
pub(crate) const FOUND: &str = "found";
/// What the stories leave, if `TMPDIR` is this.
pub(crate) const TMP: &str = "tmp";

/// Where this process writes, in a canary run.
struct Run {
    dir: PathBuf,
    secrets: Mutex<File>,
    errors: Mutex<File>,
    children: AtomicUsize,
}

static RUN: OnceLock<Option<Run>> = OnceLock::new();

fn run() -> Option<&'static Run> {
    RUN.get_or_init(|| {
        let dir = PathBuf::from(std::env::var_os("CONNECT_TESTS_CANARY")?);
        Some(Run::begin(dir).expect("a canary run writes into its directory"))
    })
    .as_ref()
}

/// Before anything of a story happens: all that it does in this process is logged.
pub fn begin() {
    run();
}

pub fn is_running() -> bool {
    run().is_some()
}

/// What to log, in a canary run.
pub fn filter(otherwise: &str) -> &str {
    run().map_or(otherwise, |_| "trace")
}

/// The log of a process that is started now, in a canary run.
pub fn child_log(name: &str) -> io::Result<Option<File>> {
    let Some(run) = run() else { return Ok(None) };
    let number = run.children.fetch_add(1, Ordering::SeqCst);
    let name = format!("{}-{number}-{name}.log", this_process());
    File::create_new(run.dir.join(LOGS).join(name)).map(Some)
}

/// Something that must be found nowhere.
pub fn note(kind: Kind, secret: &[u8]) {
    if let Some(run) = run()
        && secret.len() >= search::SHORTEST
    {
        let line = format!("{} {}\n", kind.name(), hex::encode(secret));
        write(&run.secrets, line.as_bytes());
    }
}

/// What a client says on the socket.
pub fn hear_request(line: &[u8]) {
    if run().is_some()
        && let Ok(request) = serde_json::from_slice::<Value>(line)
    {
        note_fields(&request["params"]);
    }
}

/// What a daemon answers: no error may hold what a client keeps secret.
pub fn hear_answer(line: &str, answer: &Value) {
    let Some(run) = run() else { return };
    if answer["error"].is_object() {
        write(&run.errors, line.as_bytes());
        return;
    }
    for shown in ["token", "ticket"] {
        if let Some(token) = answer["result"][shown].as_str() {
            note(Kind::Token, token.as_bytes());
        }
    }
}

fn note_fields(params: &Value) {
    let fields = params.as_object().into_iter().flatten();
    for (name, value) in fields {
        if let (Some(kind), Some(text)) = (Kind::of_field(name), value.as_str()) {
            note(kind, text.as_bytes());
        }
    }
}

fn write(file: &Mutex<File>, bytes: &[u8]) {
    let mut file = file.lock().unwrap_or_else(PoisonError::into_inner);
    file.write_all(bytes).expect("a canary run is written down");
}

fn this_process() -> String {
    let program = std::env::current_exe().unwrap_or_default();
    let name = program.file_stem().unwrap_or_default().to_string_lossy();
    format!("{name}-{}", std::process::id())
}

impl Run {
    fn begin(dir: PathBuf) -> io::Result<Self> {
        let create = |folder: &str| -> io::Result<File> {
            let folder = dir.join(folder);
            std::fs::create_dir_all(&folder)?;
            let path = folder.join(this_process());
            OpenOptions::new().create(true).append(true).open(path)
        };
        let log = Log(Arc::new(Mutex::new(create(LOGS)?)));
        let logging = tracing_subscriber::fmt()
            .with_max_level(tracing::Level::TRACE)
            .with_ansi(false)
            .with_writer(log);
        // A story that looks at the log itself has begun before.
        logging.try_init().ok();
        Ok(Self {
            secrets: Mutex::new(create(SECRETS)?),
            errors: Mutex::new(create(ERRORS)?),
            children: AtomicUsize::new(0),
            dir,
        })
    }

    fn found(&self, path: &Path, what: &str) -> io::Result<()> {
        let folder = self.dir.join(FOUND);
        std::fs::create_dir_all(&folder)?;
        let mut file = OpenOptions::new()
            .create(true)
            .append(true)
            .open(folder.join(this_process()))?;
        writeln!(file, "{what} in {}", path.display())
    }
}

#[derive(Clone)]
struct Log(Arc<Mutex<File>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        write(&self.0, bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Log {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}
