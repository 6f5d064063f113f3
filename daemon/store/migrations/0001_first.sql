-- One row: the daemon's own user.
CREATE TABLE account (
    one              INTEGER PRIMARY KEY CHECK (one = 1),
    user_id          TEXT NOT NULL,
    installation_id  BLOB NOT NULL,
    display_name     TEXT NOT NULL,
    profession       TEXT NOT NULL,
    organisation     TEXT NOT NULL,
    attested         INTEGER NOT NULL,
    box_key          BLOB NOT NULL,
    sign_key         BLOB NOT NULL,
    bundle_revision  INTEGER NOT NULL,
    relay_url        TEXT NOT NULL,
    relay_ca_pem     TEXT,
    operations_key   BLOB NOT NULL,
    enrolled_ms      INTEGER NOT NULL
) STRICT;

-- What was asked of the relay and may have been answered: an enrollment that was cut off goes on from here.
CREATE TABLE pending_enrollment (
    one      INTEGER PRIMARY KEY CHECK (one = 1),
    request  BLOB NOT NULL
) STRICT;

CREATE TABLE relay_pins (
    pin TEXT PRIMARY KEY
) STRICT, WITHOUT ROWID;

CREATE TABLE contacts (
    user_id          TEXT PRIMARY KEY,
    display_name     TEXT NOT NULL,
    profession       TEXT NOT NULL,
    organisation     TEXT NOT NULL,
    attested         INTEGER NOT NULL,
    trust            TEXT NOT NULL,
    update_revision  INTEGER NOT NULL,
    added_ms         INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Old keys stay (§5.3).
CREATE TABLE contact_keys (
    user_id     TEXT NOT NULL REFERENCES contacts (user_id) ON DELETE CASCADE,
    revision    INTEGER NOT NULL,
    box_key     BLOB NOT NULL,
    sign_key    BLOB NOT NULL,
    digest      BLOB NOT NULL,
    state       TEXT NOT NULL,
    changed_ms  INTEGER NOT NULL,
    PRIMARY KEY (user_id, revision)
) STRICT, WITHOUT ROWID;

CREATE TABLE conversations (
    id             INTEGER PRIMARY KEY,
    kind           TEXT NOT NULL,
    peer           TEXT NOT NULL,
    last_message   INTEGER,
    read_up_to     INTEGER NOT NULL DEFAULT 0,
    unread         INTEGER NOT NULL DEFAULT 0,
    last_sequence  INTEGER NOT NULL DEFAULT 0,
    UNIQUE (kind, peer)
) STRICT;
CREATE INDEX conversations_by_activity ON conversations (last_message DESC);

-- A message is (sender, message_id); the first one stored wins (D12).
CREATE TABLE messages (
    id               INTEGER PRIMARY KEY,
    conversation     INTEGER NOT NULL REFERENCES conversations (id),
    sender           TEXT NOT NULL,
    message_id       BLOB NOT NULL,
    outgoing         INTEGER NOT NULL,
    timestamp_ms     INTEGER NOT NULL,
    stored_ms        INTEGER NOT NULL,
    installation_id  BLOB NOT NULL,
    sequence         INTEGER NOT NULL,
    retired_key      INTEGER NOT NULL,
    text             TEXT NOT NULL,
    reply_to         BLOB,
    client_ref       TEXT,
    UNIQUE (message_id, sender)
) STRICT;
CREATE INDEX messages_by_conversation ON messages (conversation, id);
-- What a conversation tells of its newest message and of what is unread costs nothing to read.
CREATE TRIGGER messages_move_their_conversation AFTER INSERT ON messages BEGIN
    UPDATE conversations SET last_message = new.id, unread = unread + (NOT new.outgoing) WHERE id = new.conversation;
END;

CREATE TABLE recipients (
    message     INTEGER NOT NULL REFERENCES messages (id) ON DELETE CASCADE,
    user_id     TEXT NOT NULL,
    state       TEXT NOT NULL,
    reason      TEXT,
    changed_ms  INTEGER NOT NULL,
    PRIMARY KEY (message, user_id)
) STRICT, WITHOUT ROWID;

-- The envelope is kept as it was sealed: a retry sends the same bytes (D20).
CREATE TABLE outbox (
    message       INTEGER PRIMARY KEY REFERENCES messages (id) ON DELETE CASCADE,
    conversation  INTEGER NOT NULL,
    envelope      BLOB NOT NULL,
    attempts      INTEGER NOT NULL,
    due_ms        INTEGER NOT NULL
) STRICT;
CREATE INDEX outbox_by_conversation ON outbox (conversation, message);

CREATE TABLE client_refs (
    app         TEXT NOT NULL,
    client_ref  TEXT NOT NULL,
    digest      BLOB NOT NULL,
    message     INTEGER NOT NULL REFERENCES messages (id) ON DELETE CASCADE,
    PRIMARY KEY (app, client_ref)
) STRICT, WITHOUT ROWID;

-- What could not be opened, as it came (D19).
CREATE TABLE quarantine (
    digest      BLOB PRIMARY KEY,
    reason      TEXT NOT NULL,
    sender      TEXT NOT NULL,
    message_id  BLOB NOT NULL,
    envelope    BLOB NOT NULL,
    stored_ms   INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE events (
    event_id      INTEGER PRIMARY KEY AUTOINCREMENT,
    at_ms         INTEGER NOT NULL,
    kind          TEXT NOT NULL,
    conversation  INTEGER REFERENCES conversations (id),
    user_id       TEXT,
    message_id    BLOB,
    state         TEXT,
    reason        TEXT
) STRICT;
