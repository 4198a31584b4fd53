package config

import (
	"reflect"
	"strings"
	"sync"
	"time"

	"humanops-mcp/schemas"
)

// Key is one thing that can be set, as the tags of Config describe it.
type Key struct {
	Name    string // dotted: marketplace.url
	Default string
	Example string // for keys whose default is empty
	Doc     string
	Env     []string // HUMANOPS_<NAME> first
	OneOf   []string
	Secret  bool
	Front   bool
	Hidden  bool
	Path    bool
	flags   []string
	index   []int
	kind    reflect.Type
}

// Section is a group of keys in the file.
type section struct{ name, doc string }

var (
	durationType = reflect.TypeFor[time.Duration]()
	moneyType    = reflect.TypeFor[schemas.Money]()
	listType     = reflect.TypeFor[[]string]()
)

var table = sync.OnceValue(func() []Key { return collect(reflect.TypeFor[Config](), "", nil) })

// Keys lists every key in the order of the example file.
func Keys() []Key { return table() }

func collect(t reflect.Type, prefix string, index []int) []Key {
	var keys []Key
	for i := range t.NumField() {
		field := t.Field(i)
		name := field.Tag.Get("key")
		if name == "" {
			continue
		}
		at := append(append([]int{}, index...), i)
		if field.Type.Kind() == reflect.Struct {
			keys = append(keys, collect(field.Type, prefix+name+".", at)...)
			continue
		}
		keys = append(keys, newKey(field, prefix+name, at))
	}
	return keys
}

func newKey(field reflect.StructField, name string, index []int) Key {
	tag := func(k string) string { return field.Tag.Get(k) }
	return Key{
		Name: name, Default: tag("default"), Example: tag("example"), Doc: tag("doc"),
		Env:    append([]string{EnvName(name)}, split(tag("env"))...),
		OneOf:  split(tag("oneof")),
		Secret: tag("secret") != "", Front: tag("front") != "", Hidden: tag("hidden") != "", Path: tag("path") != "",
		flags: split(tag("flag")), index: index, kind: field.Type,
	}
}

// EnvName is the environment variable of a key: marketplace.url → HUMANOPS_MARKETPLACE_URL.
func EnvName(key string) string {
	return "HUMANOPS_" + strings.ToUpper(strings.ReplaceAll(key, ".", "_"))
}

// FlagName is the flag of a key: marketplace.url → marketplace-url.
func FlagName(key string) string { return strings.NewReplacer(".", "-", "_", "-").Replace(key) }

// FrontEnv lists the environment variables that concern one MCP connection only.
func FrontEnv() []string {
	var names []string
	for _, k := range Keys() {
		if k.Front {
			names = append(names, k.Env...)
		}
	}
	return names
}

// SecretEnv lists the environment variables whose values are secrets.
func SecretEnv() []string {
	var names []string
	for _, k := range Keys() {
		if k.Secret {
			names = append(names, k.Env...)
		}
	}
	return names
}

func sections() []section {
	t := reflect.TypeFor[Config]()
	var out []section
	for i := range t.NumField() {
		if f := t.Field(i); f.Type.Kind() == reflect.Struct && f.Tag.Get("key") != "" {
			out = append(out, section{f.Tag.Get("key"), f.Tag.Get("doc")})
		}
	}
	return out
}

func find(name string) (Key, bool) {
	for _, k := range Keys() {
		if k.Name == name {
			return k, true
		}
	}
	return Key{}, false
}

func split(list string) []string {
	var out []string
	for part := range strings.SplitSeq(list, ",") {
		if part = strings.TrimSpace(part); part != "" {
			out = append(out, part)
		}
	}
	return out
}
