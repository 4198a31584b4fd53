package config

import (
	"fmt"
	"strings"

	"github.com/agnivade/levenshtein"
	"go.yaml.in/yaml/v3"

	"humanops-mcp/internal/check"
)

// inspect finds the keys a file sets, and names every key that is not known with its
// line and the nearest name that is.
func inspect(raw []byte, path string) (found []string, problems check.Problems) {
	var doc yaml.Node
	if err := yaml.Unmarshal(raw, &doc); err != nil {
		problems.Add("config", "must be YAML; %s: %s", path, strings.TrimPrefix(err.Error(), "yaml: "))
		return nil, problems
	}
	if len(doc.Content) == 0 {
		return nil, nil
	}
	f := &fileCheck{path: path, seen: map[string]bool{}}
	f.walk(doc.Content[0], "")
	return f.found, f.problems
}

type fileCheck struct {
	path     string
	seen     map[string]bool
	found    []string
	problems check.Problems
}

func (f *fileCheck) fail(key string, line int, format string, args ...any) {
	f.problems.Add(key, "%s (%s, line %d)", fmt.Sprintf(format, args...), f.path, line)
}

func (f *fileCheck) walk(node *yaml.Node, prefix string) {
	if node.Kind == yaml.ScalarNode && node.Tag == "!!null" {
		return // a section whose keys are all commented out
	}
	if node.Kind != yaml.MappingNode {
		f.fail(strings.TrimSuffix(prefix, "."), node.Line, "must be a section of keys")
		return
	}
	for i := 0; i+1 < len(node.Content); i += 2 {
		f.member(node.Content[i], node.Content[i+1], prefix)
	}
}

func (f *fileCheck) member(name, value *yaml.Node, prefix string) {
	key := prefix + name.Value
	if f.seen[key] {
		f.fail(key, name.Line, "is set twice; keep one")
		return
	}
	f.seen[key] = true
	if _, ok := find(key); ok {
		if value.Tag != "!!null" {
			f.found = append(f.found, key)
		}
		return
	}
	for _, s := range sections() {
		if s.name == key {
			f.walk(value, key+".")
			return
		}
	}
	f.fail(key, name.Line, "is not a known key; did you mean %s?", nearest(key, visibleKeys()))
}

func visibleKeys() []string {
	var names []string
	for _, k := range Keys() {
		if !k.Hidden {
			names = append(names, k.Name)
		}
	}
	return names
}

// nearest is the candidate with the smallest edit distance. A name that is the last
// part of exactly one candidate wins: api_key → marketplace.api_key.
func nearest(name string, candidates []string) string {
	best, least := "", -1
	for _, c := range candidates {
		d := levenshtein.ComputeDistance(strings.ToLower(name), strings.ToLower(c))
		if strings.HasSuffix(c, "."+name) {
			d = 1
		}
		if least < 0 || d < least {
			best, least = c, d
		}
	}
	return best
}
