// Package conformance holds the tools, resources and prompts that the protocol's
// conformance suite calls by name. They are offered in the hidden conformance mode only.
package conformance

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/mark3labs/mcp-go/mcp"
	"github.com/mark3labs/mcp-go/server"

	"humanops-mcp/internal/clock"
)

const (
	fixtureImage = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8DwHwAFBQIAX8jx0gAAAABJRU5ErkJggg=="
	fixtureAudio = "UklGRiYAAABXQVZFZm10IBAAAAABAAEAQB8AAAB9AAACABAAZGF0YQIAAAA="
	fixturePause = 50 * time.Millisecond
)

// Add registers all of them.
func Add(s *server.MCPServer) {
	addContentFixtures(s)
	addNotifyingFixtures(s)
	addAskingFixtures(s)
	addResourceFixtures(s)
	addPromptFixtures(s)
}

// fixture adds a tool without arguments.
func fixture(s *server.MCPServer, toolName, description string, run server.ToolHandlerFunc) {
	s.AddTool(mcp.NewToolWithRawSchema(toolName, description, []byte(`{"type":"object","properties":{}}`)), run)
}

func fixed(content ...mcp.Content) server.ToolHandlerFunc {
	return func(context.Context, mcp.CallToolRequest) (*mcp.CallToolResult, error) {
		return &mcp.CallToolResult{Content: content}, nil
	}
}

func addContentFixtures(s *server.MCPServer) {
	image := mcp.NewImageContent(fixtureImage, "image/png")
	fixture(s, "test_simple_text", "Returns text", fixed(mcp.NewTextContent("This is a simple text response for testing.")))
	fixture(s, "test_image_content", "Returns an image", fixed(image))
	fixture(s, "test_audio_content", "Returns audio", fixed(mcp.NewAudioContent(fixtureAudio, "audio/wav")))
	fixture(s, "test_embedded_resource", "Returns an embedded resource", fixed(mcp.NewEmbeddedResource(mcp.TextResourceContents{
		URI: "test://embedded-resource", MIMEType: "text/plain", Text: "This is an embedded resource content."})))
	fixture(s, "test_multiple_content_types", "Returns text, an image and a resource", fixed(
		mcp.NewTextContent("Multiple content types test:"), image,
		mcp.NewEmbeddedResource(mcp.TextResourceContents{URI: "test://mixed-content-resource", MIMEType: "application/json", Text: `{"test":"data","value":123}`})))
	fixture(s, "test_error_handling", "Returns an error", func(context.Context, mcp.CallToolRequest) (*mcp.CallToolResult, error) {
		return mcp.NewToolResultError("This tool intentionally returns an error for testing"), nil
	})
	fixture(s, "test_reconnection", "Answers at once", fixed(mcp.NewTextContent("Reconnection test completed.")))
	s.AddTool(mcp.NewToolWithRawSchema("json_schema_2020_12_tool", "Has a schema of draft 2020-12", []byte(`{
		"$schema": "https://json-schema.org/draft/2020-12/schema", "type": "object",
		"$defs": {"address": {"type": "object", "properties": {"street": {"type": "string"}, "city": {"type": "string"}}}},
		"properties": {"name": {"type": "string"}, "address": {"$ref": "#/$defs/address"}}, "additionalProperties": false}`)),
		fixed(mcp.NewTextContent("ok")))
}

func addNotifyingFixtures(s *server.MCPServer) {
	fixture(s, "test_tool_with_logging", "Sends log messages", func(ctx context.Context, _ mcp.CallToolRequest) (*mcp.CallToolResult, error) {
		for _, message := range []string{"Tool execution started", "Tool processing data", "Tool execution completed"} {
			notify(ctx, s, string(mcp.MethodNotificationMessage), map[string]any{"level": "info", "logger": "fixtures", "data": message})
		}
		return mcp.NewToolResultText("Tool with logging executed successfully"), nil
	})
	fixture(s, "test_tool_with_progress", "Reports progress", func(ctx context.Context, r mcp.CallToolRequest) (*mcp.CallToolResult, error) {
		if r.Params.Meta != nil && r.Params.Meta.ProgressToken != nil {
			for _, done := range []int{0, 50, 100} {
				notify(ctx, s, string(mcp.MethodNotificationProgress), map[string]any{"progressToken": r.Params.Meta.ProgressToken, "progress": done, "total": 100})
			}
		}
		return mcp.NewToolResultText("progress reported"), nil
	})
}

// notify sends a notification and pauses, so that the suite sees each by itself.
func notify(ctx context.Context, s *server.MCPServer, method string, params map[string]any) {
	if s.SendNotificationToClient(ctx, method, params) != nil {
		return // the suite will miss it and say so
	}
	select {
	case <-ctx.Done():
	case <-clock.System().After(fixturePause):
	}
}

func addAskingFixtures(s *server.MCPServer) {
	s.AddTool(mcp.NewTool("test_sampling", mcp.WithDescription("Asks the client's model"), mcp.WithString("prompt", mcp.Required())),
		func(ctx context.Context, r mcp.CallToolRequest) (*mcp.CallToolResult, error) {
			out, err := s.RequestSampling(ctx, mcp.CreateMessageRequest{ //nolint:staticcheck // deprecated, and the stable suite tests it
				Request: mcp.Request{Method: string(mcp.MethodSamplingCreateMessage)},
				CreateMessageParams: mcp.CreateMessageParams{MaxTokens: 100, Messages: []mcp.SamplingMessage{
					{Role: mcp.RoleUser, Content: mcp.NewTextContent(r.GetString("prompt", ""))}}},
			})
			if err != nil {
				return mcp.NewToolResultError(err.Error()), nil
			}
			return mcp.NewToolResultText("LLM response: " + sampledText(out)), nil
		})
	s.AddTool(mcp.NewTool("test_elicitation", mcp.WithDescription("Asks the user"), mcp.WithString("message", mcp.Required())),
		func(ctx context.Context, r mcp.CallToolRequest) (*mcp.CallToolResult, error) {
			return elicit(ctx, s, "User response", r.GetString("message", ""), properties{
				"username": {"type": "string", "description": "User's response"},
				"email":    {"type": "string", "description": "User's email address"},
			}, "username", "email")
		})
	fixture(s, "test_elicitation_sep1034_defaults", "Asks with defaults", func(ctx context.Context, _ mcp.CallToolRequest) (*mcp.CallToolResult, error) {
		return elicit(ctx, s, "Elicitation completed", "Provide your information", defaultsForm)
	})
	fixture(s, "test_elicitation_sep1330_enums", "Asks with enums", func(ctx context.Context, _ mcp.CallToolRequest) (*mcp.CallToolResult, error) {
		return elicit(ctx, s, "Elicitation completed", "Select options", enumsForm)
	})
}

func sampledText(out *mcp.CreateMessageResult) string {
	if text, ok := out.Content.(mcp.TextContent); ok {
		return text.Text
	}
	return "No response"
}

type properties map[string]map[string]any

var (
	options      = []string{"option1", "option2", "option3"}
	defaultsForm = properties{
		"name":     {"type": "string", "default": "John Doe"},
		"age":      {"type": "integer", "default": 30},
		"score":    {"type": "number", "default": 95.5},
		"status":   {"type": "string", "enum": []string{"active", "inactive", "pending"}, "default": "active"},
		"verified": {"type": "boolean", "default": true},
	}
	enumsForm = properties{
		"untitledSingle": {"type": "string", "enum": options},
		"titledSingle":   {"type": "string", "oneOf": titled("value")},
		"legacyEnum":     {"type": "string", "enum": []string{"opt1", "opt2"}, "enumNames": []string{"Option One", "Option Two"}},
		"untitledMulti":  {"type": "array", "items": map[string]any{"type": "string", "enum": options}},
		"titledMulti":    {"type": "array", "items": map[string]any{"anyOf": titled("value")}},
	}
)

func titled(value string) []any {
	return []any{map[string]any{"const": value + "1", "title": "First"}, map[string]any{"const": value + "2", "title": "Second"}}
}

func elicit(ctx context.Context, s *server.MCPServer, prefix, message string, form properties, required ...string) (*mcp.CallToolResult, error) {
	schema := map[string]any{"type": "object", "properties": form}
	if len(required) > 0 {
		schema["required"] = required
	}
	out, err := s.RequestElicitation(ctx, mcp.ElicitationRequest{
		Request: mcp.Request{Method: string(mcp.MethodElicitationCreate)},
		Params:  mcp.ElicitationParams{Message: message, RequestedSchema: schema},
	})
	if err != nil {
		return mcp.NewToolResultError(err.Error()), nil
	}
	return mcp.NewToolResultText(fmt.Sprintf("%s: action=%s, content=%v", prefix, out.Action, out.Content)), nil
}

func addResourceFixtures(s *server.MCPServer) {
	text := func(uri, mime, content string) server.ResourceHandlerFunc {
		return func(context.Context, mcp.ReadResourceRequest) ([]mcp.ResourceContents, error) {
			return []mcp.ResourceContents{mcp.TextResourceContents{URI: uri, MIMEType: mime, Text: content}}, nil
		}
	}
	s.AddResource(mcp.NewResource("test://static-text", "static-text", mcp.WithResourceDescription("Text"), mcp.WithMIMEType("text/plain")),
		text("test://static-text", "text/plain", "This is the content of the static text resource."))
	s.AddResource(mcp.NewResource("test://watched-resource", "watched-resource", mcp.WithResourceDescription("Can be subscribed to"), mcp.WithMIMEType("text/plain")),
		text("test://watched-resource", "text/plain", "Watched"))
	s.AddResource(mcp.NewResource("test://static-binary", "static-binary", mcp.WithResourceDescription("An image"), mcp.WithMIMEType("image/png")),
		func(context.Context, mcp.ReadResourceRequest) ([]mcp.ResourceContents, error) {
			return []mcp.ResourceContents{mcp.BlobResourceContents{URI: "test://static-binary", MIMEType: "image/png", Blob: fixtureImage}}, nil
		})
	s.AddResourceTemplate(mcp.NewResourceTemplate("test://template/{id}/data", "template", mcp.WithTemplateDescription("A template"), mcp.WithTemplateMIMEType("application/json")),
		func(_ context.Context, r mcp.ReadResourceRequest) ([]mcp.ResourceContents, error) {
			id := strings.TrimSuffix(strings.TrimPrefix(r.Params.URI, "test://template/"), "/data")
			content := fmt.Sprintf(`{"id":%q,"templateTest":true,"data":%q}`, id, "Data for ID: "+id)
			return []mcp.ResourceContents{mcp.TextResourceContents{URI: r.Params.URI, MIMEType: "application/json", Text: content}}, nil
		})
}

func addPromptFixtures(s *server.MCPServer) {
	prompt := func(p mcp.Prompt, messages func(args map[string]string) []mcp.Content) {
		s.AddPrompt(p, func(_ context.Context, r mcp.GetPromptRequest) (*mcp.GetPromptResult, error) {
			out := &mcp.GetPromptResult{}
			for _, content := range messages(r.Params.Arguments) {
				out.Messages = append(out.Messages, mcp.NewPromptMessage(mcp.RoleUser, content))
			}
			return out, nil
		})
	}
	prompt(mcp.NewPrompt("test_simple_prompt", mcp.WithPromptDescription("Without arguments")), func(map[string]string) []mcp.Content {
		return []mcp.Content{mcp.NewTextContent("This is a simple prompt for testing.")}
	})
	prompt(mcp.NewPrompt("test_prompt_with_arguments", mcp.WithPromptDescription("With arguments"),
		mcp.WithArgument("arg1", mcp.ArgumentDescription("First"), mcp.RequiredArgument()), mcp.WithArgument("arg2", mcp.ArgumentDescription("Second"), mcp.RequiredArgument())),
		func(args map[string]string) []mcp.Content {
			return []mcp.Content{mcp.NewTextContent(fmt.Sprintf("Prompt with arguments: arg1='%s', arg2='%s'", args["arg1"], args["arg2"]))}
		})
	prompt(mcp.NewPrompt("test_prompt_with_embedded_resource", mcp.WithPromptDescription("With a resource"),
		mcp.WithArgument("resourceUri", mcp.ArgumentDescription("URI of the resource"), mcp.RequiredArgument())),
		func(args map[string]string) []mcp.Content {
			return []mcp.Content{
				mcp.NewEmbeddedResource(mcp.TextResourceContents{URI: args["resourceUri"], MIMEType: "text/plain", Text: "Embedded resource content for testing."}),
				mcp.NewTextContent("Please process the embedded resource above."),
			}
		})
	prompt(mcp.NewPrompt("test_prompt_with_image", mcp.WithPromptDescription("With an image")), func(map[string]string) []mcp.Content {
		return []mcp.Content{mcp.NewImageContent(fixtureImage, "image/png"), mcp.NewTextContent("Please analyze the image above.")}
	})
}
