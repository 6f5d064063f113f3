//! The news of a key that ended (§5.2): a statement that the relay signs, in every other mailbox.

use std::sync::Arc;

use connect_proto::sign::Purpose;
use connect_proto::{codec, wire};
use sqlx::Row as _;

use super::writer::Tx;
use super::{UserNumber, mailbox, signed, unsigned};
use crate::secret::RelaySecret;

/// What it takes to tell the others.
#[derive(Debug, Clone)]
pub(crate) struct News {
    pub(crate) now_ms: u64,
    /// Nobody is told where there are more users than this.
    pub(crate) audience: u64,
    pub(crate) secret: Arc<RelaySecret>,
}

/// The statement, signed by the operations key.
pub(crate) fn signed_update(
    secret: &RelaySecret,
    statement: &wire::ContactUpdateStatement,
) -> wire::ContactUpdate {
    let statement = codec::encode(statement);
    let signature = secret.operations.sign(Purpose::ContactUpdate, &statement);
    wire::ContactUpdate {
        signature: signature.to_vec(),
        statement,
    }
}

impl News {
    /// One envelope of the relay's own, kept once, in every other mailbox.
    pub(super) async fn tell(
        &self,
        tx: &mut Tx,
        about: UserNumber,
        statement: &wire::ContactUpdateStatement,
    ) -> Result<(), sqlx::Error> {
        let others: i64 =
            sqlx::query_scalar("SELECT count(*) FROM users WHERE state <> 1 AND id <> ?")
                .bind(about.0)
                .fetch_one(&mut tx.connection)
                .await?;
        if others == 0 || unsigned(others) > self.audience {
            return Ok(());
        }
        let update = signed_update(&self.secret, statement);
        let message_id = self
            .secret
            .message_id(&[b"contact-update", &update.statement]);
        let envelope = codec::encode(&wire::Envelope {
            message_id: message_id.to_vec(),
            timestamp_ms: self.now_ms,
            contact_update: Some(update),
            ..Default::default()
        });
        let shared = mailbox::add_shared(tx, &envelope, unsigned(others)).await?;
        let size = signed(envelope.len() as u64);
        sqlx::query(
            "INSERT INTO mailbox (slot, message_id, arrived_ms, size, shared, envelope)
             SELECT (m.user << 40) | m.next_seq, ?, ?, ?, ?, x''
             FROM mailboxes m JOIN users u ON u.id = m.user WHERE u.state <> 1 AND u.id <> ?",
        )
        .bind(message_id.as_bytes().as_slice())
        .bind(signed(self.now_ms))
        .bind(size)
        .bind(shared)
        .bind(about.0)
        .execute(&mut tx.connection)
        .await?;
        let told = sqlx::query(
            "UPDATE mailboxes SET next_seq = next_seq + 1, messages = messages + 1, bytes = bytes + ?
             WHERE user IN (SELECT id FROM users WHERE state <> 1 AND id <> ?) RETURNING user",
        )
        .bind(size)
        .bind(about.0)
        .fetch_all(&mut tx.connection)
        .await?;
        for row in told {
            tx.woken.push(UserNumber(row.try_get(0)?));
        }
        Ok(())
    }
}
