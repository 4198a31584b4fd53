// Package edge stands between the transports and the MCP server. It does what the
// protocol library leaves to its user: limits, origin and host checks, authentication,
// sessions bound to their caller, and a stdio that answers all it was asked.
package edge

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"github.com/mark3labs/mcp-go/mcp"

	"humanops-mcp/internal/clock"
	"humanops-mcp/internal/ident"
	"humanops-mcp/schemas"
)

const defaultMaxBody = 4 << 20

// Options configure the HTTP transports.
type Options struct {
	// PublicURL is the address that the installation is known by; pages of it may call.
	PublicURL string
	// AllowedHosts are further host names, without a port, that may be used.
	AllowedHosts []string
	// Authenticate says who calls, from the key that Key finds in the context. Its
	// context is the call's. An error is answered as its code says, mostly with 401.
	// Nil lets everybody in.
	Authenticate func(r *http.Request) (context.Context, error)
	// MaxBody limits a message; 4 MiB by default.
	MaxBody int64
	Clock   clock.Clock
	Logger  *slog.Logger
}

func (o Options) filled() Options {
	if o.MaxBody <= 0 {
		o.MaxBody = defaultMaxBody
	}
	if o.Clock == nil {
		o.Clock = clock.System()
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	return o
}

type keyContext struct{}

// WithKey puts a caller's key into the context.
func WithKey(ctx context.Context, key string) context.Context {
	return context.WithValue(ctx, keyContext{}, key)
}

// Key is the caller's key: what the request brought as X-API-Key or as bearer token.
func Key(ctx context.Context) string {
	key, _ := ctx.Value(keyContext{}).(string)
	return key
}

// keyOf reads the key of a request.
func keyOf(r *http.Request) string {
	if key := r.Header.Get("X-API-Key"); key != "" {
		return key
	}
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if strings.EqualFold(scheme, "Bearer") {
		return strings.TrimSpace(token)
	}
	return ""
}

// guard admits a request: from an allowed page or none, under a name of this machine,
// by somebody who is known.
func (o Options) guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !o.hostAllowed(r) {
			refuse(w, http.StatusForbidden, "This host name is not served here. Use localhost, 127.0.0.1 or the public URL.")
			return
		}
		if !o.originAllowed(r) {
			refuse(w, http.StatusForbidden, "Pages of this origin may not call. Only the public URL and this machine may.")
			return
		}
		r = r.WithContext(WithKey(r.Context(), keyOf(r)))
		if o.Authenticate != nil {
			ctx, err := o.Authenticate(r)
			if err != nil {
				o.refuseCaller(w, r, err)
				return
			}
			r = r.WithContext(ctx)
		}
		next.ServeHTTP(w, r)
	})
}

// refuseCaller answers a caller that was not admitted. A failure of the platform itself
// is no reason to throw a key away, and its words are for the log.
func (o Options) refuseCaller(w http.ResponseWriter, r *http.Request, err error) {
	var worded *schemas.Error
	if !errors.As(err, &worded) || worded.Code == schemas.CodeInternal || worded.Code == schemas.CodeUnavailable {
		o.Logger.ErrorContext(r.Context(), "caller not checked", "error", err)
		refuse(w, http.StatusServiceUnavailable, "The key could not be checked just now. Try again in a moment.")
		return
	}
	w.Header().Set("WWW-Authenticate", `Bearer realm="humanops-mcp"`)
	refuse(w, http.StatusUnauthorized, "An API key is needed, as the header X-API-Key or Authorization: Bearer. "+worded.Error())
}

// refuse answers outside the protocol: whoever gets this is no client yet.
func refuse(w http.ResponseWriter, status int, message string) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]string{"error": strings.TrimSpace(message)}) // the caller may be gone
}

// hostAllowed refuses foreign names on a loopback connection: a page may have pointed
// its own name there.
func (o Options) hostAllowed(r *http.Request) bool {
	local, ok := r.Context().Value(http.LocalAddrContextKey).(net.Addr)
	if !ok || !isLoopback(hostname(local.String())) {
		return true
	}
	host := hostname(r.Host) // a proxy may leave out the port
	u, err := url.Parse(o.PublicURL)
	return isLoopback(host) || o.allows(host) || (err == nil && u.Host != "" && strings.EqualFold(u.Hostname(), host))
}

// allows tells whether the owner listed the host.
func (o Options) allows(host string) bool {
	return slices.ContainsFunc(o.AllowedHosts, func(allowed string) bool { return strings.EqualFold(hostname(allowed), host) })
}

// originAllowed takes no Origin at all (programs), the public URL, and this machine
// under the port that was called.
func (o Options) originAllowed(r *http.Request) bool {
	origins := r.Header.Values("Origin")
	if len(origins) == 0 {
		site := r.Header.Get("Sec-Fetch-Site") // of a page's picture or script; programs send none
		return site != "cross-site" && site != "same-site"
	}
	u, err := url.Parse(origins[0])
	if err != nil || len(origins) > 1 || u.Host == "" {
		return false
	}
	if public, err := url.Parse(o.PublicURL); err == nil && public.Host != "" && u.Scheme == public.Scheme && strings.EqualFold(u.Host, public.Host) {
		return true
	}
	if o.allows(u.Hostname()) && strings.EqualFold(u.Host, r.Host) {
		return true // a page of this program, under another of its names
	}
	return isLoopback(u.Hostname()) && u.Port() == portOf(r)
}

// portOf is the port that was called.
func portOf(r *http.Request) string {
	if local, ok := r.Context().Value(http.LocalAddrContextKey).(net.Addr); ok {
		if _, port, err := net.SplitHostPort(local.String()); err == nil {
			return port
		}
	}
	_, port, _ := net.SplitHostPort(r.Host)
	return port
}

func hostname(host string) string {
	if h, _, err := net.SplitHostPort(host); err == nil {
		return h
	}
	return strings.Trim(host, "[]")
}

func isLoopback(host string) bool {
	if strings.EqualFold(host, "localhost") {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.IsLoopback()
}

// fingerprint tells callers apart without keeping their keys.
func fingerprint(ctx context.Context) string { return ident.Hash(Key(ctx)) }

// message is what the edge needs to know of a JSON-RPC message.
type message struct {
	ID     json.RawMessage `json:"id"`
	Method string          `json:"method"`
	Params struct {
		Meta      *mcp.Meta       `json:"_meta"`
		RequestID json.RawMessage `json:"requestId"`
	} `json:"params"`
}

func (m message) modern() bool { return mcp.IsModernProtocol(m.Params.Meta.ProtocolVersion()) }

// read takes a message off a request, within the limit, and puts it back. What cannot
// be understood stays for the protocol library to refuse.
func (o Options) read(w http.ResponseWriter, r *http.Request) (message, bool) {
	var m message
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, o.MaxBody))
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		refuse(w, http.StatusRequestEntityTooLarge, "The message is too large. Send less than 4 MiB.")
		return m, false
	case err != nil:
		refuse(w, http.StatusBadRequest, "The message did not arrive whole. Send it again.")
		return m, false
	}
	_ = json.Unmarshal(body, &m) // what it is not stays empty
	putBack(r, body)
	return m, true
}
