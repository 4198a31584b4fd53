package main

import (
	"cmp"
	"context"
	"net/http"
	"net/url"
	"strings"

	"humanops-mcp/client"
	"humanops-mcp/internal/config"
	"humanops-mcp/internal/daemon"
	"humanops-mcp/internal/install"
	"humanops-mcp/schemas"
)

// banner tells a newcomer where everything is and what to do first.
func (p *program) banner(ctx context.Context, pf *platform) {
	cfg := pf.cfg
	p.say("humanops-mcp %s is running. End it with Ctrl-C.\n", version())
	p.say("  Pages    %s", cfg.PublicURL)
	p.say("  MCP      %s/mcp   (send the header X-API-Key; the keys are in %s)", cfg.PublicURL, pf.files.Credentials)
	p.say("  API      %s/openapi.json", cfg.PublicURL)
	p.say("  Data     %s%s", cfg.DataDir, either(cfg.DatabaseURL != "", ", PostgreSQL", ""))
	p.say("  Mode     %s", mode(cfg))
	p.say("  People   %s", p.reach(ctx, pf))
	if advice := phoneAdvice(cfg.PublicURL); advice != "" {
		p.say("\n%s", advice)
	}
	p.say("\nConnect a client:  humanops-mcp install %s", strings.Join(install.Names(), " | "))
	p.say("Reach yourself:    humanops-mcp people add me")
	p.say("See it work:       humanops-mcp demo\n")
}

func mode(cfg *config.Config) string {
	live := "live: people do the tasks; your agent or you decide on their proof (a guardian model is not set)"
	if cfg.Guardian.URL != "" {
		live = "live: people do the tasks; Guardian (" + cfg.Guardian.Model + ") looks at their proof"
	}
	if cfg.Remote() {
		return "remote: tasks go to " + cfg.Marketplace.URL
	}
	if cfg.Sandbox {
		return "sandbox: simulated people, no real money"
	}
	return live
}

// reach asks the platform itself who could do a task now.
func (p *program) reach(ctx context.Context, pf *platform) string {
	status, err := inProcess(ctx, pf)
	switch {
	case err != nil:
		return "not known (" + err.Error() + ")"
	case status.PeopleInReach == 0:
		return "nobody can be reached yet"
	case status.PeopleInReach == 1:
		return "1 person can be reached"
	}
	return itoa(status.PeopleInReach) + " people can be reached"
}

func inProcess(ctx context.Context, pf *platform) (schemas.PlatformStatus, error) {
	credentials, err := daemon.ReadCredentials(pf.files.Credentials)
	if err != nil {
		return schemas.PlatformStatus{}, err
	}
	c, err := client.New(client.Options{Token: credentials.OwnerToken, HTTPClient: &http.Client{Transport: client.InProcess(pf.app.LocalHandler())}})
	if err != nil {
		return schemas.PlatformStatus{}, err
	}
	return c.GetStatus(ctx)
}

// phoneAdvice says what will not work on phones with this address; "" when all will.
func phoneAdvice(publicURL string) string {
	u, err := url.Parse(publicURL)
	switch {
	case err != nil:
		return ""
	case config.IsLoopback(u.Hostname()):
		return "Phones cannot open " + u.Host + ": it is this computer only. For phones in your network: serve --listen 0.0.0.0:" + cmp.Or(u.Port(), "8787") + "; from anywhere, with HTTPS: serve --domain your.domain"
	case u.Scheme != "https":
		return "Without HTTPS phones do not share their place with the page (browsers allow that on HTTPS only), and whoever is in the same network can read along, sign-in links and photos too. Photos by camera or file work. For HTTPS: serve --domain your.domain, or --tls-cert and --tls-key"
	}
	return ""
}
