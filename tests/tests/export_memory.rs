//! However long a conversation is, an export of it takes no more memory than a page of it.

use anyhow::{Context as _, Result, ensure};
use connect_api::conversations::ExportFormat;
use connect_proto::ids::{InstallationId, MessageId, UserId};
use connect_service::export::ask::{Format, Wanted};
use connect_service::export::outgoing;
use connect_store::amendments::{self, Amendment};
use connect_store::conversations::{self, Conversation};
use connect_store::database::Store;
use connect_store::new::NewMessage;
use connect_store::place::MessageRow;
use connect_store::reading::{Reading, Window};
use connect_store::received;
use connect_tests::exports::{all_of, ask};
use connect_tests::world::{Person, World};

const MESSAGES: u64 = 20_000;
const BATCH: u64 = 500;
const MIB: u64 = 1 << 20;
/// Pages, pieces on their way and whatever else the process does meanwhile; the exports are several times that.
const FLAT: u64 = 32 * MIB;

async fn fill(store: &Store, now_ms: u64) -> Result<()> {
    let bob: UserId = "bob".parse()?;
    let text = "Kalium 6,1 mmol/l, Bett 4. ".repeat(70);
    let mut tx = store.begin().await?;
    let conversation = conversations::ensure(&mut tx, &Conversation::User(bob.clone())).await?;
    for first in (0..MESSAGES).step_by(usize::try_from(BATCH)?) {
        let new = (first..first + BATCH).map(|number| {
            let mut id = [7; 16];
            id[..8].copy_from_slice(&number.to_be_bytes());
            NewMessage {
                conversation,
                sender: &bob,
                message_id: MessageId::from_bytes(id),
                timestamp_ms: now_ms - MESSAGES + number,
                stored_ms: now_ms,
                installation_id: InstallationId::from_bytes([7; 8]),
                sequence: number + 1,
                retired_key: false,
                text: &text,
                reply_to: None,
            }
        });
        received::add_messages(&mut tx, &new.collect::<Vec<_>>()).await?;
    }
    Ok(tx.commit().await?)
}

/// Resident memory of this process, in bytes.
fn resident() -> Result<u64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find(|line| line.starts_with("VmRSS:"));
    let figure = line.and_then(|line| line.split_whitespace().nth(1));
    Ok(figure.context("VmRSS")?.parse::<u64>()? * 1024)
}

/// Reads an export and throws it away. Returns its size, how much memory that took at most, and how it ended.
async fn weigh(alice: &Person, bob: &Person, format: ExportFormat) -> Result<(u64, u64, String)> {
    let export = ask(&alice.client, all_of(bob.conversation(), format)).await?;
    let before = resident()?;
    let mut stream = alice.client.redeem(export.ticket).await?;
    let size = stream.begun().size.context("a size")?;
    let mut most = resident()?;
    let mut piece = vec![0; 64 << 10];
    let mut last = Vec::new();
    let mut read = 0;
    while read < size {
        let more = stream.read(&mut piece).await?;
        ensure!(more > 0, "{read} of {size} bytes");
        read += more as u64;
        most = most.max(resident()?);
        last = piece[..more].to_vec();
    }
    let end = last.len().saturating_sub(100);
    let end = String::from_utf8_lossy(&last[end..]).into_owned();
    Ok((size, most.saturating_sub(before), end))
}

#[tokio::test(flavor = "multi_thread")]
async fn twenty_thousand_messages_are_exported_page_by_page() -> Result<()> {
    let world = World::new().await?;
    let mut alice = world.person("alice").await?;
    let bob = world.person("bob").await?;
    alice.adds(&bob).await?;
    alice.stop().await;
    let store = alice.database().await?;
    fill(&store, world.now_ms()).await?;
    store.close().await;
    alice.start().await?;
    alice.unlock().await?;
    for (format, end) in [
        (ExportFormat::Fhir, "\n]}\n"),
        (
            ExportFormat::Html,
            "End of the export: 20000 messages.\n</footer>\n</body>\n</html>\n",
        ),
    ] {
        let (size, memory, told) = weigh(&alice, &bob, format).await?;
        println!("{format:?}: {} MiB out of {} KiB", size / MIB, memory >> 10);
        ensure!(told.ends_with(end), "{told}");
        ensure!(size > MESSAGES * 1890, "{size} bytes");
        ensure!(memory < FLAT, "{} MiB for {} MiB", memory / MIB, size / MIB);
    }
    Ok(())
}

/// Each of a page's messages may have had many texts.
#[tokio::test(flavor = "multi_thread")]
async fn a_piece_of_an_export_is_small_however_often_its_messages_were_edited() -> Result<()> {
    const EDITS: u64 = 30;
    let world = World::new().await?;
    let mut alice = world.person("alice").await?;
    let bob = world.person("bob").await?;
    alice.adds(&bob).await?;
    bob.adds(&alice).await?;
    for _ in 0..10 {
        let text = bob.writes(&alice, "first").await?;
        alice.receives(&text).await?;
    }
    alice.stop().await;
    let store = alice.database().await?;
    let text = "x".repeat(16 << 10);
    let shown = messages_of(&store, &bob).await?;
    let mut tx = store.begin().await?;
    for row in shown {
        for sequence in 1..=EDITS {
            let amendment = Amendment {
                sequence: 1000 + sequence,
                timestamp_ms: world.now_ms(),
                text: Some(&text),
            };
            amendments::apply(&mut tx, row, amendment).await?;
        }
    }
    tx.commit().await?;
    store.close().await;
    alice.start().await?;
    alice.unlock().await?;
    let session = alice.running_session()?;
    let unlocked = session.unlocked()?;
    for format in [Format::Fhir, Format::Html] {
        let wanted = Wanted {
            conversation: Conversation::User("bob".parse()?),
            format,
            window: Window::ALWAYS,
            with_earlier: true,
            files_up_to_bytes: None,
        };
        let mut outgoing = outgoing::begin(&session, &unlocked, &wanted).await?;
        let mut size = 0;
        while let Some(piece) = outgoing.next().await? {
            // A megabyte, and the message that reaches it.
            ensure!(piece.len() < 2 << 20, "{} bytes", piece.len());
            size += piece.len() as u64;
        }
        ensure!(size == outgoing.size && size > 10 * EDITS * (16 << 10));
    }
    Ok(())
}

async fn messages_of(store: &Store, bob: &Person) -> Result<Vec<MessageRow>> {
    let mut reading = Reading::begin(store).await?;
    let conversation = Conversation::User(bob.name.parse()?);
    let row = reading.conversation(&conversation).await?.context("one")?;
    let page = reading.messages(row, None, Window::ALWAYS, 100).await?;
    Ok(page.into_iter().map(|(_, message)| message.row).collect())
}
