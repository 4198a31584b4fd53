package schemas

import "strings"

// Contract is one of the APIs this program speaks, with what both of its ends know of it.
// How it is spoken beyond that is one value on either side: a dialect of internal/api, and
// one of client. Contracts cannot be compared, on purpose: what differs between them is
// asked of them.
type Contract struct {
	name     string
	prefixes []string
	files    FileParts
}

// FileParts is what the parts of a form that hold files are called.
type FileParts struct {
	Name string   // as documented
	Also []string // other names that are taken
	One  bool     // a form holds one file
}

// The contracts served so far.
var (
	// Marketplace is the HumanOps API.
	Marketplace = NewContract("marketplace", FileParts{Name: "files", Also: []string{"files[]"}}, "/api/v1")
	// Platform is our own administration.
	Platform = NewContract("platform", FileParts{Name: "files", Also: []string{"files[]"}}, "/platform/v1")
	// Reviews is the HITL.sh API.
	Reviews = NewContract("reviews", FileParts{Name: "file", Also: []string{"files", "files[]"}, One: true}, "/v1/api", "/v1")
)

// Contracts lists every contract.
func Contracts() []Contract { return []Contract{Marketplace, Platform, Reviews} }

// NewContract makes a contract. It is served under every prefix; the first is the one its
// clients use today.
func NewContract(name string, files FileParts, prefix string, more ...string) Contract {
	return Contract{name, append([]string{prefix}, more...), files}
}

// Name tells the contract from the others.
func (c Contract) Name() string { return c.name }

// Prefix is the path in front of every endpoint of the contract; "" for the zero Contract,
// which is none.
func (c Contract) Prefix() string {
	if len(c.prefixes) == 0 {
		return ""
	}
	return c.prefixes[0]
}

// Prefixes are all the paths under which the contract is served, the one its clients
// use today first.
func (c Contract) Prefixes() []string { return c.prefixes }

// Files is what the parts of a form that hold files are called.
func (c Contract) Files() FileParts { return c.files }

// Under is the longest of the contract's prefixes that path lies under, "" where it lies
// elsewhere.
func (c Contract) Under(path string) string {
	longest := ""
	for _, prefix := range c.prefixes {
		if len(prefix) > len(longest) && (path == prefix || strings.HasPrefix(path, prefix+"/")) {
			longest = prefix
		}
	}
	return longest
}

// Canonical is path as it reads under the contract's first prefix.
func (c Contract) Canonical(path string) string {
	if at := c.Under(path); at != "" {
		return c.Prefix() + path[len(at):]
	}
	return path
}
