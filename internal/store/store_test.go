package store_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"humanops-mcp/internal/clock"
	"humanops-mcp/internal/store"
	"humanops-mcp/internal/store/db"
	"humanops-mcp/internal/store/storetest"
)

func put(t testing.TB, s *store.Store, name, value string) error {
	return s.Write(t.Context(), func(tx *store.Tx) error {
		return tx.PutFact(t.Context(), db.PutFactParams{Name: name, Value: value})
	})
}

func TestReadAfterWrite(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store, clk *clock.Fake) {
		require.NoError(t, put(t, s, "a", "1"))
		require.NoError(t, s.Read(t.Context(), func(tx *store.Tx) error {
			v, err := tx.GetFact(t.Context(), "a")
			require.Equal(t, "1", v)
			require.Equal(t, storetest.Start, tx.Now())
			return err
		}))
	})
}
