package tools

import "github.com/mark3labs/mcp-go/mcp"

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
