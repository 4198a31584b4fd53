package arch

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"humanops-mcp/client"
	"humanops-mcp/internal/api"
	"humanops-mcp/internal/api/dialect"
	"humanops-mcp/internal/api/hitl"
	"humanops-mcp/schemas"
)

// spoken is every dialect of every listener, by its contract.
func spoken() map[string]*dialect.Dialect {
	all := map[string]*dialect.Dialect{}
	for _, set := range []*dialect.Set{api.House(hitl.Settings{})} {
		for _, d := range set.All() {
			all[d.Contract.Name()] = d
		}
	}
	return all
}

// Whatever is forgotten of a new contract is named here.
func TestEveryContractIsWhole(t *testing.T) {
	spoken, contracts := spoken(), map[string]schemas.Contract{}
	for _, c := range schemas.Contracts() {
		contracts[c.Name()] = c
	}
	for _, info := range schemas.All() {
		assert.Contains(t, contracts, info.Contract.Name(), "%s %s: schemas.Contracts does not list its contract", info.Method, info.Path)
	}
	for name, c := range contracts {
		assert.NotEmpty(t, c.Files().Name, "%s says in schemas what a part with a file is called", name)
		assert.NoError(t, client.Speaks(c), "%s needs a dialect in client/dialect.go", name)
		if d := spoken[name]; assert.NotNil(t, d, "%s needs a dialect under internal/api, in a set such as api.House", name) {
			assert.Empty(t, d.Missing(), "the dialect of %s leaves these out", name)
			assert.Contains(t, contracts, d.Audience, "the audience in the dialect of %s is none that a key can have", name)
		}
	}
}

// dialects are where contracts may differ from each other.
var dialects = []string{"schemas/contract.go", "client/dialect.go", "internal/api/dialect", "internal/api/hitl", "internal/api/marketplace", "internal/api/platform"}

// Everywhere else nothing asks which contract it has before it: it asks the dialect.
func TestContractsAreComparedNowhereElse(t *testing.T) {
	eachFile(t, func(path string, _ *ast.File) {
		if strings.HasSuffix(path, "_test.go") || under(path, dialects) != "" || under(path, []string{"internal/e2e"}) != "" {
			return
		}
		require.Empty(t, comparisons(t, path, nil), "ask the contract's dialect instead")
	})
	for _, red := range []string{
		"if info.Contract.Name() == schemas.Reviews.Name() {}", "if x := e.Contract; x.Prefix() != schemas.Platform.Prefix() {}",
		"switch info.Contract.Name() { case y: }", "switch { case y == schemas.Marketplace.Name(): }", `if strings.HasPrefix(r.URL.Path, "/v1/") {}`, `z := y + "/platform/v1"`,
	} {
		require.NotEmpty(t, comparisons(t, "sample.go", "package p\nfunc f() {\n"+red+"\n}"), red)
	}
}

// comparisons lists the places of a file that tell contracts apart: by comparing one, or by
// one's prefix.
func comparisons(t *testing.T, path string, text any) (places []string) {
	t.Helper()
	files := token.NewFileSet()
	file, err := parser.ParseFile(files, filepath.Join(root, path), text, 0)
	require.NoError(t, err)
	ast.Inspect(file, func(n ast.Node) bool {
		found := false
		switch n := n.(type) {
		case *ast.BinaryExpr:
			equals := n.Op == token.EQL || n.Op == token.NEQ
			found = equals && !isNothing(n.Y) && (ofContract(n.X) || ofContract(n.Y))
		case *ast.SwitchStmt:
			found = n.Tag != nil && ofContract(n.Tag)
		case *ast.BasicLit:
			value, _ := strconv.Unquote(n.Value)
			found = n.Kind == token.STRING && slices.Contains(prefixes(), strings.TrimSuffix(value, "/"))
		}
		if found {
			places = append(places, files.Position(n.Pos()).String())
		}
		return true
	})
	return places
}

// names are the contracts as they are called in package schemas.
func names() (all []string) {
	for _, c := range schemas.Contracts() {
		all = append(all, strings.ToUpper(c.Name()[:1])+c.Name()[1:])
	}
	return all
}

func prefixes() (all []string) {
	for _, c := range schemas.Contracts() {
		all = append(all, c.Prefixes()...)
	}
	return all
}

func isNothing(e ast.Expr) bool {
	switch e := e.(type) {
	case *ast.Ident:
		return e.Name == "nil"
	case *ast.BasicLit:
		return e.Value == `""`
	}
	return false
}

// ofContract tells whether an expression is about a contract: somebody's, or one by name.
func ofContract(e ast.Expr) (is bool) {
	ast.Inspect(e, func(n ast.Node) bool {
		if s, ok := n.(*ast.SelectorExpr); ok {
			from, _ := s.X.(*ast.Ident)
			named := from != nil && from.Name == "schemas" && slices.Contains(names(), s.Sel.Name)
			is = is || named || s.Sel.Name == "Contract"
		}
		return true
	})
	return is
}
