-- What was filed where: one row for an estate, an [[incident]] of the config and a finding. Times are microseconds since
-- 1970 in UTC. A status of intent or resolving that no lease covers was left by a scan that ended in between. Every
-- change counts the revision up, so that of two scans that change one row at once, one does.
CREATE TABLE keytrail_incidents (
    estate TEXT NOT NULL,
    sink TEXT NOT NULL,
    fingerprint TEXT NOT NULL,
    rule TEXT NOT NULL,
    summary TEXT NOT NULL,
    status TEXT NOT NULL,
    reference TEXT,
    occurrence BIGINT NOT NULL,
    intent_at BIGINT NOT NULL,
    filed_at BIGINT,
    resolved_at BIGINT,
    leased_until BIGINT NOT NULL,
    revision BIGINT NOT NULL,
    PRIMARY KEY (estate, sink, fingerprint)
);
