-- Rotations: who works on which items, how far each run is, what it keeps under seal, and the ledger. Times are
-- microseconds since 1970 in UTC. Names of items may be longer than an index entry may be, so their SHA-256 stands for
-- them in keys. Rows of the tables of notes, fingerprints, the ledger and its checkpoints are added and never changed.
CREATE TABLE keytrail_rotation_counters (
    name TEXT NOT NULL PRIMARY KEY,
    value BIGINT NOT NULL
);
INSERT INTO keytrail_rotation_counters (name, value) VALUES ('ledger', 0), ('token', 0);
CREATE TABLE keytrail_rotation_leases (
    item_sha256 TEXT NOT NULL PRIMARY KEY,
    item TEXT NOT NULL,
    holder TEXT NOT NULL,
    token BIGINT NOT NULL,
    expires_at BIGINT NOT NULL
);
CREATE TABLE keytrail_rotation_runs (
    run TEXT NOT NULL PRIMARY KEY,
    job TEXT NOT NULL,
    state TEXT NOT NULL,
    ended BIGINT NOT NULL,
    begun_at BIGINT NOT NULL,
    touched_at BIGINT NOT NULL
);
-- The items of runs that have not ended: no item is part of two of them.
CREATE TABLE keytrail_rotation_open (
    item_sha256 TEXT NOT NULL PRIMARY KEY,
    run TEXT NOT NULL
);
CREATE TABLE keytrail_rotation_notes (
    run TEXT NOT NULL,
    number BIGINT NOT NULL,
    token BIGINT NOT NULL,
    written_at BIGINT NOT NULL,
    note TEXT NOT NULL,
    PRIMARY KEY (run, number)
);
CREATE TABLE keytrail_rotation_sealed (
    run TEXT NOT NULL,
    item_sha256 TEXT NOT NULL,
    which TEXT NOT NULL,
    key_id TEXT NOT NULL,
    sealed TEXT NOT NULL,
    PRIMARY KEY (run, item_sha256, which)
);
CREATE TABLE keytrail_rotation_fingerprints (
    item_sha256 TEXT NOT NULL,
    key_id TEXT NOT NULL,
    fingerprint TEXT NOT NULL,
    run TEXT NOT NULL,
    PRIMARY KEY (item_sha256, key_id, fingerprint)
);
-- A run has one first and one last row.
CREATE TABLE keytrail_ledger (
    number BIGINT NOT NULL PRIMARY KEY,
    run TEXT NOT NULL,
    part TEXT NOT NULL CHECK (part IN ('first', 'last')),
    entry TEXT NOT NULL,
    hash TEXT NOT NULL,
    UNIQUE (run, part)
);
-- Signed: so many rows have this hash of their tree. `frontier` holds the hashes that the next one is computed from.
CREATE TABLE keytrail_ledger_checkpoints (
    size BIGINT NOT NULL PRIMARY KEY,
    frontier TEXT NOT NULL,
    note TEXT NOT NULL
);
-- How many rows of the ledger each receiver has taken.
CREATE TABLE keytrail_ledger_sent (
    sink TEXT NOT NULL PRIMARY KEY,
    size BIGINT NOT NULL
);
