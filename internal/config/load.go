package config

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"slices"
	"strings"

	"github.com/spf13/pflag"
	"github.com/spf13/viper"

	"humanops-mcp/internal/check"
	"humanops-mcp/schemas"
)

// ConfigEnv names the configuration file in the environment.
const ConfigEnv = "HUMANOPS_CONFIG"

// The words for where a value came from.
const (
	sourceDefault = "default"
	sourceFile    = "file"
	sourceFlag    = "flag"
)

// Source is where a configuration is read from.
type Source struct {
	File  string         // the file the user named; must exist. Empty: HUMANOPS_CONFIG, else the user's config folder
	Env   []string       // KEY=value, as os.Environ
	Flags *pflag.FlagSet // flags made by AddFlags; may be nil
}

// AddFlags adds the flags of one command ("serve", "stdio") or of every command ("all").
func AddFlags(flags *pflag.FlagSet, command string) {
	for _, k := range Keys() {
		if !slices.Contains(k.flags, command) {
			continue
		}
		switch k.kind.Kind() {
		case reflect.Bool:
			flags.Bool(FlagName(k.Name), k.Default == "true", k.Doc)
		case reflect.Slice:
			flags.StringSlice(FlagName(k.Name), nil, k.Doc)
		default:
			flags.String(FlagName(k.Name), k.Default, k.Doc)
		}
		if k.Hidden {
			_ = flags.MarkHidden(FlagName(k.Name)) // the flag was just added
		}
	}
}

// Load reads the configuration. Every problem is reported at once, by key; warnings
// are things that are probably mistakes but stop nothing.
func Load(src Source) (*Config, []string, error) {
	l := &loader{src: src, env: environment(src.Env), viper: viper.New(), cfg: &Config{sources: map[string]string{}}}
	l.defaults()
	l.readFile()
	l.readEnv()
	l.readFlags()
	l.decode()
	if len(l.problems) == 0 {
		l.complete()
		l.problems = l.cfg.validate()
		l.nameOrigins()
	}
	if len(l.problems) > 0 {
		return nil, l.warnings, &schemas.Error{Code: schemas.CodeInvalid, Message: "The configuration cannot be used", Fields: l.problems}
	}
	return l.cfg, l.warnings, nil
}

type loader struct {
	src      Source
	env      map[string]string
	viper    *viper.Viper
	cfg      *Config
	problems check.Problems
	warnings []string
}

func environment(env []string) map[string]string {
	out := make(map[string]string, len(env))
	for _, pair := range env {
		if name, value, ok := strings.Cut(pair, "="); ok {
			out[name] = value
		}
	}
	return out
}

func (l *loader) defaults() {
	for _, k := range Keys() {
		l.viper.SetDefault(k.Name, k.Default)
		l.cfg.sources[k.Name] = sourceDefault
	}
}

func (l *loader) readFile() {
	path, named := l.filePath()
	if path == "" {
		return
	}
	raw, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) && !named {
		return
	}
	if err != nil {
		l.problems.Add("config", "must name a file that can be read; got %s (%v). See config.example.yaml", path, errors.Unwrap(err))
		return
	}
	found, problems := inspect(raw, path)
	l.problems.Join(problems)
	if len(problems) > 0 {
		return
	}
	l.viper.SetConfigType("yaml")
	if err := l.viper.ReadConfig(bytes.NewReader(raw)); err != nil {
		l.problems.Add("config", "must be YAML; %s: %v", path, err)
		return
	}
	l.cfg.file = path
	for _, key := range found {
		l.cfg.sources[key] = sourceFile
	}
}

// filePath is the file to read, and whether the user named it.
func (l *loader) filePath() (string, bool) {
	if l.src.File != "" {
		return absolute(l.src.File), true
	}
	if path := l.env[ConfigEnv]; path != "" {
		return absolute(path), true
	}
	return l.userPath("XDG_CONFIG_HOME", "APPDATA", ".config", "config.yaml"), false
}

func absolute(path string) string {
	if abs, err := filepath.Abs(path); err == nil {
		return abs
	}
	return path
}

// userPath is a path below one of the user's folders, "" when the user has none.
func (l *loader) userPath(xdg, windows, home string, elem ...string) string {
	base := l.env[xdg]
	if runtime.GOOS == "windows" && base == "" {
		base = l.env[windows]
	}
	if base == "" && l.env["HOME"] != "" {
		base = filepath.Join(l.env["HOME"], home)
	}
	if !filepath.IsAbs(base) {
		return ""
	}
	return filepath.Join(append([]string{base, "humanops-mcp"}, elem...)...)
}

// readEnv lays the environment over the file. An empty variable counts as not set:
// clients write empty ones for settings left blank.
func (l *loader) readEnv() {
	known := map[string]bool{ConfigEnv: true}
	values := map[string]any{}
	for _, k := range Keys() {
		for _, name := range k.Env {
			known[name] = true
		}
		for _, name := range k.Env {
			if value := l.env[name]; value != "" {
				put(values, k.Name, value)
				l.cfg.sources[k.Name] = name
				break
			}
		}
	}
	if err := l.viper.MergeConfigMap(values); err != nil {
		l.problems.Add("environment", "could not be merged: %v", err)
	}
	l.warnUnknownEnv(known)
}

func (l *loader) warnUnknownEnv(known map[string]bool) {
	var unknown []string
	for name, value := range l.env {
		if value == "" || !strings.HasPrefix(name, "HUMANOPS_") || known[name] ||
			strings.HasPrefix(name, "HUMANOPS_TEST_") || strings.HasPrefix(name, "HUMANOPS_RACE_") {
			continue
		}
		unknown = append(unknown, name)
	}
	slices.Sort(unknown)
	for _, name := range unknown {
		l.warnings = append(l.warnings, fmt.Sprintf("The environment variable %s is not known and has no effect; did you mean %s?", name, nearest(name, visibleEnv())))
	}
}

func visibleEnv() []string {
	names := []string{ConfigEnv}
	for _, k := range Keys() {
		if !k.Hidden {
			names = append(names, k.Env...)
		}
	}
	return names
}

func put(tree map[string]any, key string, value any) {
	head, rest, nested := strings.Cut(key, ".")
	if !nested {
		tree[head] = value
		return
	}
	branch, ok := tree[head].(map[string]any)
	if !ok {
		branch = map[string]any{}
		tree[head] = branch
	}
	put(branch, rest, value)
}

func (l *loader) readFlags() {
	if l.src.Flags == nil {
		return
	}
	for _, k := range Keys() {
		flag := l.src.Flags.Lookup(FlagName(k.Name))
		if flag == nil || !flag.Changed {
			continue
		}
		if err := l.viper.BindPFlag(k.Name, flag); err != nil {
			l.problems.Add(k.Name, "could not be read from the flag: %v", err)
		}
		l.cfg.sources[k.Name] = sourceFlag
	}
}

// decode fills the struct from what viper holds.
func (l *loader) decode() {
	target := reflect.ValueOf(l.cfg).Elem()
	for _, k := range Keys() {
		value, err := k.parse(l.viper.Get(k.Name))
		if err != nil {
			l.problems.Add(k.Name, "%s%s", err.Error(), l.origin(k))
			continue
		}
		target.FieldByIndex(k.index).Set(reflect.ValueOf(value))
	}
}

// nameOrigins adds to each problem where its value came from.
func (l *loader) nameOrigins() {
	for i, problem := range l.problems {
		name, _, _ := strings.Cut(problem.Field, "[")
		if k, ok := find(name); ok {
			l.problems[i].Message += l.origin(k)
		}
	}
}

func (l *loader) origin(k Key) string {
	switch source := l.cfg.sources[k.Name]; source {
	case sourceDefault:
		return ""
	case sourceFile:
		return " (in " + l.cfg.file + ")"
	case sourceFlag:
		return " (flag --" + FlagName(k.Name) + ")"
	default:
		return " (" + source + " in the environment)"
	}
}

// complete fills in what depends on the machine or on other keys.
func (l *loader) complete() {
	c := l.cfg
	if c.DataDir == "" {
		c.DataDir = l.userPath("XDG_DATA_HOME", "LOCALAPPDATA", filepath.Join(".local", "share"))
	}
	for _, k := range Keys() {
		field := reflect.ValueOf(c).Elem().FieldByIndex(k.index)
		if k.Path && field.String() != "" {
			field.SetString(absolute(l.expand(field.String())))
		}
	}
	if c.Domain != "" && !c.Set("listen") {
		c.Listen = ":443"
	}
	c.Marketplace.URL = strings.TrimRight(c.Marketplace.URL, "/")
	c.Reviews.URL = strings.TrimRight(c.Reviews.URL, "/")
	c.Guardian.URL = strings.TrimRight(c.Guardian.URL, "/")
	c.PublicURL = strings.TrimRight(c.PublicURL, "/")
	if c.PublicURL == "" {
		c.DerivePublicURL()
	}
}

// expand reads a leading ~/ as the user's home, as a shell does not inside a file.
func (l *loader) expand(path string) string {
	if rest, ok := strings.CutPrefix(path, "~/"); ok && l.env["HOME"] != "" {
		return filepath.Join(l.env["HOME"], rest)
	}
	return path
}
