-- The round through the directory: when the last one began by the relay's time, and up to whom it has come.
CREATE TABLE directory_round (
    one       INTEGER PRIMARY KEY CHECK (one = 1),
    began_ms  INTEGER NOT NULL,
    -- Null once it is at its end.
    came_to   TEXT
) STRICT;
