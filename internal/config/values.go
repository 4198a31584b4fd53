package config

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"humanops-mcp/schemas"
)

// parse reads a raw value, from YAML, the environment, a flag or a default, as the
// key's type.
func (k Key) parse(raw any) (any, error) {
	if k.kind == listType {
		return parseList(raw)
	}
	text, err := scalar(raw)
	if err != nil {
		return nil, err
	}
	switch {
	case k.kind == durationType:
		return parseDuration(text)
	case k.kind == moneyType:
		return schemas.ParseMoney(text)
	case k.kind.Kind() == reflect.Bool:
		return parseBool(text)
	case k.kind.Kind() == reflect.Int:
		return parseInt(text)
	case len(k.OneOf) > 0 && !slices.Contains(k.OneOf, text):
		return nil, fmt.Errorf("must be one of %s; got %q. Example: %s", strings.Join(k.OneOf, ", "), text, k.Default)
	}
	return text, nil
}

func scalar(raw any) (string, error) {
	switch v := raw.(type) {
	case nil:
		return "", nil
	case string:
		return strings.TrimSpace(v), nil
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64), nil
	case bool, int, int64, uint64, time.Duration, schemas.Money:
		return fmt.Sprint(v), nil
	}
	return "", errors.New("must be one value, not a list or a section")
}

func parseList(raw any) ([]string, error) {
	switch v := raw.(type) {
	case nil:
		return nil, nil
	case string:
		return split(v), nil
	case []string:
		return v, nil
	case []any:
		out := make([]string, 0, len(v))
		for _, item := range v {
			text, err := scalar(item)
			if err != nil {
				return nil, errors.New("must be a list of words. Example: [a, b]")
			}
			out = append(out, text)
		}
		return out, nil
	}
	return nil, errors.New("must be a list. Example: [a, b]")
}

func parseBool(text string) (bool, error) {
	switch strings.ToLower(text) {
	case "true", "yes", "on", "1":
		return true, nil
	case "false", "no", "off", "0", "":
		return false, nil
	}
	return false, fmt.Errorf("must be true or false; got %q", text)
}

func parseInt(text string) (int, error) {
	n, err := strconv.Atoi(text)
	if err != nil {
		return 0, fmt.Errorf("must be a whole number; got %q. Example: 100", text)
	}
	return n, nil
}

// parseDuration reads 90s, 15m, 24h and also 7d.
func parseDuration(text string) (time.Duration, error) {
	if days, ok := strings.CutSuffix(text, "d"); ok {
		if n, err := strconv.Atoi(days); err == nil && n >= 0 && n <= 36500 {
			return time.Duration(n) * 24 * time.Hour, nil
		}
	}
	d, err := time.ParseDuration(text)
	if err != nil {
		return 0, fmt.Errorf("must be a length of time; got %q. Examples: 90s, 15m, 24h, 7d", text)
	}
	return d, nil
}

// show is the value as a person would write it.
func show(v reflect.Value) string {
	switch x := v.Interface().(type) {
	case time.Duration:
		return showDuration(x)
	case []string:
		return strings.Join(x, ",")
	default:
		return fmt.Sprint(x)
	}
}

func showDuration(d time.Duration) string {
	if day := 24 * time.Hour; d > 0 && d%day == 0 {
		return strconv.Itoa(int(d/day)) + "d"
	}
	text := d.String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}

// Value is one effective setting.
type Value struct {
	Key    string `json:"key"`
	Value  string `json:"value"`
	Source string `json:"source"`
	Secret bool   `json:"secret,omitempty"`
}

// Effective lists every setting with its value and where it came from. A secret's
// value is never in it, only whether there is one.
func (c *Config) Effective() []Value {
	root := reflect.ValueOf(c).Elem()
	var out []Value
	for _, k := range Keys() {
		if k.Hidden {
			continue
		}
		value := show(root.FieldByIndex(k.index))
		if k.Secret && value != "" {
			value = "(set)"
		}
		out = append(out, Value{Key: k.Name, Value: value, Source: c.sources[k.Name], Secret: k.Secret})
	}
	return out
}

// FlagEnviron gives what came from flags as environment variables, for a process
// started on behalf of this one.
func (c *Config) FlagEnviron() []string {
	root := reflect.ValueOf(c).Elem()
	var out []string
	for _, k := range Keys() {
		if c.sources[k.Name] == sourceFlag && !k.Front {
			out = append(out, k.Env[0]+"="+show(root.FieldByIndex(k.index)))
		}
	}
	return out
}
