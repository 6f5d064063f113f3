-- Programs that were paired with the daemon: who may come to the socket with which token.
CREATE TABLE apps (
    id            INTEGER PRIMARY KEY AUTOINCREMENT,
    app_id        BLOB NOT NULL UNIQUE,
    name          TEXT NOT NULL,
    -- The contract's words, separated by spaces.
    scopes        TEXT NOT NULL,
    -- The only user of the host who may use the token; null: every one.
    uid           INTEGER,
    -- SHA-256 of the token; null once the app was revoked.
    token_digest  BLOB,
    created_ms    INTEGER NOT NULL,
    revoked_ms    INTEGER
) STRICT;
