-- Attachments (§8.2.2): whose they are, who may read them, and where their chunks lie. The chunks themselves lie in an
-- object store.
CREATE TABLE attachments (
    -- Never given out twice: the chunks lie under it.
    id            INTEGER PRIMARY KEY AUTOINCREMENT,
    -- NULL once it was deleted or has expired: nobody finds it any more, its id is free, and its chunks are to be removed.
    attachment_id BLOB    UNIQUE,
    owner         INTEGER NOT NULL REFERENCES users (id),
    -- Of what was announced, its readers included: the very same again is the same attachment.
    digest        BLOB    NOT NULL,
    -- Of all its chunks, those to come included.
    size          INTEGER NOT NULL,
    chunk_count   INTEGER NOT NULL,
    expires_ms    INTEGER NOT NULL
) STRICT;
CREATE INDEX attachments_by_owner ON attachments (owner, size) WHERE attachment_id IS NOT NULL;
CREATE INDEX attachments_by_expiry ON attachments (expires_ms) WHERE attachment_id IS NOT NULL;
CREATE INDEX attachments_to_remove ON attachments (id) WHERE attachment_id IS NULL;

CREATE TABLE attachment_readers (
    attachment INTEGER NOT NULL REFERENCES attachments (id),
    reader     INTEGER NOT NULL REFERENCES users (id),
    PRIMARY KEY (attachment, reader)
) STRICT, WITHOUT ROWID;
CREATE INDEX attachment_readers_by_reader ON attachment_readers (reader);

-- A chunk that is there: its row is written after its bytes are durable.
CREATE TABLE chunks (
    attachment INTEGER NOT NULL REFERENCES attachments (id),
    -- From 1.
    position   INTEGER NOT NULL,
    size       INTEGER NOT NULL,
    digest     BLOB    NOT NULL,
    -- Makes the name of the object: no two that are written have the same.
    token      BLOB    NOT NULL,
    PRIMARY KEY (attachment, position)
) STRICT, WITHOUT ROWID;

-- One row: what all chunks take, until they are removed.
CREATE TABLE chunk_store (
    id    INTEGER PRIMARY KEY CHECK (id = 1),
    bytes INTEGER NOT NULL
) STRICT;
INSERT INTO chunk_store (id, bytes) VALUES (1, 0);
