//! What is measured beside the relay: the disk, a bare TLS exchange, a bare SQLite, and PostgreSQL where there is one.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};
use sqlx::{ConnectOptions as _, SqliteConnection};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::time::{Duration, Instant};
use tokio_rustls::TlsAcceptor;

/// What one envelope weighs in these benches, about.
pub const ENVELOPE: usize = 640;
const ANSWER: &[u8] = b"HTTP/1.1 204 No Content\r\ndate: Tue, 24 Nov 2026 12:00:00 GMT\r\n\r\n";

/// Another process that answers whatever comes over TLS, and does nothing else.
pub struct Bare {
    child: Child,
    pub port: u16,
}

impl Bare {
    pub fn start(state_dir: &Path) -> Self {
        let this = std::env::current_exe().expect("this program");
        let mut command = Command::new(this);
        command.env(BARE, state_dir).stdout(Stdio::piped());
        let mut child = command.spawn().expect("a process");
        let mut port = String::new();
        BufReader::new(child.stdout.take().expect("its output"))
            .read_line(&mut port)
            .expect("a line");
        let port = port.trim().parse().expect("a port");
        Self { child, port }
    }
}

impl Drop for Bare {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Set in the process that is to be the bare one.
pub const BARE: &str = "CONNECT_BENCH_BARE";

#[expect(clippy::print_stdout, reason = "its parent waits for it")]
pub async fn serve_bare(state_dir: &Path) {
    let chain = CertificateDer::pem_file_iter(state_dir.join("tls.crt"))
        .and_then(Iterator::collect)
        .expect("a certificate");
    let key = PrivateKeyDer::from_pem_file(state_dir.join("tls.key")).expect("a key");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .expect("TLS 1.3")
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .expect("a certificate");
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let tcp = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    println!("{}", tcp.local_addr().expect("an address").port());
    while let Ok((stream, _)) = tcp.accept().await {
        stream.set_nodelay(true).expect("no delay");
        let mut stream = acceptor.accept(stream).await.expect("a handshake");
        let mut request = vec![0; 16 << 10];
        while stream.read(&mut request).await.is_ok_and(|read| read > 0) {
            stream.write_all(ANSWER).await.expect("written");
            stream.flush().await.expect("flushed");
        }
    }
}

/// One write of a page that is made durable.
pub fn sync_once(file: &mut File) {
    file.write_all(&[7; 4096]).expect("written");
    file.sync_data().expect("durable");
}

pub async fn sqlite(path: &Path) -> SqliteConnection {
    let mut database = SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .connect()
        .await
        .expect("a database");
    sqlx::query("CREATE TABLE IF NOT EXISTS envelopes (id INTEGER PRIMARY KEY, envelope BLOB NOT NULL) STRICT")
        .execute(&mut database)
        .await
        .expect("a table");
    database
}

/// Envelopes a second that a bare SQLite keeps: 64 to a transaction, in one statement, and nothing else.
pub async fn sqlite_rate(database: &mut SqliteConnection, within: Duration) -> f64 {
    let (began, mut kept) = (Instant::now(), 0.0);
    while began.elapsed() < within {
        sqlx::query(
            "INSERT INTO envelopes (envelope) WITH RECURSIVE n (i) AS
             (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 64) SELECT ? FROM n",
        )
        .bind(vec![7; ENVELOPE])
        .execute(&mut *database)
        .await
        .expect("kept");
        kept += 64.0;
    }
    kept / began.elapsed().as_secs_f64()
}

/// Pages of 100 a second out of the same table, each read, deleted and committed.
pub async fn sqlite_drain(database: &mut SqliteConnection) -> f64 {
    let (began, mut drained) = (Instant::now(), 0.0);
    loop {
        let page: Vec<(i64, Vec<u8>)> =
            sqlx::query_as("SELECT id, envelope FROM envelopes ORDER BY id LIMIT 100")
                .fetch_all(&mut *database)
                .await
                .expect("a page");
        let Some((last, _)) = page.last() else {
            return drained / began.elapsed().as_secs_f64();
        };
        drained += page.iter().len() as f64;
        sqlx::query("DELETE FROM envelopes WHERE id <= ?")
            .bind(last)
            .execute(&mut *database)
            .await
            .expect("deleted");
    }
}

/// Rows a second that PostgreSQL keeps for 64 connections, one row to a transaction; none where no server was named.
pub fn postgres_rate(scratch: &Path, within: Duration) -> Option<f64> {
    let server = std::env::var("CONNECT_BENCH_POSTGRES").ok()?;
    let table = "CREATE TABLE IF NOT EXISTS connect_bench (id bigserial PRIMARY KEY, envelope bytea NOT NULL)";
    let made = Command::new("psql")
        .args(["-q", &server, "-c", "SET client_min_messages = warning"])
        .args(["-c", table])
        .status();
    assert!(made.expect("psql").success(), "a table");
    let script = scratch.join("insert.sql");
    let insert = format!(
        "INSERT INTO connect_bench (envelope) VALUES (decode(repeat('07', {ENVELOPE}), 'hex'));\n"
    );
    std::fs::write(&script, insert).expect("a script");
    let output = Command::new("pgbench")
        .args(["-n", "-M", "prepared", "-c", "64", "-j", "2", "-T"])
        .arg(within.as_secs().to_string())
        .arg("-f")
        .arg(&script)
        .arg(&server)
        .stderr(Stdio::null())
        .output()
        .expect("pgbench");
    let told = String::from_utf8(output.stdout).expect("text");
    let rate = told.lines().find_map(|line| line.strip_prefix("tps = "))?;
    rate.split(' ').next()?.parse().ok()
}
