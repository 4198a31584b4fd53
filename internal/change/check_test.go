package change_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"humanops-mcp/internal/change"
	"humanops-mcp/internal/store/storetest"
)

func (w *world) problems() []string {
	w.t.Helper()
	problems, err := w.changes.Check(w.t.Context(), change.Look{})
	require.NoError(w.t, err)
	return problems
}

func TestACheckNamesEachSubjectThatIsNotAsItWasWritten(t *testing.T) {
	row := ""
	onBothWith(t, func(k *kind) {
		row = ""
		k.State = func(e *errand) *string {
			if row != "" {
				e.State = row
			}
			return &e.State
		}
	}, func(t *testing.T, w *world) {
		id, gone := w.posted().ID, w.posted().ID
		w.do(id, take, ada)
		w.forget(gone)
		require.Empty(t, w.problems())
		broken := func(says, breaks, mends string) {
			t.Helper()
			storetest.Exec(t, w.store, breaks, id)
			require.Equal(t, []string{says}, w.problems())
			storetest.Exec(t, w.store, mends, id)
			require.Empty(t, w.problems())
		}
		trail := "the trail of " + id + " is not as it was written: "
		broken(trail+"entry 2 is not what was hashed", "UPDATE trail SET via = 'api' WHERE n = 2 AND subject_id = $1", "UPDATE trail SET via = 'page' WHERE n = 2 AND subject_id = $1")
		broken(trail+"entries at its end are missing, or were added", "UPDATE subjects SET entries = 3 WHERE id = $1", "UPDATE subjects SET entries = 2 WHERE id = $1")
		broken(id+" is of a kind that is not known: parcel", "UPDATE subjects SET kind = 'parcel' WHERE id = $1", "UPDATE subjects SET kind = 'errand' WHERE id = $1")
		broken(id+" is taken by its trail, but done by its line", "UPDATE subjects SET state = 'done' WHERE id = $1", "UPDATE subjects SET state = 'taken' WHERE id = $1")
		row = "done"
		require.Equal(t, []string{"the errand " + id + " is done by its row, but taken by its line"}, w.problems())
		row = ""
		storetest.Exec(t, w.store, "DELETE FROM facts WHERE name = $1", id)
		require.Equal(t, []string{"the errand " + id + " is taken by its line, but its row is gone"}, w.problems())
	})
}

// Entries without words are left of what was deleted alone.
func TestACheckNoticesAnEntryThatWasEmptied(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		id := w.posted().ID
		w.do(id, take, ada)
		storetest.Exec(t, w.store, "UPDATE trail SET data = '', actor = 'op_eve' WHERE n = 2 AND subject_id = $1", id)
		require.Equal(t, []string{"the trail of " + id + " is not as it was written: what entry 2 said is gone"}, w.problems())
		storetest.Exec(t, w.store, "UPDATE trail SET data = '', actor = '' WHERE subject_id = $1", id)
		require.Equal(t, []string{"the trail of " + id + " is not as it was written: what entry 1 said is gone"}, w.problems())
	})
}

func TestACheckNoticesALineThatSaysDeletedOfWhatIsThere(t *testing.T) {
	row := ""
	onBothWith(t, func(k *kind) {
		row = ""
		k.State = func(e *errand) *string {
			if row != "" {
				e.State = row
			}
			return &e.State
		}
	}, func(t *testing.T, w *world) {
		id := w.posted().ID
		row = "open"
		storetest.Exec(t, w.store, "UPDATE subjects SET state = 'deleted', finished = TRUE, needs = '', clock_at = 0, ended_at = 1 WHERE id = $1", id)
		require.Equal(t, []string{"the errand " + id + " is open by its row, but deleted by its line"}, w.problems())
	})
}

// A row and its line can be altered together; what happened says otherwise.
func TestACheckNoticesAStateThatNoEntryLedTo(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		id := w.posted().ID
		w.do(id, take, ada)
		storetest.Exec(t, w.store, "UPDATE subjects SET state = 'done', finished = TRUE, claimed_by = '', claimed_at = 0, lease_until = 0, clock_at = 0, ended_at = 1 WHERE id = $1", id)
		require.Equal(t, []string{id + " is taken by its trail, but done by its line"}, w.problems())
	})
}

// More than one slice of subjects, and more problems than are told.
func TestACheckLooksAtEverySubjectAndTellsABearableNumber(t *testing.T) {
	onOne(t, func(*kind) {}, func(t *testing.T, w *world) {
		ids := w.many(250)
		require.Empty(t, w.problems())
		last := storetest.Texts(t, w.store, "SELECT MAX(id) FROM subjects")[0]
		storetest.Exec(t, w.store, "DELETE FROM facts WHERE name = $1", last)
		require.Equal(t, []string{"the errand " + last + " is open by its line, but its row is gone"}, w.problems())
		storetest.Exec(t, w.store, "DELETE FROM facts WHERE name LIKE 'er_%'")
		problems := w.problems()
		require.Len(t, problems, 20)
		require.Subset(t, ids, []string{idIn(problems[0]), idIn(problems[19])})
	})
}

func idIn(problem string) (id string) {
	_, _ = fmt.Sscanf(problem, "the errand %s", &id)
	return id
}
