package tools

import (
	"context"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"runtime/debug"
	"strings"

	jsonv2 "github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/mark3labs/mcp-go/mcp"
	"github.com/mark3labs/mcp-go/server"

	"humanops-mcp/client"
	"humanops-mcp/internal/clock"
	"humanops-mcp/internal/codec"
	"humanops-mcp/schemas"
)

// Effect is what calling a tool does to the world. Its zero value is refused.
type Effect int

// The effects.
const (
	Reads    Effect = iota + 1 // looks only; offered in read-only mode too
	Writes                     // adds something: a task, a message
	Destroys                   // ends something for good: a task withdrawn, a proof decided
)

// hints gives all four of the protocol's hints. A repeated withdrawal or decision
// changes nothing more. The people reached are outside any closed domain.
func (e Effect) hints() mcp.ToolAnnotation {
	return mcp.ToolAnnotation{
		ReadOnlyHint:    mcp.ToBoolPtr(e == Reads),
		DestructiveHint: mcp.ToBoolPtr(e == Destroys),
		IdempotentHint:  mcp.ToBoolPtr(e != Writes),
		OpenWorldHint:   mcp.ToBoolPtr(true),
	}
}

// Tool is one tool before it is registered.
type Tool struct {
	Name        string
	Toolset     string
	Effect      Effect
	Description string
	In, Out     reflect.Type
	late        bool // connects by itself, to what it needs
	run         func(ctx context.Context, c *call, raw []byte) (*mcp.CallToolResult, error)
}

// call is what a tool works with: the caller's client and the server's surroundings.
type call struct {
	*client.Client // the marketplace; nil until market is called, in tools that serve reviews too
	options        Options
	clock          clock.Clock
	deadline       *deadlines
	asked          *asks
	log            *slog.Logger
	progress       func(done, total int, message string)
}

// reply is a tool's answer: data for programs, text for models, pictures for eyes.
type reply[Out any] struct {
	data   Out
	text   string
	images []mcp.Content
	bare   bool // the text is for programs too: nothing is put before it
}

// tool declares a tool. In's tags make its input schema, Out's its output schema.
func tool[In, Out any](name, toolset string, effect Effect, description string, does run[In, Out]) Tool {
	return Tool{
		Name: name, Toolset: toolset, Effect: effect, Description: description,
		In: reflect.TypeFor[In](), Out: reflect.TypeFor[Out](),
		run: func(ctx context.Context, c *call, raw []byte) (*mcp.CallToolResult, error) {
			var in In
			if _, err := codec.Decode(raw, &in, codec.Options{Strict: true}); err != nil {
				return nil, err
			}
			r, err := does(ctx, c, in)
			if err != nil {
				return nil, err
			}
			return r.result()
		},
	}
}

// run is what a tool does.
type run[In, Out any] = func(context.Context, *call, In) (reply[Out], error)

// calls runs a tool that is one call of the marketplace: arguments and answer are the
// endpoint's. It is for answers that hold no words of strangers, which need fields that say so.
func calls[In, Out any](method func(*client.Client, context.Context, In) (Out, error)) run[In, Out] {
	return func(ctx context.Context, c *call, in In) (reply[Out], error) {
		answer, err := method(c.Client, ctx, in)
		if err != nil {
			return reply[Out]{}, err
		}
		text, err := codec.Encode(answer)
		return reply[Out]{data: answer, text: string(text)}, err
	}
}

// worded puts an answer into words: into other fields for programs, and a text for the model.
func worded[In, Answer, Out any](answered run[In, Answer], words func(Answer) (Out, string)) run[In, Out] {
	return func(ctx context.Context, c *call, in In) (reply[Out], error) {
		r, err := answered(ctx, c, in)
		if err != nil {
			return reply[Out]{}, err
		}
		data, text := words(r.data)
		return reply[Out]{data: data, text: text}, nil
	}
}

// connectsLate declares a tool that does not always need the marketplace.
func connectsLate(t Tool) Tool {
	t.late = true
	return t
}

func (r reply[Out]) result() (*mcp.CallToolResult, error) {
	data, err := codec.Encode(r.data)
	if err != nil {
		return nil, err
	}
	text := r.text
	if m, ok := any(r.data).(interface{ InTestMode() bool }); ok && m.InTestMode() && !r.bare {
		text = "TEST MODE" + strings.TrimPrefix(schemas.SandboxNotice, "Test mode") + "\n" + text
	}
	content := append([]mcp.Content{mcp.NewTextContent(text)}, r.images...)
	return &mcp.CallToolResult{Content: content, StructuredContent: json.RawMessage(data)}, nil
}

// TestMode marks an answer that concerns simulated people and no real money.
type TestMode struct {
	Sandbox bool `json:"sandbox,omitempty"`
}

// InTestMode tells whether it does.
func (m TestMode) InTestMode() bool { return m.Sandbox }

// mode marks an answer as the server's answer was marked.
func mode(s schemas.Sandboxed) TestMode { return TestMode{s.Sandbox} }

// golden holds each tool as it is published. To derive the schemas anew at each start
// would take longer than everything else that comes before the first answer; a test
// keeps files and types the same.
//
//go:embed golden/*.json
var golden embed.FS

// published is the tool as clients see it.
func (t Tool) published() (mcp.Tool, error) {
	var schema struct {
		In  jsontext.Value `json:"inputSchema"`
		Out jsontext.Value `json:"outputSchema"`
	}
	raw, err := golden.ReadFile("golden/" + t.Name + ".json")
	if err == nil {
		err = jsonv2.Unmarshal(raw, &schema)
	}
	if err != nil {
		return mcp.Tool{}, fmt.Errorf("tool %s has no golden file: %w", t.Name, err)
	}
	return t.with(json.RawMessage(schema.In), json.RawMessage(schema.Out))
}

// derived is the tool with the schemas of its types.
func (t Tool) derived() (mcp.Tool, error) {
	out, err := open(codec.Schema(t.Out))
	if err != nil {
		return mcp.Tool{}, err
	}
	return t.with(codec.Schema(t.In), out)
}

// open lets answers have further members: a client that checks them goes on working when
// one is added, and the list stays short.
func open(schema json.RawMessage) (json.RawMessage, error) {
	var value any
	if err := json.Unmarshal(schema, &value); err != nil {
		return nil, err
	}
	var walk func(any)
	walk = func(v any) {
		members, ok := v.(map[string]any)
		if !ok {
			return
		}
		delete(members, "additionalProperties")
		for _, inner := range members {
			walk(inner)
		}
	}
	walk(value)
	return json.Marshal(value)
}

func (t Tool) with(in, out json.RawMessage) (mcp.Tool, error) {
	if t.Effect < Reads || t.Effect > Destroys {
		return mcp.Tool{}, fmt.Errorf("tool %s declares no effect", t.Name)
	}
	p := mcp.NewToolWithRawSchema(t.Name, t.Description, in)
	p.RawOutputSchema = out
	p.Annotations = t.Effect.hints()
	return p, nil
}

// handler runs t. It never returns an error: that would reach the client as a protocol
// error with the raw text, and the model would not see what to do.
func (t Tool) handler(o Options) server.ToolHandlerFunc {
	shared, asked := &deadlines{clock: o.Clock}, &asks{clock: o.Clock}
	return func(ctx context.Context, r mcp.CallToolRequest) (result *mcp.CallToolResult, _ error) {
		defer func() {
			if p := recover(); p != nil {
				o.Logger.Error("tool panicked", "tool", t.Name, "panic", p, "stack", string(debug.Stack()))
				result = mcp.NewToolResultError("Something went wrong inside the server; it has been logged. Call " + t.Name + " again, or use check_status to see where your tasks are.")
			}
		}()
		c := &call{options: o, clock: o.Clock, deadline: shared, asked: asked, log: o.Logger, progress: progress(ctx, r)}
		var err error
		if !t.late {
			err = c.market(ctx)
		}
		if err == nil {
			result, err = t.run(ctx, c, arguments(r))
		}
		if err != nil {
			return failure(ctx, o, t.Name, err), nil
		}
		return result, nil
	}
}

// arguments are the argument's own bytes, so that duplicate members and large numbers
// are seen as they were sent.
func arguments(r mcp.CallToolRequest) []byte {
	raw := []byte(r.Params.RawArguments)
	if len(raw) == 0 && r.Params.Arguments != nil {
		raw, _ = json.Marshal(r.Params.Arguments)
	}
	if len(raw) == 0 || string(raw) == "null" {
		return []byte("{}")
	}
	return raw
}

// progress tells a client that asked for it that the call is alive.
func progress(ctx context.Context, r mcp.CallToolRequest) func(int, int, string) {
	s := server.ServerFromContext(ctx)
	if s == nil || r.Params.Meta == nil || r.Params.Meta.ProgressToken == nil {
		return func(int, int, string) {}
	}
	return func(done, total int, message string) {
		// A client that cannot be told is not a reason to stop waiting.
		_ = s.SendNotificationToClient(ctx, string(mcp.MethodNotificationProgress), map[string]any{
			"progressToken": r.Params.Meta.ProgressToken, "progress": done, "total": total, "message": message,
		})
	}
}

// failure words an error for the model.
func failure(ctx context.Context, o Options, name string, err error) *mcp.CallToolResult {
	var e *schemas.Error
	switch {
	case errors.Is(err, context.Canceled), ctx.Err() != nil:
		return mcp.NewToolResultError("The call was cancelled. That cancels no task and no review: the people go on. Use check_status to look, cancel_task to withdraw one.")
	case !errors.As(err, &e):
		o.Logger.Error("tool failed", "tool", name, "error", err)
		return mcp.NewToolResultError("Something went wrong inside the server; it has been logged. Try again.")
	}
	return mcp.NewToolResultError(errorText(e, o.Keyless))
}

func errorText(e *schemas.Error, keyless bool) string {
	var b strings.Builder
	if e.Message != "" {
		b.WriteString(strings.TrimRight(e.Message, " "))
	}
	for _, f := range e.Fields {
		if b.Len() > 0 {
			b.WriteString("\n")
		}
		message := f.Message
		if !strings.HasPrefix(message, f.Field) {
			message = f.Field + " " + message
		}
		b.WriteString(message)
	}
	if e.State != "" && !strings.Contains(b.String(), e.State) {
		fmt.Fprintf(&b, "\nIt is in %s.", e.State)
	}
	if e.RetryAfterSeconds > 0 {
		fmt.Fprintf(&b, "\nTry again in %d seconds.", e.RetryAfterSeconds)
	}
	if keyless && e.Code == schemas.CodeUnauthenticated {
		b.WriteString("\nNo API key is set. Ask the user to set HUMANOPS_API_KEY in the client's configuration and to restart this server, or call register_agent to get a key.")
	}
	return b.String()
}
