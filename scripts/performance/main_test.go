package main

import (
	"io"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

const printed = `goos: linux
cpu: Some CPU
BenchmarkColdStart-2   	      20	         9000 us-p50	         2.100 x-bare
BenchmarkScale/list/tasks_that_are_paid-2         	       1	       100.4 us-p50-few	       150.6 us-p50-many	       200.0 us-p99-few	       500.0 us-p99-many	         1.500 x-p50	         2.500 x-p99
    scale_test.go:1: filled a house with 1000 tasks in 1s
PASS
`

func TestARunBecomesADocument(t *testing.T) {
	var passed strings.Builder
	r, ok := read(strings.NewReader(printed), &passed)
	require.True(t, ok)
	require.Equal(t, printed, passed.String())
	text := r.document("make bench", time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC))
	require.Contains(t, text, "Written by `make bench` on 2026-03-02 09:00 UTC: Some CPU")
	require.Contains(t, text, "| ColdStart | 9000 us-p50, 2.10 x-bare |")
	require.Contains(t, text, "| list/tasks that are paid | 100 | 151 | 1.50 | 200 | 500 | 2.50 |")
	require.Contains(t, text, "Filled with 1000 tasks in 1s.")
}

func TestARunThatFailedBecomesNone(t *testing.T) {
	for name, text := range map[string]string{"a failure": printed + "FAIL\n", "nothing measured": "PASS\n"} {
		_, ok := read(strings.NewReader(text), io.Discard)
		require.False(t, ok, name)
	}
}
