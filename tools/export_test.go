package tools

import (
	"slices"

	"github.com/mark3labs/mcp-go/mcp"
)

// Defaults are the groups on offer where none is chosen.
var Defaults = defaults

// Offered names the tools that a server with these options has. It needs no golden file, so
// that it works before they are written.
func Offered(o Options) (names []string, err error) {
	chosen, err := choose(o)
	for _, t := range chosen {
		names = append(names, t.Name)
	}
	slices.Sort(names)
	return names, err
}

// Derived lists every tool with the schemas of its types.
func Derived() ([]mcp.Tool, error) {
	var all []mcp.Tool
	for _, t := range list() {
		p, err := t.derived()
		if err != nil {
			return nil, err
		}
		all = append(all, p)
	}
	return all, nil
}
