package event_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"humanops-mcp/internal/clock"
	"humanops-mcp/internal/event"
	"humanops-mcp/internal/store"
	"humanops-mcp/internal/store/db"
	"humanops-mcp/internal/store/storetest"
	"humanops-mcp/schemas"
)

func TestAnchors(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store, clk *clock.Fake) {
		ctx := t.Context()
		f := feed(s, clk)
		anchor := func() {
			require.NoError(t, s.Write(ctx, func(tx *store.Tx) error { return event.Anchor(ctx, tx) }))
		}
		anchors := func() (n int) {
			require.NoError(t, s.Read(ctx, func(tx *store.Tx) error {
				last, err := tx.LastAnchor(ctx)
				n = int(last.N)
				if store.NotFound(err) {
					return nil
				}
				return err
			}))
			return n
		}
		anchor()
		require.Zero(t, anchors(), "nothing happened, so there is nothing to cover")
		for i := range 30 {
			record(t, s, fmt.Sprint("k", i), fmt.Sprint("task_", i%3))
			if i%10 == 9 {
				require.NoError(t, f.Sequence(ctx))
				clk.Advance(time.Hour)
				anchor()
				anchor()
			}
		}
		require.Equal(t, 3, anchors(), "one for each hour in which something happened")
		require.NoError(t, checkAnchors(ctx, s))

		t.Run("tell when a trail's end was cut off", func(t *testing.T) {
			storetest.Exec(t, s, "DELETE FROM trail WHERE subject_id = 'task_2' AND n = 10")
			require.ErrorContains(t, checkAnchors(ctx, s), "anchor 3 does not fit")
		})
		t.Run("tell when a whole trail was taken away", func(t *testing.T) {
			storetest.Exec(t, s, "DELETE FROM trail WHERE subject_id = 'task_1'")
			require.ErrorContains(t, checkAnchors(ctx, s), "anchor 1 does not fit")
		})
	})
}

func TestCheck(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store, _ *clock.Fake) {
		ctx := t.Context()
		for i := range 3 {
			record(t, s, fmt.Sprint("k", i), "task_1")
		}
		check := func() error {
			return s.Read(ctx, func(tx *store.Tx) error {
				line, err := tx.FindSubject(ctx, "task_1")
				require.NoError(t, err)
				return event.Check(ctx, tx, line, func(schemas.AuditEntry) error { return nil })
			})
		}
		require.NoError(t, check())
		for _, change := range []string{
			`UPDATE trail SET data = '{"n":2}' WHERE n = 2`,
			`UPDATE trail SET data = '{"n":1}', actor = 'op_2' WHERE n = 2`,
		} {
			storetest.Exec(t, s, change)
			require.ErrorContains(t, check(), "entry 2 is not what was hashed")
		}
		storetest.Exec(t, s, `UPDATE trail SET actor = 'op_1' WHERE n = 2`)
		require.NoError(t, check())
		storetest.Exec(t, s, "DELETE FROM trail WHERE n = 3")
		require.ErrorContains(t, check(), "entries at its end are missing")
	})
}

func checkAnchors(ctx context.Context, s *store.Store) error {
	_, err := event.CheckAnchors(ctx, s, db.Anchor{}, func(int64) {})
	return err
}

func TestAnchorsAreCheckedBehindTheLastThatWas(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store, clk *clock.Fake) {
		ctx := t.Context()
		f := feed(s, clk)
		covers := func() (covered []int64, last db.Anchor) {
			t.Helper()
			record(t, s, "k", "task_1")
			require.NoError(t, f.Sequence(ctx))
			require.NoError(t, s.Write(ctx, func(tx *store.Tx) error { return event.Anchor(ctx, tx) }))
			last, err := event.CheckAnchors(ctx, s, db.Anchor{}, func(n int64) { covered = append(covered, n) })
			require.NoError(t, err)
			return covered, last
		}
		covered, first := covers()
		require.Equal(t, []int64{1}, covered)
		covered, second := covers()
		require.Equal(t, []int64{1, 1}, covered)

		covered = nil
		last, err := event.CheckAnchors(ctx, s, first, func(n int64) { covered = append(covered, n) })
		require.NoError(t, err)
		require.Equal(t, second, last)
		require.Equal(t, []int64{1}, covered, "the first is not added up again")

		storetest.Exec(t, s, "UPDATE anchors SET created_at = created_at + 1 WHERE n = 1")
		_, err = event.CheckAnchors(ctx, s, first, func(int64) {})
		require.ErrorContains(t, err, "anchor 1 does not fit", "but it has to be what it was")
	})
}
