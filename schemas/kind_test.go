package schemas

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestAnIdSaysWhatItBelongsTo(t *testing.T) {
	for id, kind := range map[string]Kind{
		"task_a1B2c3D4e5F6g7H8":     KindTask,
		"task_":                     KindTask, // of nothing that exists, and still a task's
		"65f0000000000000000000aa":  KindReview,
		"65F0000000000000000000AA":  KindReview,
		"op_a1B2c3D4e5F6g7H8":       KindOperator,
		"op_simulated0000001":       KindOperator,
		"grp_a1B2c3D4e5F6g7H8":      KindGroup,
		"":                          KindUnknown,
		"review_a1B2":               KindUnknown,
		"Task_a1B2":                 KindUnknown,
		"65f0000000000000000000a":   KindUnknown, // 23 digits
		"65f0000000000000000000aaa": KindUnknown, // 25
		"65f00000000000000000000g":  KindUnknown,
		"65f0000000_00000000000aa":  KindUnknown,
		"default":                   KindUnknown, // a loop's slug
		"wh_a1B2c3D4e5F6g7H8":       KindUnknown,
	} {
		require.Equal(t, kind, KindOf(id), "%q", id)
	}
}

func TestNoIdBelongsToTwoKinds(t *testing.T) {
	for kind, prefix := range prefixes {
		require.Equal(t, prefix, kind.Prefix())
		require.False(t, strings.HasPrefix(prefix, "_") || !strings.HasSuffix(prefix, "_"), prefix)
		for other, theirs := range prefixes {
			require.True(t, kind == other || !strings.HasPrefix(prefix, theirs), "%s and %s", kind, other)
		}
	}
	require.Empty(t, KindReview.Prefix())
}
