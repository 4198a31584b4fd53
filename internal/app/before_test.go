package app

import (
	"crypto/ed25519"
	"crypto/sha256"
	"database/sql"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gowebpki/jcs"
	"github.com/stretchr/testify/require"

	"humanops-mcp/schemas"
)

// shortly after the kill: jobs' leases are over, and no deadline is moved for it.
const shortly = 90 * time.Second

// kinds are all that the program of before wrote into its queue.
var kinds = []string{
	"account.sweep", "guardian.check", "idempotency.sweep", "job.sweep", "notify", "notify.chat", "notify.mail", "passkey.sweep",
	"proof.copies", "proof.sweep", "proof.sweep.hourly", "review.clocks.hourly", "review.links.sweep", "review.simulate", "review.timer",
	"task.clocks.hourly", "task.reviews.hourly", "task.simulate", "task.timer", "webhook", "webhook.deliver", "webhook.review", "webhook.sweep",
}

// What the other tests promise is worth as much as what there was to lose.
func TestThePlatformOfBeforeWasKilledInTheMiddleOfLife(t *testing.T) {
	for _, database := range []string{"sqlite", "postgres"} {
		t.Run(database, func(t *testing.T) {
			b, pool := unpackBefore(t, database, 0)
			defer pool.Close()
			require.Equal(t, b.facts.Jobs, counts(t, pool, "SELECT kind || ' ' || state, count(*) FROM jobs GROUP BY kind, state"))
			for _, kind := range kinds {
				require.Positive(t, b.facts.Jobs[kind+" ready"], "a job %s waits", kind)
			}
			for _, job := range []string{"guardian.check running", "notify.mail running", "notify.chat running", "webhook.deliver running", "webhook.review running", "notify.mail failed", "webhook.deliver failed"} {
				require.Positive(t, b.facts.Jobs[job], job)
			}
			require.Equal(t, b.facts.Callbacks, counts(t, pool, "SELECT state, count(*) FROM webhook_deliveries WHERE webhook_id IS NULL GROUP BY state"))
			states := counts(t, pool, "SELECT state, count(*) FROM webhook_deliveries WHERE webhook_id IS NOT NULL GROUP BY state")
			require.Equal(t, []string{"delivered", "failed", "waiting"}, sorted(states))
			require.Equal(t, b.facts.Events, counts(t, pool, "SELECT kind, count(*) FROM events GROUP BY kind UNION ALL SELECT 'unnumbered', count(*) FROM events WHERE seq IS NULL"))
			require.Positive(t, b.facts.Events["unnumbered"])
			require.Equal(t, map[string]int{"version": 2}, counts(t, pool, "SELECT 'version', max(version_id) FROM goose_db_version"))
			b.requireEveryState(t)
		})
	}
}

func counts(t *testing.T, pool *sql.DB, query string) map[string]int {
	t.Helper()
	rows, err := pool.QueryContext(t.Context(), query)
	require.NoError(t, err)
	defer rows.Close()
	out := map[string]int{}
	for rows.Next() {
		var name string
		var n int
		require.NoError(t, rows.Scan(&name, &n))
		out[name] = n
	}
	require.NoError(t, rows.Err())
	return out
}

// requireEveryState makes sure that there is something of each state, live and, where
// test mode rests there, in test mode.
func (b *before) requireEveryState(t *testing.T) {
	t.Helper()
	tasks, reviews := map[string]bool{}, map[string]bool{}
	for _, task := range b.facts.Tasks {
		tasks[task.Caller[strings.LastIndex(task.Caller, " ")+1:]+" "+task.Status] = true
	}
	for _, status := range []string{"POSTED", "ESTIMATE_PENDING", "ACCEPTED", "IN_PROGRESS", "SUBMITTED", "MANUAL_REVIEW", "DISPUTED", "PAID", "CANCELLED", "EXPIRED"} {
		require.Contains(t, tasks, "live "+status)
		require.Contains(t, tasks, "test "+status)
	}
	require.Contains(t, tasks, "live VERIFIED")
	for _, review := range b.facts.Reviews {
		reviews[review.Status] = true
	}
	require.Equal(t, []string{"cancelled", "claimed", "completed", "pending", "timeout"}, sorted(reviews))
}

func TestAnUpgradeLosesNothing(t *testing.T) {
	eachBefore(t, shortly, func(t *testing.T, b *before) {
		for _, promise := range []struct{ says, subject string }{
			{"tasks stand where they stood, with estimates, submissions, verdicts and decisions", "tasks"},
			{"messages are there, both ways", "messages"},
			{"reviews stand where they stood, with rounds, answers, recipients and outcomes", "reviews"},
			{"trails have the same entries with the same hashes", "trails"},
			{"receipts are the same to the byte, and so are the keys that signed them", "receipts"},
			{"feedback is kept", "feedback"},
			{"precedents are found", "precedents"},
			{"lists hold the same in the same order, and nothing beside", "lists"},
			{"the ledger is exact, balances and earnings are the same", "money"},
			{"webhooks are the same", "webhooks"},
			{"the log of deliveries is the same, down to what was sent", "deliveries"},
			{"loops have their settings and members, pending ones too", "loops"},
			{"people have their roles, groups, hours and absences", "people"},
			{"keys have their mode, audience and scopes", "keys"},
			{"photos and uploaded files are the same to the byte", "files"},
		} {
			t.Run(promise.says, func(t *testing.T) {
				require.NotEmpty(t, b.facts.Reads[promise.subject])
				for _, r := range b.facts.Reads[promise.subject] {
					b.requireSame(t, r)
				}
			})
		}
		t.Run("every trail verifies, to the head that the review names", func(t *testing.T) {
			for _, name := range sorted(b.facts.Reviews) {
				b.requireTrail(t, name, b.facts.Reviews[name])
			}
		})
		t.Run("every receipt verifies, of a retired key too", func(t *testing.T) { b.requireReceipts(t) })
		t.Run("who was let in is, who was put out is not", func(t *testing.T) { b.requireDoors(t) })
	})
}

// requireSame makes a call of before once more. Members that are new since then are no
// difference.
func (b *before) requireSame(t *testing.T, r read) {
	t.Helper()
	got := b.again(t, r)
	if r.SHA256 != "" {
		require.Equal(t, r.SHA256, got, r.Path)
		return
	}
	require.Empty(t, differs(exact(t, string(r.Body)), got, ""), "%s by %s", r.Path, r.Caller)
}

// differs names the first member that is not as it was, "" for none.
func differs(was, is any, at string) string {
	switch was := was.(type) {
	case map[string]any:
		object, _ := is.(map[string]any)
		for _, name := range sorted(was) {
			if _, there := object[name]; !there {
				return at + "." + name + " is missing"
			}
			if found := differs(was[name], object[name], at+"."+name); found != "" {
				return found
			}
		}
	case []any:
		list, _ := is.([]any)
		if len(list) != len(was) {
			return fmt.Sprintf("%s had %d items and has %d", at, len(was), len(list))
		}
		for i := range was {
			if found := differs(was[i], list[i], fmt.Sprintf("%s[%d]", at, i)); found != "" {
				return found
			}
		}
	default:
		if !reflect.DeepEqual(was, is) {
			return fmt.Sprintf("%s was %v and is %v", at, was, is)
		}
	}
	return ""
}

// requireTrail checks a hash chain by RFC 8785 and SHA-256 alone.
func (b *before) requireTrail(t *testing.T, name string, was thing) {
	t.Helper()
	var got struct {
		Data struct{ Entries []map[string]json.RawMessage }
	}
	out := b.must(b.as(was.Caller), "GET", "/v1/requests/"+was.ID+"/audit?limit=200", nil)
	require.NoError(t, json.Unmarshal([]byte(out.raw), &got))
	require.Len(t, got.Data.Entries, was.Trail, name)
	head := ""
	for i, entry := range got.Data.Entries {
		require.JSONEq(t, fmt.Sprint(i+1), string(entry["n"]), name)
		require.Equal(t, head, text(t, entry["previous"]), "%s, entry %d", name, i+1)
		head = text(t, entry["hash"])
		sum := sha256.Sum256(without(t, entry, "hash"))
		require.Equal(t, hex.EncodeToString(sum[:]), head, "%s, entry %d", name, i+1)
	}
	require.Equal(t, was.Head, head, name)
	require.Equal(t, head, b.sees(name).text("data.request.audit_head"), name)
}

// without is the RFC 8785 form of an object without one of its members.
func without(t *testing.T, object map[string]json.RawMessage, member string) []byte {
	t.Helper()
	rest := maps.Clone(object)
	delete(rest, member)
	raw, err := json.Marshal(rest)
	require.NoError(t, err)
	canonical, err := jcs.Transform(raw)
	require.NoError(t, err)
	return canonical
}

func text(t *testing.T, raw json.RawMessage) (s string) {
	t.Helper()
	require.NoError(t, json.Unmarshal(raw, &s))
	return s
}

// requireReceipts checks signatures with the public keys alone.
func (b *before) requireReceipts(t *testing.T) {
	t.Helper()
	var published schemas.ReceiptKeys
	require.NoError(t, json.Unmarshal([]byte(b.must(who{}, "GET", schemas.ReceiptKeysPath, nil).raw), &published))
	signedBy := map[string]int{}
	for _, r := range b.facts.Reads["receipts"] {
		var got struct {
			Data struct{ Receipt map[string]json.RawMessage }
		}
		require.NoError(t, json.Unmarshal([]byte(b.must(b.as(r.Caller), "GET", r.Path, nil).raw), &got))
		if got.Data.Receipt == nil {
			continue // the list of keys
		}
		id := text(t, got.Data.Receipt["key_id"])
		i := slices.IndexFunc(published.Keys, func(k schemas.ReceiptKey) bool { return k.KeyID == id })
		require.GreaterOrEqual(t, i, 0, r.Path)
		key, err := base64.RawURLEncoding.DecodeString(published.Keys[i].X)
		require.NoError(t, err)
		signature, err := base64.RawURLEncoding.DecodeString(text(t, got.Data.Receipt["signature"]))
		require.NoError(t, err)
		require.True(t, ed25519.Verify(key, without(t, got.Data.Receipt, "signature"), signature), r.Path)
		signedBy[id]++
	}
	require.Len(t, signedBy, 2)
}

// requireDoors tries keys, tokens and sessions where they may and may not go.
func (b *before) requireDoors(t *testing.T) {
	t.Helper()
	for _, door := range []struct {
		caller, method, path string
		want                 int
	}{
		{"house live", "GET", "/api/v1/agents/balance", 200},
		{"house second test key", "GET", "/api/v1/agents/balance", 200},
		{"house marketplace key", "GET", "/api/v1/tasks", 200},
		{"house marketplace key", "GET", "/v1/loops", 403},
		{"house reviews key", "GET", "/v1/loops", 200},
		{"house reviews key", "GET", "/api/v1/tasks", 403},
		{"house reviews key", "POST", "/v1/loops", 403},
		{"revoked key", "GET", "/api/v1/agents/balance", 401},
		{"executor", "GET", "/api/v1/agents/balance", 403},
		{"second executor", "GET", "/v1/requests/" + b.facts.Reviews["receipt used"].ID + "/receipt", 200},
		{"owner", "GET", "/platform/v1/status", 200},
		{"Olga", "GET", "/platform/v1/status", 200},
		{"Ada", "GET", "/api/v1/operator/tasks", 200},
		{"Rita", "GET", "/api/v1/operator/tasks", 403},
		{"Gone", "GET", "/api/v1/operator/tasks", 401},
		{"checker test", "GET", "/v1/requests/" + b.facts.Reviews["pending"].ID, 404},
		{"quiet test", "GET", "/api/v1/tasks/" + b.facts.Tasks["posted"].ID, 404},
	} {
		out := b.send(b.as(door.caller), door.method, door.path, nil)
		require.Equal(t, door.want, out.status, "%s %s by %s: %s", door.method, door.path, door.caller, out.raw)
	}
	for _, name := range []string{"owner's browser", "Olga's browser"} {
		require.Equal(t, http.StatusOK, b.send(b.browserOf(name), "GET", "/people/me", nil).status, name)
	}
}
