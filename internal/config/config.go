// Package config is everything a user can set: one struct, from whose tags the
// defaults, the flags, the environment variables and config.example.yaml derive.
//
// A value comes from the first of: a flag, the environment, the file, the default.
package config

import (
	"time"

	"humanops-mcp/schemas"
)

// Config is the whole configuration. Its tags mean:
//
//	key      the name within the file; nested structs are joined with dots
//	default  the value when nothing is set
//	doc      what it means, for the example file and the flags' help
//	env      further environment variables beside HUMANOPS_<KEY>
//	flag     the commands that take it as a flag: serve, stdio, or all
//	secret   never shown, never a flag
//	front    concerns one MCP connection, so a platform that a connection starts in
//	         the background does not inherit it
//	hidden   left out of the example file and of help
type Config struct {
	Listen            string   `key:"listen" default:"127.0.0.1:8787" flag:"serve" doc:"Address and port of pages, API and MCP over HTTP"`
	PublicURL         string   `key:"public_url" flag:"serve" doc:"The address people's phones use; every link is made from it. Empty: https://<domain>, or the listen address" example:"https://humans.example.com"`
	AllowedHosts      []string `key:"allowed_hosts" flag:"serve" doc:"Further host names that browsers may use, beside public_url's and loopback" example:"[humans.lan]"`
	Domain            string   `key:"domain" flag:"serve" doc:"Host name to get a certificate for (ACME); listens on port 443 unless listen is set" example:"humans.example.com"`
	TLSCert           string   `key:"tls_cert" flag:"serve" path:"true" doc:"Certificate file, for HTTPS with your own certificate" example:"/etc/ssl/humans.pem"`
	TLSKey            string   `key:"tls_key" flag:"serve" path:"true" doc:"Private key file that belongs to tls_cert" example:"/etc/ssl/humans.key"`
	TrustedProxies    []string `key:"trusted_proxies" flag:"serve" doc:"Networks of reverse proxies whose X-Forwarded-For is believed" example:"[127.0.0.1/32]"`
	DataDir           string   `key:"data_dir" flag:"all" path:"true" doc:"Folder of database, files and credentials. Empty: humanops-mcp in the user's data folder (XDG_DATA_HOME, else ~/.local/share)" example:"/var/lib/humanops-mcp"`
	DatabaseURL       string   `key:"database_url" secret:"true" doc:"PostgreSQL instead of the SQLite file in data_dir" example:"postgres://humanops:password@localhost/humanops"`
	AllowInsecureHTTP bool     `key:"allow_insecure_http" default:"false" flag:"all" doc:"Allow plain http:// to hosts other than this one, for the addresses below"`
	Sandbox           bool     `key:"sandbox" default:"false" flag:"stdio" front:"true" doc:"Use the local test key: simulated people, no real money. Against a remote: accept only ho_test_ keys"`
	ReadOnly          bool     `key:"read_only" default:"false" flag:"serve,stdio" front:"true" doc:"Offer only tools that change nothing"`
	Toolsets          []string `key:"toolsets" flag:"serve,stdio" front:"true" doc:"Groups of tools to offer. Empty: the default groups" example:"[tasks]"`
	Conformance       bool     `key:"conformance" default:"false" flag:"serve,stdio" front:"true" hidden:"true" doc:"Offer the fixtures of the MCP conformance suite"`
	RateLimit         int      `key:"rate_limit_per_minute" default:"0" flag:"serve" doc:"Requests a minute for each caller; 0 for no limit"`
	NotifyURLs        []string `key:"notify_urls" secret:"true" doc:"Chat and push services told of new and finished tasks, as shoutrrr URLs" example:"[\"ntfy://ntfy.sh/my-topic\"]"`
	WebhooksPrivate   bool     `key:"allow_private_webhooks" default:"false" doc:"Allow callback_url to point into private networks"`
	LogLevel          string   `key:"log_level" default:"info" flag:"all" oneof:"debug,info,warn,error" doc:"debug, info, warn or error"`

	Marketplace Marketplace `key:"marketplace" doc:"Who does the tasks: the marketplace in this program, or a remote one"`
	Reviews     Reviews     `key:"reviews" doc:"Who decides reviews: the loops in this program, or a remote service"`
	People      People      `key:"people" doc:"How people sign in"`
	Guardian    Guardian    `key:"guardian" doc:"A model that looks at proof photos: any OpenAI-compatible chat endpoint that takes images"`
	SMTP        SMTP        `key:"smtp" doc:"Mail to people: new tasks, finished tasks"`

	sources map[string]string // where each key's value came from
	file    string            // the file that was read, if any
}

// Marketplace says which marketplace serves the tools, and how the built-in one behaves.
type Marketplace struct {
	URL             string        `key:"url" env:"HUMANOPS_API_URL" flag:"stdio" front:"true" doc:"Address of a remote marketplace. Empty: the one in this program" example:"https://api.humanops.io"`
	APIKey          string        `key:"api_key" env:"HUMANOPS_API_KEY" secret:"true" front:"true" doc:"Key for the remote marketplace" example:"ho_live_..."`
	StatusNames     string        `key:"status_names" default:"seed" oneof:"seed,hosted" doc:"Words for a task's status: seed (POSTED, PAID) or hosted (PENDING, COMPLETED)"`
	LocalCredit     schemas.Money `key:"local_credit_usd" default:"1000" doc:"House credit the local agent starts with, USD"`
	LocalDailyCap   schemas.Money `key:"local_daily_cap_usd" default:"100" doc:"What the local agent may put into escrow in a day, USD"`
	ReviewSilence   time.Duration `key:"review_silence" default:"7d" doc:"A submission nobody decides becomes a dispute after this"`
	DisputeSilence  time.Duration `key:"dispute_silence" default:"14d" doc:"A dispute nobody settles pays the person who did the work after this"`
	GuardianSilence time.Duration `key:"guardian_silence" default:"15m" doc:"A submission Guardian does not answer goes to people after this"`
	SimulatedStep   time.Duration `key:"simulated_step" default:"1s" doc:"Pause between the steps of a simulated operator, in test mode"`
	AllowedTypes    []string      `key:"allowed_types" doc:"Types prone to abuse that may be posted all the same: CAPTCHA_SOLVING, ACCOUNT_CREATION, API_KEY_PROCUREMENT, PHONE_VERIFICATION, SUBSCRIPTION_SETUP" example:"[ACCOUNT_CREATION]"`
	OperatorQuotaMB int           `key:"operator_quota_mb" default:"2000" doc:"Proof files kept for each operator, MB"`
}

// OperatorQuota is the room for one operator's proof files, in bytes.
func (m Marketplace) OperatorQuota() int64 { return int64(m.OperatorQuotaMB) * 1_000_000 }

// Reviews says which review service serves the tools, and how the built-in one behaves.
type Reviews struct {
	URL              string        `key:"url" env:"HITL_API_URL" flag:"stdio" front:"true" doc:"Address of a remote review service. Empty: the one in this program" example:"https://api.hitl.sh"`
	APIKey           string        `key:"api_key" env:"HITL_API_KEY" secret:"true" front:"true" doc:"Key for the remote review service"`
	CORSOrigins      []string      `key:"cors_origins" doc:"Web origins whose pages may call the review API with a key. Empty: none" example:"[\"https://app.example.com\"]"`
	RateLimitPerHour int           `key:"rate_limit_per_hour" default:"0" doc:"Review requests an hour for each key, as the hosted service counts them; 0 for no limit"`
	Lease            time.Duration `key:"lease" default:"10m" doc:"How long a reviewer's claim lasts without a sign of life, in loops that set none"`
	LinkTTL          time.Duration `key:"link_ttl" default:"72h" doc:"How long the link in a reviewer's mail can be used"`
	InviteTTL        time.Duration `key:"invite_ttl" default:"7d" doc:"How long an invitation to a loop can be used"`
	ReceiptTTL       time.Duration `key:"receipt_ttl" default:"24h" doc:"How long after the decision an approval can be acted on"`
	SimulatedStep    time.Duration `key:"simulated_step" default:"1s" doc:"Pause before a simulated reviewer decides, in test mode"`
}

// People says how long sign-ins last.
type People struct {
	LinkTTL    time.Duration `key:"link_ttl" default:"24h" doc:"How long a one-time sign-in link can be used"`
	SessionTTL time.Duration `key:"session_ttl" default:"30d" doc:"How long a sign-in lasts"`
}

// Guardian is the vision model that checks proof.
type Guardian struct {
	URL     string        `key:"url" doc:"Base address of the endpoint. Empty: only completeness is checked, and people decide" example:"https://api.openai.com/v1"`
	Key     string        `key:"key" secret:"true" doc:"Its API key"`
	Model   string        `key:"model" doc:"Its model" example:"gpt-4o-mini"`
	Timeout time.Duration `key:"timeout" default:"60s" doc:"How long one check may take"`
}

// SMTP is the mail server.
type SMTP struct {
	Host     string `key:"host" doc:"Mail server. Empty: no mail is sent" example:"smtp.example.com"`
	Port     int    `key:"port" default:"587" doc:"Its port"`
	Username string `key:"username" doc:"User name, when it asks for one"`
	Password string `key:"password" secret:"true" doc:"Password"`
	From     string `key:"from" doc:"Sender" example:"humans@example.com"`
	TLS      string `key:"tls" default:"starttls" oneof:"starttls,tls,none" doc:"starttls, tls or none"`
}

// Remote tells whether a remote marketplace serves the tools.
func (c *Config) Remote() bool { return c.Marketplace.URL != "" }

// HTTPS tells whether this program itself serves HTTPS.
func (c *Config) HTTPS() bool { return c.Domain != "" || c.TLSCert != "" }

// File is the configuration file that was read, or "".
func (c *Config) File() string { return c.file }

// Set tells whether the user set the key; false means it has its default.
func (c *Config) Set(key string) bool {
	source := c.sources[key]
	return source != "" && source != sourceDefault
}
