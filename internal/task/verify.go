package task

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"humanops-mcp/internal/account"
	"humanops-mcp/internal/change"
	"humanops-mcp/internal/guardian"
	"humanops-mcp/internal/job"
	"humanops-mcp/internal/photo"
	"humanops-mcp/internal/store"
	"humanops-mcp/internal/store/db"
	"humanops-mcp/schemas"
)

// smallCopies are a file's two copies without location, as they lie in the blob store.
type smallCopies struct {
	n                    int64
	largeSHA, thumbSHA   string
	largeSize, thumbSize int64
	mime                 string
}

// makeCopies makes the copies of a submission's photos one after the other, and then
// has the submission verified.
func (s *Service) makeCopies(ctx context.Context, j job.Job[submissionArgs]) (job.Finish, error) {
	args := j.Args
	files, err := s.filesOf(ctx, args)
	if err != nil {
		return nil, err
	}
	made := make([]smallCopies, 0, len(files))
	for _, f := range files {
		copies, err := s.copiesOf(ctx, f)
		var damaged *schemas.Error
		if errors.As(err, &damaged) {
			s.Logger.WarnContext(ctx, "a proof photo is damaged; the others go on", "task", f.TaskID, "photo", f.N, "error", err)
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("copies of photo %d of %s: %w", f.N, f.TaskID, err)
		}
		made = append(made, copies)
	}
	return func(ctx context.Context, tx *store.Tx) error {
		for _, c := range made {
			err := tx.SetCopies(ctx, db.SetCopiesParams{
				TaskID: args.TaskID, N: c.n, LargeSha: c.largeSHA, LargeBytes: c.largeSize,
				ThumbSha: c.thumbSHA, ThumbBytes: c.thumbSize, CopyMime: c.mime,
			})
			if err != nil {
				return err
			}
		}
		return s.verify(ctx, tx, args)
	}, nil
}

func (s *Service) filesOf(ctx context.Context, args submissionArgs) (files []db.ProofFile, err error) {
	err = s.Store.Read(ctx, func(tx *store.Tx) error {
		files, err = tx.ListSubmissionFiles(ctx, db.ListSubmissionFilesParams{TaskID: args.TaskID, Submission: args.Number})
		return err
	})
	return files, err
}

func (s *Service) copiesOf(ctx context.Context, f db.ProofFile) (c smallCopies, err error) {
	original, err := s.Blobs.Open(f.Sha256)
	if err != nil {
		return c, err
	}
	defer original.Close()
	large, thumb, mime, err := photo.Copies(original, photo.Info{})
	if err != nil {
		return c, err
	}
	largeRef, err := s.Blobs.Put(ctx, bytes.NewReader(large), maxFileBytes)
	if err != nil {
		return c, err
	}
	thumbRef, err := s.Blobs.Put(ctx, bytes.NewReader(thumb), maxFileBytes)
	return smallCopies{f.N, largeRef.SHA256, thumbRef.SHA256, largeRef.Size, thumbRef.Size, mime}, err
}

// copiesFailed goes on without the pictures: people decide what Guardian cannot see.
func (s *Service) copiesFailed(ctx context.Context, tx *store.Tx, j job.Job[submissionArgs], cause error) error {
	s.Logger.ErrorContext(ctx, "copies of proof photos could not be made", "job", j.ID, "error", cause)
	return s.verify(ctx, tx, j.Args)
}

// verify has Guardian look at the submission; in test mode a simulated one does.
func (s *Service) verify(ctx context.Context, tx *store.Tx, args submissionArgs) error {
	t, err := s.life.Find(ctx, tx, args.TaskID)
	if err != nil || !awaitsVerdict(t, args.Number) {
		return err
	}
	if t.Mode == account.Test {
		return s.simulateNext(ctx, tx, t)
	}
	return guardianKind.Enqueue(ctx, tx, args, job.Options{Owner: t.AgentID, Priority: job.PriorityOf(t.Mode)})
}

// awaitsVerdict tells whether a verdict on that submission is still of use.
func awaitsVerdict(t task, number int64) bool {
	return schemas.TaskStatus(t.Status) == schemas.Submitted && t.Submission == number
}

// askGuardian reads the pictures and asks Guardian, outside of any transaction.
func (s *Service) askGuardian(ctx context.Context, j job.Job[submissionArgs]) (job.Finish, error) {
	args := j.Args
	var (
		t     task
		sub   db.Submission
		files []db.ProofFile
	)
	err := s.Store.Read(ctx, func(tx *store.Tx) (err error) {
		if t, err = s.life.Find(ctx, tx, args.TaskID); err != nil || !awaitsVerdict(t, args.Number) {
			return err
		}
		if sub, err = tx.FindSubmission(ctx, db.FindSubmissionParams{TaskID: args.TaskID, Number: args.Number}); err != nil {
			return err
		}
		files, err = tx.ListSubmissionFiles(ctx, db.ListSubmissionFilesParams{TaskID: args.TaskID, Submission: args.Number})
		return err
	})
	if err != nil || sub.TaskID == "" {
		return nil, err
	}
	verdict, err := s.check(ctx, t, sub, files)
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context, tx *store.Tx) error { return s.lockAndApply(ctx, tx, args, verdict) }, nil
}

func (s *Service) check(ctx context.Context, t task, sub db.Submission, files []db.ProofFile) (schemas.Verdict, error) {
	in := guardian.Input{
		Title: t.Title, Description: t.Description, TaskType: t.TaskType, Requirements: requirements(t), Note: sub.Note, Files: len(files),
	}
	for _, f := range files {
		if f.LargeSha == "" {
			continue
		}
		raw, err := s.readBlob(f.LargeSha)
		if err != nil {
			return schemas.Verdict{}, err
		}
		in.Images = append(in.Images, guardian.Image{MIME: f.CopyMime, Data: raw})
	}
	return s.Guardian.Check(ctx, in)
}

func (s *Service) readBlob(sha string) ([]byte, error) {
	f, err := s.Blobs.Open(sha)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, maxFileBytes))
}

// guardianFailed hands the submission to people.
func (s *Service) guardianFailed(ctx context.Context, tx *store.Tx, j job.Job[submissionArgs], cause error) error {
	s.Logger.WarnContext(ctx, "guardian gave no verdict; people decide", "job", j.ID, "error", cause)
	return s.lockAndApply(ctx, tx, j.Args, schemas.Verdict{
		Decision: "unsure", Method: "timeout", CheckedAt: tx.Now(), Reasons: []string{"Guardian could not be reached, so a person decides."},
	})
}

func (s *Service) lockAndApply(ctx context.Context, tx *store.Tx, args submissionArgs, v schemas.Verdict) error {
	t, err := s.life.Lock(ctx, tx, args.TaskID)
	if err != nil || !awaitsVerdict(t, args.Number) {
		return err
	}
	_, err = s.applyVerdict(ctx, tx, t, v)
	return err
}

// byItself is Guardian.
var byItself = change.Actor{ID: "guardian", Via: "guardian"}

// applyVerdict writes the verdict down and moves the task on; what is verified is paid.
func (s *Service) applyVerdict(ctx context.Context, tx *store.Tx, t task, v schemas.Verdict) (task, error) {
	raw, err := json.Marshal(v)
	if err != nil {
		return t, fmt.Errorf("write down the verdict: %w", err)
	}
	if err := tx.SetVerdict(ctx, db.SetVerdictParams{Verdict: string(raw), TaskID: t.ID, Number: t.Submission}); err != nil {
		return t, err
	}
	event, by := guardianEvent(v, t.Mode), byItself
	if v.Method == "timeout" {
		by = change.Timeout
	}
	if event == GuardianReject {
		left, err := hasLeft(ctx, tx, t)
		if err != nil {
			return t, err
		}
		if left {
			event = GuardianUnsure // nobody is there to submit again
		}
	}
	if event == GuardianApprove {
		d := schemas.Decision{Decision: schemas.ProofApprove, DecidedBy: "guardian", DecidedVia: "guardian", DecidedAt: tx.Now()}
		if err := s.keepDecision(ctx, tx, t, d); err != nil {
			return t, err
		}
	}
	moved, err := s.life.Move(ctx, tx, t, move{
		Event: event, By: by, With: Judged{t.Submission, v.Confidence, v.Method, v.Reasons},
		Edit: func(t *task) {
			if event == GuardianReject {
				t.GuardianRejections++
			}
		}})
	if err != nil {
		return t, err
	}
	return s.settle(ctx, tx, moved, by)
}
