package fill_test

import (
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"humanops-mcp/internal/clock"
	"humanops-mcp/internal/store"
	"humanops-mcp/internal/store/storetest"
	"humanops-mcp/internal/store/storetest/fill"
)

func TestX(t *testing.T) {
	s := storetest.Open(t)
	fill.House(t, s, fill.Size{Tasks: 20000, Reviews: 2000, Open: 300})
}

func TestY(t *testing.T) {
	s := storetest.OpenPostgres(t, clock.NewFake(storetest.Start))
	fill.House(t, s, fill.Size{Tasks: 20000, Reviews: 2000, Open: 300})
	_ = store.Options{}
}

func TestBig(t *testing.T) {
	o := store.Options{Path: os.Getenv("BIG")}
	s, err := store.Open(t.Context(), o)
	require.NoError(t, err)
	storetest.Attach(t, s, o)
	defer s.Close()
	fill.House(t, s, fill.Size{Tasks: 1_000_000, Reviews: 100_000, Open: 300, Now: time.Now()})
}
