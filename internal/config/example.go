package config

import (
	"fmt"
	"strings"
)

const exampleHead = `# Every setting of humanops-mcp, with its default and its meaning.
# None is needed. Copy this file to ~/.config/humanops-mcp/config.yaml, or name it with
# --config or HUMANOPS_CONFIG, and take the # away from what you want to change.
# Each setting is an environment variable too, and most are flags of serve or stdio.
# A flag wins over the environment, the environment over this file.
# Lengths of time: 90s, 15m, 24h, 7d. Amounts of money: USD, such as 12.50.
`

// Example is config.example.yaml: every key, its default and its meaning, commented out.
func Example() string {
	var b strings.Builder
	b.WriteString(exampleHead)
	section := ""
	for _, k := range Keys() {
		if k.Hidden {
			continue
		}
		name, indent := k.Name, ""
		if head, rest, nested := strings.Cut(k.Name, "."); nested {
			name, indent = rest, "  "
			if head != section {
				section = head
				fmt.Fprintf(&b, "\n# %s.\n%s:\n", sectionDoc(head), head)
			}
		}
		writeKey(&b, k, name, indent)
	}
	return b.String()
}

func sectionDoc(name string) string {
	for _, s := range sections() {
		if s.name == name {
			return s.doc
		}
	}
	return ""
}

func writeKey(b *strings.Builder, k Key, name, indent string) {
	secret := ""
	if k.Secret {
		secret = " Secret."
	}
	fmt.Fprintf(b, "\n%s# %s.%s\n", indent, strings.TrimSuffix(k.Doc, "."), secret)
	fmt.Fprintf(b, "%s# Environment: %s\n", indent, strings.Join(k.Env, " or "))
	if k.Default == "" && k.Example != "" {
		fmt.Fprintf(b, "%s# Example: %s: %s\n", indent, name, k.Example)
	}
	fmt.Fprintf(b, "%s# %s: %s\n", indent, name, k.yamlDefault())
}

func (k Key) yamlDefault() string {
	switch {
	case k.kind == listType:
		return "[]"
	case k.Default == "":
		return `""`
	}
	return k.Default
}
