package tools_test

import (
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	mcpclient "github.com/mark3labs/mcp-go/client"
	"github.com/mark3labs/mcp-go/mcp"
	"github.com/stretchr/testify/require"

	"humanops-mcp/client"
	"humanops-mcp/internal/golden"
	"humanops-mcp/schemas"
	"humanops-mcp/tools"
)

// published lists the tools as a client gets them.
func published(t *testing.T, o tools.Options) []mcp.Tool {
	t.Helper()
	if o.Client == nil {
		o.Client = func(context.Context) (*client.Client, error) {
			return client.New(client.Options{BaseURL: "http://127.0.0.1:1"})
		}
	}
	out, err := connect(t, o).ListTools(t.Context(), mcp.ListToolsRequest{})
	require.NoError(t, err)
	return out.Tools
}

// connect makes a server and an initialized client of it, in process.
func connect(t *testing.T, o tools.Options) *mcpclient.Client {
	t.Helper()
	s, err := tools.New(o)
	require.NoError(t, err)
	c, err := mcpclient.NewInProcessClient(s)
	require.NoError(t, err)
	t.Cleanup(func() { c.Close() })
	require.NoError(t, c.Start(t.Context()))
	_, err = c.Initialize(t.Context(), mcp.InitializeRequest{Params: mcp.InitializeParams{ProtocolVersion: mcp.LATEST_LEGACY_PROTOCOL_VERSION, ClientInfo: mcp.Implementation{Name: "test", Version: "1"}}})
	require.NoError(t, err)
	return c
}

func TestTheInstructionsNameOnlyToolsOnOffer(t *testing.T) {
	given := func(toolsets ...string) string {
		out, err := connect(t, tools.Options{Client: func(context.Context) (*client.Client, error) { return nil, nil }, Toolsets: toolsets}).Initialize(t.Context(), mcp.InitializeRequest{Params: mcp.InitializeParams{ProtocolVersion: mcp.LATEST_LEGACY_PROTOCOL_VERSION, ClientInfo: mcp.Implementation{Name: "test", Version: "1"}}})
		require.NoError(t, err)
		return out.Instructions
	}
	require.Contains(t, given("hitl"), "call get_request later")
	require.NotContains(t, given("hitl"), "check_status")
	require.Contains(t, given(), "check_status")
	require.Contains(t, given("reviews", "hitl"), "check_status")
}

func TestReviewProofOffersTheDecisionsThatAreDeclared(t *testing.T) {
	offered := published(t, tools.Options{Toolsets: []string{"review"}})
	tool := offered[slices.IndexFunc(offered, func(t mcp.Tool) bool { return t.Name == "review_proof" })]
	words := schemas.ProofWords(schemas.ProofDecisionsOn(false))
	var enum []string
	for _, word := range tool.InputSchema.Properties["decision"].(map[string]any)["enum"].([]any) {
		enum = append(enum, word.(string))
	}
	require.Equal(t, words, enum)
	for _, word := range words {
		require.Contains(t, tool.Description, word)
	}
}

func names(list []mcp.Tool) []string {
	var out []string
	for _, tool := range list {
		out = append(out, tool.Name)
	}
	slices.Sort(out)
	return out
}

func TestList(t *testing.T) {
	t.Run("stays under 14 KiB of JSON", func(t *testing.T) {
		raw, err := json.Marshal(mcp.ListToolsResult{Tools: published(t, tools.Options{})})
		require.NoError(t, err)
		t.Logf("tools/list is %d bytes", len(raw))
		require.Less(t, len(raw), 14<<10)
	})
	t.Run("has the default toolsets when none is chosen", func(t *testing.T) {
		require.Equal(t, []string{"tasks", "reviews", "review", "audit", "account"}, tools.Defaults)
		require.Equal(t, names(published(t, tools.Options{Toolsets: tools.Defaults})), names(published(t, tools.Options{})))
	})
	t.Run("offers register_agent only without a key", func(t *testing.T) {
		require.Contains(t, names(published(t, tools.Options{Keyless: true})), "register_agent")
	})
	t.Run("only looks in read-only mode", func(t *testing.T) {
		for _, tool := range published(t, tools.Options{ReadOnly: true, Keyless: true, Toolsets: tools.Toolsets()}) {
			require.True(t, *tool.Annotations.ReadOnlyHint, tool.Name)
		}
	})
	t.Run("is limited to toolsets", func(t *testing.T) {
		both := names(slices.Concat(published(t, tools.Options{Toolsets: []string{"review"}}), published(t, tools.Options{Toolsets: []string{"account"}})))
		require.Equal(t, both, names(published(t, tools.Options{Toolsets: []string{"review", "account"}})))
	})
	t.Run("serves reviews alone with what they need", func(t *testing.T) {
		require.Equal(t, []string{"cancel_task", "check_status", "get_task_result", "list_tasks", "request_human_review"}, names(published(t, tools.Options{Toolsets: []string{"reviews"}})))
	})
	t.Run("has the official seven only where they are asked for", func(t *testing.T) {
		require.Equal(t, []string{"add_request_feedback", "cancel_request", "create_request", "get_request", "list_loops", "list_requests", "update_request"}, names(published(t, tools.Options{Toolsets: []string{"hitl"}})))
	})
	t.Run("offers nothing that decides a review", func(t *testing.T) {
		for _, name := range names(published(t, tools.Options{Toolsets: tools.Toolsets(), Keyless: true})) {
			require.NotRegexp(t, "decide|respond|claim|approve|answer_|consume", name)
		}
	})
	t.Run("refuses an unknown toolset by naming the known ones", func(t *testing.T) {
		_, err := tools.New(tools.Options{Client: func(context.Context) (*client.Client, error) { return nil, nil }, Toolsets: []string{"task"}})
		require.EqualError(t, err, `there is no toolset "task"; choose from `+strings.Join(tools.Toolsets(), ", "))
		require.Equal(t, []string{"tasks", "reviews", "review", "audit", "account"}, tools.Toolsets()[:5])
	})
}

// What is offered to whom stands in a file, by name: a tool that comes or goes is seen there.
func TestGoldenOffered(t *testing.T) {
	var b strings.Builder
	line := func(who string, o tools.Options) {
		offered, err := tools.Offered(o)
		require.NoError(t, err)
		fmt.Fprintf(&b, "%s: %s\n", who, strings.Join(offered, " "))
	}
	line("by default", tools.Options{})
	line("without a key", tools.Options{Keyless: true})
	line("read-only without a key", tools.Options{ReadOnly: true, Keyless: true})
	for _, set := range tools.Toolsets() {
		line("toolset "+set, tools.Options{Toolsets: []string{set}})
	}
	golden.File(t, filepath.Join("testdata", "offered.txt"), []byte(b.String()))
}

func TestGoldenSchemas(t *testing.T) {
	all, err := tools.Derived()
	require.NoError(t, err)
	files := map[string][]byte{}
	for _, tool := range all {
		raw, err := json.MarshalIndent(tool, "", "  ")
		require.NoError(t, err)
		files[tool.Name+".json"] = append(raw, '\n')
	}
	golden.Folder(t, "golden", files)
}

func TestSchemas(t *testing.T) {
	all, err := tools.Derived()
	require.NoError(t, err)
	for _, tool := range all {
		raw, err := json.MarshalIndent(tool, "", "  ")
		require.NoError(t, err)

		t.Run(tool.Name+" writes every hint and a short description", func(t *testing.T) {
			a := tool.Annotations
			for _, hint := range []*bool{a.ReadOnlyHint, a.DestructiveHint, a.IdempotentHint, a.OpenWorldHint} {
				require.NotNil(t, hint)
			}
			require.NotEmpty(t, tool.Description)
			require.Less(t, len(tool.Description), 300)
		})
		t.Run(tool.Name+" has plain objects for schemas", func(t *testing.T) {
			var published struct{ InputSchema, OutputSchema map[string]any }
			require.NoError(t, json.Unmarshal(raw, &published))
			for _, schema := range []map[string]any{published.InputSchema, published.OutputSchema} {
				require.Equal(t, "object", schema["type"])
				for _, union := range []string{"anyOf", "oneOf", "allOf", "$ref", "$defs"} {
					require.NotContains(t, schema, union)
				}
			}
			require.Equal(t, false, published.InputSchema["additionalProperties"])
			for name, property := range published.InputSchema["properties"].(map[string]any) {
				if tool.Name != "register_agent" { // its arguments are the contract's
					require.Contains(t, property, "description", name)
				}
			}
		})
	}
}

func TestGoldenTable(t *testing.T) {
	golden.File(t, filepath.Join("testdata", "table.md"), []byte(tools.Table()))
}
