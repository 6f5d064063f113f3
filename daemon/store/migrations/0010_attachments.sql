-- Bytes that go with a message (D15). They lie beside the database as ciphertext; their key is here.
CREATE TABLE attachments (
    id             INTEGER PRIMARY KEY,
    attachment_id  BLOB NOT NULL,
    -- None until a message names it.
    message        INTEGER UNIQUE REFERENCES messages (id) ON DELETE CASCADE,
    outgoing       INTEGER NOT NULL,
    -- Who began it, and may name it in a message.
    app            TEXT NOT NULL,
    key            BLOB NOT NULL,
    chunk_count    INTEGER NOT NULL,
    size           INTEGER NOT NULL,
    -- Of the ciphertext; none until all of it is sealed.
    digest         BLOB,
    media_type     TEXT NOT NULL,
    filename       TEXT NOT NULL,
    thumbnail      BLOB NOT NULL,
    -- Its ciphertext's name in the directory.
    file           BLOB NOT NULL UNIQUE,
    state          TEXT NOT NULL,
    reason         TEXT,
    -- The relay knows of it.
    created        INTEGER NOT NULL DEFAULT 0,
    changed_ms     INTEGER NOT NULL
) STRICT;
CREATE INDEX attachments_by_id ON attachments (attachment_id);
CREATE INDEX attachments_at_work ON attachments (state, id) WHERE state IN ('incomplete', 'uploading', 'downloading');

-- What of a transfer is done: durable here, or at the relay.
CREATE TABLE attachment_chunks (
    attachment  INTEGER NOT NULL REFERENCES attachments (id) ON DELETE CASCADE,
    chunk       INTEGER NOT NULL,
    PRIMARY KEY (attachment, chunk)
) STRICT, WITHOUT ROWID;

-- What the relay is to remove.
CREATE TABLE attachment_removals (
    attachment_id  BLOB PRIMARY KEY
) STRICT, WITHOUT ROWID;

-- A page of texts costs no look into the table of attachments.
ALTER TABLE messages ADD COLUMN has_attachment INTEGER NOT NULL DEFAULT 0;
ALTER TABLE events ADD COLUMN attachment_id BLOB;

-- Bytes: up to how many are fetched as they come (-1: all), and how many may lie here.
ALTER TABLE policy ADD COLUMN download_up_to INTEGER NOT NULL DEFAULT 16777216;
ALTER TABLE policy ADD COLUMN attachments_quota INTEGER NOT NULL DEFAULT 10737418240;
