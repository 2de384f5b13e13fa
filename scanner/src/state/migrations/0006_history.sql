-- What scans found one after the other. Times are microseconds since 1970 in UTC. An estate is what is scanned, where
-- several share a database. Only what changes makes rows: a scan that finds what the one before found adds one, its own.
CREATE TABLE keytrail_scans (
    estate TEXT NOT NULL,
    as_of BIGINT NOT NULL,
    tool TEXT NOT NULL,
    facets TEXT NOT NULL,
    complete BIGINT NOT NULL,
    findings TEXT NOT NULL,
    measures TEXT NOT NULL,
    changes TEXT,
    PRIMARY KEY (estate, as_of)
);
-- One row for a stretch of scans that found a finding, or could not tell that it was gone. Where an exception begins or
-- ceases to cover it, one stretch ends and another begins at the same instant. last_seen is set once a scan did not find
-- it; until then the last scan that looked for it did. The message is that of the last scan that found it.
CREATE TABLE keytrail_findings (
    estate TEXT NOT NULL,
    fingerprint TEXT NOT NULL,
    began_at BIGINT NOT NULL,
    last_seen BIGINT,
    ended_at BIGINT,
    excepted BIGINT NOT NULL,
    rule TEXT NOT NULL,
    severity TEXT NOT NULL,
    item TEXT,
    message TEXT NOT NULL,
    PRIMARY KEY (estate, fingerprint, began_at)
);
-- What was known of a secret from one scan on: one row whenever it is something else. The status is none where the secret
-- was no longer there. Ids may be longer than an index entry may be, so their SHA-256 stands for them in the key.
CREATE TABLE keytrail_items (
    estate TEXT NOT NULL,
    item_sha256 TEXT NOT NULL,
    began_at BIGINT NOT NULL,
    item TEXT NOT NULL,
    status TEXT,
    due_at BIGINT,
    set_at BIGINT,
    PRIMARY KEY (estate, item_sha256, began_at)
);
