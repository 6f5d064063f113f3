-- A recipient of a conversation with a roster who has to wait does so alone: a lane of its own, with the negative of its
-- number in the outbox. What goes to all has the conversation's own number there.
CREATE TABLE lanes (
    id            INTEGER PRIMARY KEY,
    conversation  INTEGER NOT NULL REFERENCES conversations (id),
    user_id       TEXT NOT NULL,
    UNIQUE (conversation, user_id)
) STRICT;
CREATE INDEX lanes_by_user ON lanes (user_id);

DROP INDEX outbox_by_conversation;
DROP INDEX outbox_by_hold;
ALTER TABLE outbox RENAME TO outbox_before;
CREATE TABLE outbox (
    id            INTEGER PRIMARY KEY,
    conversation  INTEGER NOT NULL REFERENCES conversations (id),
    -- What has the same lane goes out in order.
    lane          INTEGER NOT NULL,
    -- A JSON array of user ids; null where the conversation is with one user.
    recipients    TEXT,
    message       INTEGER REFERENCES messages (id) ON DELETE CASCADE,
    control       INTEGER REFERENCES controls (id) ON DELETE CASCADE,
    envelope      BLOB,
    stale         INTEGER NOT NULL DEFAULT 0,
    resealed      INTEGER NOT NULL DEFAULT 0,
    resend        INTEGER NOT NULL DEFAULT 0,
    attempts      INTEGER NOT NULL DEFAULT 0,
    due_ms        INTEGER NOT NULL DEFAULT 0,
    hold          TEXT,
    UNIQUE (message, lane),
    UNIQUE (control, lane),
    CHECK ((message IS NULL) <> (control IS NULL)),
    CHECK (envelope IS NOT NULL OR stale)
) STRICT;
INSERT INTO outbox (id, conversation, lane, message, control, envelope, stale, resealed, resend, attempts, due_ms, hold)
SELECT id, conversation, conversation, message, control, envelope, stale, resealed, resend, attempts, due_ms, hold
FROM outbox_before ORDER BY id;
DROP TABLE outbox_before;
CREATE INDEX outbox_by_lane ON outbox (lane, id);
-- Counting reads no envelope.
CREATE INDEX outbox_by_hold ON outbox (hold);
CREATE INDEX outbox_to_several ON outbox (conversation) WHERE recipients IS NOT NULL;

-- A group is a conversation with a roster, which its admins write (D17).
CREATE TABLE groups (
    conversation  INTEGER PRIMARY KEY REFERENCES conversations (id),
    name          TEXT NOT NULL,
    revision      INTEGER NOT NULL,
    digest        BLOB NOT NULL,
    -- `member`, `left` or `removed`.
    standing      TEXT NOT NULL,
    changed_ms    INTEGER NOT NULL
) STRICT;

CREATE TABLE group_members (
    conversation  INTEGER NOT NULL REFERENCES groups (conversation),
    user_id       TEXT NOT NULL,
    is_admin      INTEGER NOT NULL,
    -- The revision with which the member came in.
    since         INTEGER NOT NULL,
    -- The roster of the member's, other than ours, that was answered last.
    answered      BLOB,
    PRIMARY KEY (conversation, user_id)
) STRICT, WITHOUT ROWID;

CREATE INDEX group_members_by_user ON group_members (user_id);

-- The chain, as far as it was seen: whoever is behind is sent what is missing.
CREATE TABLE group_revisions (
    conversation  INTEGER NOT NULL REFERENCES groups (conversation),
    revision      INTEGER NOT NULL,
    digest        BLOB NOT NULL,
    control       BLOB NOT NULL,
    -- When it came to count here.
    at_ms         INTEGER NOT NULL,
    PRIMARY KEY (conversation, revision)
) STRICT, WITHOUT ROWID;
