-- +goose Up

-- What an agent has to decide on, however much else it has open.
CREATE INDEX subjects_undecided ON subjects (agent_id, mode, created_at, id) WHERE state IN ('ESTIMATE_PENDING', 'MANUAL_REVIEW');
