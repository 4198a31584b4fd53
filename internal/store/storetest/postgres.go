package storetest

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver "pgx"
	"github.com/stretchr/testify/require"

	"humanops-mcp/internal/clock"
	"humanops-mcp/internal/ident"
	"humanops-mcp/internal/store"
	"humanops-mcp/internal/toolchain"
)

const (
	serverEnv  = "HUMANOPS_TEST_POSTGRES" // a running server's address
	startLimit = 60 * time.Second
)

// errNoServer says that nothing can be started here.
var errNoServer = errors.New("neither " + serverEnv + " nor a PostgreSQL to start")

// server is the one that this process's tests share; launched is it when it is ours.
var (
	server   = sync.OnceValues(startServer)
	launched *running
)

// Stop ends the server, if tests started one; it would end with this process, but only
// after it. For a TestMain that looks whether everything ended.
func Stop() {
	if launched != nil {
		_ = launched.admin.Close()
		_ = launched.leash.Close()
		_ = launched.supervisor.Wait()
	}
}

type running struct {
	address    *url.URL
	admin      *sql.DB
	leash      io.Closer // the server ends when this closes: with the process, at the latest; nil for somebody else's
	supervisor *exec.Cmd // holds the leash's other end

	model     sync.Once
	modelName string
	modelErr  error
}

// fromNothing makes a database that has nothing in it.
const fromNothing = "ENCODING 'UTF8' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0"

// PostgresURL makes an empty database under a random name, and drops it after the test.
func PostgresURL(t testing.TB) string {
	t.Helper()
	return serverFor(t).create(t, fromNothing)
}

// serverFor is the server, or the end of a test that can do without.
func serverFor(t testing.TB) *running {
	t.Helper()
	srv, err := server()
	if errors.Is(err, errNoServer) {
		toolchain.Lacking(t, err)
	}
	require.NoError(t, err)
	return srv
}

// create makes a database for one test.
func (r *running) create(t testing.TB, how string) string {
	t.Helper()
	name := randomName("test_")
	_, err := r.admin.ExecContext(t.Context(), "CREATE DATABASE "+name+" "+how)
	require.NoError(t, err)
	t.Cleanup(func() {
		_, err := r.admin.ExecContext(context.WithoutCancel(t.Context()), "DROP DATABASE "+name+" WITH (FORCE)")
		require.NoError(t, err)
	})
	return r.url(name)
}

func randomName(prefix string) string {
	return strings.ToLower(ident.New(prefix)) + strings.ToLower(ident.New(""))
}

func (r *running) url(database string) string {
	u := *r.address
	u.Path = "/" + database
	return u.String()
}

// modelDatabase is the name of a migrated, empty database to copy. On a server of somebody
// else's nothing may stay behind, so there each copy is made of nothing and migrated.
func (r *running) modelDatabase() (string, error) {
	if r.leash == nil {
		return "template0 ENCODING 'UTF8' LC_COLLATE 'C' LC_CTYPE 'C'", nil
	}
	r.model.Do(func() {
		name := randomName("model_")
		if _, r.modelErr = r.admin.ExecContext(context.Background(), "CREATE DATABASE "+name+" "+fromNothing); r.modelErr != nil {
			return
		}
		r.modelName, r.modelErr = name, migrated(store.Options{DatabaseURL: r.url(name), Clock: clock.NewFake(Start)})
	})
	return r.modelName, r.modelErr
}

func startServer() (*running, error) {
	if address := os.Getenv(serverEnv); address != "" {
		u, err := url.Parse(address)
		if err != nil {
			return nil, fmt.Errorf("%s is no address", serverEnv)
		}
		return connect(u)
	}
	initdb, err := toolchain.Postgres.Find()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errNoServer, err)
	}
	return launch(filepath.Dir(initdb))
}

// supervise runs the server until its input closes, as it does when the tests end
// however they end, and then removes everything.
const supervise = `
"$1/postgres" -D "$2/data" -k "$2" -c listen_addresses= -c fsync=off -c synchronous_commit=off \
  -c full_page_writes=off -c max_connections=300 -c shared_buffers=32MB >"$2/log" 2>&1 &
read -r _
kill -QUIT $!
wait $!
rm -rf "$2"`

func launch(bin string) (*running, error) {
	dir, err := os.MkdirTemp("", "hopg")
	if err != nil {
		return nil, err
	}
	if err := giveAway(dir); err != nil {
		return nil, err
	}
	initdb := command(dir, filepath.Join(bin, "initdb"), "-D", filepath.Join(dir, "data"), "-U", "humanops", "-A", "trust",
		"-E", "UTF8", "--locale=C", "--no-sync", "--no-instructions")
	if out, err := initdb.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("initdb: %w: %s", err, out)
	}
	postgres := command(dir, "sh", "-c", supervise, "sh", bin, dir)
	leash, err := postgres.StdinPipe()
	if err != nil {
		return nil, err
	}
	if err := postgres.Start(); err != nil {
		return nil, err
	}
	launched, err = connect(&url.URL{
		Scheme: "postgres", User: url.User("humanops"), Path: "/postgres",
		RawQuery: url.Values{"host": {dir}, "sslmode": {"disable"}}.Encode(),
	})
	if err != nil {
		_ = leash.Close()
		return nil, err
	}
	launched.leash, launched.supervisor = leash, postgres
	return launched, nil
}

// connect waits until the server answers.
func connect(address *url.URL) (*running, error) {
	admin, err := sql.Open("pgx", address.String())
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), startLimit)
	defer cancel()
	for {
		err := admin.PingContext(ctx)
		if err == nil {
			return &running{address: address, admin: admin}, nil
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("PostgreSQL did not start: %w", err)
		case <-clock.System().After(20 * time.Millisecond):
		}
	}
}
