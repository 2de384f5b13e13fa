-- What scans saw: one row for a place, a fingerprint key and a value. Times are microseconds since 1970 in UTC.
-- Places may be longer than an index entry may be, so their SHA-256 stands for them in the key.
CREATE TABLE keytrail_sightings (
    key_id TEXT NOT NULL,
    place_sha256 TEXT NOT NULL,
    fingerprint TEXT NOT NULL,
    place TEXT NOT NULL,
    version BIGINT,
    first_seen BIGINT NOT NULL,
    last_seen BIGINT NOT NULL,
    PRIMARY KEY (key_id, place_sha256, fingerprint)
);
