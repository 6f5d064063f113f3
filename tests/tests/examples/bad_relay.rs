//! What a relay or a sender has to be bad for.

use anyhow::Result;
use connect_api::examples::sample;
use connect_proto::wire;
use connect_tests::fake_relay::Reply;
use connect_tests::mischief::{Story, said};
use connect_tests::pattern::Meanings;

use super::run::Run;

pub(crate) async fn tell(run: &mut Run) -> Result<()> {
    let story = Story::new().await?;
    run.meanings = Meanings::default();
    run.meanings.mean(sample::BOB, "mallory");
    let numbered = |sequence| {
        let mut inner = story.text("a text");
        inner.sequence = sequence;
        inner
    };
    let (first, fifth) = (numbered(1), numbered(5));
    let mut other = first.clone();
    other.payload = Some(said("another text", None));
    let page: Vec<wire::Envelope> = [&first, &fifth, &other]
        .iter()
        .map(|inner| story.mallory.sealed(&story.to, inner))
        .collect();
    story.relay.replies(Reply::Page(page));
    let mut forged = story.honest("forged");
    if let Some(byte) = forged.sealed[0].r#box.last_mut() {
        *byte ^= 1;
    }
    story.relay.replies(Reply::Page(vec![forged]));
    for name in [
        "Three of Bob's messages did not come",
        "A message came again with other content",
        "A message does not come from whom it says",
    ] {
        run.comes(&story.alice, name).await?;
    }
    Ok(())
}
