-- Who may do what (§5.2, §10.6). A credential is a token or a client certificate; only hashes are kept.
CREATE TABLE operators (
    -- Never given out twice: a name that comes back is somebody else.
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    name        TEXT    NOT NULL UNIQUE,
    token_hash  BLOB,
    certificate BLOB    UNIQUE,
    may_attest  INTEGER NOT NULL,
    may_revoke  INTEGER NOT NULL,
    added_ms    INTEGER NOT NULL
) STRICT;

-- What waits for a second operator (four eyes).
CREATE TABLE proposals (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    -- operators.id, and the name for those who read.
    operator   INTEGER NOT NULL,
    name       TEXT    NOT NULL,
    -- The order as JSON.
    wanted     TEXT    NOT NULL,
    made_ms    INTEGER NOT NULL,
    expires_ms INTEGER NOT NULL
) STRICT;

-- Append-only. digest = SHA-256(label || digest of the entry before || entry); signature by the operations key.
CREATE TABLE operator_log (
    seq       INTEGER PRIMARY KEY AUTOINCREMENT,
    entry     TEXT    NOT NULL,
    digest    BLOB    NOT NULL,
    signature BLOB    NOT NULL
) STRICT;
CREATE TRIGGER operator_log_stays BEFORE UPDATE ON operator_log BEGIN
    SELECT raise(ABORT, 'the operators'' log is append-only');
END;
CREATE TRIGGER operator_log_keeps BEFORE DELETE ON operator_log BEGIN
    SELECT raise(ABORT, 'the operators'' log is append-only');
END;
