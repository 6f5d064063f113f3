-- users.state has a third value: 2, enrolled and without an active key (an operator revoked it).

-- The revision of the contact update that told of this bundle's end (§5.2); NULL while it is active.
ALTER TABLE bundles ADD COLUMN told_revision INTEGER;
UPDATE bundles SET told_revision = (SELECT update_revision FROM users WHERE id = bundles.user) WHERE state <> 0;

-- What an operator did stands with the number of its entry: an effect whose entry is gone shows that the log was cut.
ALTER TABLE users ADD COLUMN attested_by_entry INTEGER;
ALTER TABLE bundles ADD COLUMN ended_by_entry INTEGER;

-- Whose mailbox is still to be emptied is looked for among these.
CREATE INDEX users_deleted ON users (id) WHERE state = 1;

-- What a search looks into (§10.4): whoever is not deleted, kept in step by the triggers below.
CREATE VIRTUAL TABLE people USING fts5 (
    display_name, profession, organisation, user_id,
    content = 'users', content_rowid = 'id',
    prefix = '2 3',
    tokenize = "unicode61 remove_diacritics 2"
);
INSERT INTO people (rowid, display_name, profession, organisation, user_id)
SELECT id, display_name, profession, organisation, user_id FROM users WHERE state <> 1;

CREATE TRIGGER people_come AFTER INSERT ON users WHEN new.state <> 1 BEGIN
    INSERT INTO people (rowid, display_name, profession, organisation, user_id)
    VALUES (new.id, new.display_name, new.profession, new.organisation, new.user_id);
END;
-- One trigger for both halves: SQLite promises no order among several.
CREATE TRIGGER people_change AFTER UPDATE OF display_name, profession, organisation, state ON users BEGIN
    INSERT INTO people (people, rowid, display_name, profession, organisation, user_id)
    SELECT 'delete', old.id, old.display_name, old.profession, old.organisation, old.user_id WHERE old.state <> 1;
    INSERT INTO people (rowid, display_name, profession, organisation, user_id)
    SELECT new.id, new.display_name, new.profession, new.organisation, new.user_id WHERE new.state <> 1;
END;
