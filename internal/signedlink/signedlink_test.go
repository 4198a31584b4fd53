package signedlink_test

import (
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"humanops-mcp/internal/clock"
	"humanops-mcp/internal/signedlink"
	"humanops-mcp/schemas"
)

// parse reads a link as the server would.
func parse(t *testing.T, link string) schemas.GetProofRequest {
	u, err := url.Parse(link)
	require.NoError(t, err)
	parts := strings.Split(u.Path, "/")
	n, err := strconv.Atoi(parts[6])
	require.NoError(t, err)
	expires, err := strconv.ParseInt(u.Query().Get("expires"), 10, 64)
	require.NoError(t, err)
	return schemas.GetProofRequest{TaskID: parts[4], N: n, Size: u.Query().Get("size"), For: u.Query().Get("for"), Expires: expires, Signature: u.Query().Get("signature")}
}

func TestProofLink(t *testing.T) {
	clk := clock.NewFake(time.Date(2026, 2, 7, 12, 0, 0, 0, time.UTC))
	signer := signedlink.New([]byte("a key for tests"), "https://ops.example.com/", clk)
	link := signer.Proof("task_1", 2, "thumb", "ag_1")
	good := parse(t, link)

	t.Run("is absolute and names its caller", func(t *testing.T) {
		require.True(t, strings.HasPrefix(link, "https://ops.example.com/api/v1/tasks/task_1/proof/2?"), link)
		caller, err := signer.Verify(good)
		require.NoError(t, err)
		require.Equal(t, "ag_1", caller)
	})

	t.Run("may leave out the default size", func(t *testing.T) {
		in := parse(t, signer.Proof("task_1", 2, "", "ag_1"))
		require.Equal(t, "large", in.Size)
		in.Size = ""
		_, err := signer.Verify(in)
		require.NoError(t, err)
	})

	t.Run("is refused when any part is altered", func(t *testing.T) {
		for name, alter := range map[string]func(*schemas.GetProofRequest){
			"task":      func(in *schemas.GetProofRequest) { in.TaskID = "task_2" },
			"number":    func(in *schemas.GetProofRequest) { in.N = 3 },
			"size":      func(in *schemas.GetProofRequest) { in.Size = "large" },
			"caller":    func(in *schemas.GetProofRequest) { in.For = "ag_2" },
			"expiry":    func(in *schemas.GetProofRequest) { in.Expires += 3600 },
			"signature": func(in *schemas.GetProofRequest) { in.Signature = "00" + in.Signature[2:] },
			"cut":       func(in *schemas.GetProofRequest) { in.Signature = in.Signature[:62] },
			"missing":   func(in *schemas.GetProofRequest) { in.Signature = "" },
			"no hex":    func(in *schemas.GetProofRequest) { in.Signature = "zz" },
		} {
			in := good
			alter(&in)
			_, err := signer.Verify(in)
			require.Equal(t, schemas.CodeUnauthenticated, schemas.ErrorCode(err), name)
		}
	})

	t.Run("is refused under another key", func(t *testing.T) {
		_, err := signedlink.New([]byte("another key"), "https://ops.example.com", clk).Verify(good)
		require.Equal(t, schemas.CodeUnauthenticated, schemas.ErrorCode(err))
	})

	t.Run("ends after 15 minutes, to the second", func(t *testing.T) {
		clk.Advance(signedlink.Lifetime - time.Second)
		_, err := signer.Verify(good)
		require.NoError(t, err)
		clk.Advance(time.Second)
		_, err = signer.Verify(good)
		require.Equal(t, schemas.CodeGone, schemas.ErrorCode(err))
		require.ErrorContains(t, err, "15 minutes")
	})
}
