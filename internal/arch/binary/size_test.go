package binary

import (
	"debug/buildinfo"
	"debug/elf"
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"humanops-mcp/internal/golden"
)

const (
	maxSize = 36_000_000

	listed = 100_000 // bytes; what is smaller stands together in one line
	step   = 50_000  // limits are multiples of it
)

func TestTheProgramIsSmall(t *testing.T) {
	path, err := released()
	require.NoError(t, err)
	info, err := os.Stat(path)
	require.NoError(t, err)
	t.Logf("%.1f MB", float64(info.Size())/1e6)
	require.LessOrEqual(t, info.Size(), int64(maxSize), "TestGoldenSize says what it is made of; the largest: %s", strings.Join(largest(t, 10), ", "))
}

// With text/template in the program, the linker keeps every exported method of every type:
// a template could name it. That is 5 MB, and more to load at each start.
func TestNoTemplateKeepsEveryMethodInTheProgram(t *testing.T) {
	for name := range symbols(t) {
		require.NotEqual(t, "text/template.(*state).evalField", name, "something runs templates; go build -ldflags=-dumpdep says what")
	}
}

// Each part may grow up to its limit, so that whoever lets one grow beyond it sees which.
func TestGoldenSize(t *testing.T) {
	const file = "testdata/size.txt"
	before, err := os.ReadFile(file)
	if !os.IsNotExist(err) {
		require.NoError(t, err)
	}
	limits := readLimits(t, string(before))
	sizes := gathered(parts(t), limits)
	var b strings.Builder
	b.WriteString("# What each part of the program may weigh at most, in kB. make golden writes it anew where a part has outgrown its limit or shrunk far below.\n")
	for _, name := range bySize(sizes) {
		fmt.Fprintf(&b, "%6d %s\n", limitOf(sizes[name], limits[name])/1000, name)
	}
	golden.File(t, file, []byte(b.String()))
}

// limitOf leaves a limit as it is while it fits.
func limitOf(size, limit int64) int64 {
	if size <= limit && size > limit-4*step-limit/4 {
		return limit
	}
	return (size + size/20 + step) / step * step
}

func readLimits(t *testing.T, text string) map[string]int64 {
	t.Helper()
	limits := map[string]int64{}
	for line := range strings.Lines(text) {
		if fields := strings.Fields(line); len(fields) == 2 {
			kB, err := strconv.ParseInt(fields[0], 10, 64)
			require.NoError(t, err)
			limits[fields[1]] = kB * 1000
		}
	}
	return limits
}

// bySize orders parts by name, so that a part which grows does not move.
func bySize(sizes map[string]int64) []string { return slices.Sorted(maps.Keys(sizes)) }

func largest(t *testing.T, n int) (out []string) {
	sizes := parts(t)
	names := slices.SortedFunc(maps.Keys(sizes), func(a, b string) int { return int(sizes[b] - sizes[a]) })
	for _, name := range names[:min(n, len(names))] {
		out = append(out, fmt.Sprintf("%s %.1f MB", name, float64(sizes[name])/1e6))
	}
	return out
}

// parts are the bytes of the program's file by what they belong to: a module, a package of
// ours, a table that the linker makes for all of them.
func parts(t *testing.T) map[string]int64 {
	t.Helper()
	path, err := labelled()
	require.NoError(t, err)
	info, err := buildinfo.ReadFile(path)
	require.NoError(t, err)
	modules := make([]string, 0, len(info.Deps))
	for _, m := range info.Deps {
		modules = append(modules, m.Path)
	}
	sizes := map[string]int64{}
	for name, size := range symbols(t) {
		sizes[partOf(name, modules)] += size
	}
	return sizes
}

// symbols are the bytes of everything that has a name and stands in the file.
func symbols(t *testing.T) map[string]int64 {
	t.Helper()
	path, err := labelled()
	require.NoError(t, err)
	file, err := elf.Open(path)
	require.NoError(t, err)
	defer file.Close()
	list, err := file.Symbols()
	require.NoError(t, err)
	sizes := map[string]int64{}
	for _, s := range list {
		if int(s.Section) < len(file.Sections) && file.Sections[s.Section].Type != elf.SHT_NOBITS {
			sizes[s.Name] += int64(s.Size)
		}
	}
	for _, section := range file.Sections {
		if section.Name == ".gopclntab" {
			sizes["go:functions"] = int64(section.Size)
		}
	}
	return sizes
}

// gathered puts what is small together. What has a line of its own keeps it while it is half
// as large as what gets one.
func gathered(sizes, limits map[string]int64) map[string]int64 {
	out := map[string]int64{}
	for name, size := range sizes {
		if least := int64(listed); size < least && (limits[name] == 0 || size < least/2) {
			name = "all-others"
		}
		out[name] += size
	}
	return out
}

// partOf tells what a symbol belongs to.
func partOf(symbol string, modules []string) string {
	name := strings.TrimPrefix(strings.TrimPrefix(symbol, "type:"), ".eq.")
	if strings.HasPrefix(symbol, "go:") || strings.HasPrefix(name, "*") || name == "" {
		return "linker/" + strings.TrimSuffix(strings.SplitN(symbol, ".", 2)[0], ":")
	}
	pkg := packageOf(name)
	if ours, found := strings.CutPrefix(pkg, "humanops-mcp/"); found {
		return ours
	}
	longest := ""
	for _, module := range modules {
		if len(module) > len(longest) && (pkg == module || strings.HasPrefix(pkg, module+"/")) {
			longest = module
		}
	}
	if longest == "" {
		return "std"
	}
	return longest
}

// packageOf is the import path in a symbol's name, whose type parameters hold others.
func packageOf(name string) string {
	name, _, _ = strings.Cut(name, "[")
	slash := strings.LastIndexByte(name, '/') + 1
	pkg, _, _ := strings.Cut(name[slash:], ".")
	return strings.ReplaceAll(name[:slash]+pkg, "%2e", ".")
}
