//! The operators' log (§10.6): whatever is changed, cut or moved in it shows.

use crate::support::World;
use connect_relay::operator::Verdict;
use connect_relay::operator::order::{Order, Reason, Role};
use sqlx::{Connection as _, SqliteConnection};

/// A log with an effect of every kind.
async fn told() -> World {
    let mut world = World::new().await;
    for user in ["alice", "bob", "carol"] {
        world.user(user).await;
    }
    let nora = world.operator("nora", &[Role::Attest]).await;
    let rosa = world.operator("rosa", &[Role::Revoke]).await;
    let show = Order::Show {
        user_id: "bob".parse().unwrap(),
    };
    let shown = world.order(Some(&nora), show).await.unwrap().result;
    let mut profile_digest = [0; 32];
    let digest = shown["profile_digest"].as_str().unwrap();
    hex::decode_to_slice(digest, &mut profile_digest).unwrap();
    let attest = Order::Attest {
        user_id: "bob".parse().unwrap(),
        profile_digest,
    };
    world.order(Some(&nora), attest).await.unwrap();
    let revoke = Order::RevokeKeys {
        user_id: "alice".parse().unwrap(),
        reason: Reason::Compromised,
        revision: None,
        note: None,
    };
    world.order(Some(&rosa), revoke).await.unwrap();
    world
}

/// As somebody who can write to the file and knows the triggers.
async fn meddle(world: &World, sql: &'static str) -> Verdict {
    let url = format!("sqlite://{}", world.dir.path().join("relay.db").display());
    let mut connection = SqliteConnection::connect(&url).await.unwrap();
    for sql in [
        "DROP TRIGGER IF EXISTS operator_log_stays",
        "DROP TRIGGER IF EXISTS operator_log_keeps",
        sql,
    ] {
        sqlx::raw_sql(sql).execute(&mut connection).await.unwrap();
    }
    connection.close().await.unwrap();
    world.verify_log(None).await
}

#[track_caller]
fn assert_trouble(verdict: &Verdict, what: &str) {
    let found = verdict.trouble.iter().any(|trouble| trouble.contains(what));
    assert!(found, "{what}: {:?}", verdict.trouble);
}

#[tokio::test]
async fn a_whole_log_is_found_whole_while_the_relay_runs_and_afterwards() {
    let world = told().await;
    let verdict = world.verify_log(None).await;
    assert!(verdict.trouble.is_empty(), "{:?}", verdict.trouble);
    assert_eq!(
        verdict.entries, 7,
        "three codes, two credentials, two deeds"
    );
    let head = verdict.head.unwrap();
    let world = world.restarted().await;
    let again = world.verify_log(Some(&head.digest)).await;
    assert!(again.trouble.is_empty());
    assert_eq!(again.head.unwrap(), head);
}

#[tokio::test]
async fn the_database_itself_refuses_to_change_or_cut_it() {
    let world = told().await;
    let url = format!("sqlite://{}", world.dir.path().join("relay.db").display());
    let mut connection = SqliteConnection::connect(&url).await.unwrap();
    for sql in [
        "UPDATE operator_log SET entry = '{}' WHERE seq = 1",
        "DELETE FROM operator_log WHERE seq = 7",
    ] {
        let refused = sqlx::raw_sql(sql).execute(&mut connection).await;
        assert!(refused.unwrap_err().to_string().contains("append-only"));
    }
    connection.close().await.unwrap();
}

#[tokio::test]
async fn an_edited_entry_shows() {
    let world = told().await;
    let sql = "UPDATE operator_log SET entry = replace(entry, 'rosa', 'nora') WHERE seq = 7";
    assert_trouble(&meddle(&world, sql).await, "entry 7 was changed");
}

#[tokio::test]
async fn entries_that_changed_places_show() {
    let world = told().await;
    let sql = "UPDATE operator_log SET seq = -1 WHERE seq = 2; UPDATE operator_log SET seq = 2 WHERE seq = 3;
               UPDATE operator_log SET seq = 3 WHERE seq = -1";
    assert_trouble(&meddle(&world, sql).await, "entry 2 was changed");
}

#[tokio::test]
async fn a_cut_in_the_middle_or_at_the_front_shows() {
    for (sql, what) in [
        (
            "DELETE FROM operator_log WHERE seq = 4",
            "entries 4 to 4 are missing",
        ),
        (
            "DELETE FROM operator_log WHERE seq < 3",
            "entries 1 to 2 are missing",
        ),
    ] {
        let world = told().await;
        assert_trouble(&meddle(&world, sql).await, what);
    }
}

#[tokio::test]
async fn a_cut_at_the_end_shows_by_the_count_by_the_effects_and_by_a_head_kept_elsewhere() {
    let world = told().await;
    let head = world.verify_log(None).await.head.unwrap();
    let verdict = meddle(&world, "DELETE FROM operator_log WHERE seq = 7").await;
    assert_trouble(&verdict, "cut at its end");
    let sql = "UPDATE sqlite_sequence SET seq = 6 WHERE name = 'operator_log'";
    let verdict = meddle(&world, sql).await;
    assert_eq!(verdict.trouble.len(), 1, "{:?}", verdict.trouble);
    assert_trouble(
        &verdict,
        "bundle 1 of alice was revoked, and no entry tells of it",
    );
    // Who also undoes the effect leaves a log that is whole: only what was kept elsewhere tells.
    let sql = "UPDATE bundles SET state = 0, ended_by_entry = NULL";
    assert!(meddle(&world, sql).await.trouble.is_empty());
    let verdict = world.verify_log(Some(&head.digest)).await;
    assert_trouble(&verdict, "the expected head is not in the log");
}

#[tokio::test]
async fn effects_without_an_entry_show() {
    for (sql, what) in [
        (
            "UPDATE users SET attested = 1 WHERE user_id = 'carol'",
            "carol is attested",
        ),
        (
            "UPDATE users SET attested = 1, attested_by_entry = 6 WHERE user_id = 'carol'",
            "carol is attested",
        ),
        (
            "UPDATE operators SET name = 'otto' WHERE name = 'nora'",
            "disagree about otto",
        ),
        (
            "UPDATE bundles SET state = 3 WHERE user = (SELECT id FROM users WHERE user_id = 'carol')",
            "of carol was revoked",
        ),
    ] {
        let world = told().await;
        assert_trouble(&meddle(&world, sql).await, what);
    }
}

#[tokio::test]
async fn a_log_that_somebody_else_wrote_anew_shows() {
    let world = told().await;
    std::fs::write(world.dir.path().join("operations.key"), [9; 32]).unwrap();
    let verdict = world.verify_log(None).await;
    assert_trouble(&verdict, "entry 1 is not signed by this relay");
}

#[tokio::test]
async fn after_a_cut_no_number_is_given_twice() {
    let world = told().await;
    meddle(&world, "DELETE FROM operator_log WHERE seq = 7").await;
    let again = Order::IssueCode {
        user_id: "dora".parse().unwrap(),
        code_hash: [3; 32],
    };
    let answer = world.order(None, again).await.unwrap();
    assert_eq!(answer.log.unwrap().seq, 8);
    assert_trouble(&world.verify_log(None).await, "entries 7 to 7 are missing");
}
