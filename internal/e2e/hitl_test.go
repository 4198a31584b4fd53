package e2e

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"

	rest "humanops-mcp/client"
	"humanops-mcp/internal/toolchain"
	"humanops-mcp/schemas"
)

// reviewFolder copies the seed's review examples with only the base URL changed.
func reviewFolder(t *testing.T, p *platform) string {
	t.Helper()
	dir := t.TempDir()
	for _, name := range []string{"hitl_client.py", "hitl_flask.py", "hitl_django.py", "hitl.js"} {
		raw, err := os.ReadFile(filepath.Join("testdata", "seeds", name))
		require.NoError(t, err)
		text := strings.ReplaceAll(string(raw), "https://api.hitl.sh/v1", p.url+"/v1")
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
	}
	return dir
}

// answerAs waits for the request that the example made, decides it as the owner, and
// gives the example's last line.
func runReviewSeed(t *testing.T, p *platform, example, loop, answer string) (asked, ended string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, toolchain.Python.Need(t), "testdata/hitl_run.py", reviewFolder(t, p), example, p.cred.LiveKey, loop)
	var complaints strings.Builder
	cmd.Stderr = &complaints
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		word, id, _ := strings.Cut(lines.Text(), " ")
		if word != "asked" {
			ended = lines.Text()
			continue
		}
		asked = id
		_, err := p.api(rest.Options{Token: p.cred.OwnerToken}).DecideReview(ctx, schemas.DecideReviewRequest{
			RequestID: id, ResponseData: json.RawMessage(`"` + answer + `"`), Comment: "Looked at it.",
		})
		require.NoError(t, err)
	}
	require.NoError(t, cmd.Wait(), complaints.String())
	return asked, ended
}

// The seed's review clients run unchanged but for base URL, key and loop.
func TestSeedReviewClients(t *testing.T) {
	p := serve(t, "HUMANOPS_ALLOW_PRIVATE_WEBHOOKS=true")
	for _, name := range []string{"Content moderation", "loop_123"} {
		p.run("loops", "add", name)
	}
	for answer, said := range map[string]string{"approved": "approved", "rejected": "rejected", "needs_changes": "needs changes"} {
		t.Run("the Python client is told "+said, func(t *testing.T) {
			asked, ended := runReviewSeed(t, p, "client", "default", answer)
			require.Equal(t, said+" "+asked, ended)
		})
	}
	t.Run("the Flask receiver verifies and reads the webhook", func(t *testing.T) {
		asked, ended := runReviewSeed(t, p, "flask", "default", "approved")
		require.Equal(t, "approved "+asked, ended)
	})
	t.Run("Django's view reads the webhook", func(t *testing.T) {
		asked, ended := runReviewSeed(t, p, "django", "content_moderation", "rejected")
		require.Equal(t, "rejected "+asked, ended)
	})
}

const integrationPage = `<!doctype html><title>Integration</title>
<textarea id="content-input">Is this fine?</textarea><button id="submit-button">Submit</button><p id="status"></p>
<script>
const API_KEY = %q;
const input = document.getElementById('content-input');
const text = input.value;
Object.defineProperty(input, 'value', { get: () => ({ text }) }); // the example reads value.text
const show = text => { document.getElementById('status').textContent = text };
function showPendingStatus(id) { show('pending ' + id) }
async function pollForCompletion(id) {
  for (;;) {
    const status = await hitl.checkStatus(id);
    if (status.status === 'completed') { show(status.decision + ' ' + id); return }
    await new Promise(wake => setTimeout(wake, 100));
  }
}
</script>
<script src="/hitl.js"></script>`

// The seed's JavaScript runs in a browser, on a page of another origin that the owner
// allows.
func TestBrowser_the_seeds_script_asks_from_an_allowed_origin(t *testing.T) {
	chrome := toolchain.Chromium.Need(t)
	site := httptest.NewUnstartedServer(nil)
	p := serve(t, "HUMANOPS_REVIEWS_CORS_ORIGINS=http://"+site.Listener.Addr().String())
	p.run("loops", "add", "loop_123")
	folder := reviewFolder(t, p)
	site.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/hitl.js" {
			http.ServeFile(w, r, filepath.Join(folder, "hitl.js"))
			return
		}
		fmt.Fprintf(w, integrationPage, p.cred.LiveKey)
	})
	site.Start()
	defer site.Close()

	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	tab := phone(t, ctx, chrome)
	var pending string
	require.NoError(t, chromedp.Run(tab, chromedp.Navigate(site.URL), chromedp.Click("#submit-button"),
		chromedp.Poll(`document.getElementById('status').textContent`, &pending, chromedp.WithPollingTimeout(20*time.Second))))
	word, id, _ := strings.Cut(pending, " ")
	require.Equal(t, "pending", word)
	require.Len(t, id, 24, pending)
	_, err := p.api(rest.Options{Token: p.cred.OwnerToken}).DecideReview(ctx, schemas.DecideReviewRequest{RequestID: id, ResponseData: json.RawMessage(`"approved"`)})
	require.NoError(t, err)
	require.NoError(t, chromedp.Run(tab, chromedp.Poll(fmt.Sprintf(`document.getElementById('status').textContent === "approved %s"`, id), nil, chromedp.WithPollingTimeout(20*time.Second))))
}
