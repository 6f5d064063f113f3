//! Whose roster counts: what a relay, a stranger and a former admin cannot do, and how those who disagree agree (D17).

use std::time::Duration;

use anyhow::{Context as _, Result};
use connect_api::contacts::Add;
use connect_api::conversation::Conversation;
use connect_api::events::{EventBody, GroupChange};
use connect_api::groups::{
    Create, CreateParams, Get, Group, GroupParams, Standing, Update, UpdateParams,
};
use connect_core::nonce::Nonce;
use connect_proto::hash::sha256;
use connect_proto::{codec, wire};
use connect_tests::fake_relay::Reply;
use connect_tests::mallory::Mallory;
use connect_tests::mischief::Story;
use tokio::time::timeout;

use wire::KeyState as Published;
use wire::inner::Payload;

const PATIENCE: Duration = Duration::from_secs(30);
/// For several hundred of anything, on a busy machine.
const LONG: Duration = Duration::from_mins(5);
const GROUP: [u8; 16] = [9; 16];

async fn soon<T>(what: impl Future<Output = Result<T>>) -> Result<T> {
    timeout(PATIENCE, what).await.context("it takes too long")?
}

/// A revision, as anyone could write it.
fn control(
    previous: Option<&wire::GroupControl>,
    name: &str,
    roster: &[(&str, wire::Role)],
) -> wire::GroupControl {
    let mut roster: Vec<wire::Member> = roster
        .iter()
        .map(|(user, role)| wire::Member {
            user_id: (*user).to_owned(),
            role: (*role).into(),
        })
        .collect();
    roster.sort_by(|one, other| one.user_id.cmp(&other.user_id));
    wire::GroupControl {
        revision: previous.map_or(1, |before| before.revision + 1),
        previous_digest: previous.map(digest).unwrap_or_default(),
        name: name.to_owned(),
        roster,
    }
}

fn digest(control: &wire::GroupControl) -> Vec<u8> {
    sha256(&codec::encode(control)).to_vec()
}

use wire::Role::{Admin, Member as Plain};

/// Something that somebody says in the group, by a roster.
fn said(
    story: &Story,
    by: &Mallory,
    payload: Payload,
    roster: &wire::GroupControl,
    sequence: u64,
) -> wire::Envelope {
    let mut inner = by.text(&story.to, "", story.world.now_ms());
    inner.group_id = GROUP.to_vec();
    inner.roster_digest = digest(roster);
    inner.sequence = sequence;
    inner.payload = Some(payload);
    by.sealed(&story.to, &inner)
}

fn text(body: &str) -> Payload {
    Payload::Text(wire::Text {
        body: body.to_owned(),
        reply_to: None,
    })
}

/// Everyone of these is in the relay's directory.
fn known(story: &Story, names: &[&str]) -> Result<Vec<Mallory>> {
    let mut all = Vec::new();
    for name in names {
        let person = Mallory::new(name.parse()?);
        story.relay.publishes(person.entry(Published::KeyActive, 0));
        all.push(person);
    }
    Ok(all)
}

async fn takes(story: &Story, envelope: wire::Envelope) -> Result<()> {
    let id = hex::encode(&envelope.message_id);
    story.relay.replies(Reply::Page(vec![envelope]));
    soon(story.alice.receives(&id)).await?;
    Ok(())
}

async fn refuses(story: &Story, envelope: wire::Envelope, expected: &str) -> Result<()> {
    let id = hex::encode(&envelope.message_id);
    story.relay.replies(Reply::Page(vec![envelope]));
    let aside = story.alice.sees(|body| {
        matches!(body, EventBody::MessageQuarantined { message_id: Some(told), .. } if *told == id)
    });
    match soon(aside).await?.body {
        EventBody::MessageQuarantined { reason, .. } => assert_eq!(reason, expected),
        other => panic!("{other:?}"),
    }
    Ok(())
}

async fn group(story: &Story) -> Result<Group> {
    let params = GroupParams {
        group: hex::encode(GROUP),
    };
    Ok(story.alice.client.call::<Get>(params).await?)
}

async fn sees(story: &Story, wanted: GroupChange, revision: u64) -> Result<()> {
    let changed = story.alice.sees(|body| {
        matches!(body, EventBody::GroupChanged { what, revision: told, .. }
            if *what == wanted && *told == revision)
    });
    soon(changed).await?;
    Ok(())
}

/// What Alice sealed for somebody, whatever for.
fn opened(story: &Story, by: &Mallory, envelope: &wire::Envelope) -> Option<wire::Inner> {
    let all = envelope.sealed.iter();
    let mut opened = all.filter_map(|sealed| {
        let alone = wire::Envelope {
            sealed: vec![sealed.clone()],
            ..envelope.clone()
        };
        Nonce::try_from(sealed.nonce.as_slice()).ok()?;
        by.opens(&story.to, &alone)
    });
    opened.next()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ghost_whom_the_relay_adds_gets_nothing_that_opens() -> Result<()> {
    let story = Story::new().await?;
    let people = known(&story, &["bob", "ghost"])?;
    let [bob, ghost] = people.as_slice() else {
        panic!("two")
    };
    let first = control(
        None,
        "Ward",
        &[("alice", Plain), ("mallory", Admin), ("bob", Plain)],
    );
    let joined = Payload::GroupControl(first.clone());
    story.relay.replies(Reply::Page(vec![said(
        &story,
        &story.mallory,
        joined,
        &first,
        1,
    )]));
    sees(&story, GroupChange::Joined, 1).await?;

    // The relay knows the group's id and every name. It has a user of its own say who is in the group, and a member.
    let haunted = control(
        Some(&first),
        "Ward",
        &[
            ("alice", Plain),
            ("mallory", Admin),
            ("bob", Plain),
            ("ghost", Plain),
        ],
    );
    let roster = Payload::GroupControl(haunted.clone());
    let forged = said(&story, ghost, roster.clone(), &haunted, 1);
    refuses(&story, forged, "not_an_admin").await?;
    let by_bob = said(&story, bob, roster, &haunted, 1);
    refuses(&story, by_bob, "not_an_admin").await?;
    // What the ghost says is not taken in, and neither is what names another roster than any that was.
    let whisper = said(&story, ghost, text("boo"), &haunted, 2);
    refuses(&story, whisper, "not_a_member").await?;

    let to = Conversation::Group(hex::encode(GROUP));
    let sent = story
        .alice
        .client
        .send_text(to, "for the ward", None)
        .await?;
    let id = hex::decode(&sent.message_id)?;
    let envelope = timeout(
        PATIENCE,
        story
            .relay
            .sent_one(|one| (one.message_id == id).then(|| one.clone())),
    )
    .await?;
    let names: Vec<_> = envelope
        .sealed
        .iter()
        .map(|it| it.recipient_id.as_str())
        .collect();
    assert_eq!(names, ["bob", "mallory"]);
    assert!(opened(&story, ghost, &envelope).is_none());
    assert!(opened(&story, bob, &envelope).is_some());
    assert_eq!(group(&story).await?.revision, 1);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_belongs_to_no_group_of_ours_has_its_named_answer() -> Result<()> {
    let story = Story::new().await?;
    let people = known(&story, &["bob", "eve"])?;
    let [bob, eve] = people.as_slice() else {
        panic!("two")
    };
    let first = control(
        None,
        "Ward",
        &[("alice", Plain), ("mallory", Admin), ("bob", Plain)],
    );
    let stray = said(&story, bob, text("where?"), &first, 1);
    refuses(&story, stray, "unknown_group").await?;
    let roster = |control: &wire::GroupControl| Payload::GroupControl(control.clone());
    // By somebody who is no admin in it; for others alone; and outside of any group.
    let by_bob = said(&story, bob, roster(&first), &first, 1);
    refuses(&story, by_bob, "not_an_admin").await?;
    let without = control(None, "Ward", &[("mallory", Admin), ("bob", Plain)]);
    let elsewhere = said(&story, &story.mallory, roster(&without), &without, 1);
    refuses(&story, elsewhere, "misplaced_roster").await?;
    let mut outside = story.text("");
    outside.payload = Some(roster(&first));
    let outside = story.mallory.sealed(&story.to, &outside);
    refuses(&story, outside, "misplaced_roster").await?;
    let mut malformed = first.clone();
    malformed.roster.reverse();
    let malformed = said(&story, &story.mallory, roster(&malformed), &malformed, 1);
    refuses(&story, malformed, "malformed_payload").await?;

    let joined = said(&story, &story.mallory, roster(&first), &first, 1);
    story.relay.replies(Reply::Page(vec![joined]));
    sees(&story, GroupChange::Joined, 1).await?;
    takes(&story, said(&story, bob, text("here"), &first, 1)).await?;
    let stranger = said(&story, eve, text("me too"), &first, 1);
    refuses(&story, stranger, "not_a_member").await?;
    // A revision is missing in between.
    let second = control(
        Some(&first),
        "Ward 2",
        &[("alice", Plain), ("mallory", Admin)],
    );
    let third = control(
        Some(&second),
        "Ward 3",
        &[("alice", Plain), ("mallory", Admin)],
    );
    let ahead = said(&story, &story.mallory, roster(&third), &third, 3);
    refuses(&story, ahead, "roster_out_of_chain").await?;
    sees(&story, GroupChange::Disagreement, 1).await?;
    // Then it comes, and both count.
    for (control, sequence) in [(&second, 2), (&third, 0)] {
        let next = said(&story, &story.mallory, roster(control), control, sequence);
        story.relay.replies(Reply::Page(vec![next]));
        sees(&story, GroupChange::Renamed, control.revision).await?;
    }
    assert_eq!(group(&story).await?.digest, hex::encode(digest(&third)));
    // What Bob wrote before he was removed may have been on its way, for a day.
    takes(&story, said(&story, bob, text("sent before"), &first, 2)).await?;
    let later = said(&story, bob, text("sent after"), &second, 3);
    refuses(&story, later, "not_a_member").await?;
    story.world.advance(25 * 3600 * 1000);
    let late = said(&story, bob, text("sent much later"), &first, 4);
    refuses(&story, late, "not_a_member").await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_admin_brings_up_who_is_behind_and_asks_who_is_ahead() -> Result<()> {
    let story = Story::new().await?;
    let people = known(&story, &["bob"])?;
    let bob = &people[0];
    let first = control(
        None,
        "Ward",
        &[("alice", Admin), ("mallory", Admin), ("bob", Plain)],
    );
    let joined = said(
        &story,
        &story.mallory,
        Payload::GroupControl(first.clone()),
        &first,
        1,
    );
    story.relay.replies(Reply::Page(vec![joined]));
    sees(&story, GroupChange::Joined, 1).await?;
    let rename = UpdateParams {
        group: hex::encode(GROUP),
        name: Some("Ward 2".to_owned()),
        ..UpdateParams::default()
    };
    let second = story.alice.client.call::<Update>(rename).await?;
    assert_eq!(second.revision, 2);

    // Bob is a member, and behind: what he says is taken, and he is sent the revision that he lacks, for himself alone.
    takes(&story, said(&story, bob, text("old roster"), &first, 1)).await?;
    let alone = story.relay.sent_one(|one| {
        let names: Vec<_> = one
            .sealed
            .iter()
            .map(|it| it.recipient_id.as_str())
            .collect();
        let inner = (names == ["bob"]).then(|| opened(&story, bob, one))??;
        match inner.payload {
            Some(Payload::GroupControl(control)) if inner.sequence == 0 => Some(control),
            _ => None,
        }
    });
    let told = timeout(PATIENCE, alone).await?;
    assert_eq!((told.revision, told.name.as_str()), (2, "Ward 2"));
    assert_eq!(hex::encode(digest(&told)), second.digest);

    // He goes by a roster that nobody here has seen: the other admin sees by a receipt how far Alice has got.
    let unseen = control(
        Some(&told),
        "Ward 3",
        &[("alice", Admin), ("mallory", Admin), ("bob", Plain)],
    );
    takes(&story, said(&story, bob, text("newer roster"), &unseen, 2)).await?;
    sees(&story, GroupChange::Disagreement, 2).await?;
    let asked = story.relay.sent_one(|one| {
        let inner = opened(&story, &story.mallory, one)?;
        match inner.payload {
            Some(Payload::Receipt(receipt)) if receipt.messages[0].sender_id == "bob" => {
                Some(inner.roster_digest)
            }
            _ => None,
        }
    });
    assert_eq!(timeout(PATIENCE, asked).await?, digest(&told));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_revisions_at_once_the_same_one_counts_in_whichever_order_they_come() -> Result<()> {
    for is_lower_first in [true, false] {
        let story = Story::new().await?;
        let people = known(&story, &["bob"])?;
        let bob = &people[0];
        let all = [("alice", Plain), ("mallory", Admin), ("bob", Admin)];
        let first = control(None, "Ward", &all);
        let mut rivals = [
            (&story.mallory, control(Some(&first), "By Mallory", &all)),
            (bob, control(Some(&first), "By Bob", &all)),
        ];
        rivals.sort_by_key(|(_, control)| digest(control));
        let winner = rivals[0].1.clone();
        if !is_lower_first {
            rivals.reverse();
        }
        let joined = Payload::GroupControl(first.clone());
        let joined = said(&story, &story.mallory, joined, &first, 1);
        story.relay.replies(Reply::Page(vec![joined]));
        sees(&story, GroupChange::Joined, 1).await?;
        for (author, control) in &rivals {
            let payload = Payload::GroupControl(control.clone());
            let sequence = if author.user_id.as_str() == "bob" {
                1
            } else {
                2
            };
            let next = said(&story, author, payload, control, sequence);
            story.relay.replies(Reply::Page(vec![next]));
        }
        sees(&story, GroupChange::Disagreement, 2).await?;
        let now = group(&story).await?;
        assert_eq!(
            (now.name, now.digest),
            (winner.name.clone(), hex::encode(digest(&winner)))
        );

        // Who was an admin once has no say in what was before the removal.
        let ousted = control(Some(&winner), "Without Bob", &all[..2]);
        let payload = Payload::GroupControl(ousted.clone());
        let next = said(&story, &story.mallory, payload, &ousted, 3);
        story.relay.replies(Reply::Page(vec![next]));
        sees(&story, GroupChange::Removed, 3).await?;
        let undone = control(Some(&winner), "Bob again", &all);
        let payload = Payload::GroupControl(undone.clone());
        let undone = said(&story, bob, payload, &undone, 2);
        refuses(&story, undone, "not_an_admin").await?;
        assert_eq!(group(&story).await?.name, "Without Bob");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn three_hundred_members_get_one_envelope_and_a_missing_one_stops_nobody() -> Result<()> {
    let story = Story::new().await?;
    let names: Vec<String> = (0..300).map(|n| format!("member-{n:03}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let people = known(&story, &names)?;
    let params = CreateParams {
        name: "The whole house".to_owned(),
        members: names.iter().map(|name| (*name).to_owned()).collect(),
    };
    let made = timeout(LONG, story.alice.client.call::<Create>(params)).await??;
    assert_eq!((made.members.len(), made.standing), (301, Standing::Member));
    let announced = timeout(LONG, story.relay.sends(1)).await?;
    assert_eq!(announced[0].sealed.len(), 300);

    // The relay knows one of them no more, and takes nothing for any of them together (D18): then each gets it alone.
    story.relay.replies_to_a_send(Reply::status(404, "", b""));
    let to = Conversation::Group(made.group);
    let sent = story.alice.client.send_text(to, "to all", None).await?;
    let id = hex::decode(&sent.message_id)?;
    // The roster, what was refused, and one for each.
    let last = timeout(LONG, story.relay.sends(302)).await?;
    let ours = last.iter().filter(|one| one.message_id == id);
    let counts: Vec<usize> = ours.map(|one| one.sealed.len()).collect();
    assert_eq!((counts.len(), counts[0]), (301, 300));
    assert!(counts[1..].iter().all(|count| *count == 1));
    for (person, name) in people.iter().zip(&names) {
        let theirs = last.iter().find(|one| {
            one.message_id == id && one.sealed.len() == 1 && one.sealed[0].recipient_id == **name
        });
        let inner = opened(&story, person, theirs.context("an envelope")?);
        assert_eq!(inner.context("it opens")?.recipient_id, **name);
    }
    Ok(())
}

/// A contact who is blocked is not added, and whom the directory does not know neither.
#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_added_whom_one_cannot_write_to() -> Result<()> {
    let story = Story::new().await?;
    known(&story, &["bob"])?;
    let user_id = "bob".to_owned();
    let params = connect_api::contacts::UserParams { user_id };
    story.alice.client.call::<Add>(params).await?;
    let mut raw = connect_tests::raw::Raw::connect(story.alice.endpoint.path()).await?;
    let block = serde_json::json!({"user_id": "bob", "blocked": true});
    raw.call("contacts.block", block).await?;
    for (params, expected) in [
        (
            serde_json::json!({"name": "A", "members": ["bob"]}),
            "invalid",
        ),
        (
            serde_json::json!({"name": "A", "members": ["nobody"]}),
            "unknown_contact",
        ),
        (
            serde_json::json!({"name": "A", "members": ["b c"]}),
            "invalid",
        ),
        (
            serde_json::json!({"name": " ", "members": ["mallory"]}),
            "invalid",
        ),
        (
            serde_json::json!({"name": "a\nb", "members": ["mallory"]}),
            "invalid",
        ),
    ] {
        assert_eq!(raw.outcome("groups.create", params).await?, expected);
    }
    Ok(())
}
