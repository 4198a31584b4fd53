package account_test

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"humanops-mcp/internal/account"
	"humanops-mcp/internal/clock"
	"humanops-mcp/internal/store"
	"humanops-mcp/internal/store/storetest"
	"humanops-mcp/schemas"
)

// bench is a house and its service.
type bench struct {
	t     *testing.T
	store *store.Store
	clock *clock.Fake
	*account.Service
	credentials *account.Credentials
}

// each runs a test on both databases, in a house of its own.
func each(t *testing.T, test func(t *testing.T, b *bench)) {
	storetest.Each(t, func(t *testing.T, s *store.Store, clk *clock.Fake) {
		b := &bench{t: t, store: s, clock: clk, Service: account.NewService(account.Config{
			PublicURL: "https://house.example/", LocalCredit: 1000 * schemas.USD,
		})}
		b.credentials = write(b, account.Caller{}, func(ctx context.Context, tx *store.Tx, _ struct{}) (*account.Credentials, error) {
			return b.EnsureHouse(ctx, tx)
		}, struct{}{})
		clk.Advance(time.Second) // so that the first owner is first
		test(t, b)
	})
}

type method[In, Out any] = func(ctx context.Context, tx *store.Tx, in In) (Out, error)

// try calls a method in a transaction of its own.
func try[In, Out any](b *bench, c account.Caller, f method[In, Out], in In) (out Out, err error) {
	ctx := account.With(context.Background(), c)
	err = b.store.Write(ctx, func(tx *store.Tx) error {
		out, err = f(ctx, tx, in)
		return err
	})
	return out, err
}

// write is try for what must succeed.
func write[In, Out any](b *bench, c account.Caller, f method[In, Out], in In) Out {
	b.t.Helper()
	out, err := try(b, c, f, in)
	require.NoError(b.t, err)
	return out
}

// read calls a method in a read-only transaction.
func read[In, Out any](b *bench, f method[In, Out], in In) (out Out, err error) {
	ctx := context.Background()
	err = b.store.Read(ctx, func(tx *store.Tx) error {
		out, err = f(ctx, tx, in)
		return err
	})
	return out, err
}

func (b *bench) exec(text string, args ...any) {
	b.t.Helper()
	storetest.Exec(b.t, b.store, text, args...)
}

func (b *bench) touch(c account.Caller) {
	b.t.Helper()
	ctx := context.Background()
	require.NoError(b.t, b.store.Write(ctx, func(tx *store.Tx) error { return b.Touch(ctx, tx, c) }))
}

// keyCaller is who the key belongs to.
func (b *bench) keyCaller(key string) account.Caller {
	b.t.Helper()
	c, err := read(b, b.AuthenticateKey, key)
	require.NoError(b.t, err)
	return c
}

// add adds a person a second later than whoever came before, so that lists are in order.
func (b *bench) add(name string) schemas.PersonWithLink {
	b.t.Helper()
	b.clock.Advance(time.Second)
	return write(b, account.Caller{}, b.AddPerson, schemas.AddPersonRequest{Name: name})
}

// signIn uses up a person's link.
func (b *bench) signIn(url string) string {
	b.t.Helper()
	return write(b, account.Caller{}, func(ctx context.Context, tx *store.Tx, token string) (string, error) {
		session, _, err := b.SignIn(ctx, tx, token)
		return session, err
	}, linkToken(b.t, url))
}

func (b *bench) trySignIn(token string) error {
	_, err := try(b, account.Caller{}, func(ctx context.Context, tx *store.Tx, token string) (string, error) {
		session, _, err := b.SignIn(ctx, tx, token)
		return session, err
	}, token)
	return err
}

func linkToken(t *testing.T, url string) string {
	t.Helper()
	token, ok := strings.CutPrefix(url, "https://house.example"+account.LinkPath)
	require.True(t, ok, url)
	require.True(t, strings.HasPrefix(token, "hol_"))
	return token
}

func (b *bench) reach(mode string) []string {
	b.t.Helper()
	people, err := read(b, b.InReach, mode)
	require.NoError(b.t, err)
	names := []string{}
	for _, p := range people {
		names = append(names, p.Name)
	}
	return names
}

func requireCode(t *testing.T, code schemas.Code, err error) {
	t.Helper()
	require.Error(t, err)
	require.Equal(t, code, schemas.ErrorCode(err), err.Error())
}

// together runs f n times at once and counts the successes.
func together(n int, f func(i int) error) (won int, errs []error) {
	all := make([]error, n)
	var group sync.WaitGroup
	for i := range n {
		group.Go(func() { all[i] = f(i) })
	}
	group.Wait()
	for _, err := range all {
		if err == nil {
			won++
			continue
		}
		errs = append(errs, err)
	}
	return won, errs
}

// requireNotStored looks for a secret in every text of the database, and on SQLite in
// the bytes of the file too.
func (b *bench) requireNotStored(secrets ...string) {
	b.t.Helper()
	ctx := b.t.Context()
	for _, table := range []string{"facts", "people", "sessions", "sign_in_links", "agents", "api_keys", "subjects", "trail", "jobs", "idempotency_keys"} {
		rows, err := storetest.Raw(b.t, b.store).QueryContext(ctx, "SELECT * FROM "+table)
		require.NoError(b.t, err)
		text, err := dump(rows)
		require.NoError(b.t, err)
		for _, secret := range secrets {
			require.NotContains(b.t, text, secret, table)
		}
	}
	if b.store.Kind() != "sqlite" {
		return
	}
	file := filepath.Join(b.t.TempDir(), "copy.db")
	require.NoError(b.t, b.store.BackupTo(ctx, file))
	raw, err := os.ReadFile(file)
	require.NoError(b.t, err)
	for _, secret := range secrets {
		require.False(b.t, bytes.Contains(raw, []byte(secret)))
	}
}

func dump(rows *sql.Rows) (text string, err error) {
	defer func() { err = errors.Join(err, rows.Err(), rows.Close()) }()
	columns, err := rows.Columns()
	if err != nil {
		return "", err
	}
	for rows.Next() {
		values, into := make([]any, len(columns)), make([]any, len(columns))
		for i := range values {
			into[i] = &values[i]
		}
		if err := rows.Scan(into...); err != nil {
			return "", err
		}
		text += fmt.Sprintf("%s\n", values)
	}
	return text, nil
}
