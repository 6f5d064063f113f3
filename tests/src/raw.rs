//! A client that writes lines and reads lines, and knows nothing else.

use std::path::Path;

use anyhow::{Context as _, Result};
use connect_api::events::NOTIFICATION;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};

use crate::canary;

#[derive(Debug)]
pub struct Raw {
    read: BufReader<OwnedReadHalf>,
    write: OwnedWriteHalf,
    last_id: u64,
}

impl Raw {
    pub async fn connect(socket: &Path) -> Result<Self> {
        let (read, write) = UnixStream::connect(socket).await?.into_split();
        Ok(Self {
            read: BufReader::new(read),
            write,
            last_id: 0,
        })
    }

    pub async fn write(&mut self, bytes: &[u8]) -> Result<()> {
        canary::hear_request(bytes);
        Ok(self.write.write_all(bytes).await?)
    }

    /// The next line; none once the daemon has closed the connection.
    pub async fn line(&mut self) -> Result<Option<Value>> {
        let mut line = String::new();
        match self.read.read_line(&mut line).await {
            Ok(0) => Ok(None),
            Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => Ok(None),
            Ok(_) => {
                let answer = serde_json::from_str(&line)?;
                canary::hear_answer(&line, &answer);
                Ok(Some(answer))
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Writes a line and reads the next one, whatever it is.
    pub async fn say(&mut self, line: &str) -> Result<Value> {
        self.write(format!("{line}\n").as_bytes()).await?;
        self.line().await?.context("the connection was closed")
    }

    /// Writes a request and returns its id.
    pub async fn ask(&mut self, method: &str, params: Value) -> Result<u64> {
        self.last_id += 1;
        let request =
            json!({"jsonrpc": "2.0", "id": self.last_id, "method": method, "params": params});
        self.write(format!("{request}\n").as_bytes()).await?;
        Ok(self.last_id)
    }

    /// The answer to a call, past the events that come before it.
    pub async fn call(&mut self, method: &str, params: Value) -> Result<Value> {
        let id = self.ask(method, params).await?;
        let mut answer = self.line().await?.context("the connection was closed")?;
        // What was subscribed to is told in between.
        while answer["method"] == NOTIFICATION {
            answer = self.line().await?.context("the connection was closed")?;
        }
        anyhow::ensure!(answer["id"] == id, "another answer: {answer}");
        Ok(answer)
    }

    /// The name of the error that a call is refused with, or `ok`.
    pub async fn outcome(&mut self, method: &str, params: Value) -> Result<String> {
        Ok(outcome(&self.call(method, params).await?))
    }
}

/// `data.code` of an answer, or `ok`.
pub fn outcome(answer: &Value) -> String {
    let code = &answer["error"]["data"]["code"];
    code.as_str().unwrap_or("ok").to_owned()
}
