//! An attachment as its owner makes it: chunks of bytes that nobody can read.

use connect_proto::ids::AttachmentId;
use connect_proto::routes::{self, CHUNK_CIPHERTEXT, CHUNK_OVERHEAD};
use connect_proto::{codec, wire};
use reqwest::Method;

use super::{Answer, User, World};

pub struct Film {
    pub id: AttachmentId,
    pub chunks: Vec<Vec<u8>>,
    pub readers: Vec<String>,
}

impl Film {
    /// So many full chunks, and then a last one of so many bytes beyond its overhead.
    pub fn new(number: u8, full: usize, last: usize, readers: &[&str]) -> Self {
        let mut chunks: Vec<_> = (0..full)
            .map(|n| vec![number.wrapping_add(u8::try_from(n % 251).unwrap()); CHUNK_CIPHERTEXT])
            .collect();
        chunks.push(vec![number; CHUNK_OVERHEAD + last]);
        Self {
            id: AttachmentId::from_bytes([number; 16]),
            chunks,
            readers: readers.iter().map(|&id| id.to_owned()).collect(),
        }
    }

    pub fn size(&self) -> u64 {
        self.chunks.iter().map(|chunk| chunk.len() as u64).sum()
    }

    pub fn announcement(&self) -> wire::CreateAttachment {
        wire::CreateAttachment {
            attachment_id: self.id.to_vec(),
            ciphertext_size: self.size(),
            chunk_count: u32::try_from(self.chunks.len()).unwrap(),
            reader_ids: self.readers.clone(),
        }
    }

    /// From 1.
    pub fn path(&self, index: usize) -> String {
        routes::chunk(&self.id, u32::try_from(index).unwrap())
    }

    pub async fn create(&self, world: &World, owner: &User) -> Answer {
        create(world, owner, &self.announcement()).await
    }

    pub async fn put(&self, world: &World, owner: &User, index: usize) -> Answer {
        let chunk = &self.chunks[index - 1];
        put(world, owner, &self.path(index), chunk).await
    }

    pub async fn get(&self, world: &World, reader: &User, index: usize) -> Answer {
        world.ask(reader, Method::GET, &self.path(index), b"").await
    }

    pub async fn delete(&self, world: &World, user: &User) -> Answer {
        let path = routes::attachment(&self.id);
        world.ask(user, Method::DELETE, &path, b"").await
    }

    /// All of it, as it should be.
    pub async fn upload(&self, world: &World, owner: &User) {
        assert_eq!(self.create(world, owner).await.status, 204);
        for index in 1..=self.chunks.len() {
            let answer = self.put(world, owner, index).await;
            assert_eq!(answer.status, 204, "{}", answer.word());
        }
    }

    pub async fn is_read_by(&self, world: &World, reader: &User) -> bool {
        let mut statuses = Vec::new();
        for (index, chunk) in (1..).zip(&self.chunks) {
            let answer = self.get(world, reader, index).await;
            let is_there = answer.status == 200;
            assert!(
                is_there && answer.body == *chunk || answer.is(404, "not_found"),
                "{}",
                answer.status
            );
            statuses.push(is_there);
        }
        assert!(statuses.iter().all(|is| *is == statuses[0]));
        statuses[0]
    }
}

pub async fn create(world: &World, owner: &User, create: &wire::CreateAttachment) -> Answer {
    let body = codec::encode(create);
    world.call(owner, routes::ATTACHMENTS, &body).await
}

pub async fn put(world: &World, owner: &User, path: &str, chunk: &[u8]) -> Answer {
    world.ask(owner, Method::PUT, path, chunk).await
}

/// Every file below a directory.
pub fn files(directory: &std::path::Path) -> Vec<std::path::PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.push(path);
        }
    }
    found
}

/// Those that are chunks.
pub fn objects(world: &World) -> Vec<std::path::PathBuf> {
    files(&world.dir.path().join("attachments"))
}

/// What Prometheus sees.
pub async fn metrics(world: &World) -> String {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let socket = world.dir.path().join("operators.sock");
    let mut stream = tokio::net::UnixStream::connect(socket).await.unwrap();
    let request = b"GET /metrics HTTP/1.1\r\nhost: relay\r\nconnection: close\r\n\r\n";
    stream.write_all(request).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}
