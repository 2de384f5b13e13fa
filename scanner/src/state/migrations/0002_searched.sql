-- Which commits of which repositories were searched for leaks completely, with what: one row for a commit. A search with
-- other detectors or other values has another digest, and starts again.
CREATE TABLE keytrail_searched (
    repository_sha256 TEXT NOT NULL,
    search_sha256 TEXT NOT NULL,
    commit_id TEXT NOT NULL,
    searched_at BIGINT NOT NULL,
    PRIMARY KEY (repository_sha256, search_sha256, commit_id)
);
