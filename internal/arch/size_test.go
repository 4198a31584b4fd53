package arch

import (
	"cmp"
	"fmt"
	"go/ast"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// How much is written by hand at most: what is longer has a second subject, which wants a
// room of its own. Tests and generated files do not count.
const (
	maxPackage = 4000
	maxFile    = 500
)

func TestNoPackageAndNoFileIsTooLong(t *testing.T) {
	files, packages := map[string]int{}, map[string]int{}
	generated := regexp.MustCompile(`(?m)^// Code generated .* DO NOT EDIT\.$`)
	eachFile(t, func(name string, _ *ast.File) {
		if strings.HasSuffix(name, "_test.go") {
			return
		}
		text := source(t, name)
		if generated.MatchString(text) {
			return
		}
		files[name] = strings.Count(text, "\n")
		packages[path.Dir(name)] += files[name]
	})
	within := func(what string, lines map[string]int, most int) {
		largest := slices.SortedFunc(maps.Keys(lines), func(a, b string) int { return cmp.Compare(lines[b], lines[a]) })
		var shown strings.Builder
		for _, name := range largest[:min(5, len(largest))] {
			fmt.Fprintf(&shown, "\n%6d %s", lines[name], name)
		}
		t.Logf("the largest %s:%s", what, shown.String())
		require.LessOrEqual(t, lines[largest[0]], most, "give the second subject of %s a room of its own; the largest %s:%s", largest[0], what, shown.String())
	}
	within("packages", packages, maxPackage)
	within("files", files, maxFile)
}
