-- Whose word counts in a patient case: for the key of an epoch, for who comes in, for what was written before.

-- By whose word the account came in while others were in it already; null for a case's first participants.
ALTER TABLE cases ADD COLUMN introduced_by TEXT;
-- What was written before has come in whole: nobody's history is taken from then on.
ALTER TABLE cases ADD COLUMN history_is_here INTEGER NOT NULL DEFAULT 0;
-- Before the first of what a history brings: while it is being taken in, so that it goes on where it was cut off.
ALTER TABLE cases ADD COLUMN message_place INTEGER;
ALTER TABLE cases ADD COLUMN entry_place INTEGER;
-- The epoch that another one should have followed on, had its key been here.
ALTER TABLE cases ADD COLUMN epoch_due INTEGER;
ALTER TABLE cases DROP COLUMN shared;

-- Whose key of its epoch counts for writing, and with which revision it came: of who began the epoch, or of who brought the
-- account in. Empty in what was stored before this was known.
ALTER TABLE case_controls ADD COLUMN key_from TEXT NOT NULL DEFAULT '';
ALTER TABLE case_controls ADD COLUMN began BLOB NOT NULL DEFAULT x'';

-- The same key once for each who shared it.
CREATE TABLE case_keys_by_source (
    id       INTEGER PRIMARY KEY,
    of_case  INTEGER NOT NULL REFERENCES cases (id),
    epoch    INTEGER NOT NULL,
    key      BLOB NOT NULL,
    -- The revision that it was shared with.
    control  BLOB NOT NULL,
    source   TEXT NOT NULL,
    UNIQUE (of_case, epoch, key, source)
) STRICT;
INSERT INTO case_keys_by_source (of_case, epoch, key, control, source)
    SELECT of_case, epoch, key, control, '' FROM case_keys ORDER BY of_case, epoch, key;
DROP TABLE case_keys;
ALTER TABLE case_keys_by_source RENAME TO case_keys;

-- Who shared keys with which revision: whoever wrote that one as well may bring the account in.
CREATE TABLE case_shares (
    id       INTEGER PRIMARY KEY,
    of_case  INTEGER NOT NULL REFERENCES cases (id),
    sender   TEXT NOT NULL,
    control  BLOB NOT NULL,
    -- Where the sender says that what was written before is found.
    history  BLOB,
    UNIQUE (of_case, sender, control)
) STRICT;

-- What we wrote ourselves, and when the relay took it; null until then.
ALTER TABLE case_entries ADD COLUMN ours INTEGER NOT NULL DEFAULT 0;
ALTER TABLE case_entries ADD COLUMN sent_ms INTEGER;
CREATE INDEX case_entries_sent ON case_entries (of_case, sent_ms) WHERE ours;

-- The case that something put aside is of, where it may come right by what comes after it.
ALTER TABLE quarantine ADD COLUMN case_id BLOB;
CREATE INDEX quarantine_of_case ON quarantine (case_id, sender, stored_ms) WHERE case_id IS NOT NULL;

-- How often a member who goes by another roster was answered, and since when that is counted.
ALTER TABLE group_members ADD COLUMN answered_times INTEGER NOT NULL DEFAULT 0;
ALTER TABLE group_members ADD COLUMN answered_ms INTEGER NOT NULL DEFAULT 0;
