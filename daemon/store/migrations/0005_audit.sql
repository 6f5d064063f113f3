-- Who did what to what, with which outcome. Rows are only ever added, numbered without a hole, each hashed with the one before.
CREATE TABLE audit (
    entry     INTEGER PRIMARY KEY,
    -- The first and the last time, where the same was done more than once.
    first_ms  INTEGER NOT NULL,
    last_ms   INTEGER NOT NULL,
    count     INTEGER NOT NULL,
    -- `owner` or an app's id; null: nobody who had shown who it is.
    app       TEXT,
    -- Null: several.
    uid       INTEGER,
    pid       INTEGER,
    method    TEXT NOT NULL,
    -- A keyed hash of the id of what it was done to.
    object    BLOB,
    -- `ok`, or the name of an error.
    outcome   TEXT NOT NULL,
    hash      BLOB NOT NULL
) STRICT;

CREATE TABLE audit_state (
    one            INTEGER PRIMARY KEY CHECK (one = 1),
    pseudonym_key  BLOB NOT NULL,
    -- The newest entry, so that its removal shows too.
    last_entry     INTEGER NOT NULL,
    head           BLOB NOT NULL
) STRICT;
