package schemas

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestOtherReasons(t *testing.T) {
	v := Verdict{
		Reasons:  []string{"Sign: too dark", "No model looked."},
		Findings: []Finding{{Requirement: "Sign", Score: 40, Reason: "too dark"}},
	}
	require.Equal(t, []string{"No model looked."}, v.OtherReasons(), "what a finding says already is not said twice")
}
