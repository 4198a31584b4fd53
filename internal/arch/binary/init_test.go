package binary

import (
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// beforeMain are our packages that do something before main, and how many values each may
// allocate in doing so: every start of every command waits for it. What is not always needed
// is a sync.OnceValue.
var beforeMain = map[string]int{
	"main": 10, "client": 10, "tools": 150, "tools/conformance": 70, "tools/untrusted": 10, "schemas": 10,
	"internal/account": 10, "internal/answer": 30, "internal/api/dialect": 10, "internal/api/hitl": 10, "internal/blob": 10, "internal/codec": 10,
	"internal/config": 10, "internal/guardian": 10, "internal/job": 10, "internal/loop": 10, "internal/notify": 10, "internal/passkey": 10,
	"internal/photo": 10, "internal/receipt": 10, "internal/review": 140, "internal/review/ask": 10, "internal/review/view": 10, "internal/task": 20,
	"internal/upload": 20, "internal/web": 180, "internal/web/page": 40, "internal/web/static": 10, "internal/webhook": 10,
}

// othersBeforeMain is how many values all other packages may allocate before main.
const othersBeforeMain = 36_000 // 21,000 of them are the MCP library's, for schemas of its own

var initialised = regexp.MustCompile(`(?m)^init (\S+) @.* (\d+) bytes, (\d+) allocs$`)

func TestLittleIsDoneBeforeMain(t *testing.T) {
	path, err := runnable()
	require.NoError(t, err)
	cmd := exec.Command(path, "--version")
	cmd.Env = append(os.Environ(), "GODEBUG=inittrace=1")
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, string(out))
	found := initialised.FindAllStringSubmatch(string(out), -1)
	require.NotEmpty(t, found)
	others, most := 0, []string{}
	for _, line := range found {
		allocs, err := strconv.Atoi(line[3])
		require.NoError(t, err)
		name, ours := strings.CutPrefix(line[1], "humanops-mcp/")
		if !ours && name != "main" {
			if others += allocs; allocs >= 100 {
				most = append(most, fmt.Sprintf("%s %d", line[1], allocs))
			}
			continue
		}
		t.Logf("%s allocates %d values", name, allocs)
		limit, known := beforeMain[name]
		require.True(t, known, "%s does something before main that no start can do without; list it here, or do it when it is needed", name)
		require.LessOrEqual(t, allocs, limit, name)
	}
	t.Logf("others allocate %d values, most of them %s", others, strings.Join(most, ", "))
	require.LessOrEqual(t, others, othersBeforeMain, "most are of %s", strings.Join(most, ", "))
}
