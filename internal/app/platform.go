package app

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"humanops-mcp/internal/account"
	"humanops-mcp/internal/change"
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
	if out.Tasks, err = change.Count(ctx, tx, task.Name, account.Live); err != nil {
		return err
	}
	jobs, err := job.Count(ctx, tx)
	out.JobsWaiting, out.JobsDue, out.JobsFailed = jobs.Waiting, jobs.Due, jobs.Failed
	return err
}

const unfinishedBackup = ".backup-"

// clearBackups removes the copies of the database that a killed platform left behind.
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
	dir, err := os.MkdirTemp(a.cfg.DataDir, unfinishedBackup)
	if err != nil {
		return schemas.Content{}, err
	}
	file := filepath.Join(dir, "humanops.db")
	if err := a.store.BackupTo(ctx, file); err != nil {
		_ = os.RemoveAll(dir)
		return schemas.Content{}, schemas.NewError(schemas.CodeUnprocessable, err.Error())
	}
	reader, writer := io.Pipe()
	go func() {
		defer os.RemoveAll(dir)
		writer.CloseWithError(a.writeBackup(ctx, writer, file))
	}()
	name := "humanops-" + a.opts.Clock.Now().Format("20060102-150405") + ".tar"
	return schemas.Content{Name: name, MIME: "application/x-tar", Size: -1, Body: reader}, nil
}

func (a *App) writeBackup(ctx context.Context, to io.Writer, database string) error {
	archive := tar.NewWriter(to)
	if err := addFile(archive, database); err != nil {
		return fmt.Errorf("back up the database: %w", err)
	}
	if err := a.blobs.Copy(ctx, archive); err != nil {
		return fmt.Errorf("back up the files: %w", err)
	}
	return archive.Close()
}

func addFile(archive *tar.Writer, path string) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return err
	}
	if err := archive.WriteHeader(&tar.Header{Name: filepath.Base(path), Mode: 0o600, Size: info.Size(), ModTime: info.ModTime()}); err != nil {
		return err
	}
	_, err = io.Copy(archive, file)
	return err
}
