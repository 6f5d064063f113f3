//! A Python with pinned packages, made once under `target/`: the home of the independent implementation.

use std::fs::{self, File};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use connect_proto::hash::sha256;
use serde_json::Value;

const INTERPRETER: &str = "python3";

/// A Python process that answers questions: lines of JSON, or fields of bytes, as its script wants it.
#[derive(Debug)]
pub struct Answerer {
    child: Child,
    questions: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
}

impl Answerer {
    /// Starts a script of `tests/python` with the independent implementation's packages.
    pub fn start(script: &str) -> Self {
        Self::start_with(command(), script)
    }

    /// Starts a script of `tests/python` with HL7's schema of FHIR R4.
    pub fn start_with_fhir(script: &str) -> Self {
        let requirements = folder().join("fhir-requirements.txt");
        let packages = packages("python-fhir", &requirements, &["--no-deps"]);
        let mut command = python(&[&packages]);
        command.arg("-B");
        Self::start_with(command, script)
    }

    fn start_with(mut command: Command, script: &str) -> Self {
        let mut child = command
            .arg(folder().join(script))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("python3 starts");
        let questions = child.stdin.take();
        let answers = child.stdout.take().expect("a pipe");
        Self {
            child,
            questions,
            answers: BufReader::new(answers),
        }
    }

    /// Asks, and waits for the answer. An answer with `error` is the caller's to expect.
    pub fn ask(&mut self, question: &Value) -> Value {
        let mut line = question.to_string();
        line.push('\n');
        let questions = self.questions.as_mut().expect("open until dropped");
        let asked = questions.write_all(line.as_bytes());
        asked.expect("the script reads; what stopped it is above");
        let mut answer = String::new();
        let read = self.answers.read_line(&mut answer).expect("text");
        assert!(read > 0, "the script ended; what stopped it is above");
        serde_json::from_str(&answer).expect("JSON")
    }

    /// Asks in bytes, for scripts of bulk: each field after its length, all after their number.
    pub fn ask_fields(&mut self, question: &[&[u8]]) -> Vec<Vec<u8>> {
        let number = |number: usize| u32::try_from(number).expect("short").to_be_bytes();
        let mut frame = number(question.len()).to_vec();
        for field in question {
            frame.extend_from_slice(&number(field.len()));
            frame.extend_from_slice(field);
        }
        let questions = self.questions.as_mut().expect("open until dropped");
        let asked = questions.write_all(&frame);
        asked.expect("the script reads; what stopped it is above");
        let fields = self.read_number();
        (0..fields)
            .map(|_| {
                let mut field = vec![0; self.read_number()];
                self.read(&mut field);
                field
            })
            .collect()
    }

    fn read_number(&mut self) -> usize {
        let mut number = [0; 4];
        self.read(&mut number);
        usize::try_from(u32::from_be_bytes(number)).expect("short")
    }

    fn read(&mut self, place: &mut [u8]) {
        let read = self.answers.read_exact(place);
        read.expect("the script answers; what stopped it is above");
    }
}

impl Drop for Answerer {
    /// The script ends with its input.
    fn drop(&mut self) {
        drop(self.questions.take());
        let _ = self.child.wait();
    }
}

/// Python with the pinned packages and the generated `connect_pb2` on its path.
pub fn command() -> Command {
    let requirements = folder().join("requirements.txt");
    let schema = workspace().join("proto/schema/connect.proto");
    let packages = packages("python", &requirements, &[]);
    let generated = generated(&schema, &packages);
    let mut command = python(&[&packages, &generated]);
    command.arg("-B");
    command
}

/// The packages of a list for this interpreter.
fn packages(name: &str, requirements: &Path, options: &[&str]) -> PathBuf {
    let version = run(
        python(&[]).arg("-VV"),
        "python3 is needed for what looks at ours from outside",
    );
    let key = [read(requirements), version].concat();
    made_once(name, &key, |place| {
        run(
            python(&[])
                .args(["-m", "pip", "install", "--quiet", "--no-input"])
                .args(["--disable-pip-version-check", "--root-user-action=ignore"])
                .args(["--only-binary", ":all:"])
                .args(options)
                .arg("--target")
                .arg(place)
                .arg("-r")
                .arg(requirements),
            "what tests/python lists cannot be installed: is the package index reachable?",
        );
    })
}

/// `connect_pb2.py`, generated by Google's own compiler from the schema.
fn generated(schema: &Path, packages: &Path) -> PathBuf {
    let key = [read(schema), packages.as_os_str().as_encoded_bytes().into()].concat();
    let folder = schema.parent().expect("a folder").to_owned();
    made_once("python-proto", &key, |place| {
        run(
            python(&[packages])
                .args(["-m", "grpc_tools.protoc", "-I"])
                .arg(&folder)
                .arg("--python_out")
                .arg(place)
                .arg(schema),
            "connect.proto cannot be compiled for Python",
        );
    })
}

/// A folder under `target/` named after what it is made of: made beside its place, then renamed, by one process alone.
fn made_once(name: &str, key: &[u8], make: impl FnOnce(&Path)) -> PathBuf {
    let hash = hex::encode(&sha256(key)[..8]);
    let place = target().join(format!("{name}-{hash}"));
    if place.is_dir() {
        return place;
    }
    let lock = target().join(format!("{name}.lock"));
    let lock = File::create(&lock).expect("target/ is writable");
    lock.lock().expect("target/ is on a file system with locks");
    if !place.is_dir() {
        let unfinished = place.with_extension("unfinished");
        let _ = fs::remove_dir_all(&unfinished);
        fs::create_dir(&unfinished).expect("target/ is writable");
        make(&unfinished);
        fs::rename(&unfinished, &place).expect("target/ is writable");
    }
    place
}

fn python(path: &[&Path]) -> Command {
    let mut command = Command::new(INTERPRETER);
    let path = std::env::join_paths(path).expect("no separator in a path");
    command
        .env("PYTHONPATH", path)
        .env_remove("PYTHONSAFEPATH")
        .env_remove("PYTHONHOME")
        .env("PYTHONNOUSERSITE", "1");
    command
}

fn run(command: &mut Command, failed: &str) -> Vec<u8> {
    let output = command
        .output()
        .unwrap_or_else(|error| panic!("{failed}: {error}"));
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{failed}\n{errors}");
    output.stdout
}

fn read(path: &Path) -> Vec<u8> {
    fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("python")
}

fn workspace() -> &'static Path {
    let parent = Path::new(env!("CARGO_MANIFEST_DIR")).parent();
    parent.expect("tests/ lies in the workspace")
}

/// Cargo's target folder, wherever it is: the one that carries cargo's mark.
fn target() -> PathBuf {
    let this = std::env::current_exe().expect("a running test has a path");
    let marked = this
        .ancestors()
        .find(|folder| folder.join("CACHEDIR.TAG").is_file());
    marked.map_or_else(|| workspace().join("target"), Path::to_owned)
}
