//! The program as an administrator runs it.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use connect_proto::hash::sha256;
use connect_proto::request::Call;
use connect_proto::routes;
use connect_relay::clock::Clock;

use super::User;
use reqwest::Method;

fn relay(dir: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_connect-relay"));
    command
        .args(arguments)
        .env_clear()
        .env("CONNECT_RELAY_STATE_DIR", dir);
    command
}

pub fn output(dir: &Path, arguments: &[&str]) -> Output {
    relay(dir, arguments).output().unwrap()
}

/// Adds a credential that may revoke; its token.
pub fn operator(dir: &Path, name: &str) -> String {
    let output = output(dir, &["operator", "add", name, "--may", "revoke"]);
    assert!(output.status.success() && output.stderr.is_empty());
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// An operator's command with a token in its environment.
pub fn acting(dir: &Path, token: &str, arguments: &[&str]) -> Output {
    let arguments = [&["operator"][..], arguments].concat();
    let mut command = relay(dir, &arguments);
    command.env("CONNECT_RELAY_OPERATOR_TOKEN", token);
    command.output().unwrap()
}

pub fn code(dir: &Path, user: &str) -> String {
    let output = output(dir, &["operator", "issue-code", user]);
    assert!(output.status.success() && output.stderr.is_empty());
    String::from_utf8(output.stdout)
        .unwrap()
        .strip_suffix('\n')
        .unwrap()
        .to_owned()
}

/// A running relay, and where it listens.
pub struct Running {
    child: Child,
    pub port: u16,
}

impl Running {
    pub fn start(dir: &Path) -> Self {
        Self::logging(dir, "warn", Stdio::inherit())
    }

    pub fn logging(dir: &Path, filter: &str, log: Stdio) -> Self {
        let mut command = relay(dir, &["run", "--listen", "127.0.0.1:0", "--log", filter]);
        let mut child = command.stdout(Stdio::piped()).stderr(log).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap())
            .read_line(&mut line)
            .unwrap();
        let port = line
            .trim()
            .strip_prefix("listening on 127.0.0.1:")
            .unwrap()
            .parse()
            .unwrap();
        Self { child, port }
    }

    pub async fn call(
        &self,
        http: &reqwest::Client,
        user: &User,
        path: &str,
        body: &[u8],
        nonce: [u8; 16],
    ) -> (u16, Vec<u8>) {
        call(http, self.port, user, path, body, nonce)
            .await
            .unwrap()
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    pub fn terminate(mut self) -> Option<i32> {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
        self.child.wait().unwrap().code()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Answers status and body; an error where the relay is gone.
pub async fn call(
    http: &reqwest::Client,
    port: u16,
    user: &User,
    path: &str,
    body: &[u8],
    nonce: [u8; 16],
) -> reqwest::Result<(u16, Vec<u8>)> {
    ask(http, port, user, (Method::POST, path), body, nonce).await
}

/// As `call`, with any method.
pub async fn ask(
    http: &reqwest::Client,
    port: u16,
    user: &User,
    (method, path): (Method, &str),
    body: &[u8],
    nonce: [u8; 16],
) -> reqwest::Result<(u16, Vec<u8>)> {
    let authority = routes::authority("localhost", port);
    let call = Call {
        method: method.as_str(),
        authority: &authority,
        path,
        body_sha256: &sha256(body),
    };
    let request = http
        .request(method.clone(), format!("https://{authority}{path}"))
        .header(routes::HEADER_USER, user.id.as_str())
        .header(
            routes::HEADER_SIGNATURE,
            user.sign(call, Clock::system().now_ms(), nonce),
        )
        .body(body.to_vec());
    let answer = request.send().await?;
    Ok((answer.status().as_u16(), answer.bytes().await?.to_vec()))
}
