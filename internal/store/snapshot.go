package store

import (
	"context"
	"database/sql"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"humanops-mcp/internal/clock"
)

// Snapshot is a whole SQLite database as it was at one moment. It is read from a connection
// of its own, page by page, so that others read and write meanwhile; only the log beside the
// database grows until it is closed. It takes no room, and begins at once.
type Snapshot struct {
	Size     int64 // in bytes
	conn     *sql.Conn
	pageSize int64
}

// Snapshot pins the database as it is now. Close gives it back.
func (s *Store) Snapshot(ctx context.Context) (*Snapshot, error) { return s.engine.snapshot(ctx) }

// BackupTo writes a whole, consistent copy of the database to a new file.
func (s *Store) BackupTo(ctx context.Context, path string) error {
	snapshot, err := s.Snapshot(ctx)
	if err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600)
	if err != nil {
		return errors.Join(fmt.Errorf("the backup cannot be made: %w", err), snapshot.Close())
	}
	if err := errors.Join(snapshot.Copy(ctx, f), snapshot.Close(), f.Sync(), f.Close()); err != nil {
		return errors.Join(wrap("backing up", err), os.Remove(path))
	}
	return nil
}

func (e *liteEngine) snapshot(ctx context.Context) (*Snapshot, error) {
	conn, err := e.pool.Conn(ctx)
	if err != nil {
		return nil, err
	}
	s := &Snapshot{conn: conn}
	var pages, schema int64
	if _, err = conn.ExecContext(ctx, "BEGIN"); err == nil { // the first read pins the moment
		err = errors.Join(conn.QueryRowContext(ctx, "SELECT COUNT(*) FROM sqlite_schema").Scan(&schema),
			conn.QueryRowContext(ctx, "PRAGMA page_count").Scan(&pages), conn.QueryRowContext(ctx, "PRAGMA page_size").Scan(&s.pageSize))
	}
	if err != nil {
		return nil, errors.Join(wrap("backing up", err), s.Close())
	}
	s.Size = pages * s.pageSize
	return s, nil
}

// Close gives the connection back.
func (s *Snapshot) Close() error {
	_, err := s.conn.ExecContext(context.Background(), "ROLLBACK")
	return errors.Join(err, s.conn.Close())
}

// restEvery is after how many pages a copy rests, for as long as they took: with it, others
// have at least half of the processor that it is on.
const (
	restEvery   = 64
	longestRest = 20 * time.Millisecond
)

// Copy writes the database. What was deleted from it is not in the copy, as far as whole
// pages are free.
func (s *Snapshot) Copy(ctx context.Context, w io.Writer) error {
	free, err := s.freePages(ctx)
	if err != nil {
		return err
	}
	rows, err := s.conn.QueryContext(ctx, "SELECT data FROM sqlite_dbpage")
	if err != nil {
		return err
	}
	defer rows.Close()
	empty := make([]byte, s.pageSize)
	written, began := int64(0), time.Now()
	for page := int64(1); rows.Next(); page++ {
		var data sql.RawBytes
		if err := rows.Scan(&data); err != nil {
			return err
		}
		content := []byte(data)
		if kept, is := free[page]; is {
			content = append(content[:kept:kept], empty[kept:]...)
		}
		n, err := w.Write(content)
		written += int64(n)
		if err != nil {
			return err
		}
		if page%restEvery == 0 {
			<-clock.System().After(min(time.Since(began), longestRest))
			began = time.Now()
		}
	}
	if err := rows.Err(); err != nil || written == s.Size {
		return err
	}
	return fmt.Errorf("the copy has %d bytes instead of %d", written, s.Size)
}

// What SQLite keeps where, in bytes: https://sqlite.org/fileformat2.html#the_freelist
const (
	firstFree = 32 // in the header: the first page that lists free ones
	listHead  = 8  // of such a page: where the next is, and how many it lists
	pageEntry = 4
)

// freePages are the pages that hold nothing, with how many of their first bytes count.
func (s *Snapshot) freePages(ctx context.Context) (map[int64]int64, error) {
	header, err := s.page(ctx, 1)
	if err != nil {
		return nil, err
	}
	free := map[int64]int64{}
	for list := number(header, firstFree); list != 0; {
		content, err := s.page(ctx, list)
		if err != nil {
			return nil, err
		}
		count := min(number(content, pageEntry), (s.pageSize-listHead)/pageEntry)
		free[list] = listHead + count*pageEntry
		for i := range count {
			free[number(content, listHead+i*pageEntry)] = 0
		}
		next := number(content, 0)
		if _, seen := free[next]; seen {
			break
		}
		list = next
	}
	return free, nil
}

func (s *Snapshot) page(ctx context.Context, n int64) (content []byte, err error) {
	err = s.conn.QueryRowContext(ctx, "SELECT data FROM sqlite_dbpage WHERE pgno = ?1", n).Scan(&content)
	return content, err
}

func number(content []byte, at int64) int64 { return int64(binary.BigEndian.Uint32(content[at:])) }
