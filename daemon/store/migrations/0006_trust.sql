-- Whether the key before signed for this one (D10), and what was decided about it here (D25).
ALTER TABLE contact_keys ADD COLUMN countersigned INTEGER NOT NULL DEFAULT 0;
ALTER TABLE contact_keys ADD COLUMN decision TEXT;
ALTER TABLE contact_keys ADD COLUMN decided_ms INTEGER;

-- How the directory contradicts what is known, and since when that is noticed; null while it does not.
ALTER TABLE contacts ADD COLUMN contradiction TEXT;
ALTER TABLE contacts ADD COLUMN contradicted_ms INTEGER;
-- A signed update named a bundle that the directory has not shown yet.
ALTER TABLE contacts ADD COLUMN stated_digest BLOB;
ALTER TABLE contacts ADD COLUMN stated_state TEXT;
ALTER TABLE contacts ADD COLUMN stated_ms INTEGER;
CREATE INDEX contacts_undecided ON contacts (user_id) WHERE trust = 'changed';
CREATE INDEX contacts_contradicted ON contacts (user_id) WHERE contradiction IS NOT NULL;

-- The newest file of each organisation whose word was taken: an older one is refused.
CREATE TABLE verifications (
    organisation_key  BLOB PRIMARY KEY,
    serial            INTEGER NOT NULL,
    digest            BLOB NOT NULL,
    taken_ms          INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
