-- The relay's database. Users are numbers inside it: a mailbox row must be small, and a name is long.

CREATE TABLE users (
    -- Below 2^23: see mailbox.slot.
    id              INTEGER PRIMARY KEY CHECK (id BETWEEN 1 AND 8388607),
    user_id         TEXT    NOT NULL UNIQUE,
    -- 0 active, 1 deleted
    state           INTEGER NOT NULL DEFAULT 0,
    display_name    TEXT    NOT NULL,
    profession      TEXT    NOT NULL,
    organisation    TEXT    NOT NULL,
    attested        INTEGER NOT NULL DEFAULT 0,
    -- The revision of the last contact update about this user (§5.2): it only rises.
    update_revision INTEGER NOT NULL DEFAULT 0
) STRICT;

-- Old bundles stay (§5.3).
CREATE TABLE bundles (
    user               INTEGER NOT NULL REFERENCES users (id),
    revision           INTEGER NOT NULL,
    -- wire.KeyState
    state              INTEGER NOT NULL,
    changed_ms         INTEGER NOT NULL,
    sign_key           BLOB    NOT NULL,
    bundle             BLOB    NOT NULL,
    signature          BLOB    NOT NULL,
    previous_signature BLOB    NOT NULL,
    PRIMARY KEY (user, revision)
) STRICT, WITHOUT ROWID;

-- Enrollment codes (D28): only their hashes.
CREATE TABLE codes (
    hash       BLOB    PRIMARY KEY,
    user_id    TEXT    NOT NULL,
    expires_ms INTEGER NOT NULL,
    used_ms    INTEGER,
    -- Digest of the bundle that it was used for: the same enrollment again gets the same answer.
    used_for   BLOB
) STRICT, WITHOUT ROWID;

-- Request nonces (D8), until no clock could still accept their timestamps.
CREATE TABLE nonces (
    user       INTEGER NOT NULL,
    nonce      BLOB    NOT NULL,
    expires_ms INTEGER NOT NULL,
    PRIMARY KEY (user, nonce)
) STRICT, WITHOUT ROWID;
CREATE INDEX nonces_by_expiry ON nonces (expires_ms);

-- One row per user; next_seq only rises, whatever is deleted.
CREATE TABLE mailboxes (
    user     INTEGER PRIMARY KEY REFERENCES users (id),
    next_seq INTEGER NOT NULL DEFAULT 1,
    messages INTEGER NOT NULL DEFAULT 0,
    bytes    INTEGER NOT NULL DEFAULT 0
) STRICT;

-- What waits. The key is user << 40 | queue_seq: a mailbox is one range of the table itself, in order of arrival.
CREATE TABLE mailbox (
    slot       INTEGER PRIMARY KEY,
    message_id BLOB    NOT NULL,
    -- Who is told when it expires; NULL for what the relay itself wrote.
    sender     INTEGER,
    arrived_ms INTEGER NOT NULL,
    -- Ephemeral only.
    expires_ms INTEGER,
    -- What it counts towards the mailbox's limit.
    size       INTEGER NOT NULL,
    shared     INTEGER REFERENCES shared (id),
    -- wire.Envelope for this reader alone, queue_seq left out. Where `shared` is set, the rest of it is there.
    envelope   BLOB    NOT NULL
) STRICT;
CREATE INDEX mailbox_ephemeral ON mailbox (expires_ms) WHERE expires_ms IS NOT NULL;

-- The part of an envelope that all its readers share, kept once. Protobuf reads the two parts, one after the other,
-- as one message.
CREATE TABLE shared (
    id       INTEGER PRIMARY KEY,
    readers  INTEGER NOT NULL,
    envelope BLOB    NOT NULL
) STRICT;

-- What was accepted in the last 30 days (D21), as keyed hashes: who wrote to whom cannot be read from it.
-- Row ids rise with time, so that the oldest are purged from the front.
CREATE TABLE dedup (
    id         INTEGER PRIMARY KEY,
    tag        BLOB    NOT NULL UNIQUE,
    digest     BLOB    NOT NULL,
    expires_ms INTEGER NOT NULL
) STRICT;
