package store_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"humanops-mcp/internal/store"
	"humanops-mcp/internal/store/db"
	"humanops-mcp/internal/store/storetest"
)

const beforeFlatLists = 5

// A house of before lists were read one status after the other: an open request and one that
// is over, both of them shown to somebody, with files in a text, in media and in an earlier round.
var houseBeforeFlatLists = []string{
	"INSERT INTO agents (id, name, tier, created_at) VALUES ('ag_1', 'Local', 'HOUSE', 1), ('ag_2', 'Other', 'HOUSE', 1)",
	"INSERT INTO people (id, name, name_key, created_at) VALUES ('op_1', 'Ada', 'ada', 1)",
	"INSERT INTO loops (id, slug, mode, creator_id, name, created_at, updated_at) VALUES ('l_1', 'l', 'live', 'op_1', 'L', 1, 1)",
	`INSERT INTO reviews (id, loop_id, agent_id, mode, status, processing_type, type, priority, priority_rank, request_text, media, platform, response_type, response_config, on_timeout,
	timeout_seconds, content_hash, timeout_at, response_source, created_at, round_at, updated_at, ended_at) VALUES
	('r_open', 'l_1', 'ag_1', 'live', 'pending', 'deferred', '', 'low', 3, 'See https://x/v1/api/uploads/000000000000000000000001?a', '{}', '', '', '', 'cancel', 1, '', 1, '', 7, 7, 7, 0),
	('r_over', 'l_1', 'ag_1', 'live', 'timeout', 'deferred', '', 'low', 3, '', '{"image_url":"https://x/v1/api/uploads/000000000000000000000002"}', '', '', '', 'cancel', 1, '', 1, 'default', 8, 8, 9, 9),
	('r_else', 'l_1', 'ag_2', 'live', 'timeout', 'deferred', '', 'low', 3, 'Not mine: /uploads/000000000000000000000001', '{}', '', '', '', 'cancel', 1, '', 1, 'default', 8, 8, 9, 9)`,
	`INSERT INTO review_rounds (review_id, round, request_text, response, response_value, decision, opened_at, ended_at) VALUES ('r_open', 1, 'was /uploads/000000000000000000000002', '', '', '', 1, 1)`,
	"INSERT INTO review_recipients (review_id, person_id, reason, created_at) VALUES ('r_open', 'op_1', 'loop', 7), ('r_over', 'op_1', 'escalated', 8)",
	`INSERT INTO uploads (id, agent_id, mode, name, mime, bytes, sha256, created_at) VALUES
	('000000000000000000000001', 'ag_1', 'live', 'a', 'image/png', 30, 's1', 1), ('000000000000000000000002', 'ag_1', 'live', 'b', 'image/png', 12, 's2', 1), ('000000000000000000000003', 'ag_1', 'live', 'c', 'image/png', 1, 's3', 1)`,
	`INSERT INTO subjects (id, kind, agent_id, mode, state, finished, created_at, updated_at, ended_at) VALUES
	('r_open', 'review', 'ag_1', 'live', 'pending', FALSE, 7, 9000000000000, 0), ('r_over', 'review', 'ag_1', 'live', 'timeout', TRUE, 8, 9, 9)`,
	`INSERT INTO webhooks (id, agent_id, mode, subject_id, url, events, secret, created_at, updated_at) VALUES
	('wh_open', 'ag_1', 'live', 'r_open', 'https://x', '[]', '', 1, 1), ('wh_over', 'ag_1', 'live', 'r_over', 'https://x', '[]', '', 1, 1), ('wh_all', 'ag_1', 'live', '', 'https://x', '[]', '', 1, 1)`,
}

func TestRequestsOfBeforeFlatListsAreFoundAsBefore(t *testing.T) {
	eachOld(t, beforeFlatLists, houseBeforeFlatLists, func(t *testing.T, h oldHouse) {
		s := h.open()
		require.Equal(t, []string{"r_open l_1 7 open", "r_over l_1 8 over"}, storetest.Texts(t, s,
			"SELECT review_id || ' ' || loop_id || ' ' || CAST(requested_at AS TEXT) || CASE WHEN open THEN ' open' ELSE ' over' END FROM review_recipients ORDER BY review_id"))
		require.Equal(t, []string{"000000000000000000000001 l_1 r_open", "000000000000000000000002 l_1 r_open", "000000000000000000000002 l_1 r_over"}, storetest.Texts(t, s,
			"SELECT upload_id || ' ' || loop_id || ' ' || review_id FROM review_uploads ORDER BY upload_id, review_id"))
		require.Equal(t, []string{"ag_1 43"}, storetest.Texts(t, s, "SELECT agent_id || ' ' || CAST(bytes AS TEXT) FROM upload_totals"))
		require.Equal(t, []string{"wh_all", "wh_open", "wh_over"}, storetest.Texts(t, s, "SELECT id FROM webhooks ORDER BY id"))
		require.NoError(t, s.Read(t.Context(), func(tx *store.Tx) error {
			rows, err := tx.NewestAsked(t.Context(), db.NewestAskedParams{
				PersonID: "op_1", LoopID: "l_1", Mode: "live", Open: true, Statuses: store.IDs([]string{"pending"}), Beyond: 1 << 60, RowLimit: 9,
			})
			require.Len(t, rows, 1)
			return err
		}))
	})
}
