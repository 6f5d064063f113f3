//! Who brings whom into a patient case, and by whose word it has a past: participants who say what is not so, and those who
//! were there once (§3.6, D16).

use anyhow::{Result, ensure};
use connect_api::cases::CaseState;
use connect_api::messages::MessageState;
use connect_proto::hash::sha256;
use connect_proto::wire::Role::{Admin, Member};
use connect_proto::{codec, wire};
use connect_tests::bad_cases::after;
use connect_tests::case_plot::{PATIENCE, Plot, control, first, is_for, is_text, key, people};
use connect_tests::cases::value;
use connect_tests::mischief::Story;
use tokio::time::timeout;
use wire::inner::Payload;

const HOUR_MS: u64 = 3600 * 1000;
/// More than one transaction takes in.
const MANY: usize = 300;

#[tokio::test(flavor = "multi_thread")]
async fn a_history_is_what_leads_back_from_the_revision_that_brings_one_in() -> Result<()> {
    let story = Story::new().await?;
    let plot = Plot::new(&story);
    let (mallory, nina, olga) = (&story.mallory, plot.person("nina")?, plot.person("olga")?);
    let one = first(&[("mallory", Admin), ("nina", Member)]);
    let mut two = after(&one);
    two.roster = people(&[("alice", Member), ("mallory", Admin), ("nina", Member)]);
    // Nina makes revisions up that follow on nothing, and an epoch that would have ended this one long ago.
    let mut made_up = after(&two);
    made_up.revision = 7;
    made_up.previous_digest = vec![7; 32];
    made_up.epoch = 9;
    let begun = plot.entry(mallory, &key(7), None, control(&one));
    let of_olga = plot.says(&olga, &key(7), &one, "I was never in it");
    let unfollowed = plot.entry(&nina, &key(7), Some(&one), control(&made_up));
    let texts: Vec<_> = (0..MANY)
        .map(|n| plot.says(&nina, &key(7), &one, &format!("entry {n}")))
        .collect();
    let mut log = vec![&begun, &of_olga, &unfollowed];
    log.extend(&texts);
    let history = plot.history(1, &log);
    story.world.advance(48 * HOUR_MS);
    plot.brings(vec![
        plot.share(
            &nina,
            &two,
            &[(1, &key(7))],
            Some(plot.history(2, &[&of_olga])),
        ),
        plot.share(mallory, &two, &[(1, &key(7))], None),
        plot.entry(mallory, &key(7), Some(&one), control(&two)),
        plot.share(mallory, &two, &[(1, &key(7))], Some(history)),
    ])
    .await?;
    plot.has_its_past(MANY).await?;
    let expected: Vec<_> = (0..MANY).map(|n| format!("entry {n}")).collect();
    assert_eq!(plot.texts().await?, expected);

    // The epoch goes on, and no other past is taken in.
    let another = Some(plot.history(3, &[&of_olga]));
    let text = plot.says(&nina, &key(7), &two, "welcome");
    plot.brings(vec![
        plot.share(&nina, &two, &[(1, &key(7))], another.clone()),
        plot.share(mallory, &two, &[(1, &key(7))], another),
        text.clone(),
    ])
    .await?;
    plot.reads(&text).await?;
    ensure!(!story.alice.case(&plot.case()).await?.awaits_history);
    story.alice.says(&plot.case(), "thank you").await?;
    plot.sends(&key(7), |_, said| is_text(said, "thank you"))
        .await?;
    assert_eq!(plot.texts().await?.len(), MANY + 2);
    Ok(())
}

/// What waited for something of the past comes in with it.
#[tokio::test(flavor = "multi_thread")]
async fn what_follows_on_the_past_comes_in_once_that_is_here() -> Result<()> {
    let story = Story::new().await?;
    let plot = Plot::new(&story);
    let mallory = &story.mallory;
    let one = first(&[("mallory", Admin)]);
    let mut two = after(&one);
    two.roster = people(&[("alice", Member), ("mallory", Admin)]);
    let weight = |revision, previous: Option<&wire::CaseField>| wire::CaseField {
        name: "weight".to_owned(),
        revision,
        previous_digest: previous
            .map(|field| sha256(&codec::encode(field)).to_vec())
            .unwrap_or_default(),
        media_type: "text/plain".to_owned(),
        value: format!("{} kg", 70 + revision).into_bytes(),
    };
    let before = weight(1, None);
    let later = Payload::CaseField(weight(2, Some(&before)));
    let begun = plot.entry(mallory, &key(7), None, control(&one));
    let old = plot.entry(mallory, &key(7), Some(&one), Payload::CaseField(before));
    let history = plot.history(1, &[&begun, &old]);
    plot.brings(vec![
        plot.share(mallory, &two, &[(1, &key(7))], None),
        plot.entry(mallory, &key(7), Some(&one), control(&two)),
    ])
    .await?;
    let set = plot.entry(mallory, &key(7), Some(&two), later);
    plot.refuses(set, "broken_field_chain").await?;
    ensure!(story.alice.case(&plot.case()).await?.awaits_history);
    plot.brings(vec![plot.share(
        mallory,
        &two,
        &[(1, &key(7))],
        Some(history),
    )])
    .await?;
    plot.has_its_past(0).await?;
    let case = story.alice.case(&plot.case()).await?;
    assert_eq!(value(&case, "weight"), Some("72 kg"));
    plot.has_nothing_aside().await
}

/// Before the history has come, and before their message in it.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_corrected_or_taken_back_stays_so_for_who_joins_meanwhile() -> Result<()> {
    let story = Story::new().await?;
    let plot = Plot::new(&story);
    let mallory = &story.mallory;
    let one = first(&[("mallory", Admin)]);
    let mut two = after(&one);
    two.roster = people(&[("alice", Member), ("mallory", Admin)]);
    let about = |said: &wire::Envelope| {
        Some(wire::MessageRef {
            sender_id: "mallory".to_owned(),
            message_id: said.message_id.clone(),
            timestamp_ms: story.world.now_ms(),
        })
    };
    let edit = |said: &wire::Envelope, text: &str| {
        Payload::Edit(wire::Edit {
            target: about(said),
            text: Some(wire::Text {
                body: text.to_owned(),
                reply_to: None,
            }),
        })
    };
    let begun = plot.entry(mallory, &key(7), None, control(&one));
    let dose = plot.says(mallory, &key(7), &one, "10 mg");
    let wrong = plot.says(mallory, &key(7), &one, "of another patient");
    let value = plot.says(mallory, &key(7), &one, "potassium 61");
    let corrected = plot.entry(mallory, &key(7), Some(&one), edit(&value, "potassium 6.1"));
    let history = plot.history(1, &[&begun, &corrected, &value, &dose, &wrong]);
    let deletion = Payload::Delete(wire::Delete {
        target: about(&wrong),
    });
    plot.brings(vec![
        plot.share(mallory, &two, &[(1, &key(7))], None),
        plot.entry(mallory, &key(7), Some(&one), control(&two)),
        plot.entry(mallory, &key(7), Some(&two), edit(&dose, "1 mg")),
        plot.entry(mallory, &key(7), Some(&two), deletion),
    ])
    .await?;
    let share = plot.share(mallory, &two, &[(1, &key(7))], Some(history));
    plot.brings(vec![share]).await?;
    plot.has_its_past(3).await?;
    let mut texts = plot.texts().await?;
    texts.sort_unstable();
    assert_eq!(texts, ["", "1 mg", "potassium 6.1"]);
    Ok(())
}

/// Mallory adds Alice and leaves, and what was written before comes after that: from her alone, and once.
#[tokio::test(flavor = "multi_thread")]
async fn a_history_comes_in_though_who_brought_one_in_has_left() -> Result<()> {
    let story = Story::new().await?;
    let plot = Plot::new(&story);
    let (mallory, nina) = (&story.mallory, plot.person("nina")?);
    let one = first(&[("mallory", Admin), ("nina", Admin), ("olga", Member)]);
    let mut two = after(&one);
    two.roster = people(&[
        ("alice", Member),
        ("mallory", Admin),
        ("nina", Admin),
        ("olga", Member),
    ]);
    let mut three = after(&two);
    three.roster = people(&[("alice", Member), ("nina", Admin), ("olga", Member)]);
    // Olga goes as well, who did not bring Alice in.
    let mut four = after(&three);
    four.roster = people(&[("alice", Member), ("nina", Admin)]);
    let olga = plot.person("olga")?;
    let begun = plot.entry(mallory, &key(7), None, control(&one));
    let before = plot.says(&nina, &key(7), &one, "before");
    let history = || Some(plot.history(1, &[&begun, &before]));
    plot.brings(vec![
        plot.share(mallory, &two, &[(1, &key(7))], None),
        plot.entry(mallory, &key(7), Some(&one), control(&two)),
        plot.entry(mallory, &key(7), Some(&two), control(&three)),
        plot.entry(&olga, &key(7), Some(&three), control(&four)),
    ])
    .await?;
    plot.is_at(4).await?;
    let of_olga = plot.share(&olga, &four, &[(1, &key(7))], history());
    plot.refuses(of_olga, "bad_key_share").await?;
    // A key of an epoch that began after she left is not hers to give, nor any without a history.
    let ahead = plot.share(mallory, &three, &[(1, &key(7)), (2, &key(9))], history());
    plot.refuses(ahead, "bad_key_share").await?;
    let keys = plot.share(mallory, &three, &[(1, &key(9))], None);
    plot.refuses(keys, "bad_key_share").await?;
    plot.brings(vec![plot.share(
        mallory,
        &three,
        &[(1, &key(7))],
        history(),
    )])
    .await?;
    plot.has_its_past(1).await?;
    assert_eq!(plot.texts().await?, ["before"]);
    let again = plot.share(mallory, &three, &[(1, &key(7))], history());
    plot.refuses(again, "bad_key_share").await
}

/// Somebody who is in a case from its beginning has its past: another's word on it is not heard.
#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_given_another_past_than_the_one_they_had() -> Result<()> {
    let story = Story::new().await?;
    let plot = Plot::new(&story);
    let (mallory, nina) = (&story.mallory, plot.person("nina")?);
    let one = first(&[("alice", Member), ("mallory", Admin), ("nina", Member)]);
    let mut made_up = after(&one);
    made_up.revision = 7;
    made_up.previous_digest = vec![7; 32];
    made_up.epoch = 9;
    let unfollowed = plot.entry(&nina, &key(7), Some(&one), control(&made_up));
    story.world.advance(48 * HOUR_MS);
    plot.brings(vec![
        plot.share(mallory, &one, &[(1, &key(7))], None),
        plot.entry(mallory, &key(7), None, control(&one)),
        plot.share(
            &nina,
            &one,
            &[(1, &key(7))],
            Some(plot.history(1, &[&unfollowed])),
        ),
    ])
    .await?;
    let case = plot.is_at(1).await?;
    ensure!(!case.awaits_history);
    let text = plot.says(mallory, &key(7), &one, "potassium 6.1");
    plot.brings(vec![text.clone()]).await?;
    plot.reads(&text).await
}

/// Nina was taken out before Alice was: she has no say in whether Alice is in it again. Mallory has.
#[tokio::test(flavor = "multi_thread")]
async fn whoever_has_left_is_taken_in_again_by_who_was_there_then() -> Result<()> {
    let story = Story::new().await?;
    let plot = Plot::new(&story);
    let (mallory, nina) = (&story.mallory, plot.person("nina")?);
    let one = first(&[("alice", Member), ("mallory", Admin), ("nina", Member)]);
    let mut two = after(&one);
    two.roster = people(&[("alice", Member), ("mallory", Admin)]);
    two.epoch = 2;
    let mut three = after(&two);
    three.roster = people(&[("mallory", Admin)]);
    three.epoch = 3;
    let mut fork = after(&three);
    fork.revision = 9;
    fork.previous_digest = vec![9; 32];
    fork.roster = people(&[("alice", Member), ("nina", Admin)]);
    plot.brings(vec![
        plot.share(mallory, &one, &[(1, &key(1)), (2, &key(2))], None),
        plot.entry(mallory, &key(1), None, control(&one)),
        // Nina shares while she may, with a revision that is still to be made up.
        plot.share(&nina, &fork, &[(1, &key(1))], None),
        plot.entry(mallory, &key(1), Some(&one), control(&two)),
        plot.entry(mallory, &key(2), Some(&two), control(&three)),
    ])
    .await?;
    plot.is_at(3).await?;
    assert_eq!(plot.state().await?, CaseState::Left);
    let again = plot.share(&nina, &fork, &[(1, &key(1)), (3, &key(9))], None);
    plot.refuses(again, "bad_key_share").await?;
    let under = wire::CaseControl {
        epoch: 1,
        ..one.clone()
    };
    let forked = plot.entry(&nina, &key(1), Some(&under), control(&fork));
    plot.refuses(forked, "not_a_participant").await?;
    // Nor by revisions that follow on one in which she took part, one after the other.
    let mut beside = after(&one);
    beside.roster = people(&[
        ("alice", Member),
        ("mallory", Admin),
        ("nina", Member),
        ("olga", Member),
    ]);
    let beside = plot.entry(&nina, &key(1), Some(&one), control(&beside));
    plot.refuses(beside, "not_a_participant").await?;
    assert_eq!(plot.state().await?, CaseState::Left);

    // Somebody else came and went meanwhile.
    let mut six = after(&three);
    six.revision = 6;
    six.previous_digest = vec![5; 32];
    six.roster = two.roster.clone();
    plot.brings(vec![
        plot.share(mallory, &six, &[(3, &key(3))], None),
        plot.entry(mallory, &key(3), Some(&three), control(&six)),
    ])
    .await?;
    plot.is_at(6).await?;
    assert_eq!(plot.state().await?, CaseState::Open);
    story.alice.says(&plot.case(), "back again").await?;
    plot.sends(&key(3), |_, said| is_text(said, "back again"))
        .await?;
    Ok(())
}

/// What of Alice's was on its way when Olga joined is in no history: she sends it after.
#[tokio::test(flavor = "multi_thread")]
async fn who_joins_gets_what_was_on_its_way_meanwhile() -> Result<()> {
    let story = Story::new().await?;
    let plot = Plot::new(&story);
    let (mallory, olga) = (&story.mallory, plot.person("olga")?);
    let one = first(&[("alice", Member), ("mallory", Admin)]);
    plot.brings(vec![
        plot.share(mallory, &one, &[(1, &key(7))], None),
        plot.entry(mallory, &key(7), None, control(&one)),
    ])
    .await?;
    plot.is_at(1).await?;
    let says = async |text: &str| -> Result<String> {
        let id = story.alice.says(&plot.case(), text).await?;
        let sent = story.alice.sees_state(&id, MessageState::Sent);
        timeout(PATIENCE, sent).await??;
        Ok(id)
    };
    let long_ago = says("long ago").await?;
    story.world.advance(2 * HOUR_MS);
    says("just now").await?;
    let mut two = after(&one);
    two.roster = people(&[("alice", Member), ("mallory", Admin), ("olga", Member)]);
    plot.brings(vec![plot.entry(
        mallory,
        &key(7),
        Some(&one),
        control(&two),
    )])
    .await?;
    plot.sends(&key(7), |envelope, said| {
        is_for(envelope, "olga") && is_text(said, "just now")
    })
    .await?;
    // What is older is in the history; where it is not, she asks for it.
    let of_alice = wire::MessageRef {
        sender_id: "alice".to_owned(),
        message_id: hex::decode(&long_ago)?,
        timestamp_ms: story.world.now_ms() - 2 * HOUR_MS,
    };
    let mut asks = olga.text(&story.to, "", story.world.now_ms());
    asks.payload = Some(Payload::ResendRequest(wire::ResendRequest {
        messages: vec![of_alice.clone(), of_alice],
    }));
    plot.brings(vec![olga.sealed(&story.to, &asks)]).await?;
    plot.sends(&key(7), |envelope, said| {
        is_for(envelope, "olga") && is_text(said, "long ago")
    })
    .await?;
    Ok(())
}
