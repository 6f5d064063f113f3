-- What never finds its message is forgotten in time.
ALTER TABLE early_amendments ADD COLUMN stored_ms INTEGER NOT NULL DEFAULT 0;
UPDATE early_amendments SET stored_ms = unixepoch() * 1000;
