package config

import (
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"humanops-mcp/internal/check"
	"humanops-mcp/schemas"
)

// validate finds every problem at once.
func (c *Config) validate() check.Problems {
	v := &check.Problems{}
	c.checkServer(v)
	c.checkTLS(v)
	c.checkStorage(v)
	c.checkUpstreams(v)
	c.checkReviews(v)
	c.checkNumbers(v)
	c.checkMessages(v)
	return *v
}

func (c *Config) checkServer(v *check.Problems) {
	if _, port, err := net.SplitHostPort(c.Listen); err != nil || !validPort(port) {
		v.Add("listen", "must be an address with a port; got %q. Example: 127.0.0.1:8787", c.Listen)
	}
	if u, err := url.Parse(c.PublicURL); err != nil || !isWeb(u) || u.Path != "" || u.RawQuery != "" || u.User != nil {
		v.Add("public_url", "must be an http or https address without a path; got %q. Example: https://humans.example.com", c.PublicURL)
	}
	for _, network := range c.TrustedProxies {
		_, errNet := netip.ParsePrefix(network)
		_, errAddr := netip.ParseAddr(network)
		if errNet != nil && errAddr != nil {
			v.Add("trusted_proxies", "must hold addresses or networks; got %q. Example: 10.0.0.0/8", network)
		}
	}
	for _, host := range c.AllowedHosts {
		if strings.ContainsAny(host, "/: ") || host == "" {
			v.Add("allowed_hosts", "must hold bare host names, without scheme or port; got %q. Example: humans.lan", host)
		}
	}
}

var hostName = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^([A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)+[A-Za-z]{2,63}$`)
})

func (c *Config) checkTLS(v *check.Problems) {
	if (c.TLSCert == "") != (c.TLSKey == "") {
		v.Add("tls_cert", "and tls_key belong together; set both or neither")
	}
	if c.Domain != "" && c.TLSCert != "" {
		v.Add("domain", "gets its own certificate, so it cannot be combined with tls_cert; keep one")
	}
	if c.Domain != "" && !hostName().MatchString(c.Domain) {
		v.Add("domain", "must be a public host name; got %q. Example: humans.example.com", c.Domain)
	}
}

func (c *Config) checkStorage(v *check.Problems) {
	if c.DataDir == "" {
		v.Add("data_dir", "must be set when there is no home folder (HOME and XDG_DATA_HOME are not set). Example: --data-dir /var/lib/humanops-mcp")
	}
	if c.DatabaseURL != "" {
		if u, err := url.Parse(c.DatabaseURL); err != nil || (u.Scheme != "postgres" && u.Scheme != "postgresql") {
			v.Add("database_url", "must begin with postgres://, or be empty for SQLite. Example: postgres://humanops@localhost/humanops")
		}
	}
}

func (c *Config) checkUpstreams(v *check.Problems) {
	c.checkURL(v, "marketplace.url", c.Marketplace.URL)
	c.checkURL(v, "reviews.url", c.Reviews.URL)
	c.checkURL(v, "guardian.url", c.Guardian.URL)
	checkKey(v, "marketplace", "HUMANOPS_API_URL", "https://api.humanops.io", c.Marketplace.URL, c.Marketplace.APIKey)
	checkKey(v, "reviews", "HITL_API_URL", "https://api.hitl.sh", c.Reviews.URL, c.Reviews.APIKey)
	if c.Sandbox && c.Remote() && c.Marketplace.APIKey != "" && !schemas.IsTestKey(c.Marketplace.APIKey) {
		v.Add("sandbox", "accepts only a key that begins with ho_test_ against a remote marketplace; use the test key, or switch sandbox off")
	}
	if c.Guardian.URL != "" && c.Guardian.Model == "" {
		v.Add("guardian.model", "must be set with guardian.url. Example: gpt-4o-mini")
	}
	if c.Guardian.URL == "" && c.Guardian.Key != "" {
		v.Add("guardian.url", "must be set with guardian.key. Example: https://api.openai.com/v1")
	}
	for _, name := range c.Marketplace.AllowedTypes {
		if !slices.Contains(schemas.TaskTypes, schemas.TaskType(name)) {
			v.Add("marketplace.allowed_types", "must hold task types; got %q. Example: PHOTO", name)
		}
	}
}

func (c *Config) checkReviews(v *check.Problems) {
	r := c.Reviews
	for _, d := range []struct {
		key             string
		value, min, max time.Duration
	}{
		{"reviews.lease", r.Lease, time.Minute, 24 * time.Hour},
		{"reviews.link_ttl", r.LinkTTL, time.Minute, 30 * 24 * time.Hour},
		{"reviews.invite_ttl", r.InviteTTL, time.Minute, 365 * 24 * time.Hour},
		{"reviews.receipt_ttl", r.ReceiptTTL, time.Minute, 30 * 24 * time.Hour},
		{"reviews.simulated_step", r.SimulatedStep, 0, time.Hour},
	} {
		if d.value < d.min || d.value > d.max {
			v.Add(d.key, "must be between %s and %s; got %s", showDuration(d.min), showDuration(d.max), showDuration(d.value))
		}
	}
	if r.RateLimitPerHour < 0 {
		v.Add("reviews.rate_limit_per_hour", "must not be negative; got %d. Example: 100, or 0 for no limit", r.RateLimitPerHour)
	}
	for _, origin := range r.CORSOrigins {
		if u, err := url.Parse(origin); err != nil || !isWeb(u) || u.Path != "" || u.RawQuery != "" || u.User != nil {
			v.Add("reviews.cors_origins", "must hold origins, that is scheme and host without a path; got %q. Example: https://app.example.com", origin)
		}
	}
}

// checkKey refuses a key without an address: it is either meant for a remote service
// whose address is missing, or it is not needed.
func checkKey(v *check.Problems, section, env, example, address, key string) {
	if address == "" && key != "" {
		v.Add(section+".api_key", "is set but %s.url is not. Either set %s.url (%s), for example %s, to use a remote service with this key, or remove the key to use the one built into this program, which has its own",
			section, section, env, example)
	}
}

func (c *Config) checkURL(v *check.Problems, key, text string) {
	if text == "" {
		return
	}
	u, err := url.Parse(text)
	if err != nil || !isWeb(u) || u.User != nil || u.RawQuery != "" {
		v.Add(key, "must be an http or https address; got %q. Example: https://api.example.com", redact(u, text))
		return
	}
	if u.Scheme == "http" && !IsLoopback(u.Hostname()) && !c.AllowInsecureHTTP {
		v.Add(key, "must begin with https:// because a key travels to %s, and anyone on the way could read it; set allow_insecure_http to allow it all the same", u.Host)
	}
}

func redact(u *url.URL, text string) string {
	if u == nil || u.User != nil {
		return "an address with a user name or that cannot be read"
	}
	return text
}

func isWeb(u *url.URL) bool { return (u.Scheme == "http" || u.Scheme == "https") && u.Host != "" }

func validPort(port string) bool {
	n, err := strconv.Atoi(port)
	return err == nil && n >= 0 && n <= 65535
}

func (c *Config) checkNumbers(v *check.Problems) {
	for _, d := range []struct {
		key   string
		value time.Duration
	}{
		{"marketplace.review_silence", c.Marketplace.ReviewSilence}, {"marketplace.dispute_silence", c.Marketplace.DisputeSilence},
		{"marketplace.guardian_silence", c.Marketplace.GuardianSilence}, {"people.link_ttl", c.People.LinkTTL},
		{"people.session_ttl", c.People.SessionTTL}, {"guardian.timeout", c.Guardian.Timeout},
	} {
		if d.value < time.Second {
			v.Add(d.key, "must be at least 1s; got %s", d.value)
		}
	}
	if step := c.Marketplace.SimulatedStep; step < 0 || step > time.Hour {
		v.Add("marketplace.simulated_step", "must be between 0s and 1h; got %s", step)
	}
	if c.Marketplace.LocalCredit < 0 {
		v.Add("marketplace.local_credit_usd", "must not be negative; got %s. Example: 1000", c.Marketplace.LocalCredit)
	}
	if c.Marketplace.LocalDailyCap < 0 {
		v.Add("marketplace.local_daily_cap_usd", "must not be negative; got %s. Example: 100", c.Marketplace.LocalDailyCap)
	}
	if quota := c.Marketplace.OperatorQuotaMB; quota < 1 || quota > 10_000_000 {
		v.Add("marketplace.operator_quota_mb", "must be between 1 and 10000000; got %d. Example: 2000", quota)
	}
	if c.RateLimit < 0 {
		v.Add("rate_limit_per_minute", "must not be negative; got %d. Example: 300, or 0 for no limit", c.RateLimit)
	}
}

func (c *Config) checkMessages(v *check.Problems) {
	if c.SMTP.Port < 1 || c.SMTP.Port > 65535 {
		v.Add("smtp.port", "must be between 1 and 65535; got %d. Example: 587", c.SMTP.Port)
	}
	if c.SMTP.Host != "" && !strings.Contains(c.SMTP.From, "@") {
		v.Add("smtp.from", "must be a mail address when smtp.host is set; got %q. Example: humans@example.com", c.SMTP.From)
	}
	for i, address := range c.NotifyURLs {
		if u, err := url.Parse(address); err != nil || u.Scheme == "" {
			v.Add(fmt.Sprintf("notify_urls[%d]", i), "must be a shoutrrr URL. Example: ntfy://ntfy.sh/my-topic")
		}
	}
}

// IsLoopback tells whether a host, without port, is this machine.
func IsLoopback(host string) bool {
	if host == "localhost" {
		return true
	}
	addr, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return err == nil && addr.Unmap().IsLoopback()
}

// DerivePublicURL makes the public address from the domain or the listen address,
// unless the user set it. It is called again once the real port is known.
func (c *Config) DerivePublicURL() {
	if c.Set("public_url") && c.PublicURL != "" {
		return
	}
	host, port, err := net.SplitHostPort(c.Listen)
	if err != nil {
		c.PublicURL = "http://127.0.0.1"
		return
	}
	scheme := "http"
	if c.HTTPS() {
		scheme = "https"
	}
	if c.Domain != "" {
		host = c.Domain
	}
	if addr, err := netip.ParseAddr(host); host == "" || (err == nil && addr.IsUnspecified()) {
		host = localAddress()
	}
	if (scheme == "https" && port == "443") || (scheme == "http" && port == "80") {
		c.PublicURL = scheme + "://" + strings.TrimSuffix(net.JoinHostPort(host, ""), ":")
		return
	}
	c.PublicURL = scheme + "://" + net.JoinHostPort(host, port)
}

// localAddress is this machine's address in its own network, for phones in it.
func localAddress() string {
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		return "127.0.0.1"
	}
	for _, a := range addrs {
		network, ok := a.(*net.IPNet)
		if ok && network.IP.To4() != nil && network.IP.IsGlobalUnicast() {
			return network.IP.String()
		}
	}
	return "127.0.0.1"
}
