package task

import (
	"context"
	"encoding/json"
	"fmt"

	"humanops-mcp/internal/account"
	"humanops-mcp/internal/change"
	"humanops-mcp/internal/store"
	"humanops-mcp/internal/store/db"
	"humanops-mcp/schemas"
)

// row is a task with the names that its views show.
type row struct {
	Task         task
	OperatorName string
	RatingSum    int64
	RatingCount  int64
	AssignedName string
	AgentName    string
}

// named puts lines and names to tasks that were listed.
func named(ctx context.Context, tx *store.Tx, list []db.Task) ([]row, error) {
	ids := make([]string, len(list))
	for i, t := range list {
		ids[i] = t.ID
	}
	lines, err := change.Lines(ctx, tx, ids)
	if err != nil {
		return nil, err
	}
	tasks := make([]task, len(list))
	for i, t := range list {
		tasks[i] = task{t, lines[t.ID]}
	}
	return withNames(ctx, tx, tasks...)
}

func withNames(ctx context.Context, tx *store.Tx, tasks ...task) ([]row, error) {
	var agents []string
	for _, t := range tasks {
		agents = append(agents, t.AgentID)
	}
	names, err := account.AgentNames(ctx, tx, agents)
	if err != nil {
		return nil, err
	}
	rows, err := withPeople(ctx, tx, tasks)
	for i := range rows {
		rows[i].AgentName = names[rows[i].Task.AgentID]
	}
	return rows, err
}

// withPeople puts the names of people to tasks whose agents need none.
func withPeople(ctx context.Context, tx *store.Tx, tasks []task) ([]row, error) {
	var people []string
	for _, t := range tasks {
		people = append(people, t.OperatorID.String, t.AssignTo.String)
	}
	known, err := account.People(ctx, tx, people)
	rows := make([]row, len(tasks))
	for i, t := range tasks {
		operator := known[t.OperatorID.String]
		rows[i] = row{Task: t, OperatorName: operator.Name, RatingSum: operator.RatingSum, RatingCount: operator.RatingCount, AssignedName: known[t.AssignTo.String].Name}
	}
	return rows, err
}

func (r row) performer() *schemas.Performer {
	if r.OperatorName == "" {
		return nil
	}
	p := &schemas.Performer{Name: r.OperatorName}
	if r.RatingCount > 0 {
		rating := float64(r.RatingSum) / float64(r.RatingCount)
		p.Rating = &rating
	}
	return p
}

// brief is a task without what needs another query: submissions and questions.
func (s *Service) brief(r row) schemas.TaskView {
	t := r.Task
	v := schemas.TaskView{
		TaskID: t.ID, Status: s.word(t.Status), HostedStatus: schemas.TaskStatus(t.Status).Hosted(), Version: t.line.Version,
		Title: t.Title, Description: t.Description, TaskType: schemas.TaskType(t.TaskType), Domain: schemas.TaskType(t.TaskType).Domain(),
		Location: location(t), RewardUSD: schemas.Money(t.Reward), Deadline: store.Time(t.Deadline), ProofRequirements: requirements(t),
		DigitalInstructions: t.DigitalInstructions, AgentID: t.AgentID, Operator: r.performer(), AssignedTo: r.AssignedName,
		Estimate: estimate(t), Submission: int(t.Submission), MessageCount: int(t.AgentMessages + t.OperatorMessages),
		EscrowUSD: escrow(t), Timestamps: timestamps(t), New: t.line.Version > t.line.Seen,
		CreatedAt: store.Time(t.CreatedAt), UpdatedAt: store.Time(t.UpdatedAt),
	}
	if t.OperatorID.Valid {
		v.OperatorID = &t.OperatorID.String
	}
	if schemas.TaskStatus(t.Status) == schemas.ManualReview {
		v.ChangesLeft = max(0, maxChanges-int(t.ChangesRequested))
	}
	if t.Mode == account.Test {
		v.MarkSandbox()
	}
	return v
}

// fullView reads a task of the caller's with everything about it.
func (s *Service) fullView(ctx context.Context, tx *store.Tx, id string) (schemas.TaskView, error) {
	r, err := s.ownRow(ctx, tx, id)
	if err != nil {
		return schemas.TaskView{}, err
	}
	return s.full(ctx, tx, r)
}

func (s *Service) ownRow(ctx context.Context, tx *store.Tx, id string) (row, error) {
	t, err := s.life.Find(ctx, tx, id)
	if store.NotFound(err) || err == nil && !account.From(ctx).SeesTasksOf(t.AgentID, t.Mode) {
		return row{}, noTask(id)
	}
	if err != nil {
		return row{}, err
	}
	rows, err := withNames(ctx, tx, t)
	if err != nil {
		return row{}, err
	}
	return rows[0], nil
}

func (s *Service) full(ctx context.Context, tx *store.Tx, r row) (schemas.TaskView, error) {
	v, err := s.withQuestions(ctx, tx, r)
	if err != nil {
		return v, err
	}
	v.Submissions, err = s.submissions(ctx, tx, r.Task)
	return v, err
}

// withQuestions is the brief view and what the operator asked and nobody answered.
func (s *Service) withQuestions(ctx context.Context, tx *store.Tx, r row) (schemas.TaskView, error) {
	v := s.brief(r)
	if r.Task.OperatorMessages == 0 || schemas.TaskStatus(r.Task.Status).Final() {
		return v, nil
	}
	open, err := tx.OpenQuestions(ctx, r.Task.ID)
	for _, m := range open {
		v.OpenQuestions = append(v.OpenQuestions, messageView(m))
	}
	return v, err
}

// submissions reads what was handed in, with links that only this caller can use.
func (s *Service) submissions(ctx context.Context, tx *store.Tx, t task) ([]schemas.Proof, error) {
	if t.Submission == 0 {
		return nil, nil
	}
	subs, err := tx.ListSubmissions(ctx, t.ID)
	if err != nil {
		return nil, err
	}
	files, err := tx.ListProofFiles(ctx, t.ID)
	if err != nil {
		return nil, err
	}
	caller := account.From(ctx).ID()
	list := make([]schemas.Proof, 0, len(subs))
	for _, sub := range subs {
		proof, err := proofOf(sub)
		if err != nil {
			return nil, err
		}
		for _, f := range files {
			if f.Submission == sub.Number {
				proof.Files = append(proof.Files, s.fileView(f, caller))
			}
		}
		list = append(list, proof)
	}
	return list, nil
}

func proofOf(sub db.Submission) (schemas.Proof, error) {
	p := schemas.Proof{Submission: int(sub.Number), Note: sub.Note, SubmittedAt: store.Time(sub.CreatedAt), Files: []schemas.ProofFile{}}
	if sub.Lat.Valid && sub.Lng.Valid {
		p.Place = &schemas.ClaimedPlace{Lat: sub.Lat.Float64, Lng: sub.Lng.Float64, AccuracyM: sub.AccuracyM.Float64}
	}
	if sub.Verdict != "" {
		p.Verdict = new(schemas.Verdict)
		if err := json.Unmarshal([]byte(sub.Verdict), p.Verdict); err != nil {
			return p, fmt.Errorf("read the verdict on %s/%d: %w", sub.TaskID, sub.Number, err)
		}
	}
	if sub.Decision != "" {
		p.Decision = new(schemas.Decision)
		if err := json.Unmarshal([]byte(sub.Decision), p.Decision); err != nil {
			return p, fmt.Errorf("read the decision on %s/%d: %w", sub.TaskID, sub.Number, err)
		}
	}
	return p, nil
}

func (s *Service) fileView(f db.ProofFile, caller string) schemas.ProofFile {
	v := schemas.ProofFile{
		N: int(f.N), MIME: f.Mime, Bytes: f.Bytes, Width: int(f.Width), Height: int(f.Height), SHA256: f.Sha256, Ready: f.LargeSha != "",
		URL: s.Links.Proof(f.TaskID, int(f.N), "large", caller), ThumbURL: s.Links.Proof(f.TaskID, int(f.N), "thumb", caller),
	}
	if f.TakenAt != 0 {
		at := store.Time(f.TakenAt)
		v.TakenAt = &at
	}
	return v
}

// operatorView is a task as the person who may do it sees it.
func (s *Service) operatorView(t task, agentName string, c account.Caller) schemas.OperatorTask {
	v := schemas.OperatorTask{
		TaskID: t.ID, Status: s.word(t.Status), HostedStatus: schemas.TaskStatus(t.Status).Hosted(), Version: t.line.Version,
		Title: t.Title, Description: t.Description, TaskType: schemas.TaskType(t.TaskType), Location: location(t),
		RewardUSD: schemas.Money(t.Reward), Deadline: store.Time(t.Deadline), ProofRequirements: requirements(t),
		DigitalInstructions: t.DigitalInstructions, AgentName: agentName, Mine: holds(c, t),
		Assigned: t.AssignTo.Valid && t.AssignTo.String == c.PersonID, CreatedAt: store.Time(t.CreatedAt),
	}
	if v.Mine {
		v.Estimate = estimate(t)
	}
	if schemas.TaskStatus(t.Status) == schemas.Accepted {
		v.StartBy = store.Time(t.StartBy)
	}
	return v
}

// operatorAnswer is the operator's view of a task that was just changed.
func (s *Service) operatorAnswer(ctx context.Context, tx *store.Tx, t task) (schemas.OperatorTask, error) {
	agent, err := account.Agent(ctx, tx, t.AgentID)
	if err != nil {
		return schemas.OperatorTask{}, err
	}
	v := s.operatorView(t, agent.Name, account.From(ctx))
	if v.Mine {
		v.Submissions, err = s.submissions(ctx, tx, t)
	}
	return v, err
}

func location(t task) *schemas.Location {
	if !t.Lat.Valid && t.Address == "" {
		return nil
	}
	return &schemas.Location{Lat: floatPointer(t.Lat), Lng: floatPointer(t.Lng), Address: t.Address}
}

// requirements reads what newTask wrote.
func requirements(t task) []string {
	var list []string
	if err := json.Unmarshal([]byte(t.ProofRequirements), &list); err != nil {
		return []string{t.ProofRequirements}
	}
	return list
}

func estimate(t task) *schemas.Estimate {
	if t.EstimateID == "" {
		return nil
	}
	return &schemas.Estimate{EstimateID: t.EstimateID, Minutes: int(t.EstimateMinutes), Note: t.EstimateNote, State: t.EstimateState}
}

func timestamps(t task) *schemas.Timestamps {
	at := store.Time
	return &schemas.Timestamps{
		PostedAt: at(t.CreatedAt), AcceptedAt: at(t.AcceptedAt), StartedAt: at(t.StartedAt), SubmittedAt: at(t.SubmittedAt),
		VerifiedAt: at(t.VerifiedAt), PaidAt: at(t.PaidAt), EndedAt: at(t.EndedAt),
	}
}

func messageView(m db.Message) schemas.Message {
	return schemas.Message{MessageID: m.ID, From: m.Sender, Text: m.Body, ReplyTo: m.ReplyTo.String, CreatedAt: store.Time(m.CreatedAt)}
}

// AcknowledgeTasks records which versions of its tasks an agent has been shown.
func (s *Service) AcknowledgeTasks(ctx context.Context, tx *store.Tx, in schemas.AcknowledgeRequest) (schemas.Empty, error) {
	seen := make([]change.Seen, len(in.Items))
	for i, item := range in.Items {
		seen[i] = change.Seen{ID: item.TaskID, Version: item.Version}
	}
	c := account.From(ctx)
	return schemas.Empty{}, s.life.Acknowledge(ctx, tx, c.AgentID, c.Mode, seen)
}
