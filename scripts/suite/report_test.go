package main

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

const events = `{"ImportPath":"humanops-mcp/broken","Action":"build-output","Output":"broken.go:1: no\n"}
{"Action":"output","Package":"humanops-mcp/good","Test":"TestFine","Output":"=== RUN   TestFine\n"}
{"Action":"output","Package":"humanops-mcp/good","Test":"TestFine","Output":"chatter\n"}
{"Action":"pass","Package":"humanops-mcp/good","Test":"TestFine","Elapsed":2.5}
{"Action":"output","Package":"humanops-mcp/good","Test":"TestPicky","Output":"=== RUN   TestPicky\n"}
{"Action":"output","Package":"humanops-mcp/good","Test":"TestPicky","Output":"    x_test.go:1: no browser here\n"}
{"Action":"output","Package":"humanops-mcp/good","Test":"TestPicky","Output":"--- SKIP: TestPicky (0.00s)\n"}
{"Action":"skip","Package":"humanops-mcp/good","Test":"TestPicky","Elapsed":0}
{"Action":"output","Package":"humanops-mcp/good","Output":"PASS\n"}
{"Action":"output","Package":"humanops-mcp/good","Output":"ok  \thumanops-mcp/good\t2.600s\n"}
{"Action":"pass","Package":"humanops-mcp/good","Elapsed":2.6}
{"Action":"output","Package":"humanops-mcp/bad","Test":"TestWrong","Output":"    y_test.go:7: it is wrong\n"}
{"Action":"fail","Package":"humanops-mcp/bad","Test":"TestWrong","Elapsed":9}
{"Action":"output","Package":"humanops-mcp/bad","Test":"TestHangs","Output":"panic: test timed out\n"}
{"Action":"output","Package":"humanops-mcp/bad","Output":"FAIL: the tests left processes behind\n"}
{"Action":"output","Package":"humanops-mcp/bad","Output":"FAIL\thumanops-mcp/bad\t9.1s\n"}
{"Action":"fail","Package":"humanops-mcp/bad","Elapsed":9.1}
`

func TestReport(t *testing.T) {
	var out strings.Builder
	r := newReport(&out)
	require.NoError(t, r.read(json.NewDecoder(strings.NewReader(events))))
	r.close(time.Minute)
	said := out.String()
	for _, part := range []string{
		"broken.go:1: no\n", "ok  \thumanops-mcp/good\t2.600s\n", "it is wrong", "panic: test timed out", "left processes behind", "FAIL\thumanops-mcp/bad",
		"skipped: good TestPicky: x_test.go:1: no browser here\n", "     9.1 s  bad\n     2.6 s  good\n", "     9.0 s  bad TestWrong\n     2.5 s  good TestFine\n",
		"took 1m0s\nsuite: 1 passed, 1 failed, 1 skipped\n",
	} {
		require.Contains(t, said, part)
	}
	require.NotContains(t, said, "chatter", "what passes is quiet")
}
