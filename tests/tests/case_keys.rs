//! The keys of a patient case: under whose Alice writes, what of them she keeps, and what waits for them (§3.6, D16).

use anyhow::{Error, Result};
use connect_api::conversation::Conversation;
use connect_api::events::EventBody;
use connect_api::trust::{Decide, DecideParams, Decision};
use connect_core::message::Payload as Read;
use connect_core::secret::CaseKey;
use connect_proto::wire;
use connect_proto::wire::Role::{Admin, Member};
use connect_tests::attachments::{film, send_to_case};
use connect_tests::bad_cases::after;
use connect_tests::case_plot::{PATIENCE, Plot, control, first, is_text, key};
use connect_tests::mallory::update;
use connect_tests::mischief::Story;
use tokio::time::timeout;
use wire::inner::Payload;

const DAY_MS: u64 = 24 * 3600 * 1000;

/// Nina takes part and gives Alice a key of her own, before that of whoever began the epoch comes and after it.
#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_made_to_write_under_a_key_that_only_its_sender_has() -> Result<()> {
    let story = Story::new().await?;
    let plot = Plot::new(&story);
    let (mallory, nina) = (&story.mallory, plot.person("nina")?);
    let (hers, honest) = (key(0), key(7));
    let one = first(&[("alice", Member), ("mallory", Admin), ("nina", Member)]);
    plot.brings(vec![
        plot.share(&nina, &one, &[(1, &hers)], None),
        plot.share(mallory, &one, &[(1, &honest)], None),
        plot.entry(mallory, &honest, None, control(&one)),
        plot.share(&nina, &one, &[(1, &key(1)), (2, &hers)], None),
    ])
    .await?;
    plot.is_at(1).await?;
    story.alice.says(&plot.case(), "for all of us").await?;
    plot.sends(&honest, |_, said| is_text(said, "for all of us"))
        .await?;

    // Of an epoch to come as well: what began it says whose key it is.
    let mut two = after(&one);
    two.epoch = 2;
    plot.brings(vec![
        plot.entry(mallory, &honest, Some(&one), control(&two)),
        plot.share(mallory, &two, &[(2, &key(8))], None),
    ])
    .await?;
    plot.is_at(2).await?;
    story.alice.says(&plot.case(), "still for all").await?;
    plot.sends(&key(8), |_, said| is_text(said, "still for all"))
        .await?;
    // What Nina writes under hers is read all the same.
    let odd = plot.says(&nina, &hers, &two, "under a key of my own");
    plot.brings(vec![odd.clone()]).await?;
    plot.reads(&odd).await
}

/// What came under a key of its epoch that is not here yet waits for that key, whatever others are.
#[tokio::test(flavor = "multi_thread")]
async fn what_opens_under_no_key_that_is_known_waits_for_another_one() -> Result<()> {
    let story = Story::new().await?;
    let plot = Plot::new(&story);
    let (mallory, nina) = (&story.mallory, plot.person("nina")?);
    let honest = key(7);
    let one = first(&[("alice", Member), ("mallory", Admin), ("nina", Member)]);
    plot.brings(vec![plot.share(&nina, &one, &[(1, &key(1))], None)])
        .await?;
    let begun = plot.entry(mallory, &honest, None, control(&one));
    plot.refuses(begun, "cannot_open").await?;
    let text = plot.says(mallory, &honest, &one, "potassium 6.1");
    plot.refuses(text.clone(), "cannot_open").await?;
    plot.brings(vec![plot.share(mallory, &one, &[(1, &honest)], None)])
        .await?;
    plot.reads(&text).await?;
    plot.has_nothing_aside().await
}

/// The key of an epoch may come before the revision that says who is not to have it.
#[tokio::test(flavor = "multi_thread")]
async fn whoever_is_added_gets_no_key_of_an_epoch_that_has_not_begun_here() -> Result<()> {
    let story = Story::new().await?;
    let plot = Plot::new(&story);
    let (mallory, nina) = (&story.mallory, plot.person("nina")?);
    let one = first(&[("alice", Member), ("mallory", Admin)]);
    let mut two = after(&one);
    two.epoch = 2;
    plot.brings(vec![
        plot.share(mallory, &one, &[(1, &key(7))], None),
        plot.entry(mallory, &key(7), None, control(&one)),
    ])
    .await?;
    plot.is_at(1).await?;
    send_to_case(&story.alice, &plot.case(), &film(20, "hip")).await?;
    let ahead = plot.share(mallory, &two, &[(2, &key(8))], None);
    plot.brings(vec![ahead]).await?;
    plot.adds(&nina).await?;
    // The keys themselves, where the history lies, and where the copy does.
    let of = async |wanted: fn(&wire::CaseKeyShare) -> bool| {
        let share = plot.shares_with(&nina, wanted).await?;
        Ok::<_, Error>(share.keys.iter().map(|key| key.epoch).collect::<Vec<_>>())
    };
    let is_plain = |share: &wire::CaseKeyShare| share.history.is_none() && share.copies.is_empty();
    assert_eq!(of(is_plain).await?, [1]);
    assert_eq!(of(|share| share.history.is_some()).await?, [1]);
    assert_eq!(of(|share| !share.copies.is_empty()).await?, [1]);
    Ok(())
}

/// Eight keys of an epoch are kept of anybody, and two more of whoever began it.
#[tokio::test(flavor = "multi_thread")]
async fn nobody_fills_the_place_of_the_key_that_counts() -> Result<()> {
    let story = Story::new().await?;
    let plot = Plot::new(&story);
    let (mallory, nina) = (&story.mallory, plot.person("nina")?);
    let honest = key(7);
    let one = first(&[("alice", Member), ("mallory", Admin), ("nina", Member)]);
    let mut two = after(&one);
    two.epoch = 2;
    let junk: Vec<CaseKey> = (100..108).map(key).collect();
    let junk: Vec<_> = junk.iter().map(|key| (2, key)).collect();
    plot.brings(vec![
        plot.share(mallory, &one, &[(1, &honest)], None),
        plot.entry(mallory, &honest, None, control(&one)),
        plot.share(&nina, &one, &junk, None),
    ])
    .await?;
    let more = plot.share(&nina, &one, &[(2, &key(9))], None);
    plot.refuses(more, "bad_key_share").await?;
    // It comes before the revision by which it counts, and is looked at again then.
    let late = plot.share(mallory, &two, &[(2, &key(8))], None);
    plot.refuses(late, "bad_key_share").await?;
    let text = plot.says(mallory, &key(8), &two, "potassium 6.1");
    plot.brings(vec![
        text.clone(),
        plot.entry(mallory, &honest, Some(&one), control(&two)),
    ])
    .await?;
    plot.reads(&text).await?;
    story.alice.says(&plot.case(), "thank you").await?;
    plot.sends(&key(8), |_, said| is_text(said, "thank you"))
        .await?;
    Ok(())
}

/// Whoever shares keys may be a participant by a revision that comes after the share.
#[tokio::test(flavor = "multi_thread")]
async fn a_share_of_somebody_who_is_about_to_join_is_looked_at_again() -> Result<()> {
    let story = Story::new().await?;
    let plot = Plot::new(&story);
    let (mallory, nina) = (&story.mallory, plot.person("nina")?);
    let one = first(&[("alice", Member), ("mallory", Admin)]);
    let mut two = after(&one);
    two.roster = first(&[("alice", Member), ("mallory", Admin), ("nina", Member)]).roster;
    let mut three = after(&two);
    three.epoch = 2;
    plot.brings(vec![
        plot.share(mallory, &one, &[(1, &key(7))], None),
        plot.entry(mallory, &key(7), None, control(&one)),
    ])
    .await?;
    let early = plot.share(&nina, &three, &[(2, &key(8))], None);
    plot.refuses(early, "bad_key_share").await?;
    let text = plot.says(&nina, &key(8), &three, "now I am in it");
    plot.brings(vec![
        text.clone(),
        plot.entry(mallory, &key(7), Some(&one), control(&two)),
        plot.entry(&nina, &key(7), Some(&two), control(&three)),
    ])
    .await?;
    plot.reads(&text).await?;
    plot.has_nothing_aside().await
}

/// Alice is to begin an epoch when Nina's key changes, and cannot write under the one before: she does once she can.
#[tokio::test(flavor = "multi_thread")]
async fn an_epoch_that_could_not_begin_begins_once_its_key_has_come() -> Result<()> {
    let story = Story::new().await?;
    let plot = Plot::new(&story);
    let (mallory, nina) = (&story.mallory, plot.person("nina")?);
    let one = first(&[("alice", Admin), ("mallory", Admin), ("nina", Member)]);
    let mut two = after(&one);
    two.epoch = 2;
    plot.brings(vec![
        plot.share(mallory, &one, &[(1, &key(7))], None),
        plot.entry(mallory, &key(7), None, control(&one)),
        plot.says(&nina, &key(7), &one, "here I am"),
        plot.entry(mallory, &key(7), Some(&one), control(&two)),
    ])
    .await?;
    plot.is_at(2).await?;
    let entry =
        nina.with_new_keys()
            .entry_after(&nina, wire::KeyState::KeyReplaced, story.world.now_ms());
    story.relay.publishes(entry.clone());
    plot.brings(vec![update(&entry)?]).await?;
    let changed = story
        .alice
        .sees(|body| matches!(body, EventBody::KeyChanged { user_id, .. } if user_id == "nina"));
    timeout(PATIENCE, changed).await??;
    assert_eq!(story.alice.case(&plot.case()).await?.epoch, 2);
    plot.brings(vec![plot.share(mallory, &two, &[(2, &key(8))], None)])
        .await?;
    assert_eq!(plot.is_at(3).await?.epoch, 3);
    plot.sends(
        &key(8),
        |_, said| matches!(said, Read::CaseControl(control) if control.epoch == 3),
    )
    .await?;
    Ok(())
}

/// More keys than a box takes: they go out in several, and nothing stops at them.
#[tokio::test(flavor = "multi_thread")]
async fn as_many_keys_as_there_are_go_out_in_as_many_shares_as_it_takes() -> Result<()> {
    const EPOCHS: u16 = 1700;
    let story = Story::new().await?;
    let plot = Plot::new(&story);
    let (mallory, nina) = (&story.mallory, plot.person("nina")?);
    let of = |epoch: u32| {
        let mut seed = [3; 32];
        seed[..4].copy_from_slice(&epoch.to_be_bytes());
        (epoch, CaseKey::from_bytes(&seed))
    };
    let keys: Vec<_> = (1..=EPOCHS).map(|epoch| of(epoch.into())).collect();
    let keys: Vec<_> = keys.iter().map(|(epoch, key)| (*epoch, key)).collect();
    let mut late = first(&[("alice", Admin), ("mallory", Admin), ("nina", Member)]);
    late.revision = 2000;
    late.previous_digest = vec![1; 32];
    late.epoch = EPOCHS.into();
    let newest = of(EPOCHS.into()).1;
    plot.brings(vec![
        plot.share(mallory, &late, &keys[..850], None),
        plot.share(mallory, &late, &keys[850..], None),
        plot.entry(mallory, &newest, Some(&late), control(&late)),
        plot.says(&nina, &newest, &late, "here I am"),
    ])
    .await?;
    plot.is_at(2000).await?;
    let entry =
        nina.with_new_keys()
            .entry_after(&nina, wire::KeyState::KeyReplaced, story.world.now_ms());
    story.relay.publishes(entry.clone());
    plot.brings(vec![update(&entry)?]).await?;
    assert_eq!(plot.is_at(2001).await?.epoch, u32::from(EPOCHS) + 1);
    let is_ended = |_: &wire::Envelope, said: &Read| matches!(said, Read::CaseControl(_));
    plot.sends(&newest, is_ended).await?;
    let shared = timeout(PATIENCE, async {
        let mut count = 0;
        loop {
            count += 1;
            let sent = story.relay.sends(count).await;
            let shared = sent
                .iter()
                .filter_map(|envelope| mallory.opens(&story.to, envelope));
            let epochs: usize = shared
                .filter_map(|inner| match inner.payload {
                    Some(Payload::CaseKeyShare(share)) => Some(share.keys.len()),
                    _ => None,
                })
                .sum();
            if epochs > EPOCHS.into() {
                return epochs;
            }
        }
    });
    assert_eq!(shared.await?, usize::from(EPOCHS) + 1);
    Ok(())
}

/// What waits for its key is looked at whatever else somebody has waiting.
#[tokio::test(flavor = "multi_thread")]
async fn who_fills_the_quarantine_holds_up_nobody_else() -> Result<()> {
    let story = Story::new().await?;
    let plot = Plot::new(&story);
    let (mallory, nina) = (&story.mallory, plot.person("nina")?);
    let one = first(&[("alice", Member), ("mallory", Admin), ("nina", Member)]);
    let mut far = after(&one);
    far.epoch = 9;
    let mut two = after(&one);
    two.epoch = 2;
    let junk = (0..600).map(|_| plot.says(&nina, &key(1), &far, "junk"));
    let mut page = vec![
        plot.share(mallory, &one, &[(1, &key(7))], None),
        plot.entry(mallory, &key(7), None, control(&one)),
        plot.entry(mallory, &key(7), Some(&one), control(&two)),
    ];
    page.extend(junk);
    plot.brings(page).await?;
    story.world.advance(1000);
    let text = plot.says(mallory, &key(8), &two, "potassium 6.1");
    plot.refuses(text.clone(), "unknown_epoch").await?;
    plot.brings(vec![plot.share(mallory, &two, &[(2, &key(8))], None)])
        .await?;
    plot.reads(&text).await
}

/// An entry under a key that somebody decided against is judged by the time at which it came, should they decide otherwise.
#[tokio::test(flavor = "multi_thread")]
async fn what_came_under_a_rejected_key_is_judged_as_of_when_it_came() -> Result<()> {
    let story = Story::new().await?;
    let plot = Plot::new(&story);
    let (mallory, nina) = (&story.mallory, plot.person("nina")?);
    let one = first(&[("alice", Member), ("mallory", Admin), ("nina", Member)]);
    let mut two = after(&one);
    two.epoch = 2;
    plot.brings(vec![
        plot.share(mallory, &one, &[(1, &key(7))], None),
        plot.entry(mallory, &key(7), None, control(&one)),
    ])
    .await?;
    let decide = |decision| DecideParams {
        user_id: "mallory".to_owned(),
        decision,
        key: None,
    };
    let alice = &story.alice.client;
    alice.call::<Decide>(decide(Decision::Reject)).await?;
    let text = plot.says(mallory, &key(7), &one, "potassium 6.1");
    plot.refuses(text.clone(), "rejected_key").await?;
    plot.brings(vec![
        plot.share(&nina, &two, &[(2, &key(8))], None),
        plot.entry(&nina, &key(7), Some(&one), control(&two)),
    ])
    .await?;
    plot.is_at(2).await?;
    story.world.advance(DAY_MS);
    alice.call::<Decide>(decide(Decision::Accept)).await?;
    plot.reads(&text).await?;
    let to = Conversation::Case(plot.case());
    alice.send_text(to, "thank you", None).await?;
    plot.sends(&key(8), |_, said| is_text(said, "thank you"))
        .await?;
    Ok(())
}
