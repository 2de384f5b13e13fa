-- How scans judged the rotations that trails show: a row whenever the verdict of a rotation is another one than before.
-- Rows are added and never changed: the newest of a rotation supersedes the others. Times are microseconds since 1970 in
-- UTC; of two rows of one instant the one with the greater number is the newer.
CREATE TABLE keytrail_verdicts (
    rotation_id TEXT NOT NULL,
    number BIGINT NOT NULL,
    item TEXT NOT NULL,
    verdict TEXT NOT NULL,
    judged_at BIGINT NOT NULL,
    PRIMARY KEY (rotation_id, number)
);
