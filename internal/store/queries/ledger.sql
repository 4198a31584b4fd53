-- name: AccountBalance :one
SELECT balance, held FROM accounts WHERE id = @id;

-- name: DebitAccount :execrows
-- Nothing is taken from an account that does not hold enough. held is what of it goes into escrow.
UPDATE accounts SET balance = balance - CAST(@amount AS BIGINT), held = held + CAST(@held AS BIGINT)
WHERE id = @id AND balance >= CAST(@amount AS BIGINT);

-- name: CreditAccount :exec
-- Opens the account on first use. The amount is negative only for an issuer; freed is what
-- of it comes back out of escrow.
INSERT INTO accounts (id, owner_id, kind, asset, balance, created_at)
VALUES (@id, @owner_id, @kind, @asset, @amount, @created_at)
ON CONFLICT (id) DO UPDATE SET balance = accounts.balance + excluded.balance, held = accounts.held - CAST(@freed AS BIGINT);

-- name: FreeHeld :exec
-- What was held of a deposit goes to somebody else.
UPDATE accounts SET held = held - CAST(@amount AS BIGINT) WHERE id = @id;

-- name: InsertLedgerTransaction :execrows
-- No row when the subject is already held, or already settled.
INSERT INTO ledger_transactions (id, kind, subject_id, asset, created_at)
VALUES (@id, @kind, @subject_id, @asset, @created_at)
ON CONFLICT DO NOTHING;

-- name: InsertLedgerEntries :exec
INSERT INTO ledger_entries (transaction_id, account_id, amount)
VALUES (@transaction_id, @from_account, @taken), (@transaction_id, @to_account, @given);

-- name: PersonEarnings :one
SELECT CAST(COALESCE(SUM(balance), 0) AS BIGINT) AS balance
FROM accounts WHERE owner_id = @owner_id AND kind = 'earnings' AND asset <> 'test';

-- name: UnbalancedTransaction :many
-- Entries that do not sum to zero: at most one row.
SELECT transaction_id, CAST(SUM(amount) AS BIGINT) AS total, COUNT(*) AS entries
FROM ledger_entries GROUP BY transaction_id
HAVING SUM(amount) <> 0
LIMIT 1;

-- name: EmptyTransaction :many
-- At most one row.
SELECT t.id FROM ledger_transactions t
WHERE NOT EXISTS (SELECT 1 FROM ledger_entries e WHERE e.transaction_id = t.id)
LIMIT 1;

-- name: CrossingEntry :many
-- An entry whose account and transaction have different assets: at most one row.
SELECT e.transaction_id, e.account_id
FROM ledger_entries e
JOIN ledger_transactions t ON t.id = e.transaction_id
JOIN accounts a ON a.id = e.account_id
WHERE a.asset <> t.asset
LIMIT 1;

-- name: DriftedAccount :many
-- A balance that is not the sum of its entries, or is below zero: at most one row.
SELECT a.id, a.balance, CAST(COALESCE(s.total, 0) AS BIGINT) AS total
FROM accounts a
LEFT JOIN (SELECT account_id, SUM(amount) AS total FROM ledger_entries GROUP BY account_id) s ON s.account_id = a.id
WHERE a.balance <> COALESCE(s.total, 0) OR (a.kind <> 'issuer' AND a.balance < 0)
LIMIT 1;

-- name: EscrowOf :one
SELECT CAST(COALESCE(SUM(balance), 0) AS BIGINT) AS balance FROM accounts WHERE owner_id = @owner_id AND kind = 'escrow' AND asset = @asset;

-- name: StrayEscrow :many
-- Money in escrow that belongs to nothing that goes on: at most one row.
SELECT a.id, a.balance
FROM accounts a LEFT JOIN subjects s ON s.id = a.owner_id AND s.finished = FALSE
WHERE a.kind = 'escrow' AND a.balance <> 0 AND s.id IS NULL
LIMIT 1;

-- name: DriftedHold :many
-- scans: everything that is held, for a check alone. A deposit that holds other than its
-- agent's escrow: at most one row.
SELECT d.id, d.held, CAST(COALESCE(e.total, 0) AS BIGINT) AS total
FROM accounts d
LEFT JOIN (
  SELECT s.agent_id, a.asset, SUM(a.balance) AS total FROM accounts a JOIN subjects s ON s.id = a.owner_id
  WHERE a.kind = 'escrow' AND a.balance <> 0 GROUP BY s.agent_id, a.asset
) e ON e.agent_id = d.owner_id AND e.asset = d.asset
WHERE d.kind = 'deposit' AND d.held <> COALESCE(e.total, 0)
LIMIT 1;
