-- +goose Up

-- A check adds up the books in the order in which they were written, and goes on where the
-- last one ended.
CREATE INDEX ledger_transactions_time ON ledger_transactions (created_at, id);
