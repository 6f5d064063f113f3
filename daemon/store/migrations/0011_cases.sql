-- A patient case, as far as it is known here (§3.6, D16).
CREATE TABLE cases (
    id            INTEGER PRIMARY KEY,
    case_id       BLOB NOT NULL UNIQUE,
    conversation  INTEGER NOT NULL UNIQUE REFERENCES conversations (id),
    -- Of the revision in force; empty until it has come.
    title         TEXT NOT NULL DEFAULT '',
    control       INTEGER REFERENCES case_controls (id),
    -- The revision that the newest share of its keys belongs to.
    shared        BLOB,
    -- Where what was written before is found; null once that is here.
    history       BLOB,
    -- Null while the account takes part.
    left_ms       INTEGER,
    closed_ms     INTEGER,
    created_ms    INTEGER NOT NULL,
    changed_ms    INTEGER NOT NULL
) STRICT;

-- Every revision, also those of which another one of the same number is in force.
CREATE TABLE case_controls (
    id         INTEGER PRIMARY KEY,
    of_case    INTEGER NOT NULL REFERENCES cases (id),
    revision   INTEGER NOT NULL,
    digest     BLOB NOT NULL,
    epoch      INTEGER NOT NULL,
    author     TEXT NOT NULL,
    payload    BLOB NOT NULL,
    stored_ms  INTEGER NOT NULL,
    UNIQUE (of_case, digest)
) STRICT;
CREATE INDEX case_controls_by_epoch ON case_controls (of_case, epoch);

-- Two of one epoch, where two participants began it at the same time. They lie in this encrypted database alone.
CREATE TABLE case_keys (
    of_case  INTEGER NOT NULL REFERENCES cases (id),
    epoch    INTEGER NOT NULL,
    key      BLOB NOT NULL,
    -- The revision that it was shared with.
    control  BLOB NOT NULL,
    PRIMARY KEY (of_case, epoch, key)
) STRICT, WITHOUT ROWID;

-- Every revision of every field. One that was written beside another is contested until a later one settles it.
CREATE TABLE case_fields (
    id          INTEGER PRIMARY KEY,
    of_case     INTEGER NOT NULL REFERENCES cases (id),
    name        TEXT NOT NULL,
    revision    INTEGER NOT NULL,
    digest      BLOB NOT NULL,
    media_type  TEXT NOT NULL,
    value       BLOB NOT NULL,
    author      TEXT NOT NULL,
    written_ms  INTEGER NOT NULL,
    stored_ms   INTEGER NOT NULL,
    contested   INTEGER NOT NULL DEFAULT 0,
    UNIQUE (of_case, name, digest)
) STRICT;
CREATE INDEX case_fields_by_revision ON case_fields (of_case, name, revision);

-- Entries as they were sent, for whoever joins later.
CREATE TABLE case_entries (
    id          INTEGER PRIMARY KEY,
    of_case     INTEGER NOT NULL REFERENCES cases (id),
    sender      TEXT NOT NULL,
    message_id  BLOB NOT NULL,
    -- Controls and fields stay for as long as the case does.
    lasting     INTEGER NOT NULL,
    sealed      BLOB NOT NULL,
    stored_ms   INTEGER NOT NULL,
    -- Its place among the others; its own row where this is null.
    place       INTEGER,
    UNIQUE (of_case, sender, message_id)
) STRICT;
CREATE INDEX case_entries_by_place ON case_entries (of_case, coalesce(place, id));
CREATE INDEX case_entries_by_age ON case_entries (stored_ms) WHERE NOT lasting;

-- Who is still to get a case's keys: because its own key is not known yet, or because its history is under way.
CREATE TABLE case_shares_due (
    of_case       INTEGER NOT NULL REFERENCES cases (id),
    user_id       TEXT NOT NULL,
    with_history  INTEGER NOT NULL,
    PRIMARY KEY (of_case, user_id)
) STRICT, WITHOUT ROWID;

-- The name of a field that an event tells of.
ALTER TABLE events ADD COLUMN name TEXT;
