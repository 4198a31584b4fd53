package schemas

import "strings"

// Kind is what an id belongs to. Ids carry their type, so that whoever gets one knows
// whom to ask, and server, client and tools know it from here alone.
type Kind string

// The kinds of which somebody asks whether an id is theirs. The name of a kind that has a
// state is its name among the subjects, too.
const (
	KindUnknown  Kind = "" // nothing else
	KindTask     Kind = "task"
	KindReview   Kind = "review"
	KindOperator Kind = "operator" // a person of the house
	KindGroup    Kind = "group"    // several of them under a name
)

// prefixes begin the ids of a kind: a new kind is a line here. Only the reviews contract's
// ids have none.
var prefixes = map[Kind]string{
	KindTask:     "task_",
	KindOperator: "op_",
	KindGroup:    "grp_",
}

// KindOf tells what an id belongs to, whether that exists or not. What the reviews contract
// names looks the same throughout: where a loop or a file is meant, the place says so, and
// everywhere else it is a review.
func KindOf(id string) Kind {
	if IsHex(id) {
		return KindReview
	}
	for kind, prefix := range prefixes {
		if strings.HasPrefix(id, prefix) {
			return kind
		}
	}
	return KindUnknown
}

// Owns tells whether an id is of this kind.
func (k Kind) Owns(id string) bool { return KindOf(id) == k }

// Prefix is what the kind's ids begin with; "" of a kind that has none.
func (k Kind) Prefix() string { return prefixes[k] }

// hexLength is how long the reviews contract's ids are.
const hexLength = 24

// IsHex tells whether text is an id as the reviews contract has them: 24 hexadecimal digits.
func IsHex(text string) bool {
	return len(text) == hexLength && strings.Trim(text, "0123456789abcdefABCDEF") == ""
}
