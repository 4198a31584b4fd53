package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/spf13/pflag"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"humanops-mcp/internal/golden"
	"humanops-mcp/schemas"
)

const home = "HOME=/home/ada"

func load(t *testing.T, yaml string, env ...string) (*Config, []string, error) {
	t.Helper()
	src := Source{Env: append([]string{home}, env...)}
	if yaml != "" {
		src.File = filepath.Join(t.TempDir(), "config.yaml")
		require.NoError(t, os.WriteFile(src.File, []byte(yaml), 0o600))
	}
	return Load(src)
}

func TestDefaults(t *testing.T) {
	cfg, warnings, err := load(t, "")
	require.NoError(t, err)
	require.Empty(t, warnings)
	require.Equal(t, "127.0.0.1:8787", cfg.Listen)
	require.Equal(t, "http://127.0.0.1:8787", cfg.PublicURL)
	require.Equal(t, "/home/ada/.local/share/humanops-mcp", cfg.DataDir)
	require.Equal(t, 1000*schemas.USD, cfg.Marketplace.LocalCredit)
	require.Equal(t, 100*schemas.USD, cfg.Marketplace.LocalDailyCap)
	require.Equal(t, 7*24*time.Hour, cfg.Marketplace.ReviewSilence)
	require.Equal(t, 14*24*time.Hour, cfg.Marketplace.DisputeSilence)
	require.Equal(t, "seed", cfg.Marketplace.StatusNames)
	require.Equal(t, 587, cfg.SMTP.Port)
	require.Equal(t, Reviews{Lease: 10 * time.Minute, LinkTTL: 72 * time.Hour, InviteTTL: 7 * 24 * time.Hour, ReceiptTTL: 24 * time.Hour, SimulatedStep: time.Second}, cfg.Reviews)
	require.False(t, cfg.Remote())
}

func TestPrecedence(t *testing.T) {
	const file = "listen: 127.0.0.1:1\nmarketplace:\n  local_credit_usd: \"5.50\"\n  allowed_types: [PHOTO, DELIVERY]\n"

	t.Run("the file wins over the default", func(t *testing.T) {
		cfg, _, err := load(t, file)
		require.NoError(t, err)
		require.Equal(t, "127.0.0.1:1", cfg.Listen)
		require.Equal(t, 5*schemas.USD+schemas.USD/2, cfg.Marketplace.LocalCredit)
		require.Equal(t, []string{"PHOTO", "DELIVERY"}, cfg.Marketplace.AllowedTypes)
		require.Equal(t, 100*schemas.USD, cfg.Marketplace.LocalDailyCap, "a section keeps its other defaults")
	})
	t.Run("the environment wins over the file", func(t *testing.T) {
		cfg, _, err := load(t, file, "HUMANOPS_LISTEN=127.0.0.1:2", "HUMANOPS_MARKETPLACE_ALLOWED_TYPES=PHOTO, INSPECTION")
		require.NoError(t, err)
		require.Equal(t, "127.0.0.1:2", cfg.Listen)
		require.Equal(t, []string{"PHOTO", "INSPECTION"}, cfg.Marketplace.AllowedTypes)
	})
	t.Run("a flag wins over the environment", func(t *testing.T) {
		flags := pflag.NewFlagSet("serve", pflag.ContinueOnError)
		AddFlags(flags, "serve")
		require.NoError(t, flags.Parse([]string{"--listen", "127.0.0.1:3", "--rate-limit-per-minute=7"}))
		cfg, _, err := Load(Source{Env: []string{home, "HUMANOPS_LISTEN=127.0.0.1:2"}, Flags: flags})
		require.NoError(t, err)
		require.Equal(t, "127.0.0.1:3", cfg.Listen)
		require.Equal(t, 7, cfg.RateLimit)
		require.Contains(t, cfg.FlagEnviron(), "HUMANOPS_LISTEN=127.0.0.1:3")
	})
	t.Run("an empty variable counts as not set", func(t *testing.T) {
		cfg, _, err := load(t, file, "HUMANOPS_LISTEN=")
		require.NoError(t, err)
		require.Equal(t, "127.0.0.1:1", cfg.Listen)
	})
	t.Run("the contract's names are understood", func(t *testing.T) {
		cfg, _, err := load(t, "", "HUMANOPS_API_URL=https://api.humanops.io/", "HUMANOPS_API_KEY=ho_test_x",
			"HITL_API_URL=https://api.hitl.sh", "HITL_API_KEY=k", "HUMANOPS_SANDBOX=1")
		require.NoError(t, err)
		require.Equal(t, "https://api.humanops.io", cfg.Marketplace.URL)
		require.Equal(t, "ho_test_x", cfg.Marketplace.APIKey)
		require.Equal(t, "https://api.hitl.sh", cfg.Reviews.URL)
		require.Equal(t, "k", cfg.Reviews.APIKey)
		require.True(t, cfg.Sandbox)
	})
	t.Run("the file is found by its variable", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "c.yaml")
		require.NoError(t, os.WriteFile(path, []byte(file), 0o600))
		cfg, _, err := load(t, "", "HUMANOPS_CONFIG="+path)
		require.NoError(t, err)
		require.Equal(t, path, cfg.File())
	})
}

func TestRefusals(t *testing.T) {
	for _, c := range []struct {
		name string
		yaml string
		env  []string
		want []string // parts of the sentence
	}{
		{"an unknown key names the nearest and its line", "listen: 127.0.0.1:1\npublik_url: http://x\n", nil, []string{"publik_url is not a known key", "did you mean public_url?", "line 2"}},
		{"an unknown nested key too", "marketplace:\n  statusnames: seed\n", nil, []string{"did you mean marketplace.status_names?", "line 2"}},
		{"a nested key at the top is recognised", "api_key: x\n", nil, []string{"did you mean marketplace.api_key?"}},
		{"a key in capitals is unknown", "Listen: 127.0.0.1:1\n", nil, []string{"Listen is not a known key", "listen?"}},
		{"a key set twice", "listen: a\nlisten: b\n", nil, []string{"listen is set twice"}},
		{"a section that is a word", "smtp: yes\n", nil, []string{"smtp must be a section"}},
		{"broken YAML", "listen: [\n", nil, []string{"must be YAML", "line"}},
		{"a key without a URL", "", []string{"HUMANOPS_API_KEY=ho_live_x"}, []string{"marketplace.api_key is set but marketplace.url is not", "HUMANOPS_API_URL", "remove the key"}},
		{"a review key without a URL", "", []string{"HITL_API_KEY=x"}, []string{"reviews.api_key is set but reviews.url is not", "HITL_API_URL", "remove the key"}},
		{"sandbox with a live key against a remote", "", []string{"HUMANOPS_API_URL=https://a.example", "HUMANOPS_API_KEY=ho_live_x", "HUMANOPS_SANDBOX=1"}, []string{"sandbox accepts only a key that begins with ho_test_"}},
		{"plain http to another host", "", []string{"HUMANOPS_API_URL=http://api.example.com"}, []string{"marketplace.url must begin with https://", "allow_insecure_http"}},
		{"a user name in an address", "", []string{"HUMANOPS_API_URL=https://me:secret@api.example.com"}, []string{"marketplace.url must be an http or https address"}},
		{"a port that is none", "listen: 127.0.0.1:99999\n", nil, []string{`listen must be an address with a port; got "127.0.0.1:99999"`, "in "}},
		{"a length of time that is none", "marketplace:\n  review_silence: soon\n", nil, []string{"marketplace.review_silence must be a length of time", "7d"}},
		{"money that is none", "", []string{"HUMANOPS_MARKETPLACE_LOCAL_CREDIT_USD=1e3"}, []string{"marketplace.local_credit_usd must be a decimal amount", "HUMANOPS_MARKETPLACE_LOCAL_CREDIT_USD in the environment"}},
		{"a word that is not one of the choices", "marketplace:\n  status_names: ours\n", nil, []string{"must be one of seed, hosted"}},
		{"half a certificate", "tls_cert: /x\n", nil, []string{"tls_cert and tls_key belong together"}},
		{"a domain with a certificate", "domain: a.example.com\ntls_cert: /x\ntls_key: /y\n", nil, []string{"domain gets its own certificate"}},
		{"a public URL with a path", "public_url: https://a.example/x\n", nil, []string{"public_url must be", "without a path"}},
		{"a proxy that is no network", "trusted_proxies: [nearby]\n", nil, []string{`trusted_proxies must hold addresses or networks; got "nearby"`}},
		{"a database of another kind", "database_url: mysql://x\n", nil, []string{"database_url must begin with postgres://"}},
		{"an unknown task type", "marketplace:\n  allowed_types: [FOTO]\n", nil, []string{`got "FOTO"`}},
		{"a guardian without a model", "guardian:\n  url: https://a.example/v1\n", nil, []string{"guardian.model must be set"}},
		{"mail without a sender", "smtp:\n  host: mail.example.com\n", nil, []string{"smtp.from must be a mail address"}},
		{"a claim that ends at once", "reviews:\n  lease: 5s\n", nil, []string{"reviews.lease must be between 1m and 1d; got 5s"}},
		{"a simulated reviewer who never decides", "reviews:\n  simulated_step: 2h\n", nil, []string{"reviews.simulated_step must be between 0s and 1h"}},
		{"an hour with less than no requests", "reviews:\n  rate_limit_per_hour: -1\n", nil, []string{"reviews.rate_limit_per_hour must not be negative"}},
		{"an origin with a path", "reviews:\n  cors_origins: [\"https://a.example/x\"]\n", nil, []string{"reviews.cors_origins must hold origins"}},
		{"several problems at once", "listen: nowhere\nlog_level: loud\nrate_limit_per_minute: -1\n", nil, []string{"log_level must be one of"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, _, err := load(t, c.yaml, c.env...)
			require.Error(t, err)
			for _, part := range c.want {
				require.ErrorContains(t, err, part)
			}
			require.NotContains(t, err.Error(), "secret", "no secret is repeated")
		})
	}

	t.Run("all problems are told at once", func(t *testing.T) {
		_, _, err := load(t, "listen: nowhere\nrate_limit_per_minute: -1\npublic_url: x\n")
		var e *schemas.Error
		require.ErrorAs(t, err, &e)
		require.Len(t, e.Fields, 3)
	})
	t.Run("a file that was named must exist", func(t *testing.T) {
		_, _, err := Load(Source{File: "/nowhere/config.yaml", Env: []string{home}})
		require.ErrorContains(t, err, "must name a file that can be read")
	})
	t.Run("without a home the data folder must be named", func(t *testing.T) {
		_, _, err := Load(Source{})
		require.ErrorContains(t, err, "data_dir must be set")
		_, _, err = Load(Source{Env: []string{"HUMANOPS_DATA_DIR=/srv/humans"}})
		require.NoError(t, err)
	})
}

func TestAllowed(t *testing.T) {
	t.Run("plain http to this computer", func(t *testing.T) {
		_, _, err := load(t, "", "HUMANOPS_API_URL=http://[::1]:9", "HITL_API_URL=http://localhost:9")
		require.NoError(t, err)
	})
	t.Run("plain http elsewhere when allowed", func(t *testing.T) {
		_, _, err := load(t, "allow_insecure_http: true\n", "HUMANOPS_API_URL=http://nas.lan")
		require.NoError(t, err)
	})
	t.Run("a remote without a key, which registers one", func(t *testing.T) {
		cfg, _, err := load(t, "", "HUMANOPS_API_URL=https://api.humanops.io")
		require.NoError(t, err)
		require.True(t, cfg.Remote())
	})
	t.Run("an unknown variable with a warning", func(t *testing.T) {
		_, warnings, err := load(t, "", "HUMANOPS_LISTN=x", "HUMANOPS_TEST_X=1", "HUMANOPS_RACE_X=1", "OTHER=1")
		require.NoError(t, err)
		require.Len(t, warnings, 1)
		require.Contains(t, warnings[0], "HUMANOPS_LISTN is not known")
		require.Contains(t, warnings[0], "HUMANOPS_LISTEN?")
	})
	t.Run("a section with all its keys commented out", func(t *testing.T) {
		_, _, err := load(t, "smtp:\n  # host: x\n")
		require.NoError(t, err)
	})
}

func TestPublicURL(t *testing.T) {
	for name, c := range map[string]struct {
		yaml, want string
	}{
		"comes from the listen address":          {"listen: 127.0.0.1:9\n", "http://127.0.0.1:9"},
		"comes from the domain":                  {"domain: h.example.com\n", "https://h.example.com"},
		"keeps the port of another HTTPS port":   {"domain: h.example.com\nlisten: :8443\n", "https://h.example.com:8443"},
		"is what the user says, without a slash": {"public_url: https://h.example.com/\n", "https://h.example.com"},
		"leaves out the usual port":              {"listen: 192.0.2.1:80\n", "http://192.0.2.1"},
	} {
		t.Run(name, func(t *testing.T) {
			cfg, _, err := load(t, c.yaml)
			require.NoError(t, err)
			require.Equal(t, c.want, cfg.PublicURL)
		})
	}
}

func TestEffective(t *testing.T) {
	cfg, _, err := load(t, "listen: 127.0.0.1:1\n", "HUMANOPS_API_URL=https://a.example", "HUMANOPS_API_KEY=ho_live_verysecret")
	require.NoError(t, err)
	seen := map[string]Value{}
	for _, v := range cfg.Effective() {
		seen[v.Key] = v
		require.NotContains(t, v.Value, "verysecret")
	}
	require.Equal(t, Value{Key: "listen", Value: "127.0.0.1:1", Source: "file"}, seen["listen"])
	require.Equal(t, "HUMANOPS_API_URL", seen["marketplace.url"].Source)
	require.Equal(t, Value{Key: "marketplace.api_key", Value: "(set)", Source: "HUMANOPS_API_KEY", Secret: true}, seen["marketplace.api_key"])
	require.Equal(t, Value{Key: "marketplace.review_silence", Value: "7d", Source: "default"}, seen["marketplace.review_silence"])
	require.NotContains(t, seen, "conformance")
}

func TestGoldenExample(t *testing.T) {
	golden.File(t, "../../config.example.yaml", []byte(Example()))

	t.Run("loads as it is", func(t *testing.T) {
		_, warnings, err := load(t, Example())
		require.NoError(t, err)
		require.Empty(t, warnings)
	})
	t.Run("loads with every default written out", func(t *testing.T) {
		var out []string
		for line := range strings.SplitSeq(Example(), "\n") {
			bare := strings.TrimSpace(line)
			name, _, isKey := strings.Cut(strings.TrimPrefix(bare, "# "), ": ")
			if isKey && !strings.Contains(name, " ") && name != "Example" && name != "Environment" {
				line = strings.Replace(line, "# ", "", 1)
			}
			out = append(out, line)
		}
		text := strings.Join(out, "\n")
		var tree map[string]any
		require.NoError(t, yaml.Unmarshal([]byte(text), &tree))
		require.Greater(t, len(tree), 15)
		_, _, err := load(t, text)
		require.NoError(t, err)
	})
}

func TestKeys(t *testing.T) {
	for _, k := range Keys() {
		require.NotEmpty(t, k.Doc, k.Name)
		if k.Secret {
			require.Empty(t, k.flags, "%s: a flag shows a secret to everybody on the computer", k.Name)
		}
		if k.kind.Kind().String() != "bool" && k.Default == "" && !k.Hidden && !k.Secret && k.Name != "smtp.username" {
			require.NotEmpty(t, k.Example, k.Name)
		}
	}
	require.Contains(t, FrontEnv(), "HUMANOPS_SANDBOX")
	require.Contains(t, FrontEnv(), "HUMANOPS_API_KEY")
	require.NotContains(t, FrontEnv(), "HUMANOPS_LISTEN")
}
