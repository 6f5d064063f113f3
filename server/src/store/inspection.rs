//! Whether the operators' log is whole: its chain, its signatures, its end, and the effects that it has to tell of.

use std::collections::{BTreeMap, BTreeSet};

use connect_proto::keys::SignPublicKey;
use connect_proto::sign::{Purpose, verify};
use serde::Serialize;
use sqlx::{Row as _, SqliteConnection};

use super::log::{self, Entry, Head, Written};
use super::unsigned;

/// What an inspection found.
#[derive(Debug, Default, Serialize)]
pub struct Verdict {
    pub entries: u64,
    pub head: Option<Head>,
    /// Nothing, if the log is whole.
    pub trouble: Vec<String>,
}

/// What is remembered of the entries while they go by.
#[derive(Default)]
struct Told {
    last: u64,
    digest: Vec<u8>,
    /// Entry → the order and the user that it changed something for.
    done: BTreeMap<u64, (String, String)>,
    operators: BTreeSet<String>,
    expected_head: bool,
}

/// Reads the whole log in one transaction. `expect` is the digest of a head that was kept elsewhere.
pub(crate) async fn inspect(
    connection: &mut SqliteConnection,
    key: &SignPublicKey,
    expect: Option<&str>,
) -> Result<Verdict, sqlx::Error> {
    sqlx::query("BEGIN").execute(&mut *connection).await?;
    let verdict = read(connection, key, expect).await;
    sqlx::query("COMMIT").execute(&mut *connection).await?;
    verdict
}

async fn read(
    connection: &mut SqliteConnection,
    key: &SignPublicKey,
    expect: Option<&str>,
) -> Result<Verdict, sqlx::Error> {
    let mut verdict = Verdict::default();
    let mut told = Told::default();
    let mut from = 0;
    loop {
        let page = log::page(connection, from).await?;
        let Some(last) = page.last() else { break };
        from = last.seq;
        for written in &page {
            told.check(written, key, &mut verdict.trouble);
            told.expected_head |= expect.is_some_and(|head| head == hex::encode(&written.digest));
            verdict.entries += 1;
        }
    }
    if verdict.entries > 0 {
        verdict.head = Some(Head {
            seq: told.last,
            digest: hex::encode(&told.digest),
        });
    }
    told.check_end(connection, expect, &mut verdict.trouble)
        .await?;
    told.check_users(connection, &mut verdict.trouble).await?;
    told.check_bundles(connection, &mut verdict.trouble).await?;
    told.check_operators(connection, &mut verdict.trouble)
        .await?;
    Ok(verdict)
}

impl Told {
    fn check(&mut self, written: &Written, key: &SignPublicKey, trouble: &mut Vec<String>) {
        let seq = written.seq;
        if seq != self.last + 1 {
            trouble.push(format!(
                "entries {} to {} are missing",
                self.last + 1,
                seq - 1
            ));
        }
        if log::chained(&self.digest, &written.entry).as_slice() != written.digest {
            trouble.push(format!(
                "entry {seq} was changed, or does not follow on the one before"
            ));
        }
        if verify(
            Purpose::OperatorLog,
            &written.digest,
            &written.signature,
            key,
        )
        .is_err()
        {
            trouble.push(format!("entry {seq} is not signed by this relay"));
        }
        match serde_json::from_str::<Entry>(&written.entry) {
            Ok(entry) if entry.seq == seq => self.note(entry),
            _ => trouble.push(format!("entry {seq} is not what its number says")),
        }
        self.last = seq;
        self.digest.clone_from(&written.digest);
    }

    fn note(&mut self, entry: Entry) {
        if entry.outcome != "done" {
            return;
        }
        match (entry.order.as_str(), entry.credential) {
            ("add_operator", Some(name)) => {
                self.operators.insert(name);
            }
            ("remove_operator", Some(name)) => {
                self.operators.remove(&name);
            }
            _ => {}
        }
        if let Some(user_id) = entry.user_id {
            self.done.insert(entry.seq, (entry.order, user_id));
        }
    }

    /// The database numbers entries once, and remembers the last number longer than the entry.
    async fn check_end(
        &self,
        connection: &mut SqliteConnection,
        expect: Option<&str>,
        trouble: &mut Vec<String>,
    ) -> Result<(), sqlx::Error> {
        let counted: Option<i64> =
            sqlx::query_scalar("SELECT seq FROM sqlite_sequence WHERE name = 'operator_log'")
                .fetch_optional(connection)
                .await?;
        let counted = unsigned(counted.unwrap_or_default());
        if counted > self.last {
            trouble.push(format!(
                "the log was cut at its end: {counted} entries were written, the last one that is left is {}",
                self.last
            ));
        }
        if counted < self.last {
            trouble.push("the count of the entries was set back".to_owned());
        }
        if expect.is_some() && !self.expected_head {
            trouble
                .push("the expected head is not in the log: it was cut or written anew".to_owned());
        }
        Ok(())
    }

    async fn check_users(
        &self,
        connection: &mut SqliteConnection,
        trouble: &mut Vec<String>,
    ) -> Result<(), sqlx::Error> {
        let rows = sqlx::query("SELECT user_id, attested_by_entry FROM users WHERE attested <> 0")
            .fetch_all(connection)
            .await?;
        for row in &rows {
            let (user_id, entry): (String, Option<i64>) = (row.try_get(0)?, row.try_get(1)?);
            if !self.tells(entry, &user_id, &["attest"]) {
                trouble.push(format!("{user_id} is attested, and no entry tells of it"));
            }
        }
        Ok(())
    }

    /// A revoked key of someone who is not deleted was revoked by an operator, and so was a compromised one.
    async fn check_bundles(
        &self,
        connection: &mut SqliteConnection,
        trouble: &mut Vec<String>,
    ) -> Result<(), sqlx::Error> {
        let rows = sqlx::query(
            "SELECT u.user_id, b.revision, b.ended_by_entry FROM bundles b JOIN users u ON u.id = b.user
             WHERE b.state = 3 OR b.ended_by_entry IS NOT NULL",
        )
        .fetch_all(connection)
        .await?;
        for row in &rows {
            let (user_id, entry): (String, Option<i64>) = (row.try_get(0)?, row.try_get(2)?);
            if !self.tells(entry, &user_id, &["revoke_keys", "delete_account"]) {
                let revision: i64 = row.try_get(1)?;
                trouble.push(format!(
                    "bundle {revision} of {user_id} was revoked, and no entry tells of it"
                ));
            }
        }
        Ok(())
    }

    async fn check_operators(
        &self,
        connection: &mut SqliteConnection,
        trouble: &mut Vec<String>,
    ) -> Result<(), sqlx::Error> {
        let names: Vec<String> = sqlx::query_scalar("SELECT name FROM operators")
            .fetch_all(connection)
            .await?;
        let names: BTreeSet<String> = names.into_iter().collect();
        for name in names.symmetric_difference(&self.operators) {
            trouble.push(format!(
                "the log and the list of operators disagree about {name}"
            ));
        }
        Ok(())
    }

    fn tells(&self, entry: Option<i64>, user_id: &str, orders: &[&str]) -> bool {
        let told = entry.and_then(|entry| self.done.get(&unsigned(entry)));
        told.is_some_and(|(order, whom)| orders.contains(&order.as_str()) && whom == user_id)
    }
}
