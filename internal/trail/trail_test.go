package trail_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"humanops-mcp/internal/trail"
	"humanops-mcp/schemas"
)

var at = time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)

// chain is a trail of three entries.
func chain(t *testing.T) (list []schemas.AuditEntry) {
	t.Helper()
	head := ""
	for n, kind := range []string{"task.posted", "task.accept", "task.start"} {
		e, err := trail.Link(n, head, schemas.AuditEntry{
			EventID: "ev_" + kind, Kind: kind, Actor: "op_ada", Via: "page", At: at, Data: json.RawMessage(`{"to":"there"}`),
		})
		require.NoError(t, err)
		list, head = append(list, e), e.Hash
	}
	return list
}

func TestLink(t *testing.T) {
	list := chain(t)
	for i, e := range list {
		require.Equal(t, i+1, e.N)
		require.Len(t, e.Hash, 64)
	}
	require.Empty(t, list[0].Previous)
	require.Equal(t, list[0].Hash, list[1].Previous)
	require.Equal(t, list[1].Hash, list[2].Previous)
}

// Trails are kept for years: what was hashed once is hashed the same for ever. The first is
// of an entry from before events had one id.
func TestHashesStayWhatTheyWere(t *testing.T) {
	e := schemas.AuditEntry{N: 2, Kind: "review.decide", Actor: "op_ada", Via: "page", At: at, Previous: "abc", Data: json.RawMessage(`{"b":1.0,"a":"é"}`)}
	for want, id := range map[string]string{
		"adfc8b1ad39c233ad61ae86ef1a35d737bd144643f7c2e6075087e98e465b909": "",
		"1b13dff50a14225e6ed0c62cb674e083902cc2998380427248bdf0e9c0f6fd6b": "ev_1",
	} {
		e.EventID = id
		got, err := trail.Hash(e)
		require.NoError(t, err)
		require.Equal(t, want, got)
	}
	e.EventID, e.Data = "", json.RawMessage(`{ "a": "é", "b": 1 }`)
	got, err := trail.Hash(e)
	require.NoError(t, err)
	require.Equal(t, "adfc8b1ad39c233ad61ae86ef1a35d737bd144643f7c2e6075087e98e465b909", got, "how a database or a program writes the same JSON makes no difference")
}

func TestVerify(t *testing.T) {
	list := chain(t)
	head, err := trail.Verify(0, "", list)
	require.NoError(t, err)
	require.Equal(t, list[2].Hash, head)
	head, err = trail.Verify(1, list[0].Hash, list[1:])
	require.NoError(t, err, "a trail is verified in pieces, too")
	require.Equal(t, list[2].Hash, head)
	head, err = trail.Verify(3, list[2].Hash, nil)
	require.NoError(t, err)
	require.Equal(t, list[2].Hash, head)

	for name, c := range map[string]struct {
		change func([]schemas.AuditEntry) []schemas.AuditEntry
		says   string
	}{
		"its number":       {altered(func(e *schemas.AuditEntry) { e.N = 3 }), "entry 3 does not follow the one before it"},
		"what it follows":  {altered(func(e *schemas.AuditEntry) { e.Previous = e.Hash }), "entry 2 does not follow the one before it"},
		"its event":        {altered(func(e *schemas.AuditEntry) { e.EventID = "ev_2" }), "entry 2 is not what was hashed"},
		"what happened":    {altered(func(e *schemas.AuditEntry) { e.Kind = "task.release" }), "entry 2 is not what was hashed"},
		"who":              {altered(func(e *schemas.AuditEntry) { e.Actor = "op_bob" }), "entry 2 is not what was hashed"},
		"by what":          {altered(func(e *schemas.AuditEntry) { e.Via = "api" }), "entry 2 is not what was hashed"},
		"when":             {altered(func(e *schemas.AuditEntry) { e.At = at.Add(time.Microsecond) }), "entry 2 is not what was hashed"},
		"what was said":    {altered(func(e *schemas.AuditEntry) { e.Data = json.RawMessage(`{"to":"here"}`) }), "entry 2 is not what was hashed"},
		"the hash itself":  {altered(func(e *schemas.AuditEntry) { e.Hash = e.Previous }), "entry 2 is not what was hashed"},
		"that it is there": {func(l []schemas.AuditEntry) []schemas.AuditEntry { return append(l[:1:1], l[2]) }, "entry 3 does not follow the one before it"},
		"its place":        {func(l []schemas.AuditEntry) []schemas.AuditEntry { return []schemas.AuditEntry{l[0], l[2], l[1]} }, "entry 3 does not follow the one before it"},
		"its JSON":         {altered(func(e *schemas.AuditEntry) { e.Data = json.RawMessage(`{`) }), "hash entry 2 of a trail"},
	} {
		t.Run("tells when somebody changed "+name, func(t *testing.T) {
			head, err := trail.Verify(0, "", c.change(chain(t)))
			require.ErrorContains(t, err, c.says)
			require.Equal(t, list[0].Hash, head, "up to there it holds")
		})
	}
}

func altered(change func(*schemas.AuditEntry)) func([]schemas.AuditEntry) []schemas.AuditEntry {
	return func(list []schemas.AuditEntry) []schemas.AuditEntry {
		change(&list[1])
		return list
	}
}

func TestATrailWhoseWordsAreGoneKeepsItsPlaces(t *testing.T) {
	list := chain(t)
	for i := range list {
		list[i].Data, list[i].Actor = nil, ""
	}
	head, err := trail.Verify(0, "", list)
	require.NoError(t, err)
	require.Equal(t, list[2].Hash, head)
	list[1].Hash = list[0].Hash
	_, err = trail.Verify(0, "", list)
	require.ErrorContains(t, err, "entry 3 does not follow the one before it")
}
