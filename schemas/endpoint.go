package schemas

import (
	"io"
	"reflect"
)

// Access says which kinds of caller an endpoint serves; kinds may be or-ed.
type Access uint8

// The kinds of caller. Anyone needs no credentials at all.
const (
	Agent    Access = 1 << iota // an agent's API key
	Operator                    // a person who does tasks
	Owner                       // the person who owns the installation
	Link                        // the bearer of a signed, short-lived link
	Reviewer                    // any person who is signed in; who may see what is the service's to say
	Executor                    // whoever carries out approved actions
	Anyone   Access = 0
)

// BodyKind is how an endpoint's body travels.
type BodyKind string

// The kinds of endpoint.
const (
	JSON      BodyKind = "json"
	Multipart BodyKind = "multipart" // files come up with form fields
	Binary    BodyKind = "binary"    // a file goes down
	Events    BodyKind = "events"    // server-sent events
)

// Info is an endpoint without its type parameters, for whole-surface work: routing
// tables, OpenAPI, tests.
type Info struct {
	Contract Contract
	Method   string
	Path     string
	Summary  string
	Status   int
	Access   Access
	Kind     BodyKind
	In, Out  reflect.Type // Out is nil for Binary and Events
}

// Pattern is the net/http pattern: "POST /api/v1/tasks/{task_id}/cancel".
func (i Info) Pattern() string { return i.Method + " " + i.Contract.Prefix() + i.Path }

// Patterns are the net/http patterns under every prefix of the contract.
func (i Info) Patterns() []string {
	var out []string
	for _, prefix := range i.Contract.Prefixes() {
		out = append(out, i.Method+" "+prefix+i.Path)
	}
	return out
}

// Endpoint is a JSON endpoint: path, verb, argument and result types, said once.
type Endpoint[In, Out any] struct {
	Contract Contract
	Method   string
	Path     string // with {name} for each path field of In
	Summary  string
	Status   int // of success
	Access   Access
}

// Info describes e.
func (e Endpoint[In, Out]) Info() Info {
	return Info{e.Contract, e.Method, e.Path, e.Summary, e.Status, e.Access, JSON, reflect.TypeFor[In](), reflect.TypeFor[Out]()}
}

// Upload is an endpoint that takes multipart/form-data: In's body fields are form
// fields, and the files travel as parts called what the contract calls them.
type Upload[In, Out any] struct {
	Contract Contract
	Method   string
	Path     string
	Summary  string
	Status   int
	Access   Access
}

// Info describes u.
func (u Upload[In, Out]) Info() Info {
	return Info{u.Contract, u.Method, u.Path, u.Summary, u.Status, u.Access, Multipart, reflect.TypeFor[In](), reflect.TypeFor[Out]()}
}

// Download is an endpoint that answers with a file.
type Download[In any] struct {
	Contract Contract
	Method   string
	Path     string
	Summary  string
	Access   Access
}

// Info describes d.
func (d Download[In]) Info() Info {
	return Info{d.Contract, d.Method, d.Path, d.Summary, 200, d.Access, Binary, reflect.TypeFor[In](), nil}
}

// Stream is an endpoint that answers with server-sent events.
type Stream[In any] struct {
	Contract Contract
	Method   string
	Path     string
	Summary  string
	Access   Access
}

// Info describes s.
func (s Stream[In]) Info() Info {
	return Info{s.Contract, s.Method, s.Path, s.Summary, 200, s.Access, Events, reflect.TypeFor[In](), nil}
}

// File is a file on its way up. Open may be called more than once.
type File struct {
	Name string
	Size int64
	Open func() (io.ReadCloser, error)
}

// Content is a file on its way down. The receiver closes Body.
type Content struct {
	Name string
	MIME string
	Size int64 // -1 when not known beforehand
	ETag string
	Body io.ReadCloser
	// Inline lets a browser show it where it stands, as it may an image that was checked.
	Inline bool
}
