package toolchain

import (
	"go/build"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
)

// What the tests need of the machine, whoever brings it. One Python has all modules:
// which one is asked nowhere else.
var (
	Python = &Tool{
		Name: "Python with requests, flask, django and cryptography", Programs: []string{"python3"}, System: []string{"usr/bin"},
		Proof:  []Run{{Args: []string{"-c", "import requests, flask, django, cryptography.hazmat.primitives.asymmetric.ed25519"}}},
		Debian: []string{"python3", "python3-requests", "python3-flask", "python3-django", "python3-cryptography"},
	}
	Chromium = &Tool{
		Name: "Chromium", Programs: []string{"chromium", "chromium-browser", "google-chrome"}, System: []string{"usr/bin"},
		Proof:  []Run{{Args: []string{"--headless", "--no-sandbox", "--user-data-dir={dir}", "--dump-dom", "data:text/html,<p>shown"}, Says: "<p>shown"}},
		Debian: []string{"chromium"},
	}
	Postgres = &Tool{
		Name: "PostgreSQL", Programs: []string{"initdb"}, System: []string{"usr/lib/postgresql/*/bin"},
		Proof:  []Run{{Args: []string{"--version"}, Says: "PostgreSQL"}, {Program: "postgres", Args: []string{"--version"}, Says: "PostgreSQL"}},
		Debian: []string{"postgresql"},
	}
	Curl = &Tool{
		Name: "curl", Programs: []string{"curl"}, System: []string{"usr/bin"},
		Proof: []Run{{Args: []string{"--version"}, Says: "http"}}, Debian: []string{"curl"},
	}
	// The race detector is C, so it takes a compiler with its library.
	Compiler = &Tool{
		Name: "gcc", Programs: []string{"gcc"}, System: []string{"usr/bin"},
		Proof:  []Run{{Args: []string{"-x", "c", "-pthread", "-o", "{dir}/built", "-"}, Input: "#include <stdlib.h>\nint main(void) { return EXIT_SUCCESS; }\n"}},
		Debian: []string{"gcc", "libc6-dev"},
	}
	// npm is only there to bring what package-lock.json pins.
	NPM = &Tool{
		Name: "npm", Programs: []string{"npm"}, System: []string{"usr/bin"},
		Proof: []Run{{Args: []string{"--version"}}}, Debian: []string{"nodejs", "npm"},
	}
)

// NodeFolder is where package.json and its lock file stand.
const NodeFolder = "internal/e2e/node"

// What npm brings. Node itself is pinned, too: the protocol's tools and an example in
// TypeScript need a newer one than most machines have.
var (
	Node = &Tool{
		Name: "Node 22", Programs: []string{"node"}, System: []string{"usr/bin"}, Own: []string{NodeFolder + "/node_modules/" + nodePackage() + "/bin"},
		Proof: []Run{{Args: []string{"-p", "process.features.typescript || 'no TypeScript'"}, Says: "strip"}},
	}
	Inspector = &Tool{
		Name: "MCP Inspector", Programs: []string{"mcp-inspector"}, Own: []string{NodeFolder + "/node_modules/.bin"}, By: Node,
		Proof: []Run{{Args: []string{"--cli", "--help"}, Says: "--transport"}},
	}
	Conformance = &Tool{
		Name: "MCP conformance suite", Programs: []string{"conformance"}, Own: []string{NodeFolder + "/node_modules/.bin"}, By: Node,
		Proof: []Run{{Args: []string{"--version"}, Says: "."}},
	}
)

// What go install builds, at the versions that are written here and nowhere else; templ's
// is that of the library in go.mod, because the two must agree.
var (
	Linter = pinned("golangci-lint", "github.com/golangci/golangci-lint/v2/cmd/golangci-lint", "v2.15.0")
	SQLC   = pinned("sqlc", "github.com/sqlc-dev/sqlc/cmd/sqlc", "v1.31.1")
	Templ  = pinned("templ", "github.com/a-h/templ/cmd/templ", required("github.com/a-h/templ"))
)

// Machine, ByNPM and Pinned are all tools, by what installs them.
var (
	Machine = []*Tool{Compiler, Python, Postgres, Chromium, Curl, NPM}
	ByNPM   = []*Tool{Node, Inspector, Conformance}
	Pinned  = []*Tool{Linter, SQLC, Templ}
)

// Bin is the project's own folder for programs that it built; git ignores it.
const Bin = ".tools/bin"

func pinned(name, module, version string) *Tool {
	return &Tool{
		Name: name, Programs: []string{name}, Own: []string{Bin, filepath.Join(build.Default.GOPATH, "bin")},
		Proof: []Run{{Args: []string{"version"}, Says: version[1:]}}, Module: module, Version: version,
	}
}

// required is the version of a module that go.mod requires.
func required(module string) string {
	raw, _ := os.ReadFile(filepath.Join(Root(), "go.mod"))
	found := regexp.MustCompile(regexp.QuoteMeta(module) + ` (v\S+)`).FindSubmatch(raw)
	if found == nil {
		return "v0.0.0-not-in-go.mod"
	}
	return string(found[1])
}

func nodePackage() string {
	arch := runtime.GOARCH
	if arch == "amd64" {
		arch = "x64"
	}
	return "node-" + runtime.GOOS + "-" + arch
}
