package store_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"humanops-mcp/internal/store"
	"humanops-mcp/internal/store/storetest"
)

// beforeFigures is the version of the databases in which every sum was added up anew.
const beforeFigures = 5

// A house of before the figures: two agents with money in escrow, of which some is over, and
// two people who have stored proof, of whom one is simulated.
var houseBeforeFigures = []string{
	"INSERT INTO agents (id, name, tier, created_at) VALUES ('ag_1', 'Local', 'HOUSE', 1), ('ag_2', 'Other', 'SANDBOX', 1)",
	"INSERT INTO people (id, name, name_key, is_operator, simulated, created_at) VALUES ('op_1', 'Ada', 'ada', TRUE, FALSE, 1), ('op_2', 'Sim', 'sim', TRUE, TRUE, 1), ('op_3', 'Bob', 'bob', TRUE, FALSE, 1)",
	`INSERT INTO tasks (id, agent_id, mode, status, title, description, task_type, reward, asset, deadline, proof_requirements, content_hash, operator_id, created_at, updated_at) VALUES
		('task_a', 'ag_1', 'live', 'POSTED', 'T', 'D', 'PHOTO', 7, 'house', 99, '[]', '', NULL, 1, 1), ('task_b', 'ag_1', 'live', 'IN_PROGRESS', 'T', 'D', 'PHOTO', 5, 'house', 99, '[]', '', 'op_1', 1, 1),
		('task_c', 'ag_1', 'live', 'PAID', 'T', 'D', 'PHOTO', 3, 'house', 99, '[]', '', 'op_1', 1, 1), ('task_d', 'ag_1', 'test', 'POSTED', 'T', 'D', 'PHOTO', 11, 'test', 99, '[]', '', NULL, 1, 1),
		('task_e', 'ag_2', 'test', 'SUBMITTED', 'T', 'D', 'PHOTO', 13, 'test', 99, '[]', '', 'op_2', 1, 1)`,
	`INSERT INTO accounts (id, owner_id, kind, asset, balance, created_at) VALUES
		('deposit:house:ag_1', 'ag_1', 'deposit', 'house', 100, 1), ('deposit:test:ag_1', 'ag_1', 'deposit', 'test', 100, 1), ('deposit:test:ag_2', 'ag_2', 'deposit', 'test', 100, 1),
		('escrow:house:task_a', 'task_a', 'escrow', 'house', 7, 1), ('escrow:house:task_b', 'task_b', 'escrow', 'house', 5, 1), ('escrow:house:task_c', 'task_c', 'escrow', 'house', 0, 1),
		('escrow:test:task_d', 'task_d', 'escrow', 'test', 11, 1), ('escrow:test:task_e', 'task_e', 'escrow', 'test', 13, 1), ('earnings:house:op_1', 'op_1', 'earnings', 'house', 3, 1)`,
	"INSERT INTO submissions (task_id, number, operator_id, created_at) VALUES ('task_b', 1, 'op_1', 1), ('task_c', 1, 'op_1', 1), ('task_e', 1, 'op_2', 1)",
	`INSERT INTO proof_files (task_id, n, submission, operator_id, sha256, mime, bytes, width, height, created_at) VALUES
		('task_b', 1, 1, 'op_1', 's1', 'image/jpeg', 40, 1, 1, 1), ('task_c', 1, 1, 'op_1', 's1', 'image/jpeg', 2, 1, 1, 1), ('task_e', 1, 1, 'op_2', 's2', 'image/jpeg', 9, 1, 1, 1)`,
}

func TestFiguresOfBeforeAreAddedUpOnce(t *testing.T) {
	eachOld(t, beforeFigures, houseBeforeFigures, func(t *testing.T, h oldHouse) {
		s := h.open()
		require.Equal(t, []string{"op_1 42", "op_2 0", "op_3 0"}, storetest.Texts(t, s, "SELECT id || ' ' || CAST(stored_bytes AS TEXT) FROM people ORDER BY id"))
		require.Equal(t, []string{"deposit:house:ag_1 12", "deposit:test:ag_1 11", "deposit:test:ag_2 13"},
			storetest.Texts(t, s, "SELECT id || ' ' || CAST(held AS TEXT) FROM accounts WHERE held > 0 ORDER BY id"))
		require.Equal(t, []string{"ag_1 0", "ag_2 0"}, storetest.Texts(t, s, "SELECT id || ' ' || CAST(day AS TEXT) FROM agents ORDER BY id"), "nobody counts a day yet")
		require.NoError(t, s.Read(t.Context(), func(tx *store.Tx) error {
			row, err := tx.AccountBalance(t.Context(), "deposit:house:ag_1")
			require.Equal(t, []int64{100, 12}, []int64{row.Balance, row.Held})
			return err
		}))
	})
}
