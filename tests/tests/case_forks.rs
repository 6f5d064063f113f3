//! Two who change at the same time who is in a patient case: what becomes of those whom the change was about that lost, and of
//! the epoch that it began (D16).

use std::cmp::Ordering::{Greater, Less};

use anyhow::Result;
use connect_api::cases::{AddParticipant, CaseState, ParticipantParams};
use connect_api::contacts::{Add, UserParams};
use connect_core::message::Payload as Read;
use connect_proto::wire;
use connect_proto::wire::Role::{Admin, Member};
use connect_tests::bad_cases::{after, digest_of};
use connect_tests::case_plot::{Plot, beside, control, first, is_for, is_text, key, people};
use connect_tests::mallory::update;
use connect_tests::mischief::Story;

const DAY_MS: u64 = 24 * 3600 * 1000;

/// Nina takes Alice out while Mallory adds Olga, and Mallory's change is the one that counts.
#[tokio::test(flavor = "multi_thread")]
async fn who_was_taken_out_by_the_change_that_lost_goes_on_writing() -> Result<()> {
    let story = Story::new().await?;
    let plot = Plot::new(&story);
    let (mallory, nina) = (&story.mallory, plot.person("nina")?);
    let one = first(&[("alice", Member), ("mallory", Admin), ("nina", Admin)]);
    let mut lost = after(&one);
    lost.roster = people(&[("mallory", Admin), ("nina", Admin)]);
    lost.epoch = 2;
    let mut won = after(&one);
    won.roster = people(&[
        ("alice", Member),
        ("mallory", Admin),
        ("nina", Admin),
        ("olga", Member),
    ]);
    let won = beside(&won, &lost, Greater)?;
    plot.brings(vec![
        plot.share(mallory, &one, &[(1, &key(7))], None),
        plot.entry(mallory, &key(7), None, control(&one)),
        plot.entry(&nina, &key(7), Some(&one), control(&lost)),
    ])
    .await?;
    assert_eq!(plot.state().await?, CaseState::Left);
    plot.brings(vec![plot.entry(
        mallory,
        &key(7),
        Some(&one),
        control(&won),
    )])
    .await?;
    assert_eq!(plot.state().await?, CaseState::Open);
    assert!(!story.alice.case(&plot.case()).await?.awaits_history);
    story.alice.says(&plot.case(), "still here").await?;
    plot.sends(&key(7), |_, said| is_text(said, "still here"))
        .await?;
    Ok(())
}

/// Nina takes Alice out, and Mallory brings her in again on that line: what Nina kept from her then comes from Mallory, whatever
/// else came in between.
#[tokio::test(flavor = "multi_thread")]
async fn who_is_brought_in_again_writes_under_the_key_of_who_did() -> Result<()> {
    let story = Story::new().await?;
    let plot = Plot::new(&story);
    let (mallory, nina) = (&story.mallory, plot.person("nina")?);
    let one = first(&[("alice", Member), ("mallory", Admin), ("nina", Admin)]);
    let mut out = after(&one);
    out.roster = people(&[("mallory", Admin), ("nina", Admin)]);
    out.epoch = 2;
    // It counts before the other one, until something follows on that.
    let between = beside(&after(&one), &out, Greater)?;
    let mut again = after(&out);
    again.roster = one.roster.clone();
    plot.brings(vec![
        plot.share(mallory, &one, &[(1, &key(1))], None),
        plot.entry(mallory, &key(1), None, control(&one)),
        plot.entry(&nina, &key(1), Some(&one), control(&out)),
        plot.entry(mallory, &key(1), Some(&one), control(&between)),
        plot.share(mallory, &again, &[(1, &key(1)), (2, &key(2))], None),
        plot.entry(mallory, &key(2), Some(&out), control(&again)),
    ])
    .await?;
    plot.is_at(3).await?;
    story.alice.says(&plot.case(), "back again").await?;
    plot.sends(&key(2), |_, said| is_text(said, "back again"))
        .await?;
    Ok(())
}

/// Mallory adds Alice while Nina adds Olga, and Nina's change is the one that counts, of which nobody tells Alice. Mallory adds
/// her once more.
#[tokio::test(flavor = "multi_thread")]
async fn who_was_added_by_the_change_that_lost_is_added_anew() -> Result<()> {
    let story = Story::new().await?;
    let plot = Plot::new(&story);
    let (mallory, nina) = (&story.mallory, plot.person("nina")?);
    let one = first(&[("mallory", Admin), ("nina", Member)]);
    let mut lost = after(&one);
    lost.roster = people(&[("alice", Member), ("mallory", Admin), ("nina", Member)]);
    let mut won = after(&one);
    won.roster = people(&[("mallory", Admin), ("nina", Member), ("olga", Member)]);
    let mut anew = after(&won);
    anew.roster = people(&[
        ("alice", Member),
        ("mallory", Admin),
        ("nina", Member),
        ("olga", Member),
    ]);
    let begun = plot.entry(mallory, &key(7), None, control(&one));
    let before = plot.says(&nina, &key(7), &one, "before");
    let history = plot.history(1, &[&begun, &before]);
    plot.brings(vec![
        plot.share(mallory, &lost, &[(1, &key(7))], None),
        plot.entry(mallory, &key(7), Some(&one), control(&lost)),
        plot.share(mallory, &lost, &[(1, &key(7))], Some(history)),
    ])
    .await?;
    plot.has_its_past(1).await?;

    // Whoever did not bring her here has no say in it, and neither has anybody without keys for her.
    let mut made_up = anew.clone();
    made_up.title = "Bed 5".to_owned();
    plot.brings(vec![plot.share(&nina, &made_up, &[(1, &key(9))], None)])
        .await?;
    let forked = plot.entry(&nina, &key(7), Some(&one), control(&made_up));
    plot.refuses(forked, "broken_control_chain").await?;
    let early = plot.entry(mallory, &key(7), Some(&one), control(&anew));
    plot.refuses(early, "broken_control_chain").await?;

    let begins = plot.entry(&nina, &key(7), Some(&one), control(&won));
    let meanwhile = plot.says(&nina, &key(7), &won, "meanwhile");
    let history = plot.history(2, &[&begun, &before, &begins, &meanwhile]);
    plot.brings(vec![
        plot.share(mallory, &anew, &[(1, &key(7))], None),
        plot.share(mallory, &anew, &[(1, &key(7))], Some(history)),
    ])
    .await?;
    assert_eq!(plot.is_at(3).await?.participants.len(), 4);
    plot.has_its_past(2).await?;
    assert_eq!(plot.texts().await?, ["before", "meanwhile"]);
    story.alice.says(&plot.case(), "thank you").await?;
    plot.sends(&key(7), |_, said| is_text(said, "thank you"))
        .await?;

    // Once somebody else has written on that, it counts, and Mallory has no more say than others.
    let mut four = after(&anew);
    four.epoch = 2;
    let mut far = after(&four);
    far.revision = 9;
    far.previous_digest = vec![9; 32];
    plot.brings(vec![
        plot.entry(&nina, &key(7), Some(&anew), control(&four)),
        plot.share(mallory, &far, &[(1, &key(9))], None),
    ])
    .await?;
    plot.is_at(4).await?;
    let forked = plot.entry(mallory, &key(7), Some(&anew), control(&far));
    plot.refuses(forked, "broken_control_chain").await
}

/// Alice adds Nina while Mallory adds Olga, and Alice's change is the one that counts: Olga is told, so that whoever adds her
/// anew is believed.
#[tokio::test(flavor = "multi_thread")]
async fn whoever_the_change_that_lost_brought_in_is_told_of_the_other_one() -> Result<()> {
    let story = Story::new().await?;
    let plot = Plot::new(&story);
    let (mallory, _nina) = (&story.mallory, plot.person("nina")?);
    let _olga = plot.person("olga")?;
    let one = first(&[("alice", Admin), ("mallory", Admin)]);
    let mut hers = after(&one);
    hers.roster = people(&[("alice", Admin), ("mallory", Admin), ("nina", Member)]);
    let mut lost = after(&one);
    lost.roster = people(&[("alice", Admin), ("mallory", Admin), ("olga", Member)]);
    let lost = beside(&lost, &hers, Less)?;
    plot.brings(vec![
        plot.share(mallory, &one, &[(1, &key(7))], None),
        plot.entry(mallory, &key(7), None, control(&one)),
    ])
    .await?;
    let user_id = "nina".to_owned();
    story
        .alice
        .client
        .call::<Add>(UserParams { user_id })
        .await?;
    let params = ParticipantParams {
        case: plot.case(),
        user_id: "nina".to_owned(),
    };
    story.alice.client.call::<AddParticipant>(params).await?;
    plot.brings(vec![plot.entry(
        mallory,
        &key(7),
        Some(&one),
        control(&lost),
    )])
    .await?;
    let told = plot
        .sends(&key(7), |envelope, said| {
            is_for(envelope, "olga") && matches!(said, Read::CaseControl(_))
        })
        .await?;
    let told = plot.opened(&key(7), &told).map(|opened| opened.payload);
    let Some(Read::CaseControl(told)) = told else {
        anyhow::bail!("no revision");
    };
    assert_eq!(told.digest().as_slice(), digest_of(&hers));
    Ok(())
}

/// Alice begins an epoch since Nina has another key, while Mallory adds Olga, and Mallory's change is the one that counts: who
/// has Nina's old key is not to read on.
#[tokio::test(flavor = "multi_thread")]
async fn an_epoch_that_lost_its_place_is_begun_again() -> Result<()> {
    let story = Story::new().await?;
    let plot = Plot::new(&story);
    let (mallory, nina) = (&story.mallory, plot.person("nina")?);
    let one = first(&[("alice", Admin), ("mallory", Admin), ("nina", Member)]);
    let mut hers = after(&one);
    hers.epoch = 2;
    let mut won = after(&one);
    won.roster = people(&[
        ("alice", Admin),
        ("mallory", Admin),
        ("nina", Member),
        ("olga", Member),
    ]);
    let won = beside(&won, &hers, Greater)?;
    plot.brings(vec![
        plot.share(mallory, &one, &[(1, &key(7))], None),
        plot.entry(mallory, &key(7), None, control(&one)),
        plot.says(&nina, &key(7), &one, "here I am"),
    ])
    .await?;
    let entry =
        nina.with_new_keys()
            .entry_after(&nina, wire::KeyState::KeyReplaced, story.world.now_ms());
    story.relay.publishes(entry.clone());
    plot.brings(vec![update(&entry)?]).await?;
    assert_eq!(plot.is_at(2).await?.epoch, 2);
    plot.brings(vec![plot.entry(
        mallory,
        &key(7),
        Some(&one),
        control(&won),
    )])
    .await?;
    let again = plot.is_at(3).await?;
    assert_eq!((again.epoch, again.participants.len()), (2, 4));
    let follows = digest_of(&won);
    plot.sends(&key(7), |_, said| {
        matches!(said, Read::CaseControl(control)
            if control.epoch == 2 && control.previous.is_some_and(|it| it.as_slice() == follows))
    })
    .await?;
    Ok(())
}

/// Nina takes Olga out while Mallory gives the patient an identifier, and Mallory's change is the one that counts: nobody writes
/// under Nina's epoch, and a day later all is as it was.
#[tokio::test(flavor = "multi_thread")]
async fn an_epoch_that_lost_its_place_ends_none_before_it() -> Result<()> {
    let story = Story::new().await?;
    let plot = Plot::new(&story);
    let (mallory, nina) = (&story.mallory, plot.person("nina")?);
    let everybody = [
        ("alice", Member),
        ("mallory", Admin),
        ("nina", Admin),
        ("olga", Member),
    ];
    let one = first(&everybody);
    let mut lost = after(&one);
    lost.roster = people(&everybody[..3]);
    lost.epoch = 2;
    let won = beside(&after(&one), &lost, Greater)?;
    plot.brings(vec![
        plot.share(mallory, &one, &[(1, &key(7))], None),
        plot.entry(mallory, &key(7), None, control(&one)),
        plot.share(&nina, &lost, &[(2, &key(8))], None),
        plot.entry(&nina, &key(7), Some(&one), control(&lost)),
        plot.entry(mallory, &key(7), Some(&one), control(&won)),
    ])
    .await?;
    assert_eq!(story.alice.case(&plot.case()).await?.epoch, 1);
    story.world.advance(DAY_MS);
    let text = plot.says(mallory, &key(7), &won, "potassium 6.1");
    plot.brings(vec![text.clone()]).await?;
    plot.reads(&text).await
}
