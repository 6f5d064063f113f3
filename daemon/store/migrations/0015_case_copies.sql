-- Attachments that were sent before somebody joined a patient case: the relay gives a chunk to those alone who were named when it
-- was sent, so that whoever brings somebody in sends the same ciphertext once more, under an id of its own.

-- For whom this is still to be done, by us; how often that was asked for, and up to which row of `attachments`.
CREATE TABLE case_copies_due (
    of_case  INTEGER NOT NULL REFERENCES cases (id),
    user_id  TEXT NOT NULL,
    asked    INTEGER NOT NULL DEFAULT 1,
    up_to    INTEGER NOT NULL,
    PRIMARY KEY (of_case, user_id)
) STRICT, WITHOUT ROWID;

-- Where those for us lie, by the word of this sender; it counts where they brought the account in.
CREATE TABLE case_copies (
    of_case        INTEGER NOT NULL REFERENCES cases (id),
    sender         TEXT NOT NULL,
    attachment_id  BLOB NOT NULL,
    copy_id        BLOB NOT NULL,
    told_ms        INTEGER NOT NULL,
    PRIMARY KEY (of_case, sender, attachment_id)
) STRICT, WITHOUT ROWID;

-- Those that we bring to the relay, noted before it hears of them: they go when their message is taken back, or whom they are for is
-- taken out of the case.
CREATE TABLE case_copies_made (
    copy_id        BLOB PRIMARY KEY,
    attachment_id  BLOB NOT NULL,
    of_case        INTEGER NOT NULL REFERENCES cases (id),
    user_id        TEXT NOT NULL,
    begun_ms       INTEGER NOT NULL,
    chunks         INTEGER NOT NULL DEFAULT 0,
    there          INTEGER NOT NULL DEFAULT 0,
    told           INTEGER NOT NULL DEFAULT 0,
    withdrawn      INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX case_copies_made_of ON case_copies_made (attachment_id);
CREATE INDEX case_copies_made_for ON case_copies_made (of_case, user_id);
CREATE INDEX case_copies_made_withdrawn ON case_copies_made (copy_id) WHERE withdrawn;
