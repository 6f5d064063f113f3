-- Whether a message is unread is its own: one that comes late is read on its own, wherever it stands.
ALTER TABLE messages ADD COLUMN unread INTEGER NOT NULL DEFAULT 0;
UPDATE messages SET unread = 1
WHERE NOT outgoing AND id > (SELECT c.read_up_to FROM conversations c WHERE c.id = messages.conversation);
CREATE INDEX messages_unread ON messages (conversation) WHERE unread;
ALTER TABLE conversations DROP COLUMN read_up_to;

-- The row beside which one stands that came late (D13); its own row where this is null.
ALTER TABLE messages ADD COLUMN place INTEGER;
DROP INDEX messages_by_conversation;
CREATE INDEX messages_by_place ON messages (conversation, coalesce(place, id), sequence);
CREATE INDEX messages_by_sequence ON messages (conversation, sequence);

-- The text is the newest one; the earlier ones are in `versions` (D12).
ALTER TABLE messages ADD COLUMN edited_ms INTEGER;
ALTER TABLE messages ADD COLUMN deleted_ms INTEGER;
ALTER TABLE messages ADD COLUMN amended_by INTEGER NOT NULL DEFAULT 0;

DROP TRIGGER messages_move_their_conversation;
CREATE TRIGGER messages_move_their_conversation AFTER INSERT ON messages BEGIN
    UPDATE conversations SET last_message = new.id, unread = unread + new.unread WHERE id = new.conversation;
END;
CREATE TRIGGER messages_are_read AFTER UPDATE OF unread ON messages WHEN new.unread <> old.unread BEGIN
    UPDATE conversations SET unread = unread + new.unread - old.unread WHERE id = new.conversation;
END;
CREATE TRIGGER messages_go_unread AFTER DELETE ON messages WHEN old.unread BEGIN
    UPDATE conversations SET unread = unread - 1 WHERE id = old.conversation;
END;

-- From number 1, the first text, up to the last one before the text that is shown.
CREATE TABLE versions (
    message     INTEGER NOT NULL REFERENCES messages (id) ON DELETE CASCADE,
    number      INTEGER NOT NULL,
    text        TEXT NOT NULL,
    written_ms  INTEGER NOT NULL,
    PRIMARY KEY (message, number)
) STRICT, WITHOUT ROWID;

-- Edits and deletions (no text) that came before their message.
CREATE TABLE early_amendments (
    target        BLOB NOT NULL,
    sender        TEXT NOT NULL,
    sequence      INTEGER NOT NULL,
    conversation  INTEGER NOT NULL REFERENCES conversations (id),
    timestamp_ms  INTEGER NOT NULL,
    text          TEXT,
    PRIMARY KEY (target, sender, sequence)
) STRICT, WITHOUT ROWID;

-- What was sent that is no message to show: receipts, edits, deletions, resend requests.
CREATE TABLE controls (
    id            INTEGER PRIMARY KEY,
    conversation  INTEGER NOT NULL REFERENCES conversations (id),
    message_id    BLOB NOT NULL UNIQUE,
    timestamp_ms  INTEGER NOT NULL,
    sequence      INTEGER NOT NULL,
    payload       BLOB NOT NULL
) STRICT;
CREATE INDEX controls_by_sequence ON controls (conversation, sequence);

-- Their like from others: only that they came (D12).
CREATE TABLE received_controls (
    message_id  BLOB NOT NULL,
    sender      TEXT NOT NULL,
    digest      BLOB NOT NULL,
    stored_ms   INTEGER NOT NULL,
    PRIMARY KEY (message_id, sender)
) STRICT, WITHOUT ROWID;
CREATE INDEX received_controls_by_age ON received_controls (stored_ms);

-- What goes to the relay, in order. The envelope is the same at every attempt (D20), unless the recipient's key changed
-- since (`stale`): then it is sealed anew, under the same id.
ALTER TABLE outbox RENAME TO outbox_before;
CREATE TABLE outbox (
    id            INTEGER PRIMARY KEY,
    conversation  INTEGER NOT NULL REFERENCES conversations (id),
    message       INTEGER UNIQUE REFERENCES messages (id) ON DELETE CASCADE,
    control       INTEGER UNIQUE REFERENCES controls (id) ON DELETE CASCADE,
    envelope      BLOB,
    stale         INTEGER NOT NULL DEFAULT 0,
    resealed      INTEGER NOT NULL DEFAULT 0,
    resend        INTEGER NOT NULL DEFAULT 0,
    attempts      INTEGER NOT NULL DEFAULT 0,
    due_ms        INTEGER NOT NULL DEFAULT 0,
    hold          TEXT,
    CHECK ((message IS NULL) <> (control IS NULL)),
    CHECK (envelope IS NOT NULL OR stale)
) STRICT;
INSERT INTO outbox (conversation, message, envelope, attempts)
SELECT conversation, message, envelope, attempts FROM outbox_before ORDER BY message;
DROP TABLE outbox_before;
CREATE INDEX outbox_by_conversation ON outbox (conversation, id);
-- Counting reads no envelope.
CREATE INDEX outbox_by_hold ON outbox (hold);

-- How far what a sender's installation says in a conversation has come (D13).
CREATE TABLE streams (
    conversation     INTEGER NOT NULL REFERENCES conversations (id),
    sender           TEXT NOT NULL,
    installation_id  BLOB NOT NULL,
    highest          INTEGER NOT NULL,
    highest_id       BLOB NOT NULL,
    highest_ms       INTEGER NOT NULL,
    PRIMARY KEY (conversation, sender, installation_id)
) STRICT, WITHOUT ROWID;

-- What is missing in between, with the messages on either side of it.
CREATE TABLE gaps (
    id               INTEGER PRIMARY KEY,
    conversation     INTEGER NOT NULL REFERENCES conversations (id),
    sender           TEXT NOT NULL,
    installation_id  BLOB NOT NULL,
    first            INTEGER NOT NULL,
    last             INTEGER NOT NULL,
    before_id        BLOB NOT NULL,
    before_ms        INTEGER NOT NULL,
    after_id         BLOB NOT NULL,
    after_ms         INTEGER NOT NULL,
    noticed_ms       INTEGER NOT NULL,
    asked            INTEGER NOT NULL DEFAULT 0,
    asked_ms         INTEGER NOT NULL DEFAULT 0,
    CHECK (first <= last)
) STRICT;
CREATE INDEX gaps_by_stream ON gaps (conversation, sender, installation_id, first);

-- The range that a `message_missing` tells of; whether somebody is `typing`.
ALTER TABLE events ADD COLUMN first INTEGER;
ALTER TABLE events ADD COLUMN last INTEGER;
