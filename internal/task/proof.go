package task

import (
	"context"
	"errors"
	"fmt"

	"humanops-mcp/internal/account"
	"humanops-mcp/internal/blob"
	"humanops-mcp/internal/change"
	"humanops-mcp/internal/check"
	"humanops-mcp/internal/job"
	"humanops-mcp/internal/photo"
	"humanops-mcp/internal/store"
	"humanops-mcp/internal/store/db"
	"humanops-mcp/schemas"
)

// staged is a file that lies in the blob store, before it is in any row.
type staged struct {
	blob.Ref
	photo.Info
}

// submissionArgs name a submission in a job.
type submissionArgs struct {
	TaskID string `json:"task_id"`
	Number int64  `json:"number"`
}

// SubmitProof hands in the proof. The files are stored first, each whole under its hash;
// then one transaction of its own makes the submission. What is stored and then refused
// is swept away later.
func (s *Service) SubmitProof(ctx context.Context, in schemas.SubmitProofRequest) (out schemas.OperatorTask, err error) {
	if err := checkProof(&in); err != nil {
		return out, err
	}
	if err := s.Store.Read(ctx, func(tx *store.Tx) error { return s.maySubmit(ctx, tx, in.TaskID) }); err != nil {
		return out, err
	}
	files, err := s.stage(ctx, in.Files)
	if err != nil {
		return out, err
	}
	err = s.Store.Write(ctx, func(tx *store.Tx) error {
		t, err := s.lockForSubmit(ctx, tx, in.TaskID, files)
		if err != nil {
			return err
		}
		if t, err = s.submit(ctx, tx, t, in, files, account.From(ctx).Actor()); err != nil {
			return err
		}
		out, err = s.operatorAnswer(ctx, tx, t)
		return err
	})
	return out, err
}

func checkProof(in *schemas.SubmitProofRequest) error {
	var p check.Problems
	p.Text("note", &in.Note, 0, maxNote)
	p.Within("lat", in.Lat, -90, 90)
	p.Within("lng", in.Lng, -180, 180)
	p.Within("accuracy_m", in.AccuracyM, 0, 1_000_000)
	if (in.Lat == nil) != (in.Lng == nil) {
		p.Add("lat", "and lng must come together; got one of them")
	}
	if in.Note == "" && len(in.Files) == 0 {
		p.Add("files", "must have at least one photo, or there must be a note; got neither")
	}
	if len(in.Files) > maxFiles {
		p.Add("files", "must be at most %d; got %d", maxFiles, len(in.Files))
	}
	if err := p.Err(); err != nil {
		return err
	}
	return checkSizes(in.Files)
}

func checkSizes(files []schemas.File) error {
	var all int64
	for i, f := range files {
		if f.Size > maxFileBytes {
			return tooLarge(fmt.Sprintf("files[%d]", i), fmt.Sprintf("must be at most 25 MB; got %d MB. Send a smaller photo", f.Size>>20))
		}
		all += max(f.Size, 0)
	}
	if all > maxAllBytes {
		return tooLarge("files", fmt.Sprintf("must be at most 100 MB in all; got %d MB. Send fewer or smaller photos", all>>20))
	}
	return nil
}

func tooLarge(field, message string) error {
	return &schemas.Error{Code: schemas.CodeTooLarge, Fields: []schemas.FieldError{{Field: field, Message: message}}}
}

// maySubmit looks before anything is stored; the same is looked at again under the lock.
func (s *Service) maySubmit(ctx context.Context, tx *store.Tx, taskID string) error {
	c := account.From(ctx)
	t, err := s.life.Find(ctx, tx, taskID)
	switch {
	case store.NotFound(err), err == nil && !holds(c, t) && !sees(c, t):
		return noTask(taskID)
	case err != nil:
		return err
	case !holds(c, t):
		return s.conflict(t, "Nobody has this task yet; accept and start it, then submit.")
	}
	return s.life.May(t, Submit)
}

// stage stores the files and looks at each. A refusal names the file.
func (s *Service) stage(ctx context.Context, files []schemas.File) ([]staged, error) {
	list := make([]staged, 0, len(files))
	var all int64
	for i, f := range files {
		one, err := s.stageOne(ctx, f)
		if err != nil {
			return nil, naming(err, fmt.Sprintf("files[%d]", i))
		}
		if all += one.Size; all > maxAllBytes {
			return nil, tooLarge("files", "must be at most 100 MB in all. Send fewer or smaller photos")
		}
		list = append(list, one)
	}
	return list, nil
}

func (s *Service) stageOne(ctx context.Context, f schemas.File) (one staged, err error) {
	body, err := f.Open()
	if err != nil {
		return one, fmt.Errorf("open the upload: %w", err)
	}
	defer body.Close()
	if one.Ref, err = s.Blobs.Put(ctx, body, maxFileBytes); err != nil {
		return one, err
	}
	stored, err := s.Blobs.Open(one.SHA256)
	if err != nil {
		return one, err
	}
	defer stored.Close()
	one.Info, err = photo.Inspect(stored, f.Name)
	return one, err
}

// naming puts the file's place in the form into the error.
func naming(err error, field string) error {
	var e *schemas.Error
	if !errors.As(err, &e) {
		return err
	}
	named := *e
	if len(e.Fields) == 0 {
		named.Message, named.Fields = "", []schemas.FieldError{{Field: field, Message: e.Message}}
		return &named
	}
	named.Fields = append([]schemas.FieldError(nil), e.Fields...)
	for i := range named.Fields {
		named.Fields[i].Field = field
	}
	return &named
}

// lockForSubmit locks the person, whose quota it is and whose files are counted, and then
// the task.
func (s *Service) lockForSubmit(ctx context.Context, tx *store.Tx, taskID string, files []staged) (task, error) {
	c := account.From(ctx)
	person, err := account.LockPerson(ctx, tx, c.PersonID)
	if err != nil {
		return task{}, fmt.Errorf("find the operator: %w", err)
	}
	t, _, err := s.lockHeld(ctx, tx, taskID)
	if err != nil {
		return t, err
	}
	var more int64
	for _, f := range files {
		more += f.Size
	}
	if person.StoredBytes+more > s.cfg.OperatorQuota {
		return t, tooLarge("files", fmt.Sprintf("would pass the %d MB of photos that each person may store here. Send fewer or smaller photos, or ask the owner to raise marketplace.operator_quota_mb", s.cfg.OperatorQuota>>20))
	}
	return t, account.AddStored(ctx, tx, c.PersonID, more)
}

// submit makes the numbered submission, for real and for simulated operators. A missing
// place or time in a photo is no reason to refuse it.
func (s *Service) submit(ctx context.Context, tx *store.Tx, t task, in schemas.SubmitProofRequest, files []staged, by change.Actor) (task, error) {
	before := t.FileCount
	moved, err := s.life.Move(ctx, tx, t, move{
		Event: Submit, By: by, With: HandedIn{t.Submission + 1, len(files)},
		Edit: func(t *task) {
			t.Submission++
			t.FileCount += int64(len(files))
		}})
	if err != nil {
		return t, err
	}
	now := store.Micros(tx.Now())
	err = tx.InsertSubmission(ctx, db.InsertSubmissionParams{
		TaskID: t.ID, Number: moved.Submission, OperatorID: t.OperatorID.String, Note: in.Note,
		Lat: nullFloat(in.Lat), Lng: nullFloat(in.Lng), AccuracyM: nullFloat(in.AccuracyM), CreatedAt: now,
	})
	if err != nil {
		return t, err
	}
	for i, f := range files {
		err := tx.InsertProofFile(ctx, db.InsertProofFileParams{
			TaskID: t.ID, N: before + int64(i) + 1, Submission: moved.Submission, OperatorID: t.OperatorID.String,
			Sha256: f.SHA256, Mime: f.MIME, Bytes: f.Size, Width: int64(f.Width), Height: int64(f.Height),
			TakenAt: store.Micros(f.TakenAt), ExifLat: nullFloat(f.Lat), ExifLng: nullFloat(f.Lng), CreatedAt: now,
		})
		if err != nil {
			return t, err
		}
	}
	return moved, copiesKind.Enqueue(ctx, tx, submissionArgs{t.ID, moved.Submission}, job.Options{Owner: t.AgentID, Priority: job.PriorityOf(t.Mode)})
}

// GetProof gives the large copy or the thumbnail of one file, never the original, which
// may carry a location. The caller is who the credentials or the signed link say.
func (s *Service) GetProof(ctx context.Context, in schemas.GetProofRequest) (schemas.Content, error) {
	if in.Size == "" {
		in.Size = "large"
	}
	if in.Size != "large" && in.Size != "thumb" {
		return schemas.Content{}, schemas.Invalid("size", "must be thumb or large; got "+check.Quote(in.Size, maxShown))
	}
	var f db.ProofFile
	err := s.Store.Read(ctx, func(tx *store.Tx) (err error) {
		f, err = s.allowedFile(ctx, tx, in)
		return err
	})
	if err != nil {
		return schemas.Content{}, err
	}
	if f.LargeSha == "" {
		return schemas.Content{}, s.notReady(f)
	}
	sha, length := f.LargeSha, f.LargeBytes
	if in.Size == "thumb" {
		sha, length = f.ThumbSha, f.ThumbBytes
	}
	body, err := s.Blobs.Open(sha)
	if err != nil {
		return schemas.Content{}, err
	}
	return schemas.Content{Name: fmt.Sprintf("%s-%d-%s.jpg", in.TaskID, in.N, in.Size), MIME: f.CopyMime, Size: length, ETag: sha, Body: body}, nil
}

// notReady tells a copy that is being made from one that never will be.
func (s *Service) notReady(f db.ProofFile) error {
	if s.Clock.Now().Sub(store.Time(f.CreatedAt)) < s.cfg.GuardianSilence {
		return &schemas.Error{Code: schemas.CodeUnavailable, RetryAfterSeconds: 3, Message: "The photo is being prepared. Try again in a few seconds."}
	}
	return schemas.NewError(schemas.CodeUnprocessable, "No copy of this photo could be made: the file is damaged. Ask the operator for another one.")
}

// allowedFile finds the file for somebody who may see it. A link names whom it was made
// for, and that one must still be allowed.
func (s *Service) allowedFile(ctx context.Context, tx *store.Tx, in schemas.GetProofRequest) (f db.ProofFile, err error) {
	c, byLink := account.From(ctx), in.Signature != ""
	if byLink {
		id, err := s.Links.Verify(in)
		if err != nil {
			return f, err
		}
		if c, err = linkCaller(ctx, tx, id); err != nil {
			return f, err
		}
	}
	t, err := s.life.Find(ctx, tx, in.TaskID)
	if store.NotFound(err) {
		return f, noTask(in.TaskID)
	}
	if err != nil {
		return f, err
	}
	if byLink && c.AgentID != "" {
		c.Mode = t.Mode // the link was made for a key of the task's mode
	}
	f, err = tx.FindProofFile(ctx, db.FindProofFileParams{TaskID: in.TaskID, N: int64(in.N)})
	if err != nil && !store.NotFound(err) {
		return f, err
	}
	own := c.SeesTasksOf(t.AgentID, t.Mode)
	mine := c.Operator && c.PersonID != "" && f.OperatorID == c.PersonID && t.Mode == account.Live
	switch {
	case err == nil && (own || mine):
		return f, nil
	case own || holds(c, t):
		return f, schemas.NewError(schemas.CodeNotFound, fmt.Sprintf("There is no photo %d on that task among yours. The task's submissions list the photos.", in.N))
	}
	return f, noTask(in.TaskID) // the same words as for a task that is not there
}

// linkCaller is whom a link was made for, as they are now.
func linkCaller(ctx context.Context, tx *store.Tx, id string) (account.Caller, error) {
	p, err := account.Person(ctx, tx, id)
	switch {
	case store.NotFound(err):
		return account.Caller{AgentID: id}, nil
	case err != nil:
		return account.Caller{}, err
	case p.RemovedAt != 0:
		return account.Caller{}, nil
	}
	return account.Caller{PersonID: p.ID, Owner: p.IsOwner, Operator: p.IsOperator}, nil
}
