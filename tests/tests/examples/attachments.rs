//! Alice sends Bob a film, and thinks better of another.

use anyhow::{Context as _, Result};
use connect_api::attachments::{BeginUpload, BeginUploadParams, Uploaded};
use connect_api::examples::sample;
use connect_tests::attachments::{film, name};
use connect_tests::raw::Raw;
use connect_tests::world::{Person, World};

use super::run::Run;

const SIZE: u64 = 20_971_520;

pub(crate) async fn tell(
    run: &mut Run,
    world: &mut World,
    raw: &mut Raw,
    (alice, bob): (&Person, &Person),
) -> Result<()> {
    let id = upload(alice).await?;
    run.meanings.mean(sample::ATTACHMENT_ID, id.clone());
    let example = "A file that was uploaded, with a caption";
    run.goes(raw, "messages.send", example).await?;
    alice.has_all_of(&id).await?;
    for (method, example) in [
        ("attachments.get", "One's own, which is at the relay"),
        ("attachments.list", "Those of a conversation"),
        ("attachments.begin_download", "All of it"),
        (
            "attachments.begin_download",
            "What comes after the first MiB",
        ),
        ("attachments.begin_download", "There is no such attachment"),
        ("attachments.cancel", "Nothing of it is under way"),
        ("attachments.discard_local", "The relay has it"),
        ("attachments.begin_upload", "A film of 20 MiB"),
        ("attachments.begin_upload", "A media type that is none"),
    ] {
        run.goes(raw, method, example).await?;
    }
    for example in [
        "Four fifths of a film are at the relay",
        "All of it is at the relay",
    ] {
        run.comes(alice, example).await?;
    }
    world.stop_relay().await;
    let id = upload(alice).await?;
    let sent = name(&alice.client, bob.conversation(), &id, None).await?;
    run.meanings.mean(sample::CANCELLED_ID, id);
    run.meanings
        .mean(sample::CANCELLED_MESSAGE_ID, sent.message_id);
    let example = "While the relay does not answer";
    run.goes(raw, "attachments.cancel", example).await?;
    run.comes(alice, "One was cancelled on its way").await?;
    world.start_relay().await
}

async fn upload(alice: &Person) -> Result<String> {
    let params = BeginUploadParams {
        size: SIZE,
        media_type: "application/dicom".to_owned(),
        filename: "knee.dcm".to_owned(),
    };
    let begun = alice.client.call::<BeginUpload>(params).await?;
    let mut stream = alice.client.redeem(begun.ticket).await?;
    let bytes = film(usize::try_from(SIZE)?, "knee");
    stream.write(&bytes).await?;
    let uploaded: Uploaded = stream.result().await.context("it is sealed")?;
    Ok(uploaded.attachment_id)
}
