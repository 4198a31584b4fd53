package codec_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"humanops-mcp/internal/api"
	"humanops-mcp/internal/api/hitl"
	"humanops-mcp/internal/codec"
	"humanops-mcp/schemas"
)

func TestOpenAPI(t *testing.T) {
	shapeOf := func(c schemas.Contract) codec.Shape { return api.House(hitl.Settings{}).Of(c).Document }
	raw := codec.OpenAPI(schemas.All(), shapeOf)
	require.Equal(t, string(raw), string(codec.OpenAPI(schemas.All(), shapeOf)), "the same endpoints give the same bytes")
	var document struct {
		OpenAPI    string
		Paths      map[string]map[string]map[string]any
		Components map[string]map[string]any
	}
	require.NoError(t, json.Unmarshal(raw, &document))
	require.Equal(t, "3.1.0", document.OpenAPI)
	for _, info := range schemas.All() {
		op := document.Paths[info.Contract.Prefix()+info.Path][strings.ToLower(info.Method)]
		require.NotNil(t, op, info.Pattern())
		require.Equal(t, info.Summary, op["summary"])
	}
	post := document.Paths["/api/v1/tasks"]["post"]
	require.Equal(t, []any{map[string]any{"ApiKey": []any{}}}, post["security"])
	upload := document.Paths["/api/v1/operator/tasks/{task_id}/proof"]["post"]
	body, _ := json.Marshal(upload["requestBody"])
	require.Contains(t, string(body), `"multipart/form-data"`)
	require.Contains(t, string(body), `"files"`)
	require.NotContains(t, string(body), `"task_id"`)

	t.Run("every reference leads somewhere", func(t *testing.T) {
		for _, part := range strings.Split(string(raw), `"$ref": "#/components/schemas/`)[1:] {
			name, _, _ := strings.Cut(part, `"`)
			require.Contains(t, document.Components["schemas"], name)
		}
	})
}
