package app

import (
	"archive/tar"
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"humanops-mcp/internal/account"
	"humanops-mcp/internal/clock"
	"humanops-mcp/internal/job"
	"humanops-mcp/internal/store"
	"humanops-mcp/internal/task"
	"humanops-mcp/schemas"
)

// status is what status, doctor and the start page show.
func (a *App) status(ctx context.Context, _ schemas.Empty) (schemas.PlatformStatus, error) {
	out := schemas.PlatformStatus{
		Version: a.opts.Version, PID: os.Getpid(), StartedAt: a.startedAt, DataDir: a.cfg.DataDir, Database: a.store.Kind(),
		Address: a.opts.Address, PublicURL: a.cfg.PublicURL, Guardian: a.guardian.Method(), Tasks: map[string]int{},
	}
	err := a.store.Read(ctx, func(tx *store.Tx) error { return a.count(ctx, tx, &out) })
	return out, err
}

func (a *App) count(ctx context.Context, tx *store.Tx, out *schemas.PlatformStatus) error {
	people, err := a.accounts.InReach(ctx, tx, "live")
	if err != nil {
		return err
	}
	out.PeopleInReach = len(people)
	if out.Tasks, out.TasksMore, err = task.Count(ctx, tx, account.Live); err != nil {
		return err
	}
	jobs, err := job.Count(ctx, tx)
	out.JobsWaiting, out.JobsDue, out.JobsFailed = jobs.Waiting, jobs.Due, jobs.Failed
	return err
}

const (
	unfinishedBackup = ".backup-"
	backupFile       = "humanops.db"
	backupChunk      = 1 << 20
	// backupStall is how long somebody who is sent a backup may take nothing of it: as long as
	// it goes on, the log beside the database grows.
	backupStall = time.Minute
)

var errStalled = errors.New("nothing of the backup was taken for a minute")

// clearBackups removes the copies of the database that older versions, when they were
// killed, left behind.
func (a *App) clearBackups() error {
	left, err := filepath.Glob(filepath.Join(a.cfg.DataDir, unfinishedBackup+"*"))
	for _, dir := range left {
		err = errors.Join(err, os.RemoveAll(dir))
	}
	return err
}

// backup streams database and files as one tar. The database comes first, as it stood
// at one moment; files are never changed and only removed when no row names them, so
// every file that the copy names follows.
func (a *App) backup(ctx context.Context, _ schemas.Empty) (schemas.Content, error) {
	snapshot, err := a.store.Snapshot(ctx)
	if err != nil {
		return schemas.Content{}, schemas.NewError(schemas.CodeUnprocessable, err.Error())
	}
	reader, writer := io.Pipe()
	go func() {
		out := bufio.NewWriterSize(patient{writer, a.opts.Clock}, backupChunk)
		err := a.writeBackup(ctx, out, snapshot)
		if err == nil {
			err = out.Flush()
		}
		writer.CloseWithError(err)
	}()
	name := "humanops-" + a.opts.Clock.Now().Format("20060102-150405") + ".tar"
	return schemas.Content{Name: name, MIME: "application/x-tar", Size: -1, Body: reader}, nil
}

// patient gives up on a reader who takes nothing.
type patient struct {
	to    *io.PipeWriter
	clock clock.Clock
}

// Write waits for its reader, but not for ever.
func (p patient) Write(b []byte) (int, error) {
	taken := make(chan struct{})
	defer close(taken)
	go func() {
		select {
		case <-taken:
		case <-p.clock.After(backupStall):
			p.to.CloseWithError(errStalled)
		}
	}()
	return p.to.Write(b)
}

func (a *App) writeBackup(ctx context.Context, to io.Writer, database *store.Snapshot) error {
	archive := tar.NewWriter(to)
	header := &tar.Header{Name: backupFile, Mode: 0o600, Size: database.Size, ModTime: a.opts.Clock.Now()}
	err := archive.WriteHeader(header)
	if err == nil {
		err = database.Copy(ctx, archive)
	}
	if err := errors.Join(err, database.Close()); err != nil {
		return fmt.Errorf("back up the database: %w", err)
	}
	if err := a.blobs.Copy(ctx, archive); err != nil {
		return fmt.Errorf("back up the files: %w", err)
	}
	return archive.Close()
}
