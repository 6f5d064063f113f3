-- The words of the messages. What is indexed is read from here when it must be found again, and is stored once only.
CREATE TABLE search_state (
    one            INTEGER PRIMARY KEY CHECK (one = 1),
    -- Messages up to this one are in the index, those after it are not.
    indexed_up_to  INTEGER NOT NULL
) STRICT;
INSERT INTO search_state (one, indexed_up_to) VALUES (1, 0);

-- A conversation is a word of its own, with a letter that no text is looked through for.
CREATE VIEW search_source AS
    SELECT id, text, char(57344) || conversation AS conversation FROM messages
    WHERE id <= (SELECT indexed_up_to FROM search_state);

CREATE VIRTUAL TABLE search USING fts5 (
    text, conversation,
    content = 'search_source', content_rowid = 'id', columnsize = 0,
    tokenize = 'unicode61 remove_diacritics 2', prefix = '1 2 3 4'
);
-- What is taken out of the index leaves it at once, and not when its pages are written anew.
INSERT INTO search (search, rank) VALUES ('secure-delete', 1);

CREATE VIRTUAL TABLE vocabulary USING fts5vocab (search, instance);

-- The index is made after a message was stored, and follows what changes later.
CREATE TRIGGER search_follows_edits AFTER UPDATE OF text ON messages
WHEN old.id <= (SELECT indexed_up_to FROM search_state) BEGIN
    INSERT INTO search (search, rowid, text, conversation)
    VALUES ('delete', old.id, old.text, char(57344) || old.conversation);
    INSERT INTO search (rowid, text, conversation) VALUES (new.id, new.text, char(57344) || new.conversation);
END;
CREATE TRIGGER search_follows_removals AFTER DELETE ON messages
WHEN old.id <= (SELECT indexed_up_to FROM search_state) BEGIN
    INSERT INTO search (search, rowid, text, conversation)
    VALUES ('delete', old.id, old.text, char(57344) || old.conversation);
    -- A row id that becomes free at the end is given to another message.
    UPDATE search_state SET indexed_up_to = (SELECT coalesce(max(id), 0) FROM messages WHERE id < old.id)
    WHERE indexed_up_to = old.id;
END;

CREATE TABLE policy (
    one             INTEGER PRIMARY KEY CHECK (one = 1),
    retention_days  INTEGER,
    typing          INTEGER NOT NULL,
    read_receipts   INTEGER NOT NULL
) STRICT;

-- Up to which event an app has got.
CREATE TABLE event_cursors (
    app       TEXT PRIMARY KEY,
    event_id  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Removing a message looks for what refers to it.
CREATE INDEX client_refs_by_message ON client_refs (message);
CREATE INDEX quarantine_by_age ON quarantine (stored_ms);

-- A key's digits take 5,200 rounds of SHA-512: computed once.
ALTER TABLE contact_keys ADD COLUMN fingerprint TEXT;
