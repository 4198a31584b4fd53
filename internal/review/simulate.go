package review

import (
	"context"
	"strconv"
	"strings"

	"humanops-mcp/internal/job"
	"humanops-mcp/internal/quorum"
	"humanops-mcp/internal/store"
	"humanops-mcp/internal/store/db"
	"humanops-mcp/schemas"
)

// In test mode a simulated reviewer answers, one step of the simulation after the request
// was made. Words in the title or the text steer it.
const (
	simulateNobody  = "[simulate: nobody]"  // nobody answers: the time-out comes
	simulateReject  = "[simulate: reject]"  // rejected
	simulateChanges = "[simulate: changes]" // changes are asked for, once
	simulateSlow    = "[simulate: slow]"    // after ten steps
)

const slowSteps = 10

// simulateArgs name the round that is to be answered.
type simulateArgs struct {
	ReviewID string `json:"review_id"`
	Round    int64  `json:"round"`
}

func steered(r request, word string) bool {
	return strings.Contains(strings.ToLower(r.Title+"\n"+r.RequestText), word)
}

// scheduleSimulation has a round of test mode answered.
func (s *Service) scheduleSimulation(ctx context.Context, tx *store.Tx, r request) error {
	if steered(r, simulateNobody) {
		return nil
	}
	after := s.cfg.SimulatedStep
	if steered(r, simulateSlow) {
		after *= slowSteps
	}
	return simulateKind.Enqueue(ctx, tx, simulateArgs{r.ID, r.Round}, job.Options{
		Owner: r.AgentID, Priority: job.PriorityOf(r.Mode),
		RunAt: tx.Now().Add(after), UniqueKey: string(simulateKind) + ":" + r.ID + ":" + strconv.FormatInt(r.Round, 10),
	})
}

// simulate answers a round that is still open.
func (s *Service) simulate(ctx context.Context, tx *store.Tx, j job.Job[simulateArgs]) error {
	r, err := s.life.Lock(ctx, tx, j.Args.ReviewID)
	if store.NotFound(err) {
		return nil // its loop was deleted
	}
	if err != nil || r.Round != j.Args.Round || r.In().Final() || r.Mode != "test" {
		return err
	}
	people, err := s.Accounts.Simulated(ctx, tx)
	if err != nil {
		return err
	}
	spec, err := r.Spec()
	if err != nil {
		return err
	}
	a, err := spec.Check("response_data", spec.Simulated(steerOf(r)))
	if err != nil {
		return err
	}
	who := people[int(r.Round-1)%len(people)].ID
	paper := ballotPaper{person: who, via: viaSimulated, answer: a, circles: []int64{0}, source: schemas.SourceSimulated, comment: "Simulated: nobody looked at this."}
	if err := s.cast(ctx, tx, r, paper); err != nil {
		return err
	}
	votes, err := tx.VotesInRound(ctx, db.VotesInRoundParams{ReviewID: r.ID, Round: r.Round})
	if err != nil {
		return err
	}
	_, err = s.conclude(ctx, tx, r, paper, quorum.Verdict{Decided: true, Answer: a, Source: schemas.SourceHuman, By: []string{who}}, votes)
	return err
}

func steerOf(r request) string {
	switch {
	case steered(r, simulateReject):
		return "reject"
	case steered(r, simulateChanges) && r.Round == 1:
		return "changes"
	}
	return ""
}
