-- Taken off the list: the keys stay known, so that who comes back is no stranger.
ALTER TABLE contacts ADD COLUMN removed INTEGER NOT NULL DEFAULT 0;
ALTER TABLE contacts ADD COLUMN blocked INTEGER NOT NULL DEFAULT 0;

-- The account's own bundle as it was signed, and the one that a rotation asks the relay to publish.
CREATE TABLE own_bundles (
    stage   TEXT PRIMARY KEY CHECK (stage IN ('current', 'next')),
    signed  BLOB NOT NULL
) STRICT, WITHOUT ROWID;

-- When the account's own Box Keys were replaced; the keys themselves are in the vault.
CREATE TABLE retired_keys (
    box_key     BLOB PRIMARY KEY,
    retired_ms  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Envelopes that are sealed to a key which is not here: their senders are asked to seal them anew.
CREATE TABLE unopened (
    message_id    BLOB NOT NULL,
    sender        TEXT NOT NULL,
    timestamp_ms  INTEGER NOT NULL,
    noticed_ms    INTEGER NOT NULL,
    asked         INTEGER NOT NULL DEFAULT 0,
    asked_ms      INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (message_id, sender)
) STRICT, WITHOUT ROWID;
CREATE INDEX unopened_by_sender ON unopened (sender);

CREATE INDEX quarantine_of_sender ON quarantine (sender, reason);
