package main

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
)

// event is one line of go test -json.
type event struct {
	Action     string
	Package    string
	ImportPath string // instead of Package, while building
	Test       string
	Elapsed    float64
	Output     string
}

// cost is what a package or a test took.
type cost struct {
	name    string
	seconds float64
}

// report prints what matters while the events come, and keeps what is said at the end.
type report struct {
	out      io.Writer
	said     map[string]string // by package and test, until it is known whether it matters
	packages []cost
	tests    []cost
	skipped  []string
	passed   int
	failed   int
}

func newReport(out io.Writer) *report { return &report{out: out, said: map[string]string{}} }

func (r *report) read(events *json.Decoder) error {
	for {
		var e event
		if err := events.Decode(&e); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		r.take(e)
	}
}

func (r *report) take(e event) {
	switch {
	case e.Action == "build-output":
		fmt.Fprint(r.out, e.Output)
	case e.Action == "output":
		r.said[key(e)] += e.Output
	case e.Action != "pass" && e.Action != "fail" && e.Action != "skip":
	case e.Test == "":
		r.endPackage(e)
	default:
		r.endTest(e)
	}
}

func key(e event) string { return e.Package + " " + e.Test }

func (r *report) endTest(e event) {
	output := r.said[key(e)]
	delete(r.said, key(e))
	if !strings.Contains(e.Test, "/") {
		r.tests = append(r.tests, cost{short(e.Package) + " " + e.Test, e.Elapsed})
	}
	switch e.Action {
	case "pass":
		r.passed++
	case "fail":
		r.failed++
		fmt.Fprint(r.out, output)
	case "skip":
		r.skipped = append(r.skipped, short(e.Package)+" "+e.Test+": "+reason(output))
	}
}

// endPackage prints the package's own line; of one that failed, everything that was said
// and not printed, since a panic leaves its tests without an end.
func (r *report) endPackage(e event) {
	own := r.said[key(e)]
	delete(r.said, key(e))
	if e.Action == "fail" {
		for name, output := range r.said {
			if strings.HasPrefix(name, e.Package+" ") {
				fmt.Fprint(r.out, output)
				delete(r.said, name)
			}
		}
		fmt.Fprint(r.out, own)
	} else if at := strings.LastIndex(own, "ok  \t"); at >= 0 {
		fmt.Fprint(r.out, own[at:])
	}
	if e.Action != "skip" { // it has no tests
		r.packages = append(r.packages, cost{short(e.Package), e.Elapsed})
	}
}

func short(pkg string) string { return strings.TrimPrefix(pkg, "humanops-mcp/") }

// reason is what a skipped test said: its output without the frame around it.
func reason(output string) string {
	var lines []string
	for line := range strings.Lines(output) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "===") && !strings.HasPrefix(line, "---") {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines, " ")
}

const shown = 12

// close says what was skipped and what cost most.
func (r *report) close(took time.Duration) {
	for _, line := range r.skipped {
		fmt.Fprintln(r.out, "skipped:", line)
	}
	r.costliest("packages", r.packages)
	r.costliest("tests", r.tests)
	fmt.Fprintf(r.out, "\ntook %s\nsuite: %d passed, %d failed, %d skipped\n", took.Round(time.Second), r.passed, r.failed, len(r.skipped))
}

func (r *report) costliest(what string, list []cost) {
	slices.SortStableFunc(list, func(a, b cost) int { return cmp.Compare(b.seconds, a.seconds) })
	fmt.Fprintf(r.out, "\nthe %s that took longest\n", what)
	for _, c := range list[:min(len(list), shown)] {
		fmt.Fprintf(r.out, "%8.1f s  %s\n", c.seconds, c.name)
	}
}
