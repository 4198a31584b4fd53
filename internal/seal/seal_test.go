package seal_test

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"

	"humanops-mcp/internal/seal"
)

func sealer(b byte) *seal.Sealer { return seal.New(bytes.Repeat([]byte{b}, seal.KeySize)) }

func TestSeal(t *testing.T) {
	s := sealer(1)
	sealed, err := s.Seal("callback", "task_1", "hunter2")
	require.NoError(t, err)

	t.Run("opens what it sealed, also when it is empty", func(t *testing.T) {
		plain, err := s.Open("callback", "task_1", sealed)
		require.NoError(t, err)
		require.Equal(t, "hunter2", plain)
		empty, err := s.Seal("callback", "task_1", "")
		require.NoError(t, err)
		plain, err = s.Open("callback", "task_1", empty)
		require.NoError(t, err)
		require.Empty(t, plain)
	})

	t.Run("never gives the same text twice, nor the secret itself", func(t *testing.T) {
		again, err := s.Seal("callback", "task_1", "hunter2")
		require.NoError(t, err)
		require.NotEqual(t, sealed, again)
		require.NotContains(t, sealed, "hunter2")
	})

	t.Run("refuses another row, another purpose and another key", func(t *testing.T) {
		_, err := s.Open("callback", "task_2", sealed)
		require.ErrorIs(t, err, seal.ErrDamaged)
		_, err = s.Open("other", "task_1", sealed)
		require.ErrorIs(t, err, seal.ErrDamaged)
		_, err = sealer(2).Open("callback", "task_1", sealed)
		require.ErrorIs(t, err, seal.ErrWrongKey)
	})

	t.Run("refuses every single altered letter", func(t *testing.T) {
		for i := range sealed {
			altered := []byte(sealed)
			altered[i] ^= 1
			_, err := s.Open("callback", "task_1", string(altered))
			require.Error(t, err, "letter %d", i)
		}
		for _, cut := range []string{"", "v1", "v1..", sealed[:len(sealed)-1], sealed + "A", sealed + ".x"} {
			_, err := s.Open("callback", "task_1", cut)
			require.Error(t, err, cut)
		}
	})
}

func TestDerive(t *testing.T) {
	t.Run("differs by purpose and by key, and stays the same between starts", func(t *testing.T) {
		require.Equal(t, sealer(1).Derive("links"), sealer(1).Derive("links"))
		require.NotEqual(t, sealer(1).Derive("links"), sealer(1).Derive("other"))
		require.NotEqual(t, sealer(1).Derive("links"), sealer(2).Derive("links"))
		require.Len(t, sealer(1).Derive("links"), 32)
	})
}

func TestNewRefusesAShortKey(t *testing.T) {
	require.Panics(t, func() { seal.New([]byte("short")) })
}
