package api

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"humanops-mcp/internal/api/dialect"
	"humanops-mcp/internal/ident"
	"humanops-mcp/schemas"
)

// record is what is known of a request, for the log and the error envelope.
type record struct {
	id     string
	ip     string
	caller string
	via    string
	test   bool // the caller's key is of test mode
	began  time.Time
}

type recordKey struct{}

func recordOf(r *http.Request) *record {
	if rec, ok := r.Context().Value(recordKey{}).(*record); ok {
		return rec
	}
	return &record{}
}

// Front stands before everything that listens: request id, log, recovery, security
// headers, and on loopback the check of the host name.
func Front(c Config, log *slog.Logger, next http.Handler) http.Handler {
	hosts := allowedHosts(c)
	server := "humanops-mcp/" + c.Version
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		rec := &record{id: ident.New("req_"), ip: clientIP(r, c.TrustedProxies), began: time.Now()}
		r = r.WithContext(context.WithValue(r.Context(), recordKey{}, rec))
		out := &watched{ResponseWriter: w}
		identify(out.Header(), server, rec)
		defer logged(log, out, r, rec)
		defer recovered(c.Dialects, log, out, r)
		if c.Local && !slices.Contains(hosts, hostname(r.Host)) {
			refused := schemas.NewError(schemas.CodeForbidden, "This host name is not served here. Use 127.0.0.1, localhost, or set public_url.")
			refuse(c.Dialects.At(r.URL.Path), out, refusalOf(r, refused))
			return
		}
		next.ServeHTTP(out, r)
	})
}

// identify names server and request, and closes doors that browsers leave open.
func identify(header http.Header, server string, rec *record) {
	header.Set("Server", server)
	header.Set("X-Request-Id", rec.id)
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("X-Frame-Options", "DENY")
	header.Set("Referrer-Policy", "no-referrer")
}

// logged writes one line for each request: the route, never the query or a path's
// values, which may hold links that work.
func logged(log *slog.Logger, out *watched, r *http.Request, rec *record) {
	level := slog.LevelInfo
	if rec.ip == local {
		level = slog.LevelDebug // this program calls itself: the call that led to it is logged
	}
	if out.status >= http.StatusInternalServerError {
		level = slog.LevelError
	}
	log.LogAttrs(r.Context(), level, "Request",
		slog.String("request_id", rec.id), slog.String("method", r.Method), slog.String("route", r.Pattern),
		slog.Int("status", out.status), slog.Int64("bytes", out.bytes), slog.Duration("took", time.Since(rec.began)),
		slog.String("caller", rec.caller), slog.String("via", rec.via), slog.String("ip", rec.ip))
}

func recovered(dialects *dialect.Set, log *slog.Logger, out *watched, r *http.Request) {
	cause := recover()
	if cause == nil {
		return
	}
	if err, ok := cause.(error); ok && errors.Is(err, http.ErrAbortHandler) {
		panic(cause) // net/http cuts the connection, as the handler wants
	}
	log.Error("A request failed by a panic", "request_id", recordOf(r).id, "route", r.Pattern, "panic", cause, "stack", string(debug.Stack()))
	if out.status == 0 {
		refuse(dialects.At(r.URL.Path), out, refusalOf(r, nil))
	}
}

// watched remembers the status and counts bytes.
type watched struct {
	http.ResponseWriter
	status int
	bytes  int64
}

// WriteHeader remembers the final status.
func (w *watched) WriteHeader(status int) {
	if w.status == 0 && status >= http.StatusOK {
		w.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *watched) Write(b []byte) (int, error) {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	n, err := w.ResponseWriter.Write(b)
	w.bytes += int64(n)
	return n, err
}

// Flush passes streams on; callers ask for it by interface.
func (w *watched) Flush() {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	_ = http.NewResponseController(w.ResponseWriter).Flush() // not every connection can
}

// Unwrap lets http.ResponseController reach the connection.
func (w *watched) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func allowedHosts(c Config) []string {
	hosts := []string{"localhost", "127.0.0.1", "::1"}
	if u, err := url.Parse(c.PublicURL); err == nil && u.Hostname() != "" {
		hosts = append(hosts, strings.ToLower(u.Hostname()))
	}
	for _, h := range c.AllowedHosts {
		hosts = append(hosts, hostname(h))
	}
	return hosts
}

// hostname is the name in a Host header, without port and brackets.
func hostname(host string) string {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	return strings.ToLower(strings.TrimSuffix(strings.TrimPrefix(host, "["), "]"))
}

// originOf is the origin of a URL as browsers send it.
func originOf(raw string) string {
	u, err := url.Parse(raw)
	if err != nil || u.Scheme == "" || u.Host == "" {
		return ""
	}
	return u.Scheme + "://" + strings.ToLower(u.Host)
}

// foreign tells whether a page of another origin sent the request. Programs send
// neither Origin nor Sec-Fetch-Site.
func (a *api) foreign(r *http.Request) bool {
	if a.origins.Check(r) != nil {
		return true // a writing method across sites
	}
	origin := r.Header.Get("Origin")
	if origin == "" {
		return embedded(r)
	}
	if origin == originOf(a.Config.PublicURL) {
		return false
	}
	u, err := url.Parse(origin)
	return err != nil || u.Host == "" || !strings.EqualFold(u.Host, r.Host)
}

// embedded tells whether another site's page asks for a picture, script or the like, which
// names no origin. A signed link is made to be shown elsewhere; following one is no embedding.
func embedded(r *http.Request) bool {
	site := r.Header.Get("Sec-Fetch-Site")
	return (site == "cross-site" || site == "same-site") && r.Header.Get("Sec-Fetch-Mode") != "navigate" && r.URL.Query().Get("signature") == ""
}

// local is where a call comes from that crosses no network: the socket, or this process.
const local = "local"

// clientIP is the peer, or whom a trusted proxy says it speaks for.
func clientIP(r *http.Request, trusted []netip.Prefix) string {
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return local
	}
	ip := peer.Addr().Unmap()
	hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for _, hop := range slices.Backward(hops) {
		if !within(ip, trusted) {
			break
		}
		next, err := netip.ParseAddr(strings.TrimSpace(hop))
		if err != nil {
			break
		}
		ip = next.Unmap()
	}
	return ip.String()
}

// Address is where a request that came through Front comes from: the peer, or whom a
// trusted proxy says it speaks for.
func Address(r *http.Request) string { return recordOf(r).ip }

func within(ip netip.Addr, prefixes []netip.Prefix) bool {
	return slices.ContainsFunc(prefixes, func(p netip.Prefix) bool { return p.Contains(ip) })
}
