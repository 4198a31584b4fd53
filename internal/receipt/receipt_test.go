package receipt_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"humanops-mcp/docs/receipts"
	"humanops-mcp/internal/clock"
	"humanops-mcp/internal/receipt"
	"humanops-mcp/internal/seal"
	"humanops-mcp/internal/store"
	"humanops-mcp/internal/store/storetest"
	"humanops-mcp/internal/toolchain"
	"humanops-mcp/schemas"
)

const issuer = "https://people.example.com"

// office issues receipts.
type office struct {
	*receipt.Service
	store *store.Store
}

func newOffice(t *testing.T, s *store.Store, master byte) office {
	t.Helper()
	o := office{receipt.NewService(receipt.Config{Issuer: issuer + "/"}, seal.New(bytes.Repeat([]byte{master}, seal.KeySize))), s}
	require.NoError(t, s.Write(t.Context(), func(tx *store.Tx) error { return o.EnsureKey(t.Context(), tx) }))
	return o
}

// issue signs a receipt for a request that it makes for the purpose.
func (o office) issue(t *testing.T, r schemas.Receipt) (schemas.Receipt, error) {
	t.Helper()
	addRequest(t, o.store, r.RequestID)
	err := o.store.Write(t.Context(), func(tx *store.Tx) (err error) {
		r, err = o.Issue(t.Context(), tx, r)
		return err
	})
	return r, err
}

// addRequest puts in what a receipt refers to.
func addRequest(t *testing.T, s *store.Store, id string) {
	t.Helper()
	for _, text := range []string{
		"INSERT INTO people (id, name, name_key, email, phone, is_owner, is_operator, simulated, created_at) VALUES ('op_1', 'Ada', 'ada', '', '', TRUE, TRUE, FALSE, 1) ON CONFLICT DO NOTHING",
		"INSERT INTO agents (id, name, tier, created_at) VALUES ('ag_1', 'Agent', 'HOUSE', 1) ON CONFLICT DO NOTHING",
		"INSERT INTO loops (id, slug, mode, creator_id, name, created_at, updated_at) VALUES ('lo_1', 'one', 'live', 'op_1', 'One', 1, 1) ON CONFLICT DO NOTHING",
		`INSERT INTO reviews (id, loop_id, agent_id, mode, status, processing_type, type, priority, priority_rank, request_text, platform, response_type,
			response_config, on_timeout, timeout_seconds, content_hash, timeout_at, created_at, round_at, updated_at)
		VALUES ('` + id + `', 'lo_1', 'ag_1', 'live', 'pending', 'deferred', 'markdown', 'low', 3, '?', 'api', 'boolean', '{}', 'cancel', 60, '', 1, 1, 1, 1) ON CONFLICT DO NOTHING`,
	} {
		storetest.Exec(t, s, text)
	}
}

func (o office) keys(t *testing.T) (keys schemas.ReceiptKeys) {
	t.Helper()
	require.NoError(t, o.store.Read(t.Context(), func(tx *store.Tx) (err error) {
		keys, err = o.Keys(t.Context(), tx, schemas.Empty{})
		return err
	}))
	return keys
}

func decision(t *testing.T, request string) schemas.Receipt {
	t.Helper()
	_, _, digest, err := receipt.Digest(schemas.Action{Tool: "transfer_money", Arguments: json.RawMessage(`{"amount":82000,"to":"ACME <Ltd> & Söhne"}`)})
	require.NoError(t, err)
	return schemas.Receipt{
		RequestID: request, LoopID: "lo_1", Round: 1, Mode: "live", ActionDigest: digest, OriginalActionDigest: "00ff", Decision: "approved", ResponseSource: "human",
		DecidedBy: []string{"op_1"}, DecidedVia: "page", DecidedAt: storetest.Start.Add(123456 * time.Microsecond), AuditHead: "aa",
		Passkeys: json.RawMessage(`[{"id":"x<y","counter":3,"at":1.5}]`),
	}
}

func TestReceipts(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store, clk *clock.Fake) {
		o := newOffice(t, s, 1)
		issued, err := o.issue(t, decision(t, "r1"))
		require.NoError(t, err)
		keys := o.keys(t)

		t.Run("are complete and verify", func(t *testing.T) {
			require.Equal(t, issuer, issued.Issuer)
			require.Equal(t, 1, issued.Version)
			require.Equal(t, issued.DecidedAt.Add(24*time.Hour), issued.ExpiresAt)
			require.NotEmpty(t, issued.Nonce)
			require.NoError(t, receipt.Verify(issued, keys))
		})
		t.Run("fail when any field is changed, taken away or added", func(t *testing.T) {
			raw, err := json.Marshal(issued)
			require.NoError(t, err)
			_, err = receipt.VerifyText(raw, keys)
			require.NoError(t, err)
			var members map[string]json.RawMessage
			require.NoError(t, json.Unmarshal(raw, &members))
			require.Len(t, members, reflect.TypeFor[schemas.Receipt]().NumField(), "the test changes every field")
			for name, was := range members {
				for _, value := range []string{`"changed"`, `2`, `["op_2"]`, `"2030-01-01T00:00:00Z"`} {
					members[name] = json.RawMessage(value)
					requireFalse(t, members, keys, name)
				}
				delete(members, name)
				requireFalse(t, members, keys, name)
				members[name] = was
			}
			members["note"] = json.RawMessage(`"also approved for more"`)
			requireFalse(t, members, keys, "note")
		})
		t.Run("fail for another amount than was approved", func(t *testing.T) {
			_, _, digest, err := receipt.Digest(schemas.Action{Tool: "transfer_money", Arguments: json.RawMessage(`{"amount":820000,"to":"ACME <Ltd> & Söhne"}`)})
			require.NoError(t, err)
			require.NotEqual(t, issued.ActionDigest, digest)
			forged := issued
			forged.ActionDigest = digest
			require.ErrorContains(t, receipt.Verify(forged, keys), "does not fit")
		})
		t.Run("fail against another issuer's keys, and against a key that only has the name", func(t *testing.T) {
			other := newOffice(t, storetest.OpenAt(t, clk), 2).keys(t)
			require.ErrorContains(t, receipt.Verify(issued, other), "not among the issuer's keys")
			other.Keys[0].KeyID = issued.KeyID
			require.ErrorContains(t, receipt.Verify(issued, other), "damaged")
		})
		t.Run("still verify after the key was rotated", func(t *testing.T) {
			clk.Advance(time.Hour)
			require.NoError(t, s.Write(t.Context(), func(tx *store.Tx) error {
				_, err := o.RotateReceiptKey(t.Context(), tx, schemas.Empty{})
				return err
			}))
			both := o.keys(t)
			require.Len(t, both.Keys, 2)
			require.Nil(t, both.Keys[0].RetiredAt)
			require.NotNil(t, both.Keys[1].RetiredAt)
			require.NoError(t, receipt.Verify(issued, both))
			next, err := o.issue(t, decision(t, "r2"))
			require.NoError(t, err)
			require.Equal(t, both.Keys[0].KeyID, next.KeyID)
			require.NotEqual(t, issued.Nonce, next.Nonce)
			require.NoError(t, receipt.Verify(next, both))
			require.Error(t, receipt.Verify(next, keys), "the old list does not know the new key")
		})
		t.Run("are not signed with a key that was sealed by another master key", func(t *testing.T) {
			_, err := office{receipt.NewService(receipt.Config{Issuer: issuer}, seal.New(bytes.Repeat([]byte{9}, seal.KeySize))), s}.issue(t, decision(t, "r3"))
			require.ErrorIs(t, err, seal.ErrWrongKey)
		})
	})
}

func requireFalse(t *testing.T, members map[string]json.RawMessage, keys schemas.ReceiptKeys, name string) {
	t.Helper()
	raw, err := json.Marshal(members)
	require.NoError(t, err)
	_, err = receipt.VerifyText(raw, keys)
	require.Error(t, err, "%s: %s", name, raw)
}

func TestTheDocumentedVerifiersAgree(t *testing.T) {
	o := newOffice(t, storetest.Open(t), 1)
	issued, err := o.issue(t, decision(t, "r1"))
	require.NoError(t, err)
	folder := t.TempDir()
	keep := func(name string, v any) string {
		raw, err := json.MarshalIndent(v, "", "  ")
		require.NoError(t, err)
		path := filepath.Join(folder, name)
		require.NoError(t, os.WriteFile(path, raw, 0o600))
		return path
	}
	keys := keep("keys.json", o.keys(t))
	good := keep("receipt.json", issued)
	forged := issued
	forged.Decision = "rejected"
	bad := keep("forged.json", forged)
	action := func(amount float64, text string) string {
		return keep("action.json", map[string]any{"arguments": map[string]any{"to": text, "amount": amount}, "tool": "transfer_money"})
	}
	const payee = "ACME <Ltd> & Söhne"

	t.Run("in Go", func(t *testing.T) {
		list, err := os.ReadFile(keys)
		require.NoError(t, err)
		check := func(path, issuer string) error {
			raw, err := os.ReadFile(path)
			require.NoError(t, err)
			return receipts.Verify(raw, list, issuer)
		}
		require.NoError(t, check(good, issuer))
		require.Error(t, check(bad, issuer))
		require.Error(t, check(good, "https://elsewhere.example.com"))
		digest, err := receipts.Digest("transfer_money", []byte(`{"to":"ACME <Ltd> & Söhne","amount":8.2e4}`))
		require.NoError(t, err)
		require.Equal(t, issued.ActionDigest, digest)
	})
	for name, with := range map[string]struct {
		tool   *toolchain.Tool
		script string
	}{"in Python": {toolchain.Python, "../../docs/receipts/verify.py"}, "in JavaScript": {toolchain.Node, "../../docs/receipts/verify.mjs"}} {
		t.Run(name, func(t *testing.T) {
			verify := func(arguments ...string) (string, error) {
				out, err := with.tool.NeedCommand(t, append([]string{with.script}, arguments...)...).CombinedOutput()
				return string(out), err
			}
			out, err := verify(good, keys, issuer)
			require.NoError(t, err, out)
			require.Equal(t, "authentic; single use not checked\n", out)
			out, err = verify(good, keys, issuer, action(82000, payee))
			require.NoError(t, err, out)
			_, err = verify(good, keys, issuer, action(820000, payee))
			require.Error(t, err)
			_, err = verify(bad, keys, issuer)
			require.Error(t, err)
			_, err = verify(good, keys, "https://elsewhere.example.com")
			require.Error(t, err)
		})
	}
}

// The languages write numbers and sort names in their own ways.
func TestTheDocumentedDigestsAgreeOnDifficultActions(t *testing.T) {
	const arguments = `{"\ufb33":1,"😀":[0.1,1e-7,123456789.25,1e15,-0.0,5e-6,9007199254740992],"\u0080":"\u007f\u0001\"\\/\u2028","é":{"b":null,"a":true}}`
	_, _, digest, err := receipt.Digest(schemas.Action{Tool: "ünïcode 😀", Arguments: json.RawMessage(arguments)})
	require.NoError(t, err)
	folder, err := filepath.Abs("../../docs/receipts")
	require.NoError(t, err)
	for tool, command := range map[*toolchain.Tool][]string{
		toolchain.Python: {"-c", "import sys; sys.path.insert(0, sys.argv[1]); import verify; print(verify.digest(sys.argv[2], verify.read(sys.argv[3])))"},
		toolchain.Node:   {"--input-type=module", "-e", `const m = await import(process.argv[1] + "/verify.mjs"); console.log(m.digest(process.argv[2], JSON.parse(process.argv[3])))`},
	} {
		t.Run(tool.Name, func(t *testing.T) {
			cmd := tool.NeedCommand(t, append(command, folder, "ünïcode 😀", arguments)...)
			cmd.Env = append(os.Environ(), "PYTHONDONTWRITEBYTECODE=1", "PYTHONUTF8=1")
			out, err := cmd.CombinedOutput()
			require.NoError(t, err, string(out))
			require.Equal(t, digest, string(bytes.TrimSpace(out)))
		})
	}
}
