package task

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"humanops-mcp/internal/change"
	"humanops-mcp/internal/store"
	"humanops-mcp/internal/store/db"
	"humanops-mcp/schemas"
)

var noon = time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)

func storefront() schemas.PostTaskRequest {
	lat, lng := 30.2672, -97.7431
	return schemas.PostTaskRequest{
		Title: "Photo of storefront", Description: "Take 2 clear photos showing the full facade and signage.", TaskType: "PHOTO",
		Location:  &schemas.Location{Lat: &lat, Lng: &lng, Address: "123 Main St, Austin, TX"},
		RewardUSD: 15 * schemas.USD, Deadline: noon.Add(4 * time.Hour), ProofRequirements: []string{"Full facade photo", "Close-up of signage"},
	}
}

// expected is the life once more, said by hand: every pair that is not here is refused.
func expected(s schemas.TaskStatus, e Event, f Facts) schemas.TaskStatus {
	pick := func(condition bool, yes, no schemas.TaskStatus) schemas.TaskStatus {
		if condition {
			return yes
		}
		return no
	}
	switch string(s) + " " + string(e) {
	case "POSTED accept":
		return pick(f.Fits, "ACCEPTED", "ESTIMATE_PENDING")
	case "ESTIMATE_PENDING approve_estimate":
		return "ACCEPTED"
	case "ESTIMATE_PENDING reject_estimate", "ESTIMATE_PENDING release", "ACCEPTED lapse", "ACCEPTED release":
		return "POSTED"
	case "ACCEPTED start":
		return "IN_PROGRESS"
	case "POSTED cancel", "ESTIMATE_PENDING cancel", "ACCEPTED cancel", "DISPUTED refund":
		return "CANCELLED"
	case "POSTED deadline", "ESTIMATE_PENDING deadline", "ACCEPTED deadline":
		return "EXPIRED"
	case "IN_PROGRESS submit":
		return "SUBMITTED"
	case "IN_PROGRESS release":
		return pick(f.EverSubmitted, "MANUAL_REVIEW", "POSTED")
	case "IN_PROGRESS deadline":
		return pick(f.EverSubmitted, "MANUAL_REVIEW", "EXPIRED")
	case "SUBMITTED guardian_approve", "MANUAL_REVIEW approve", "DISPUTED approve":
		return "VERIFIED"
	case "SUBMITTED guardian_reject":
		return pick(f.Rejections < 2, "IN_PROGRESS", "MANUAL_REVIEW")
	case "SUBMITTED guardian_unsure":
		return "MANUAL_REVIEW"
	case "MANUAL_REVIEW request_changes":
		return pick(f.Changes < 2, "IN_PROGRESS", "")
	case "MANUAL_REVIEW reject", "MANUAL_REVIEW review_silent":
		return "DISPUTED"
	case "VERIFIED settle", "DISPUTED dispute_silent":
		return "PAID"
	}
	return ""
}

func TestLife(t *testing.T) {
	t.Run("does over the full product what was agreed and nothing else", func(t *testing.T) {
		require.ElementsMatch(t, schemas.TaskStatuses, Life.States())
		require.Len(t, Life.Events(), 19)
		for _, s := range Life.States() {
			for _, e := range Life.Events() {
				for n := range 36 {
					f := Facts{Fits: n%2 == 0, EverSubmitted: n/2%2 == 0, Rejections: n / 4 % 3, Changes: n / 12 % 3}
					next, err := Life.Next(s, e, f)
					require.Equal(t, expected(s, e, f), next, "%s %s %+v", s, e, f)
					if next == "" {
						require.Equal(t, schemas.CodeConflict, schemas.ErrorCode(err))
						var refusal *schemas.Error
						require.ErrorAs(t, err, &refusal)
						require.Equal(t, string(s), refusal.State)
					}
				}
			}
		}
	})
	t.Run("ends in a final state by time alone, from everywhere", func(t *testing.T) {
		for _, s := range Life.States() {
			for _, submission := range []int64{0, 1} {
				current := task{Task: db.Task{Status: string(s), Submission: submission, Deadline: 1, SubmittedAt: 1, ReviewSince: 1, VerifiedAt: 1, StartBy: 1}}
				for range 6 {
					event, at := nextClock(current, silences{1, 1, 1})
					if event == "" {
						break
					}
					require.NotZero(t, at)
					next, err := Life.Next(schemas.TaskStatus(current.Status), event, factsOf(current))
					require.NoError(t, err)
					current.Status = string(next)
				}
				require.True(t, schemas.TaskStatus(current.Status).Final(), "%s got stuck in %s", s, current.Status)
			}
		}
	})
	t.Run("never expires what was once submitted", func(t *testing.T) {
		for _, s := range Life.States() {
			next, _ := Life.Next(s, Deadline, Facts{EverSubmitted: true})
			if s == schemas.InProgress {
				require.Equal(t, schemas.ManualReview, next)
			}
			if s == schemas.Submitted || s == schemas.ManualReview || s == schemas.Disputed || s == schemas.Verified {
				require.Empty(t, next)
			}
		}
	})
}

func TestPostRules(t *testing.T) {
	t.Run("take the seed's example", func(t *testing.T) {
		in := storefront()
		require.NoError(t, checkPost(&in, noon, false))
		require.Equal(t, "auto", in.EstimateApproval)
	})
	t.Run("trim texts", func(t *testing.T) {
		in := storefront()
		in.Title, in.ProofRequirements[0] = "  Photo ", " Facade\n"
		require.NoError(t, checkPost(&in, noon, false))
		require.Equal(t, "Photo", in.Title)
		require.Equal(t, "Facade", in.ProofRequirements[0])
	})
	t.Run("tell a passed deadline apart", func(t *testing.T) {
		in := storefront()
		in.Deadline = noon.Add(-time.Second)
		err := checkPost(&in, noon, false)
		require.Equal(t, schemas.CodeGone, schemas.ErrorCode(err))
		require.ErrorContains(t, err, "deadline must be in the future")
	})
	t.Run("say every problem at once", func(t *testing.T) {
		in := schemas.PostTaskRequest{Deadline: noon.Add(-time.Hour), RewardUSD: 0}
		err := checkPost(&in, noon, false)
		require.Equal(t, schemas.CodeInvalid, schemas.ErrorCode(err))
		for _, field := range []string{"title", "description", "task_type", "reward_usd", "proof_requirements", "deadline"} {
			require.ErrorContains(t, err, field)
		}
	})
	t.Run("allow nothing for one's own people", func(t *testing.T) {
		in := storefront()
		in.RewardUSD, in.AssignTo = 0, "Ada"
		require.NoError(t, checkPost(&in, noon, false))
	})
	nan, high := math.NaN(), 91.0
	for name, spoil := range map[string]func(*schemas.PostTaskRequest){
		"a blank title":             func(in *schemas.PostTaskRequest) { in.Title = " \n" },
		"a title that is too long":  func(in *schemas.PostTaskRequest) { in.Title = strings.Repeat("é", 201) },
		"text that is not UTF-8":    func(in *schemas.PostTaskRequest) { in.Description = "a\xff" },
		"an unknown type":           func(in *schemas.PostTaskRequest) { in.TaskType = "DANCE" },
		"latitude 91":               func(in *schemas.PostTaskRequest) { in.Location.Lat = &high },
		"a latitude that is no one": func(in *schemas.PostTaskRequest) { in.Location.Lat = &nan },
		"half a coordinate":         func(in *schemas.PostTaskRequest) { in.Location.Lng = nil },
		"less than a dollar":        func(in *schemas.PostTaskRequest) { in.RewardUSD = schemas.USD - 1 },
		"more than 10000 dollars":   func(in *schemas.PostTaskRequest) { in.RewardUSD = 10_000*schemas.USD + 1 },
		"a negative reward":         func(in *schemas.PostTaskRequest) { in.RewardUSD, in.AssignTo = -schemas.USD, "Ada" },
		"a free task for anybody":   func(in *schemas.PostTaskRequest) { in.RewardUSD = 0 },
		"no proof requirement":      func(in *schemas.PostTaskRequest) { in.ProofRequirements = nil },
		"a blank requirement":       func(in *schemas.PostTaskRequest) { in.ProofRequirements[1] = " " },
		"too many requirements":     func(in *schemas.PostTaskRequest) { in.ProofRequirements = make([]string, 21) },
		"a deadline within seconds": func(in *schemas.PostTaskRequest) { in.Deadline = noon.Add(59 * time.Second) },
		"a deadline in two years":   func(in *schemas.PostTaskRequest) { in.Deadline = noon.AddDate(2, 0, 0) },
		"a callback without https":  func(in *schemas.PostTaskRequest) { in.CallbackURL = "http://example.com/x" },
		"a secret for no callback":  func(in *schemas.PostTaskRequest) { in.CallbackSecret = "s" },
		"an unknown approval":       func(in *schemas.PostTaskRequest) { in.EstimateApproval = "never" },
	} {
		t.Run("refuse "+name, func(t *testing.T) {
			in := storefront()
			spoil(&in)
			require.Equal(t, schemas.CodeInvalid, schemas.ErrorCode(checkPost(&in, noon, false)))
		})
	}
}

func TestLimits(t *testing.T) {
	house := limitsOf("HOUSE", 100*schemas.USD)
	t.Run("name the cap, what is left and when it starts again", func(t *testing.T) {
		require.NoError(t, house.check(40*schemas.USD, 60*schemas.USD, 9, noon))
		err := house.check(41*schemas.USD, 60*schemas.USD, 9, noon)
		require.Equal(t, schemas.CodeUnprocessable, schemas.ErrorCode(err))
		require.ErrorContains(t, err, "$100.00")
		require.ErrorContains(t, err, "$40.00")
		require.ErrorContains(t, err, "2026-03-03T00:00:00Z")
	})
	t.Run("count tasks where a tier does", func(t *testing.T) {
		require.Error(t, limitsOf("VERIFIED", 0).check(schemas.USD, 0, 10, noon))
		require.Error(t, limitsOf("SANDBOX", 0).check(11*schemas.USD, 0, 0, noon))
	})
	t.Run("have no cap where the house set none", func(t *testing.T) {
		require.NoError(t, limitsOf("HOUSE", 0).check(10_000*schemas.USD, 90_000*schemas.USD, 900, noon))
	})
	t.Run("refuse types prone to abuse unless allowed", func(t *testing.T) {
		for _, kind := range proneToAbuse {
			require.Equal(t, schemas.CodeUnprocessable, schemas.ErrorCode(checkType(kind, nil)))
			require.NoError(t, checkType(kind, []string{string(kind)}))
		}
		require.NoError(t, checkType("PHOTO", nil))
	})
}

func TestEstimates(t *testing.T) {
	deadline := noon.Add(2 * time.Hour)
	require.True(t, fits(0, "manual", noon, deadline), "no estimate needs no approval")
	require.True(t, fits(120, "auto", noon, deadline))
	require.False(t, fits(121, "auto", noon, deadline))
	require.False(t, fits(5, "manual", noon, deadline))
	require.Equal(t, noon.Add(45*time.Minute), startBy(45, noon, deadline))
	require.Equal(t, deadline, startBy(0, noon, deadline))
	require.Equal(t, noon.Add(24*time.Hour), startBy(0, noon, noon.Add(48*time.Hour)))
	minutes, err := estimateMinutes(&schemas.AcceptTaskRequest{EstimateDays: 1, EstimateHours: 2, EstimateMinutes: 3})
	require.NoError(t, err)
	require.Equal(t, int64(1563), minutes)
	_, err = estimateMinutes(&schemas.AcceptTaskRequest{EstimateMinutes: -1})
	require.Error(t, err)
}

func TestContentHash(t *testing.T) {
	one, two := storefront(), storefront()
	two.Deadline = two.Deadline.Add(3 * time.Second)
	require.Equal(t, contentHash("live", &one, ""), contentHash("live", &two, ""), "a deadline said again is the same task")
	require.NotEqual(t, contentHash("live", &one, ""), contentHash("test", &one, ""))
	require.NotEqual(t, contentHash("live", &one, ""), contentHash("live", &one, "op_1"))
	two.Description += "!"
	require.NotEqual(t, contentHash("live", &one, ""), contentHash("live", &two, ""))
}

func TestVerdictRule(t *testing.T) {
	for _, c := range []struct {
		decision, method, mode string
		confidence             int
		want                   Event
	}{
		{"approved", "vision", "live", 90, GuardianApprove},
		{"approved", "vision", "live", 89, GuardianUnsure},
		{"approved", "completeness", "live", 100, GuardianUnsure},
		{"approved", "simulated", "live", 100, GuardianUnsure},
		{"approved", "simulated", "test", 97, GuardianApprove},
		{"rejected", "vision", "live", 49, GuardianReject},
		{"unsure", "vision", "live", 70, GuardianUnsure},
		{"unsure", "timeout", "live", 0, GuardianUnsure},
	} {
		require.Equal(t, c.want, guardianEvent(schemas.Verdict{Decision: c.decision, Method: c.method, Confidence: c.confidence}, c.mode), "%+v", c)
	}
}

func TestStatusFilter(t *testing.T) {
	for words, want := range map[string]string{
		"": "", "PENDING": ",POSTED,", "posted, COMPLETED": ",POSTED,PAID,", "done": ",PAID,CANCELLED,EXPIRED,",
		"open": ",POSTED,ESTIMATE_PENDING,ACCEPTED,IN_PROGRESS,SUBMITTED,MANUAL_REVIEW,VERIFIED,DISPUTED,",
	} {
		got, err := statusFilter(words)
		require.NoError(t, err)
		require.Equal(t, want, got)
	}
	_, err := statusFilter("POSTED,NOPE")
	require.ErrorContains(t, err, "NOPE")
}

func TestSimulationIsTheSameForTheSameTask(t *testing.T) {
	posted := task{
		Task: db.Task{ContentHash: strings.Repeat("ab", 32), EstimateApproval: "auto", Deadline: store.Micros(noon.Add(time.Hour)), Status: "POSTED"},
		line: change.Line{Version: 1},
	}
	require.Equal(t, simulatedEstimate(posted, noon), simulatedEstimate(posted, noon))
	soon := posted
	soon.Deadline = store.Micros(noon.Add(time.Minute))
	require.Zero(t, simulatedEstimate(soon, noon))
	require.Equal(t, stepAccept, nextStep(posted))
}
