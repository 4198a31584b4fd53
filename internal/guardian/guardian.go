// Package guardian checks a submission against the task's proof requirements.
//
// With a vision model it scores each requirement by the photos alone; the lowest score is
// the confidence. The operator's note never reaches the model, so no words in it can
// raise a score, and a photo whose text speaks to the reviewer is left to a person.
// Without a model only completeness is checked, which never approves.
package guardian

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"humanops-mcp/internal/clock"
	"humanops-mcp/schemas"
)

// The thresholds of the contract: 90 itself approves.
const (
	approveFrom = 90
	rejectBelow = 50
	// mostUnseen is the highest confidence in what no model looked at: never enough to approve.
	mostUnseen = approveFrom - 1
)

// The methods of a verdict.
const (
	Vision       = "vision"
	Completeness = "completeness"
)

const defaultTimeout = 60 * time.Second

// Config names an OpenAI-compatible chat endpoint that takes images. Without a URL only
// completeness is checked.
type Config struct {
	URL           string // https://api.openai.com/v1; the /v1 may be left out
	Key           string // sent as a bearer token; empty for servers that need none
	Model         string
	Timeout       time.Duration // of one check; a minute when zero
	AllowInsecure bool          // plain http to other machines, which sends photos and key in the clear
	Clock         clock.Clock   // the system's when nil
}

// Validate tells what is wrong with the configuration.
func (c Config) Validate() error {
	if c.URL == "" {
		return nil
	}
	u, err := url.Parse(c.URL)
	if err != nil || u.Host == "" || (u.Scheme != "https" && u.Scheme != "http") {
		return schemas.NewError(schemas.CodeInvalid, "guardian.url must be an http or https address. Example: https://api.openai.com/v1")
	}
	if u.User != nil {
		return schemas.NewError(schemas.CodeInvalid, "guardian.url must not hold a user name or password. Put the key into guardian.key.")
	}
	if c.Model == "" {
		return schemas.NewError(schemas.CodeInvalid, "guardian.model must name the model to use with guardian.url. Example: gpt-4o-mini")
	}
	if u.Scheme == "http" && !c.AllowInsecure && !loopback(u.Hostname()) {
		return schemas.NewError(schemas.CodeInvalid, fmt.Sprintf("guardian.url must begin with https: photos and the key would travel to %s in the clear. Use https, or allow insecure addresses if that network is yours.", u.Hostname()))
	}
	return nil
}

func loopback(host string) bool {
	ip, err := netip.ParseAddr(host)
	return strings.EqualFold(host, "localhost") || (err == nil && ip.Unmap().IsLoopback())
}

// Image is one photo, best the 1600 px copy.
type Image struct {
	MIME string
	Data []byte
}

// Input is a submission and what it should prove.
type Input struct {
	Title, Description, TaskType string
	Requirements                 []string
	Note                         string // the operator's words: only whether there are any counts
	Images                       []Image
	Files                        int // how many files were sent; Images may hold fewer
}

// Guardian gives verdicts. It is safe for concurrent use.
type Guardian struct {
	config Config
	client *http.Client
}

// New makes a Guardian. A configuration that Validate refuses makes every Check fail.
func New(c Config) *Guardian {
	if c.Timeout <= 0 {
		c.Timeout = defaultTimeout
	}
	if c.Clock == nil {
		c.Clock = clock.System()
	}
	return &Guardian{config: c, client: newClient(c.Timeout)}
}

// newClient follows no redirect: that would carry the key and the photos elsewhere.
func newClient(timeout time.Duration) *http.Client {
	dialer := &net.Dialer{Timeout: 10 * time.Second}
	return &http.Client{
		Timeout:       timeout,
		Transport:     &http.Transport{Proxy: http.ProxyFromEnvironment, DialContext: dialer.DialContext, ForceAttemptHTTP2: true, TLSHandshakeTimeout: 10 * time.Second, IdleConnTimeout: 90 * time.Second},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// Method is how live submissions are checked: Vision or Completeness.
func (g *Guardian) Method() string {
	if g.config.URL == "" {
		return Completeness
	}
	return Vision
}

// Decide turns a confidence into a decision.
func Decide(confidence int) string {
	switch {
	case confidence >= approveFrom:
		return "approved"
	case confidence < rejectBelow:
		return "rejected"
	}
	return "unsure"
}

// Check gives the verdict on a submission. An error means that the model could not be
// asked or gave no usable answer; asking again may help.
func (g *Guardian) Check(ctx context.Context, in Input) (schemas.Verdict, error) {
	if err := g.config.Validate(); err != nil {
		return schemas.Verdict{}, err
	}
	split := sortOut(in.Requirements)
	if g.Method() == Completeness || len(in.Images) == 0 || len(split.visual) == 0 {
		return g.stamp(complete(in, g.Method())), nil
	}
	seen, err := g.look(ctx, in, split.visual)
	if err != nil {
		return schemas.Verdict{}, err
	}
	v := judge(in, split, seen)
	v.Model = g.config.Model
	return g.stamp(v), nil
}

func (g *Guardian) stamp(v schemas.Verdict) schemas.Verdict {
	v.CheckedAt = g.config.Clock.Now()
	return v
}
