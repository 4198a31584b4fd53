package e2e

import (
	"context"
	"strings"
	"sync"
	"testing"

	"github.com/mark3labs/mcp-go/client"
	"github.com/mark3labs/mcp-go/client/transport"
	"github.com/mark3labs/mcp-go/mcp"
	"github.com/stretchr/testify/require"

	"humanops-mcp/schemas"
	"humanops-mcp/tools"
)

// transports are the ways over the network.
var transports = map[string]func(p *platform) (*client.Client, error){
	"SSE": func(p *platform) (*client.Client, error) {
		return client.NewSSEMCPClient(p.url+"/sse", transport.WithHeaders(map[string]string{"Authorization": "Bearer " + p.cred.LiveKey}))
	},
	"streamable HTTP": func(p *platform) (*client.Client, error) {
		return client.NewStreamableHttpClient(p.url+"/mcp", transport.WithHTTPHeaders(map[string]string{"Authorization": "Bearer " + p.cred.LiveKey}))
	},
}

func connected(t *testing.T, ctx context.Context, p *platform, transport string) *client.Client {
	t.Helper()
	c, err := transports[transport](p)
	require.NoError(t, err)
	require.NoError(t, c.Start(ctx))
	t.Cleanup(func() { _ = c.Close() })
	initialize(t, ctx, c)
	return c
}

func TestJourney_over_the_network(t *testing.T) {
	s := newScene(t)
	for name := range transports {
		t.Run(name+" posts, waits and sees the photo", func(t *testing.T) {
			agent := connected(t, s.ctx, s.platform, name)
			posted, _ := call[tools.PostedTask](t, s.ctx, agent, "post_task", storefront(map[string]any{"title": name}))
			s.ada.does(posted.TaskID, "Here it is.")
			awaitStatus(t, s.ctx, agent, posted.TaskID, schemas.ManualReview)
			got, result := call[tools.TaskResult](t, s.ctx, agent, "get_task_result", map[string]any{"task_id": posted.TaskID})
			require.Equal(t, 1, imagesOf(result))
			require.Equal(t, "Here it is.", got.UntrustedNote)
		})
	}
}

// A wait that ends before its time, by the user's wish or by a broken line, leaves the
// person's task alone.
func TestJourney_a_wait_that_is_given_up_cancels_no_task(t *testing.T) {
	s := newScene(t)
	giveUp := map[string]func(w *waiting) error{
		"cancelled":   func(w *waiting) error { w.cancel(); return nil },
		"line closed": func(w *waiting) error { return w.agent.Close() },
	}
	waits := map[string]*waiting{} // all at once: each shows a sign of life only after 5 s
	for transport := range transports {
		for how := range giveUp {
			title := transport + ", " + how
			waits[title] = s.wait(connected(t, s.ctx, s.platform, transport), s.post(map[string]any{"title": title, "reward_usd": 1}))
		}
	}
	for title, w := range waits {
		t.Run(title, func(t *testing.T) {
			select {
			case <-w.alive:
			case <-s.ctx.Done():
				t.Fatal("the wait never showed a sign of life")
			}
			_, how, _ := strings.Cut(title, ", ")
			require.NoError(t, giveUp[how](w))
			w.cancel()
			<-w.ended
			s.requireAlive(w.id)
		})
	}
}

// waiting is a check_status on its way.
type waiting struct {
	id     string
	agent  *client.Client
	cancel context.CancelFunc
	alive  chan struct{} // the server has shown that it waits
	ended  chan struct{}
}

func (s scene) wait(agent *client.Client, id string) *waiting {
	ctx, cancel := context.WithCancel(s.ctx)
	s.t.Cleanup(cancel)
	w := &waiting{id, agent, cancel, make(chan struct{}), make(chan struct{})}
	first := sync.OnceFunc(func() { close(w.alive) })
	agent.OnNotification(func(n mcp.JSONRPCNotification) {
		if n.Method == string(mcp.MethodNotificationProgress) {
			first()
		}
	})
	var request mcp.CallToolRequest
	request.Params.Name, request.Params.Arguments = "check_status", map[string]any{"task_id": id, "wait_seconds": 45}
	request.Params.Meta = &mcp.Meta{ProgressToken: id}
	go func() {
		defer close(w.ended)
		_, _ = agent.CallTool(ctx, request) // it is given up
	}()
	return w
}

// requireAlive checks that the task is still open to the person, who then takes it.
func (s scene) requireAlive(id string) {
	s.t.Helper()
	require.Equal(s.t, "POSTED", s.get(id).Status)
	_, err := s.ada.api.AcceptTask(s.ctx, schemas.AcceptTaskRequest{TaskID: id})
	require.NoError(s.t, err)
	_, err = s.ada.api.ReleaseTask(s.ctx, schemas.ReleaseTaskRequest{TaskID: id})
	require.NoError(s.t, err)
}
