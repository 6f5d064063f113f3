//! P1, P2: the socket's round trip against a raw Unix-socket echo, and many calls in flight against an echo of JSON.

#[expect(dead_code, reason = "nothing here is too short to be timed alone")]
mod support;

use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use connect_api::events::EventBody;
use connect_tests::world::{World, unhurried};
use connectd::limits::Limits;
use serde_json::{Value, json};
use support::{Samples, heading, in_turn, row, time};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixListener;
use tokio::time::Instant;

const CALLS: usize = 4000;
const IN_FLIGHT: usize = 64;
const REQUEST: &str = "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"system.health\"}\n";

fn main() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let world = World::new().await.expect("a world");
        let limits = Limits {
            calls_per_connection: IN_FLIGHT,
            calls_per_app: IN_FLIGHT,
            ..unhurried()
        };
        let alice = world
            .stranger_with("alice", limits)
            .await
            .expect("a daemon");
        let enrollment = world.enrollment("alice").await.expect("a code");
        alice
            .client
            .call::<connect_api::account::Enroll>(enrollment)
            .await
            .expect("enrolled");
        let reached = |body: &EventBody| matches!(body, EventBody::RelayReachable {});
        alice.sees(reached).await.expect("nothing more to come");
        let daemon = alice.endpoint.path().to_owned();
        let answer = Line::connect(&daemon).call().to_owned();
        let raw = world.path().join("raw.sock");
        let json = world.path().join("json.sock");
        start_echo(&json, json_echo(&answer));
        start_echo(&raw, move |_| answer.clone());
        tokio::task::spawn_blocking(move || compare(&daemon, &raw, &json))
            .await
            .expect("compared");
    });
}

fn compare(daemon: &Path, raw: &Path, json: &Path) {
    heading("socket: system.health against echoes of the same sizes, a raw one and one of JSON");
    let (mut ours, mut raw) = (Line::connect(daemon), Line::connect(raw));
    let (a, b) = in_turn(
        || {
            time(CALLS, || {
                ours.call();
            })
        },
        || {
            time(CALLS, || {
                raw.call();
            })
        },
    );
    for (percent, reach) in [(50, "P1: ≤ 1.3"), (99, "P1: ≤ 2")] {
        let what = format!("round trip, p{percent}");
        row(
            &what,
            a.percentile(percent),
            b.percentile(percent),
            "µs",
            reach,
        );
    }
    let mut json = Line::connect(json);
    let (a, b) = in_turn(|| pipelined(&mut ours), || pipelined(&mut json));
    row(
        &format!("each of {IN_FLIGHT} calls in flight, JSON echo"),
        a.percentile(50),
        b.percentile(50),
        "µs",
        "P2: moonshot ≤ 1",
    );
}

/// One sample: the mean time of a call with many in flight.
fn pipelined(line: &mut Line) -> Samples {
    let rounds = CALLS / IN_FLIGHT;
    let began = Instant::now();
    for _ in 0..rounds {
        line.call_many();
    }
    let calls = u32::try_from(rounds * IN_FLIGHT).expect("a small number");
    let mut samples = Samples::default();
    samples.add(began.elapsed() / calls);
    samples
}

struct Line {
    write: UnixStream,
    read: BufReader<UnixStream>,
    answer: String,
    many: String,
}

impl Line {
    fn connect(path: &Path) -> Self {
        let write = UnixStream::connect(path).expect("a socket");
        Self {
            read: BufReader::new(write.try_clone().expect("a second handle")),
            write,
            answer: String::new(),
            many: REQUEST.repeat(IN_FLIGHT),
        }
    }

    fn call(&mut self) -> &str {
        self.write.write_all(REQUEST.as_bytes()).expect("written");
        self.next()
    }

    fn call_many(&mut self) {
        self.write.write_all(self.many.as_bytes()).expect("written");
        for _ in 0..IN_FLIGHT {
            self.next();
        }
    }

    fn next(&mut self) -> &str {
        self.answer.clear();
        self.read.read_line(&mut self.answer).expect("answered");
        &self.answer
    }
}

/// Parses a line and answers it as the daemon does, of what it once said.
fn json_echo(answer: &str) -> impl Fn(&str) -> String + Clone + Send + 'static {
    let answer: Value = serde_json::from_str(answer).expect("JSON");
    let result = answer["result"].clone();
    move |line| {
        let request: Value = serde_json::from_str(line).expect("JSON");
        let answer = json!({"jsonrpc": "2.0", "id": request["id"], "result": result});
        format!("{answer}\n")
    }
}

/// Answers every line; what is answered while more lines are there goes out in one write.
fn start_echo(path: &PathBuf, answer: impl Fn(&str) -> String + Clone + Send + 'static) {
    let listener = UnixListener::bind(path).expect("bound");
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let answer = answer.clone();
            tokio::spawn(async move {
                let (read, mut write) = stream.into_split();
                let mut lines = tokio::io::BufReader::new(read);
                let (mut line, mut answers) = (String::new(), String::new());
                while matches!(lines.read_line(&mut line).await, Ok(1..)) {
                    answers.push_str(&answer(&line));
                    line.clear();
                    if !lines.buffer().contains(&b'\n') {
                        if write.write_all(answers.as_bytes()).await.is_err() {
                            break;
                        }
                        answers.clear();
                    }
                }
            });
        }
    });
}
