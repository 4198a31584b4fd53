// Performance passes a benchmark run on and writes what it measured to a document:
//
//	go test -bench . ./internal/e2e/bench/ | go run ./scripts/performance "make bench" docs/performance.md
//
// It fails when the run did.
package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"
)

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: performance COMMAND FILE")
		os.Exit(2)
	}
	run, ok := read(os.Stdin, os.Stdout)
	if !ok {
		fmt.Fprintln(os.Stderr, "the benchmarks failed; "+os.Args[2]+" stays as it was")
		os.Exit(1)
	}
	if err := os.WriteFile(os.Args[2], []byte(run.document(os.Args[1], time.Now())), 0o644); err != nil { //nolint:gosec // everybody may read it
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// run is what a benchmark run printed.
type run struct {
	cpu     string
	results []result
	logs    []string // what was said of the houses that were filled
}

type result struct {
	name    string
	metrics map[string]float64
	units   []string // in their order
}

var line = regexp.MustCompile(`^Benchmark(\S+?)(?:-\d+)?\s+\d+\s+(.*)$`)

// read passes everything on, and keeps what is a result. ok is false where the run failed, or
// measured nothing.
func read(from io.Reader, to io.Writer) (r run, ok bool) {
	ok = true
	for lines := bufio.NewScanner(from); lines.Scan(); {
		text := lines.Text()
		fmt.Fprintln(to, text)
		if cpu, is := strings.CutPrefix(text, "cpu: "); is {
			r.cpu = cpu
		}
		if _, said, is := strings.Cut(text, "filled a house with "); is {
			r.logs = append(r.logs, said)
		}
		if m := line.FindStringSubmatch(text); m != nil {
			r.results = append(r.results, parse(m[1], m[2]))
		}
		ok = ok && !strings.HasPrefix(text, "FAIL") && !strings.HasPrefix(text, "--- FAIL")
	}
	return r, ok && len(r.results) > 0
}

func parse(name, rest string) result {
	r := result{name: strings.ReplaceAll(name, "_", " "), metrics: map[string]float64{}}
	fields := strings.Fields(rest)
	for i := 0; i+1 < len(fields); i += 2 {
		if value, err := strconv.ParseFloat(fields[i], 64); err == nil {
			r.metrics[fields[i+1]] = value
			r.units = append(r.units, fields[i+1])
		}
	}
	return r
}

// scale are the metrics of what is done in two houses, and how they head a table.
var scale = [][2]string{
	{"us-p50-few", "p50, small"}, {"us-p50-many", "p50, large"}, {"x-p50", "ratio"}, {"us-p99-few", "p99, small"}, {"us-p99-many", "p99, large"}, {"x-p99", "ratio"},
}

func (r run) document(command string, at time.Time) string {
	var b strings.Builder
	fmt.Fprintf(&b, "# Performance\n\nWritten by `%s` on %s: %s, %d cores, %s/%s, %s. Do not edit it; run it again.\n",
		command, at.UTC().Format("2006-01-02 15:04 UTC"), r.cpu, runtime.NumCPU(), runtime.GOOS, runtime.GOARCH, runtime.Version())
	b.WriteString("\n## Against a baseline of the same run\n\n`x-bare` is against mcp-go or net/http alone, `x-raw` against the same rows written by one prepared transaction.\n\n| | measured |\n| --- | --- |\n")
	for _, one := range r.results {
		if !one.scaled() {
			fmt.Fprintf(&b, "| %s | %s |\n", one.name, one.all())
		}
	}
	b.WriteString("\n## With a history\n\nTwo houses do the same today; the large one has done far more before. Times are in microseconds, in process.\n")
	for _, said := range r.logs {
		fmt.Fprintf(&b, "Filled with %s.\n", said)
	}
	b.WriteString("\n| |" + heads() + "\n| --- |" + strings.Repeat(" ---: |", len(scale)) + "\n")
	for _, one := range r.results {
		if one.scaled() {
			fmt.Fprintf(&b, "| %s |%s\n", strings.TrimPrefix(one.name, "Scale/"), one.row())
		}
	}
	return b.String()
}

func heads() string {
	var b strings.Builder
	for _, column := range scale {
		b.WriteString(" " + column[1] + " |")
	}
	return b.String()
}

func (r result) scaled() bool { return slices.Contains(r.units, scale[0][0]) }

func (r result) row() string {
	var b strings.Builder
	for _, column := range scale {
		format := " %.0f |"
		if strings.HasPrefix(column[0], "x-") {
			format = " %.2f |"
		}
		fmt.Fprintf(&b, format, r.metrics[column[0]])
	}
	return b.String()
}

func (r result) all() string {
	parts := make([]string, len(r.units))
	for i, unit := range r.units {
		value, digits := r.metrics[unit], 2
		if value >= 100 {
			digits = 0
		}
		parts[i] = strconv.FormatFloat(value, 'f', digits, 64) + " " + unit
	}
	return strings.Join(parts, ", ")
}
