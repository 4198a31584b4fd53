package daemon

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"
)

// Listen opens the local socket. The caller holds the lock, so a socket that is there
// already was left behind by a platform that did not end in order.
func (f Files) Listen() (net.Listener, error) {
	if err := ownFolder(filepath.Dir(f.Socket)); err != nil {
		return nil, err
	}
	if err := os.Remove(f.Socket); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("remove the old socket %s: %w", f.Socket, reason(err))
	}
	listener, err := new(net.ListenConfig).Listen(context.Background(), "unix", f.Socket)
	if err != nil {
		return nil, fmt.Errorf("open the local socket %s: %w", f.Socket, err)
	}
	if err := os.Chmod(f.Socket, 0o600); err != nil {
		return nil, errors.Join(err, listener.Close())
	}
	return listener, nil
}

// ownFolder makes the folder of the socket, and refuses one that somebody else made or
// can look into: they could put their own socket there.
func ownFolder(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("make the folder %s for the local socket: %w. Set XDG_RUNTIME_DIR or TMPDIR to a folder of your own", dir, reason(err))
	}
	info, err := os.Lstat(dir)
	if err != nil {
		return err
	}
	if !info.IsDir() || foreign(info) || exposed(info) {
		return fmt.Errorf("the folder %s for the local socket must be yours alone (mode 0700). Remove it, or set XDG_RUNTIME_DIR or TMPDIR to a folder of your own", dir)
	}
	return nil
}

const healthTimeout = 2 * time.Second

// Healthy asks the platform on the socket whether it is well.
func (f Files) Healthy(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, healthTimeout)
	defer cancel()
	transport := &http.Transport{DisableKeepAlives: true, DialContext: f.Dial}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://localhost/healthz", nil)
	if err != nil {
		return false
	}
	response, err := transport.RoundTrip(request)
	if err != nil {
		return false
	}
	defer response.Body.Close()
	_, err = io.Copy(io.Discard, io.LimitReader(response.Body, 64<<10))
	return err == nil && response.StatusCode == http.StatusOK
}

// Dial connects to the running platform; network and address are ignored.
func (f Files) Dial(ctx context.Context, _, _ string) (net.Conn, error) {
	path := f.socket()
	if info, err := os.Lstat(path); err == nil && foreign(info) {
		return nil, fmt.Errorf("the local socket %s belongs to another user", path)
	}
	return new(net.Dialer).DialContext(ctx, "unix", path)
}
