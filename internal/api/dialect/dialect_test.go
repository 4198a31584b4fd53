package dialect_test

import (
	"maps"
	"testing"

	"github.com/stretchr/testify/require"

	"humanops-mcp/internal/api/dialect"
	"humanops-mcp/internal/api/hitl"
	"humanops-mcp/internal/api/platform"
	"humanops-mcp/schemas"
)

func TestWhatADialectLeavesOutIsNamed(t *testing.T) {
	for what, c := range map[string]struct {
		forget func(d *dialect.Dialect)
		want   []string
	}{
		"nothing":            {func(*dialect.Dialect) {}, nil},
		"the contract":       {func(d *dialect.Dialect) { d.Contract = schemas.Contract{} }, []string{"Contract"}},
		"a function":         {func(d *dialect.Dialect) { d.Unproved = nil }, []string{"Unproved"}},
		"a header":           {func(d *dialect.Dialect) { d.Quota.Reset = "" }, []string{"Quota.Reset"}},
		"the whole quota":    {func(d *dialect.Dialect) { d.Quota = nil }, []string{"Quota"}},
		"the error's schema": {func(d *dialect.Dialect) { d.Document.Error = nil }, []string{"Document.Error"}},
		"a status": {func(d *dialect.Dialect) {
			d.Statuses = maps.Clone(d.Statuses)
			delete(d.Statuses, schemas.CodeGone)
		}, []string{"Statuses[gone]"}},
	} {
		t.Run(what, func(t *testing.T) {
			d := hitl.Dialect(hitl.Settings{})
			c.forget(&d)
			require.Equal(t, c.want, d.Missing())
		})
	}
	require.Empty(t, platform.Dialect().Missing(), "what says that it has nothing of a kind has left nothing out")
	require.GreaterOrEqual(t, len(dialect.Dialect{}.Missing()), 14)
}

func TestThePathSaysWhichDialectAnswers(t *testing.T) {
	deeper := hitl.Dialect(hitl.Settings{})
	deeper.Contract = schemas.NewContract("deeper", schemas.FileParts{Name: "file"}, "/v1/deeper")
	set := dialect.NewSet(platform.Dialect(), hitl.Dialect(hitl.Settings{}), deeper)
	for path, name := range map[string]string{
		"/v1/requests": "reviews", "/v1/api/requests": "reviews", "/v1": "reviews", "/v1/deeper": "deeper", "/v1/deeper/x": "deeper", "/v1/deeperx": "reviews",
		"/v1x": "platform", "/": "platform", "/healthz": "platform", "/platform/v1/x": "platform",
	} {
		require.Equal(t, name, set.At(path).Contract.Name(), path)
	}
	require.Nil(t, set.Of(schemas.Marketplace))
}
