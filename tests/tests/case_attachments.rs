//! Files of a patient case for whoever joins it later: whoever brings somebody in sends them once more, as they lie there (D16).

use std::collections::BTreeSet;

use anyhow::{Context as _, Result, ensure};
use connect_api::attachments::AttachmentState;
use connect_api::messages::{Delete, MessageParams};
use connect_api::policy::{Set, SetParams};
use connect_proto::hash::sha256;
use connect_tests::attachments::{
    CHUNK, PATIENCE, download, film, kept, send_to_case, soon, standing,
};
use connect_tests::world::{Person, World};
use tokio::time::timeout;

/// The ciphertext of every file of a daemon.
fn ciphertexts(person: &Person) -> Result<BTreeSet<[u8; 32]>> {
    let mut digests = BTreeSet::new();
    for file in kept(&person.state_dir)? {
        digests.insert(sha256(&std::fs::read(file)?));
    }
    Ok(digests)
}

#[tokio::test(flavor = "multi_thread")]
async fn who_joins_later_gets_the_files_of_before_and_can_pass_them_on() -> Result<()> {
    let world = World::new().await?;
    let mut alice = world.person("alice").await?;
    let (bob, dora) = (world.person("bob").await?, world.person("dora").await?);
    let eve = world.person("eve").await?;
    for other in [&bob, &dora] {
        alice.adds(other).await?;
    }
    dora.adds(&eve).await?;
    let case = alice.begins_case("Bed 4", &[&bob], &[]).await?.case;
    bob.sees_case(&case, 1).await?;
    let (long, small) = (film(2 * CHUNK + 9, "hip"), film(20, "knee"));
    let [_, hip] = send_to_case(&alice, &case, &long).await?;
    let [_, knee] = send_to_case(&bob, &case, &small).await?;
    timeout(PATIENCE, alice.has_all_of(&knee)).await??;
    let [message_id, gone] = send_to_case(&alice, &case, b"of another patient").await?;
    let params = MessageParams { message_id };
    alice.client.call::<Delete>(params).await?;

    alice.adds_to_case(&case, &dora).await?;
    for (id, bytes) in [(&hip, &long), (&knee, &small)] {
        timeout(PATIENCE, dora.has_all_of(id)).await??;
        ensure!(download(&dora.client, id, 0).await? == *bytes);
    }
    let removed = standing(&dora.client, &gone).await?;
    assert_eq!(removed.attachment.state, AttachmentState::Cancelled);
    let (here, there) = (ciphertexts(&dora)?, ciphertexts(&alice)?);
    assert_eq!(here.len(), 2);
    ensure!(here.is_subset(&there), "nothing is sealed twice");

    // Alice is away, and Dora has what she needs.
    alice.stop().await;
    let nothing = SetParams {
        download_up_to_bytes: Some(Some(0)),
        ..SetParams::default()
    };
    eve.client.call::<Set>(nothing).await?;
    dora.adds_to_case(&case, &eve).await?;
    soon(async || {
        let there = standing(&eve.client, &hip).await;
        Ok(there.is_ok_and(|it| it.attachment.state == AttachmentState::Available))
    })
    .await?;
    // Asked for before there is a copy of it, it is not to be had yet.
    soon(
        async || match timeout(PATIENCE, download(&eve.client, &hip, 0)).await? {
            Ok(bytes) => Ok(bytes == long),
            Err(_) => Ok(false),
        },
    )
    .await?;
    let read = eve.reads_case(&case).await?;
    let first = read.first().context("the first entry")?;
    assert_eq!((first.author.as_str(), &*first.text), ("alice", "the film"));
    assert_eq!(
        first.attachment.as_ref().map(|it| it.size),
        Some(long.len() as u64)
    );
    Ok(())
}
