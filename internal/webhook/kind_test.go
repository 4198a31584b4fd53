package webhook

import (
	"reflect"
	"testing"

	"github.com/stretchr/testify/require"

	"humanops-mcp/schemas"
)

func TestTheKindOfJobThatTheListNamesExists(t *testing.T) {
	field, found := reflect.TypeFor[schemas.ListJobsRequest]().FieldByName("Kind")
	require.True(t, found)
	require.Contains(t, field.Tag.Get("doc"), string(sendKind))
}
