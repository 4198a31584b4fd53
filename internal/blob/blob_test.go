package blob_test

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/iotest"
	"time"

	"github.com/stretchr/testify/require"

	"humanops-mcp/internal/blob"
	"humanops-mcp/schemas"
)

func open(t *testing.T) (*blob.Store, string) {
	dir := filepath.Join(t.TempDir(), "blobs")
	s, err := blob.Open(dir)
	require.NoError(t, err)
	t.Cleanup(func() { s.Close() })
	return s, dir
}

func put(t *testing.T, s *blob.Store, content string) blob.Ref {
	ref, err := s.Put(t.Context(), strings.NewReader(content), 1000)
	require.NoError(t, err)
	return ref
}

func incoming(t *testing.T, dir string) []os.DirEntry {
	entries, err := os.ReadDir(filepath.Join(dir, "incoming"))
	require.NoError(t, err)
	return entries
}

func never(context.Context, string) (bool, error) { return false, nil }

func TestPut(t *testing.T) {
	t.Run("stores a file under its hash", func(t *testing.T) {
		s, dir := open(t)
		ref := put(t, s, "a photo")
		sum := sha256.Sum256([]byte("a photo"))
		require.Equal(t, blob.Ref{SHA256: hex.EncodeToString(sum[:]), Size: 7}, ref)

		f, err := s.Open(ref.SHA256)
		require.NoError(t, err)
		defer f.Close()
		content, err := io.ReadAll(f)
		require.NoError(t, err)
		require.Equal(t, "a photo", string(content))
		require.Empty(t, incoming(t, dir))
	})

	t.Run("takes a file of exactly the limit and refuses one byte more", func(t *testing.T) {
		s, dir := open(t)
		_, err := s.Put(t.Context(), strings.NewReader("12345"), 5)
		require.NoError(t, err)
		_, err = s.Put(t.Context(), strings.NewReader("123456"), 5)
		require.Equal(t, schemas.CodeTooLarge, schemas.ErrorCode(err))
		require.ErrorContains(t, err, "at most 5 bytes")
		require.Empty(t, incoming(t, dir))
	})

	t.Run("leaves nothing behind when the reader fails or the caller gives up", func(t *testing.T) {
		s, dir := open(t)
		_, err := s.Put(t.Context(), iotest.ErrReader(errors.New("connection lost")), 5)
		require.ErrorContains(t, err, "connection lost")
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		_, err = s.Put(ctx, strings.NewReader("x"), 5)
		require.ErrorIs(t, err, context.Canceled)
		require.Empty(t, incoming(t, dir))
	})

	t.Run("lets many put the same content at once while a sweep runs", func(t *testing.T) {
		s, _ := open(t)
		var wg sync.WaitGroup
		for range 20 {
			wg.Go(func() {
				_, err := s.Put(t.Context(), strings.NewReader("the same"), 100)
				if err != nil {
					t.Error(err)
				}
			})
		}
		wg.Go(func() {
			if _, err := s.Sweep(t.Context(), time.Now().Add(-time.Hour), never); err != nil {
				t.Error(err)
			}
		})
		wg.Wait()
		f, err := s.Open(put(t, s, "the same").SHA256)
		require.NoError(t, err)
		require.NoError(t, f.Close())
	})
}

func TestOpen(t *testing.T) {
	t.Run("answers not found for a missing file and for a name that is no hash", func(t *testing.T) {
		s, _ := open(t)
		for _, sha := range []string{strings.Repeat("a", 64), "", "../../etc/passwd", strings.Repeat("A", 64)} {
			_, err := s.Open(sha)
			require.Equal(t, schemas.CodeNotFound, schemas.ErrorCode(err), sha)
		}
	})

	t.Run("does not follow a link out of the folder", func(t *testing.T) {
		s, dir := open(t)
		outside := filepath.Join(t.TempDir(), "secret")
		require.NoError(t, os.WriteFile(outside, []byte("secret"), 0o600))
		sha := strings.Repeat("b", 64)
		require.NoError(t, os.Mkdir(filepath.Join(dir, "bb"), 0o700))
		require.NoError(t, os.Symlink(outside, filepath.Join(dir, "bb", sha)))
		_, err := s.Open(sha)
		require.Error(t, err)
	})
}

func TestSweep(t *testing.T) {
	longAgo := time.Now().Add(-48 * time.Hour)
	yesterday := time.Now().Add(-24 * time.Hour)
	age := func(t *testing.T, dir string, ref blob.Ref) {
		require.NoError(t, os.Chtimes(filepath.Join(dir, ref.SHA256[:2], ref.SHA256), longAgo, longAgo))
	}

	t.Run("removes old orphans and unfinished files and keeps what is used or young", func(t *testing.T) {
		s, dir := open(t)
		orphan, used, young := put(t, s, "orphan"), put(t, s, "used"), put(t, s, "young")
		age(t, dir, orphan)
		age(t, dir, used)
		unfinished := filepath.Join(dir, "incoming", "in_killed")
		require.NoError(t, os.WriteFile(unfinished, []byte("half"), 0o600))
		require.NoError(t, os.Chtimes(unfinished, longAgo, longAgo))
		require.NoError(t, os.WriteFile(filepath.Join(dir, "incoming", "in_running"), []byte("half"), 0o600))

		removed, err := s.Sweep(t.Context(), yesterday, func(_ context.Context, sha string) (bool, error) { return sha == used.SHA256, nil })
		require.NoError(t, err)
		require.Equal(t, 2, removed)
		require.Len(t, incoming(t, dir), 1)
		_, err = s.Open(orphan.SHA256)
		require.Error(t, err)
		for _, kept := range []blob.Ref{used, young} {
			f, err := s.Open(kept.SHA256)
			require.NoError(t, err)
			require.NoError(t, f.Close())
		}
	})

	t.Run("keeps a file that was put again while it asked", func(t *testing.T) {
		s, dir := open(t)
		ref := put(t, s, "again")
		age(t, dir, ref)
		removed, err := s.Sweep(t.Context(), yesterday, func(context.Context, string) (bool, error) {
			put(t, s, "again")
			return false, nil
		})
		require.NoError(t, err)
		require.Zero(t, removed)
	})

	t.Run("removes nothing when it cannot tell what is used", func(t *testing.T) {
		s, dir := open(t)
		ref := put(t, s, "x")
		age(t, dir, ref)
		_, err := s.Sweep(t.Context(), yesterday, func(context.Context, string) (bool, error) { return false, errors.New("database is gone") })
		require.ErrorContains(t, err, "database is gone")
		f, err := s.Open(ref.SHA256)
		require.NoError(t, err)
		require.NoError(t, f.Close())
	})
}

func TestCopy(t *testing.T) {
	t.Run("writes every finished file to the archive", func(t *testing.T) {
		s, dir := open(t)
		ref := put(t, s, "a photo")
		require.NoError(t, os.WriteFile(filepath.Join(dir, "incoming", "in_x"), []byte("half"), 0o600))

		var archive bytes.Buffer
		w := tar.NewWriter(&archive)
		require.NoError(t, s.Copy(t.Context(), w))
		require.NoError(t, w.Close())

		r := tar.NewReader(&archive)
		header, err := r.Next()
		require.NoError(t, err)
		require.Equal(t, "blobs/"+ref.SHA256[:2]+"/"+ref.SHA256, header.Name)
		content, err := io.ReadAll(r)
		require.NoError(t, err)
		require.Equal(t, "a photo", string(content))
		_, err = r.Next()
		require.Equal(t, io.EOF, err)
	})
}
