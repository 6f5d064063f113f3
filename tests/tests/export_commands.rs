//! `connectctl conversations export`: a whole file for its user alone, or none.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use anyhow::{Context as _, Result, ensure};
use connect_tests::binaries;
use connect_tests::exports::Judge;
use connect_tests::world::{Person, World};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader, copy};
use tokio::net::{UnixListener, UnixStream};

fn connectctl(socket: &Path, dir: &Path, args: &[&str]) -> Result<Output> {
    let socket = socket.to_str().context("a path")?;
    let mut command = Command::new(binaries::path("connectctl")?);
    command.args(["--socket", socket]).args(args);
    tokio::task::block_in_place(|| Ok(command.current_dir(dir).output()?))
}

fn done(alice: &Person, dir: &Path, args: &[&str]) -> Result<Value> {
    let output = connectctl(alice.endpoint.path(), dir, args)?;
    let told = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{args:?}: {told}");
    Ok(serde_json::from_slice(&output.stdout)?)
}

fn names(dir: &Path) -> Result<Vec<PathBuf>> {
    let names: std::io::Result<Vec<_>> = std::fs::read_dir(dir)?
        .map(|entry| Ok(entry?.path()))
        .collect();
    let mut names = names?;
    names.sort();
    Ok(names)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_conversation_goes_into_a_file_of_its_users_own() -> Result<()> {
    let world = World::new().await?;
    let (alice, bob) = (world.person("alice").await?, world.person("bob").await?);
    alice.adds(&bob).await?;
    alice.writes(&bob, "potassium 6.1").await?;
    // Not beside the daemons: what is in clear there is searched for.
    let place = tempfile::tempdir()?;
    let dir = place.path();
    let fhir = [
        "conversations",
        "export",
        "--user",
        "bob",
        "--format",
        "fhir",
        "--json",
    ];
    let named = [fhir.as_slice(), &["-o", "bob.json"]].concat();
    let made = done(&alice, dir, &named)?;
    let file = dir.join("bob.json");
    assert_eq!(made["file"], "bob.json");
    assert_eq!(made["media_type"], "application/fhir+json");
    assert_eq!(names(dir)?, std::slice::from_ref(&file));
    let found = std::fs::metadata(&file)?;
    assert_eq!(found.permissions().mode() & 0o777, 0o600);
    assert_eq!(made["size"], found.len());
    let mut judge = Judge::start();
    let text = std::fs::read_to_string(&file)?;
    assert_eq!(judge.wrong_with(&text)?, [""; 0]);
    ensure!(text.contains("potassium 6.1"));

    // What is there stays, unless it is to be replaced.
    let refused = connectctl(alice.endpoint.path(), dir, &named)?;
    assert_eq!(refused.status.code(), Some(73));
    assert_eq!(std::fs::read_to_string(&file)?, text);
    done(&alice, dir, &[named.as_slice(), &["--force"]].concat())?;

    // By itself it takes the daemon's name, which tells of nobody; a window may leave nothing.
    let tomorrow = ["--from", "2999-01-01"];
    let made = done(&alice, dir, &[fhir.as_slice(), &tomorrow].concat())?;
    let name = made["file"].as_str().context("a name")?;
    ensure!(
        name.starts_with("conversation-2") && name.ends_with("Z.fhir.json"),
        "{name}"
    );
    let empty = std::fs::read_to_string(dir.join(name))?;
    assert_eq!(judge.wrong_with(&empty)?, [""; 0]);
    ensure!(!empty.contains("Communication"));

    // For people it is said what it is.
    let page = [
        "conversations",
        "export",
        "--user",
        "bob",
        "--format",
        "html",
        "-o",
        "bob.html",
    ];
    let output = connectctl(alice.endpoint.path(), dir, &page)?;
    let told = String::from_utf8(output.stderr)?;
    ensure!(
        output.status.success() && told.contains("in clear"),
        "{told}"
    );

    let nobody = [
        "conversations",
        "export",
        "--user",
        "carol",
        "--format",
        "html",
        "-o",
        "c",
    ];
    let refused = connectctl(alice.endpoint.path(), dir, &nobody)?;
    ensure!(!refused.status.success());
    ensure!(!dir.join("c").exists());
    Ok(())
}

/// Passes everything on, but of a byte stream only so much.
async fn cut(stream: UnixStream, daemon: PathBuf, most: u64) -> Result<()> {
    let (read, mut to_client) = stream.into_split();
    let mut from_client = BufReader::new(read);
    let (mut from_daemon, mut to_daemon) = UnixStream::connect(daemon).await?.into_split();
    let mut first = String::new();
    from_client.read_line(&mut first).await?;
    to_daemon.write_all(first.as_bytes()).await?;
    if first.starts_with("{\"ticket\"") {
        copy(&mut from_daemon.take(most), &mut to_client).await?;
        return Ok(());
    }
    tokio::select! {
        up = copy(&mut from_client, &mut to_daemon) => up?,
        down = copy(&mut from_daemon, &mut to_client) => down?,
    };
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_cut_off_leaves_no_file() -> Result<()> {
    let world = World::new().await?;
    let (alice, bob) = (world.person("alice").await?, world.person("bob").await?);
    alice.adds(&bob).await?;
    for number in 0..50 {
        alice
            .writes(&bob, &format!("{number} {}", "x".repeat(10_000)))
            .await?;
    }
    let between = world.path().join("between");
    std::fs::create_dir(&between)?;
    std::fs::set_permissions(&between, std::fs::Permissions::from_mode(0o700))?;
    let socket = between.join("connectd.sock");
    let listener = UnixListener::bind(&socket)?;
    std::fs::set_permissions(&socket, std::fs::Permissions::from_mode(0o600))?;
    let daemon = alice.endpoint.path().to_owned();
    let passing = tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(cut(stream, daemon.clone(), 200_000));
        }
    });
    let place = tempfile::tempdir()?;
    let dir = place.path();
    std::fs::write(dir.join("before.json"), "{}")?;
    for (name, more) in [("bob.json", None), ("before.json", Some("--force"))] {
        let mut args = vec![
            "conversations",
            "export",
            "--user",
            "bob",
            "--format",
            "fhir",
            "-o",
            name,
        ];
        args.extend(more);
        let output = connectctl(&socket, dir, &args)?;
        let told = String::from_utf8(output.stderr)?;
        ensure!(!output.status.success(), "{told}");
        assert_eq!(names(dir)?, [dir.join("before.json")], "{told}");
        assert_eq!(std::fs::read_to_string(dir.join("before.json"))?, "{}");
    }
    passing.abort();
    Ok(())
}
