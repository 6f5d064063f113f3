-- What is ephemeral counts apart, so that typing can never fill a mailbox for messages.
ALTER TABLE mailboxes ADD COLUMN ephemerals INTEGER NOT NULL DEFAULT 0;
UPDATE mailboxes SET
    messages   = messages - e.typing,
    bytes      = bytes - e.size,
    ephemerals = e.typing
FROM (SELECT slot >> 40 AS user, count(*) AS typing, sum(size) AS size
      FROM mailbox WHERE expires_ms IS NOT NULL GROUP BY slot >> 40) e
WHERE e.user = mailboxes.user;

-- One row: the time that the last sweep saw, and until when nothing is swept because the clock leapt.
CREATE TABLE clock (
    id                      INTEGER PRIMARY KEY CHECK (id = 1),
    seen_ms                 INTEGER NOT NULL,
    nonces_held_until_ms    INTEGER NOT NULL,
    envelopes_held_until_ms INTEGER NOT NULL
) STRICT;
