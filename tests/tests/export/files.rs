//! Files within an export: those that were asked for and are here, byte for byte, and nothing that could run.

use anyhow::{Context as _, Result, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use connect_api::apps::{Create, CreateParams};
use connect_api::attachments::{
    AttachmentParams, AttachmentReason, BeginUpload, BeginUploadParams, DiscardLocal, Uploaded,
};
use connect_api::conversations::{ExportConversation, ExportFormat, ExportParams};
use connect_api::errors::ErrorCode;
use connect_api::scope::Scope;
use connect_client::client::Client;
use connect_client::credentials::Credentials;
use connect_core::attachment::seal_chunk;
use connect_core::secret::AttachmentKey;
use connect_proto::hash::sha256;
use connect_proto::ids::AttachmentId;
use connect_proto::wire::{self, inner::Payload};
use connect_service::export::ask::{Format, Wanted};
use connect_service::export::outgoing;
use connect_store::conversations::Conversation;
use connect_store::reading::Window;
use connect_tests::attachments::{CHUNK, PATIENCE, film, friends, kept, name, soon};
use connect_tests::exports::{Judge, all_of, ask, export, fetch, resources};
use connect_tests::fake_relay::Reply;
use connect_tests::mischief::Story;
use connect_tests::world::{Person, World};
use serde_json::Value;
use tokio::time::timeout;

const PICTURE: &[u8] = include_bytes!("../attachments/bars.png");
/// Neither whole chunks nor whole triples.
const FILM: usize = CHUNK + 5;

/// Sends Bob a file of some type, and waits until he has it.
async fn send(alice: &Person, bob: &Person, bytes: &[u8], said: (&str, &str)) -> Result<String> {
    let params = BeginUploadParams {
        size: bytes.len() as u64,
        media_type: said.0.to_owned(),
        filename: said.1.to_owned(),
    };
    let upload = alice.client.call::<BeginUpload>(params).await?;
    let mut stream = alice.client.redeem(upload.ticket).await?;
    stream.write(bytes).await?;
    let uploaded: Uploaded = stream.result().await?;
    let id = uploaded.attachment_id;
    name(&alice.client, bob.conversation(), &id, Some("caption")).await?;
    timeout(PATIENCE, bob.has_all_of(&id)).await??;
    Ok(id)
}

fn with_files(alice: &Person, format: ExportFormat, most: u64) -> ExportParams {
    ExportParams {
        files_up_to_bytes: Some(most),
        ..all_of(alice.conversation(), format)
    }
}

/// What an export's resource has of a file.
fn content<'b>(bundle: &'b Value, id: &str) -> Result<&'b Value> {
    let all = resources(bundle, "DocumentReference");
    let is_it = |found: &&&Value| found["identifier"][0]["value"] == id;
    let found = all.iter().find(is_it).context("in the bundle")?;
    Ok(&found["content"][0]["attachment"])
}

fn decoded(base64: &Value) -> Result<Vec<u8>> {
    Ok(STANDARD.decode(base64.as_str().context("no data")?)?)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_has_the_files_that_were_asked_for_and_are_here() -> Result<()> {
    let world = World::new().await?;
    let (alice, bob) = friends(&world).await?;
    let long = film(FILM, "hip");
    let hip = send(&alice, &bob, &long, ("application/dicom", "hip.dcm")).await?;
    let picture = send(&alice, &bob, PICTURE, ("image/png", "../../bars.png")).await?;
    let script = b"<script>alert(1)</script>";
    let page = send(&alice, &bob, script, ("text/html", "a\" b.html")).await?;
    let empty = send(&alice, &bob, b"", ("text/plain", "empty")).await?;
    let gone = send(&alice, &bob, b"gone", ("text/plain", "gone")).await?;
    let attachment_id = gone.clone();
    let params = AttachmentParams { attachment_id };
    bob.client.call::<DiscardLocal>(params).await?;

    let mut judge = Judge::start();
    let all = export(&bob.client, with_files(&alice, ExportFormat::Fhir, 1 << 53)).await?;
    assert_eq!(judge.wrong_with(&all.text)?, [""; 0]);
    let bundle: Value = serde_json::from_str(&all.text)?;
    for (id, bytes) in [(&hip, &*long), (&picture, PICTURE), (&page, script)] {
        ensure!(decoded(&content(&bundle, id)?["data"])? == bytes);
    }
    for id in [&empty, &gone] {
        assert_eq!(content(&bundle, id)?["data"], Value::Null);
    }
    let small = export(&bob.client, with_files(&alice, ExportFormat::Fhir, 100)).await?;
    let bundle: Value = serde_json::from_str(&small.text)?;
    assert_eq!(content(&bundle, &hip)?["data"], Value::Null);
    assert_eq!(decoded(&content(&bundle, &page)?["data"])?, script);

    let all = export(&bob.client, with_files(&alice, ExportFormat::Html, 1 << 53)).await?;
    let found = judge.page(&all.text);
    assert_eq!(found["unbalanced"], Value::Array(Vec::new()));
    assert_eq!(found["tags"]["img"], 1);
    let loads: Vec<String> = serde_json::from_value(found["loads"].clone())?;
    let octets = |bytes: &[u8]| {
        let bytes = STANDARD.encode(bytes);
        format!("data:application/octet-stream;base64,{bytes}")
    };
    let shown = format!("data:image/png;base64,{}", STANDARD.encode(PICTURE));
    assert!(
        loads == [octets(&long), shown, octets(script)],
        "{} loads",
        loads.len()
    );
    let policy = found["policy"].as_str().context("a policy")?;
    ensure!(policy.starts_with("default-src 'none'; img-src data:; style-src"));
    ensure!(all.text.contains("gone") && all.text.contains(", not in this export"));
    let none = export(
        &bob.client,
        all_of(alice.conversation(), ExportFormat::Html),
    )
    .await?;
    ensure!(!none.text.contains("base64,"));
    Ok(())
}

/// Whoever fetches it sees that it is not whole; the next one does without.
#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_file_ends_an_export_early_and_is_in_none_after_it() -> Result<()> {
    let world = World::new().await?;
    let (alice, bob) = friends(&world).await?;
    let hip = send(&alice, &bob, &film(FILM, "hip"), ("a/b", "hip.dcm")).await?;
    let [file] = <[_; 1]>::try_from(kept(&bob.state_dir)?)
        .ok()
        .context("one")?;
    let mut sealed = std::fs::read(&file)?;
    sealed[CHUNK + 20] ^= 1;
    std::fs::write(&file, &sealed)?;
    let wanted = || with_files(&alice, ExportFormat::Fhir, 1 << 53);
    let ticket = ask(&bob.client, wanted()).await?.ticket;
    let cut = fetch(&bob.client, ticket).await;
    ensure!(cut.is_err(), "an export that lacks a chunk came to its end");
    let why = timeout(PATIENCE, bob.loses(&hip)).await??;
    assert_eq!(why, AttachmentReason::FileDamaged);
    let without = export(&bob.client, wanted()).await?;
    let bundle: Value = serde_json::from_str(&without.text)?;
    assert_eq!(content(&bundle, &hip)?["data"], Value::Null);
    Ok(())
}

/// However large its files are, an export is never in memory as a whole.
#[tokio::test(flavor = "multi_thread")]
async fn a_piece_of_an_export_is_a_chunk_of_a_file_at_most() -> Result<()> {
    let world = World::new().await?;
    let (alice, bob) = friends(&world).await?;
    send(&alice, &bob, &film(5 * FILM, "hip"), ("a/b", "hip.dcm")).await?;
    let session = bob.running_session()?;
    let unlocked = session.unlocked()?;
    for format in [Format::Fhir, Format::Html] {
        let wanted = Wanted {
            conversation: Conversation::User("alice".parse()?),
            format,
            window: Window::ALWAYS,
            with_earlier: false,
            files_up_to_bytes: Some(1 << 53),
        };
        let mut outgoing = outgoing::begin(&session, &unlocked, &wanted).await?;
        let mut size = 0;
        while let Some(piece) = outgoing.next().await? {
            ensure!(piece.len() < 2 * CHUNK, "{} bytes", piece.len());
            size += piece.len() as u64;
        }
        ensure!(size == outgoing.size && size > 5 * FILM as u64);
    }
    Ok(())
}

/// Whoever may read texts alone gets texts alone.
#[tokio::test(flavor = "multi_thread")]
async fn files_are_for_whoever_may_read_files() -> Result<()> {
    let world = World::new().await?;
    let (alice, bob) = friends(&world).await?;
    send(&alice, &bob, b"film", ("a/b", "hip.dcm")).await?;
    for (scopes, is_given) in [
        (vec![Scope::MessagesRead], false),
        (vec![Scope::MessagesRead, Scope::AttachmentsRead], true),
    ] {
        let paired = bob.client.call::<Create>(CreateParams {
            name: "EHR".to_owned(),
            scopes,
            uid: None,
        });
        let paired = paired.await?;
        let credentials = Credentials::new(&paired.app_id, paired.token.expose());
        let app = Client::builder()
            .endpoint(bob.endpoint.clone())
            .credentials(credentials)
            .lazy();
        export(&app, all_of(alice.conversation(), ExportFormat::Fhir)).await?;
        let wanted = with_files(&alice, ExportFormat::Fhir, 100);
        match app.call::<ExportConversation>(wanted).await {
            Ok(_) => ensure!(is_given),
            Err(refused) => {
                ensure!(!is_given);
                assert_eq!(refused.code(), Some(ErrorCode::Forbidden));
            }
        }
    }
    Ok(())
}

/// Another message under the same id has neither its bytes nor its length.
#[tokio::test(flavor = "multi_thread")]
async fn a_file_is_in_an_export_under_its_own_message_alone() -> Result<()> {
    let story = Story::new().await?;
    let key = AttachmentKey::from_bytes(&[9; 32]);
    let sealed = seal_chunk(&key, 1, b"film");
    let id = AttachmentId::from_bytes([5; 16]);
    let said = wire::Attachment {
        attachment_id: id.to_vec(),
        key: vec![9; 32],
        chunk_size: 2_097_152,
        chunk_count: 1,
        plaintext_size: 4,
        ciphertext_sha256: sha256(&sealed).to_vec(),
        media_type: "a/b".to_owned(),
        ..wire::Attachment::default()
    };
    let pretended = wire::Attachment {
        plaintext_size: 1,
        media_type: "image/png".to_owned(),
        ..said.clone()
    };
    story.relay.gives_chunk(&id, 1, sealed);
    for said in [said, pretended] {
        let mut inner = story.text("");
        inner.payload = Some(Payload::Attachment(said));
        let envelope = story.mallory.sealed(&story.to, &inner);
        story.relay.replies(Reply::Page(vec![envelope]));
        timeout(PATIENCE, story.alice.has_all_of(&id.to_string())).await??;
    }
    let mallory = connect_api::conversation::Conversation::User("mallory".to_owned());
    let wanted = ExportParams {
        files_up_to_bytes: Some(100),
        ..all_of(mallory, ExportFormat::Fhir)
    };
    soon(async || {
        let all = export(&story.alice.client, wanted.clone()).await?;
        let bundle: Value = serde_json::from_str(&all.text)?;
        let files = resources(&bundle, "DocumentReference");
        let datas: Vec<_> = files
            .iter()
            .filter_map(|file| file["content"][0]["attachment"]["data"].as_str())
            .collect();
        assert_eq!(datas, [STANDARD.encode(b"film")]);
        Ok(files.len() == 2)
    })
    .await
}
