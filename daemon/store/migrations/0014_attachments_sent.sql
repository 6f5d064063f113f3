-- All of ours that got to the relay, whatever became of the copy here since: it can be fetched from there, and its message
-- went out. What never did is not sent when somebody asks for it.
ALTER TABLE attachments ADD COLUMN sent INTEGER NOT NULL DEFAULT 0;
UPDATE attachments SET sent = 1 WHERE outgoing AND (
    state IN ('ready', 'available', 'downloading')
    OR EXISTS (SELECT 1 FROM recipients r WHERE r.message = attachments.message AND r.state IN ('sent', 'delivered', 'read')));
