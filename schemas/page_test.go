package schemas_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"humanops-mcp/schemas"
)

func TestATotalThatStoppedCountingSaysSo(t *testing.T) {
	require.Equal(t, "10000", schemas.Pagination{Total: 10_000}.Count())
	require.Equal(t, "10,000+", schemas.Pagination{Total: 10_000, TotalMore: true}.Count())
	require.Equal(t, "10,007+", schemas.Count(10_007, true))
}
