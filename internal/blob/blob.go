// Package blob keeps files in a local folder under the SHA-256 of their content.
//
// A file is whole or absent: it is written beside its place, synced, and renamed. It is
// put before the row that names it, so a crash leaves at most an orphan, which Sweep
// removes.
package blob

import (
	"archive/tar"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"path"
	"regexp"
	"runtime"
	"sync"
	"time"

	"humanops-mcp/internal/ident"
	"humanops-mcp/schemas"
)

const incoming = "incoming" // where files are while they are being written

var shaPattern = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^[0-9a-f]{64}$`)
})

// Ref names a stored file.
type Ref struct {
	SHA256 string
	Size   int64
}

// Store is a folder of files. Nothing it does reaches outside that folder.
type Store struct {
	root *os.Root
	// placing keeps Sweep from removing a file in the moment the same content is put
	// again.
	placing sync.Mutex
}

// Open opens the folder, and makes it when it is missing.
func Open(dir string) (*Store, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make the folder for proof files: %w", err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("open the folder for proof files: %w", err)
	}
	if err := root.MkdirAll(incoming, 0o700); err != nil {
		root.Close()
		return nil, fmt.Errorf("make the folder for incoming files: %w", err)
	}
	return &Store{root: root}, nil
}

// Close lets go of the folder.
func (s *Store) Close() error { return s.root.Close() }

// Put stores what r holds, at most limit bytes. When it returns, the file is on disk
// under its hash. Putting the same content again renews the file's age.
func (s *Store) Put(ctx context.Context, r io.Reader, limit int64) (Ref, error) {
	name := path.Join(incoming, ident.New("in_"))
	ref, err := s.write(ctx, name, r, limit)
	if err == nil {
		err = s.place(name, ref.SHA256)
	}
	if err != nil {
		return Ref{}, errors.Join(err, ignoreMissing(s.root.Remove(name)))
	}
	return ref, nil
}

func (s *Store) write(ctx context.Context, name string, r io.Reader, limit int64) (ref Ref, err error) {
	f, err := s.root.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return Ref{}, fmt.Errorf("store a file: %w", err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()

	sum := sha256.New()
	n, err := copyLimited(ctx, f, sum, r, limit)
	if err != nil {
		return Ref{}, err
	}
	if err := f.Sync(); err != nil {
		return Ref{}, fmt.Errorf("store a file: %w", err)
	}
	return Ref{hex.EncodeToString(sum.Sum(nil)), n}, nil
}

func copyLimited(ctx context.Context, f io.Writer, sum hash.Hash, r io.Reader, limit int64) (int64, error) {
	n, err := io.Copy(io.MultiWriter(f, sum), io.LimitReader(cancellable{ctx, r}, limit+1))
	if err != nil {
		return 0, fmt.Errorf("store a file: %w", err)
	}
	if n > limit {
		return 0, schemas.NewError(schemas.CodeTooLarge, fmt.Sprintf("A file may have at most %d bytes (%.0f MB); this one has more. Send a smaller one.", limit, float64(limit)/1e6))
	}
	return n, nil
}

// place renames a finished file to its place. The rename is atomic, so that any number
// of callers may put the same content at once.
func (s *Store) place(name, sha string) error {
	s.placing.Lock()
	defer s.placing.Unlock()
	if err := s.root.MkdirAll(sha[:2], 0o700); err != nil {
		return fmt.Errorf("store a file: %w", err)
	}
	if err := s.root.Rename(name, place(sha)); err != nil {
		return fmt.Errorf("store a file: %w", err)
	}
	return errors.Join(s.syncFolder(sha[:2]), s.syncFolder("."))
}

// Open opens a stored file for reading. The caller closes it.
func (s *Store) Open(sha string) (*os.File, error) {
	if !shaPattern().MatchString(sha) {
		return nil, missing()
	}
	f, err := s.root.Open(place(sha))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, missing()
	}
	return f, err
}

// Sweep removes unfinished files and files that nobody uses, when they are older than
// the given time. It tells how many it removed.
func (s *Store) Sweep(ctx context.Context, olderThan time.Time, inUse func(ctx context.Context, sha string) (bool, error)) (removed int, err error) {
	err = s.walk(ctx, func(name, sha string) error {
		if !s.older(name, olderThan) {
			return nil
		}
		if sha != "" {
			used, err := inUse(ctx, sha)
			if err != nil || used {
				return err
			}
		}
		gone, err := s.removeOld(name, olderThan)
		if gone {
			removed++
		}
		return err
	})
	return removed, err
}

// removeOld looks at the age once more, under the lock that place holds: somebody may
// have put the same content since inUse was asked.
func (s *Store) removeOld(name string, olderThan time.Time) (bool, error) {
	s.placing.Lock()
	defer s.placing.Unlock()
	if !s.older(name, olderThan) {
		return false, nil
	}
	err := s.root.Remove(name)
	return err == nil, ignoreMissing(err)
}

func (s *Store) older(name string, than time.Time) bool {
	info, err := s.root.Stat(name)
	return err == nil && info.ModTime().Before(than)
}

// Copy writes every stored file to a tar archive as blobs/<first two digits>/<hash>.
func (s *Store) Copy(ctx context.Context, w *tar.Writer) error {
	return s.walk(ctx, func(name, sha string) error {
		if sha == "" {
			return nil
		}
		return s.copyOne(w, name)
	})
}

func (s *Store) copyOne(w *tar.Writer, name string) error {
	f, err := s.root.Open(name)
	if err != nil {
		return ignoreMissing(err) // deleted meanwhile
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	header := &tar.Header{Typeflag: tar.TypeReg, Name: path.Join("blobs", name), Size: info.Size(), Mode: 0o600, ModTime: info.ModTime()}
	if err := w.WriteHeader(header); err != nil {
		return err
	}
	_, err = io.Copy(w, f)
	return err
}

// walk visits stored files with their hash and unfinished ones without.
func (s *Store) walk(ctx context.Context, visit func(name, sha string) error) error {
	return fs.WalkDir(s.root.FS(), ".", func(name string, entry fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil // removed while walking
		}
		if err := errors.Join(err, ctx.Err()); err != nil {
			return err
		}
		folder, base := path.Split(name)
		switch {
		case entry.IsDir():
			return nil
		case folder == incoming+"/":
			return visit(name, "")
		case shaPattern().MatchString(base) && name == place(base):
			return visit(name, base)
		}
		return nil // not ours
	})
}

func (s *Store) syncFolder(name string) error {
	if runtime.GOOS == "windows" {
		return nil // folders cannot be synced there; NTFS journals the rename
	}
	f, err := s.root.Open(name)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

func place(sha string) string { return path.Join(sha[:2], sha) }

func missing() error {
	return schemas.NewError(schemas.CodeNotFound, "There is no such file, or it has been removed.")
}

func ignoreMissing(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// cancellable stops reading once the context ends.
type cancellable struct {
	ctx context.Context
	r   io.Reader
}

func (c cancellable) Read(p []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	return c.r.Read(p)
}
