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

-- name: EscrowOf :one
SELECT CAST(COALESCE(SUM(balance), 0) AS BIGINT) AS balance FROM accounts WHERE owner_id = @owner_id AND kind = 'escrow' AND asset = @asset;

-- What a check reads, a slice at a time -----------------------------------------------

-- name: LedgerAfter :many
-- Transactions in the order of their time, each with its entries; one without has a row, too.
SELECT t.id, t.asset, t.created_at, CAST(COALESCE(e.account_id, '') AS TEXT) AS account_id, CAST(COALESCE(e.amount, 0) AS BIGINT) AS amount,
  CAST(COALESCE(a.asset, '') AS TEXT) AS account_asset
FROM (
  SELECT s.id, s.asset, s.created_at FROM ledger_transactions s
  WHERE (s.created_at, s.id) > (CAST(@after AS BIGINT), CAST(@after_id AS TEXT)) AND s.created_at <= CAST(@until AS BIGINT)
  ORDER BY s.created_at, s.id LIMIT CAST(@row_limit AS BIGINT)
) AS t
LEFT JOIN ledger_entries e ON e.transaction_id = t.id
LEFT JOIN accounts a ON a.id = e.account_id
ORDER BY t.created_at, t.id;

-- name: AccountsAfter :many
-- Whether what an account is for goes on says its owner's line, where that is a subject.
SELECT a.id, a.kind, a.balance, CAST(COALESCE(s.finished, TRUE) AS BOOLEAN) AS over
FROM (SELECT c.id, c.kind, c.balance, c.owner_id FROM accounts c WHERE c.id > @after ORDER BY c.id LIMIT CAST(@row_limit AS BIGINT)) AS a
LEFT JOIN subjects s ON s.id = a.owner_id
ORDER BY a.id;

-- name: AccountsByIDs :many
SELECT a.id, a.kind, a.balance, CAST(COALESCE(s.finished, TRUE) AS BOOLEAN) AS over
FROM accounts a LEFT JOIN subjects s ON s.id = a.owner_id
WHERE a.id = ANY (ARRAY(SELECT json_array_elements_text(@ids)));

-- name: HoldsOf :many
-- What deposits say of what is held, and the escrow of what goes on.
SELECT d.id, d.held, CAST(COALESCE((
  SELECT SUM(a.balance) FROM subjects s JOIN accounts a ON a.owner_id = s.id AND a.kind = 'escrow' AND a.asset = d.asset
  WHERE s.agent_id = d.owner_id AND s.finished = FALSE), 0) AS BIGINT) AS total
FROM accounts d WHERE d.id = ANY (ARRAY(SELECT json_array_elements_text(@ids))) AND d.kind = 'deposit';
