//! A scripted daemon on a real socket: each test says line by line what it reads and writes.

use connect_client::endpoint::Endpoint;
use connect_ipc::frames::{FrameReader, write_frame};
use connect_ipc::socket::{Audience, Listener, ReadHalf, WriteHalf, listen};
use serde_json::{Value, json};
use tempfile::TempDir;

pub(crate) struct Peer {
    _folder: TempDir,
    pub(crate) endpoint: Endpoint,
    listener: Option<Listener>,
}

impl Peer {
    pub(crate) async fn start() -> Self {
        let folder = TempDir::new().unwrap();
        let endpoint = Endpoint::new(folder.path().join("s"));
        let mut peer = Self {
            _folder: folder,
            endpoint,
            listener: None,
        };
        peer.restart().await;
        peer
    }

    pub(crate) fn stop(&mut self) {
        self.listener = None;
    }

    pub(crate) async fn restart(&mut self) {
        self.stop();
        self.listener = Some(listen(&self.endpoint, Audience::User).await.unwrap());
    }

    pub(crate) async fn accept(&self) -> Connected {
        let (stream, _) = self.listener.as_ref().unwrap().accept().await.unwrap();
        let (read, write) = stream.split();
        Connected {
            frames: FrameReader::new(read, 1 << 20),
            write,
        }
    }
}

pub(crate) struct Connected {
    frames: FrameReader<ReadHalf>,
    write: WriteHalf,
}

impl Connected {
    /// The next request; none when the client left.
    pub(crate) async fn request(&mut self) -> Option<Value> {
        let line = self.frames.next().await.unwrap()?;
        Some(serde_json::from_str(line).unwrap())
    }

    pub(crate) async fn expect(&mut self, method: &str) -> Value {
        let request = self.request().await.unwrap();
        assert_eq!(request["jsonrpc"], "2.0");
        assert_eq!(request["method"], method);
        request
    }

    pub(crate) async fn write(&mut self, line: impl AsRef<[u8]>) {
        write_frame(&mut self.write, line).await.unwrap();
    }

    pub(crate) async fn answer(&mut self, request: &Value, result: Value) {
        let answer = json!({"jsonrpc": "2.0", "id": request["id"], "result": result});
        self.write(answer.to_string()).await;
    }

    pub(crate) async fn refuse(&mut self, request: &Value, number: i32, code: &str) {
        let error = json!({"code": number, "message": "x", "data": {"code": code, "ref": "r-1"}});
        let answer = json!({"jsonrpc": "2.0", "id": request["id"], "error": error});
        self.write(answer.to_string()).await;
    }

    pub(crate) async fn notify(&mut self, event: Value) {
        let params = json!({"subscription": "sub", "result": event});
        let line = json!({"jsonrpc": "2.0", "method": "events.event", "params": params});
        self.write(line.to_string()).await;
    }
}
