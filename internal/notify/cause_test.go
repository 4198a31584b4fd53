package notify

import (
	"errors"
	"fmt"
	"net/url"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestCause(t *testing.T) {
	t.Run("tells why a service could not be reached, without its address", func(t *testing.T) {
		err := fmt.Errorf("sending: %w", &url.Error{Op: "Post", URL: "https://hooks.example.com/secret-token", Err: errors.New("connection refused")})
		require.Equal(t, "connection refused", cause(err))
		require.Equal(t, "the service did not take it", cause(errors.New("Post https://hooks.example.com/secret-token: no")))
	})
}
