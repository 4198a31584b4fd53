package ledger_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"humanops-mcp/internal/account"
	"humanops-mcp/internal/clock"
	"humanops-mcp/internal/ledger"
	"humanops-mcp/internal/store"
	"humanops-mcp/internal/store/db"
	"humanops-mcp/internal/store/storetest"
	"humanops-mcp/schemas"
)

const usd = schemas.USD

// house is a store with an agent that has some credit, and a person who does tasks.
type house struct {
	t             *testing.T
	store         *store.Store
	agent, person string
}

func newHouse(t *testing.T, s *store.Store, credit schemas.Money) *house {
	h := &house{t: t, store: s}
	accounts := account.NewService(account.Config{LocalCredit: credit})
	h.write(func(ctx context.Context, tx *store.Tx) error {
		if _, err := accounts.EnsureHouse(ctx, tx); err != nil {
			return err
		}
		added, err := accounts.AddPerson(ctx, tx, schemas.AddPersonRequest{Name: "Ada"})
		if err != nil {
			return err
		}
		h.person = added.OperatorID
		h.agent, err = accounts.LocalAgentID(ctx, tx)
		return err
	})
	return h
}

func (h *house) try(unit func(ctx context.Context, tx *store.Tx) error) error {
	ctx := context.Background()
	return h.store.Write(ctx, func(tx *store.Tx) error { return unit(ctx, tx) })
}

func (h *house) write(unit func(ctx context.Context, tx *store.Tx) error) {
	h.t.Helper()
	require.NoError(h.t, h.try(unit))
}

func (h *house) reward(task, asset string) ledger.Reward {
	return ledger.Reward{TaskID: task, AgentID: h.agent, Asset: asset}
}

// post writes a task's line and holds its reward, as one unit.
func (h *house) post(task, asset string, reward schemas.Money) error {
	return h.try(func(ctx context.Context, tx *store.Tx) error {
		mode := map[string]string{ledger.House: "live", ledger.Test: "test"}[asset]
		err := tx.InsertSubject(ctx, db.InsertSubjectParams{ID: task, Kind: "task", AgentID: h.agent, Mode: mode, State: "POSTED", CreatedAt: store.Micros(tx.Now())})
		if err != nil {
			return err
		}
		return ledger.Hold(ctx, tx, h.reward(task, asset), reward)
	})
}

func (h *house) end(task, asset, status string) (paid schemas.Money, err error) {
	err = h.try(func(ctx context.Context, tx *store.Tx) error {
		if status == "PAID" {
			paid, err = ledger.Release(ctx, tx, h.reward(task, asset), h.person)
		} else {
			paid, err = ledger.Refund(ctx, tx, h.reward(task, asset))
		}
		if err != nil {
			return err
		}
		return tx.EndSubjects(ctx, db.EndSubjectsParams{Ids: store.IDs([]string{task}), Now: store.Micros(tx.Now())})
	})
	return paid, err
}

func (h *house) check() {
	h.t.Helper()
	ctx := context.Background()
	require.NoError(h.t, h.store.Read(ctx, func(tx *store.Tx) error { return ledger.Check(ctx, tx) }))
}

func (h *house) balance(asset string) (available, held schemas.Money) {
	h.t.Helper()
	ctx := context.Background()
	require.NoError(h.t, h.store.Read(ctx, func(tx *store.Tx) (err error) {
		available, held, err = ledger.Balance(ctx, tx, h.agent, asset)
		return err
	}))
	return available, held
}

func (h *house) earned() (sum schemas.Money) {
	h.t.Helper()
	ctx := context.Background()
	require.NoError(h.t, h.store.Read(ctx, func(tx *store.Tx) (err error) {
		sum, err = ledger.Earnings(ctx, tx, h.person)
		return err
	}))
	return sum
}

func (h *house) escrow(task, asset string) (sum schemas.Money) {
	h.t.Helper()
	ctx := context.Background()
	require.NoError(h.t, h.store.Read(ctx, func(tx *store.Tx) (err error) {
		sum, err = ledger.Escrow(ctx, tx, task, asset)
		return err
	}))
	return sum
}

func requireCode(t *testing.T, code schemas.Code, err error) {
	t.Helper()
	require.Error(t, err)
	require.Equal(t, code, schemas.ErrorCode(err), err.Error())
}

func TestLedger(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store, _ *clock.Fake) {
		h := newHouse(t, s, 100*usd)
		t.Run("a hold moves the reward from deposit to escrow", func(t *testing.T) {
			require.NoError(t, h.post("task_a", ledger.House, 20*usd))
			available, held := h.balance(ledger.House)
			require.Equal(t, []schemas.Money{80 * usd, 20 * usd}, []schemas.Money{available, held})
			require.Equal(t, 20*usd, h.escrow("task_a", ledger.House))
			h.check()
		})
		t.Run("a task is held once", func(t *testing.T) {
			requireCode(t, schemas.CodeConflict, h.try(func(ctx context.Context, tx *store.Tx) error {
				return ledger.Hold(ctx, tx, h.reward("task_a", ledger.House), usd)
			}))
			require.Equal(t, 20*usd, h.escrow("task_a", ledger.House))
		})
		t.Run("a release pays the operator", func(t *testing.T) {
			paid, err := h.end("task_a", ledger.House, "PAID")
			require.NoError(t, err)
			require.Equal(t, 20*usd, paid)
			require.Equal(t, 20*usd, h.earned())
			require.Zero(t, h.escrow("task_a", ledger.House))
			h.check()
		})
		t.Run("what was released is neither released nor refunded again", func(t *testing.T) {
			for _, status := range []string{"PAID", "CANCELLED"} {
				_, err := h.end("task_a", ledger.House, status)
				requireCode(t, schemas.CodeConflict, err)
			}
			require.Equal(t, 20*usd, h.earned())
		})
		t.Run("a refund gives everything back, once", func(t *testing.T) {
			require.NoError(t, h.post("task_b", ledger.House, 30*usd))
			back, err := h.end("task_b", ledger.House, "CANCELLED")
			require.NoError(t, err)
			require.Equal(t, 30*usd, back)
			for _, status := range []string{"PAID", "CANCELLED"} {
				_, err = h.end("task_b", ledger.House, status)
				requireCode(t, schemas.CodeConflict, err)
			}
			available, held := h.balance(ledger.House)
			require.Equal(t, []schemas.Money{80 * usd, 0}, []schemas.Money{available, held})
			h.check()
		})
		t.Run("a hold beyond the deposit is refused with what to do", func(t *testing.T) {
			err := h.post("task_c", ledger.House, 80*usd+1)
			requireCode(t, schemas.CodePaymentRequired, err)
			require.Contains(t, err.Error(), "Insufficient balance: this task needs $80.000001 in escrow and $80.00 is available. Lower reward_usd")
			h.check()
		})
		t.Run("an agent without an account has nothing", func(t *testing.T) {
			err := h.try(func(ctx context.Context, tx *store.Tx) error {
				return ledger.Hold(ctx, tx, ledger.Reward{TaskID: "task_none", AgentID: "ag_none", Asset: ledger.House}, usd)
			})
			requireCode(t, schemas.CodePaymentRequired, err)
			require.Contains(t, err.Error(), "$0.00 is available. Cancel a task")
		})
		t.Run("a reward of zero writes nothing and ends as often as asked", func(t *testing.T) {
			require.NoError(t, h.post("task_free", ledger.House, 0))
			for range 2 {
				paid, err := h.end("task_free", ledger.House, "PAID")
				require.NoError(t, err)
				require.Zero(t, paid)
			}
			h.check()
		})
		t.Run("test money comes when it is needed and is nobody's earnings", func(t *testing.T) {
			require.NoError(t, h.post("task_test", ledger.Test, 5000*usd))
			available, held := h.balance(ledger.Test)
			require.Equal(t, 5000*usd, held)
			require.Equal(t, 2*ledger.TestFloat, available)
			_, err := h.end("task_test", ledger.Test, "PAID")
			require.NoError(t, err)
			require.Equal(t, 20*usd, h.earned())
			h.check()
		})
		t.Run("amounts below zero and payments to nobody are refused", func(t *testing.T) {
			require.ErrorContains(t, h.try(func(ctx context.Context, tx *store.Tx) error {
				return ledger.Issue(ctx, tx, h.agent, ledger.House, -1)
			}), "cannot issue")
			require.ErrorContains(t, h.try(func(ctx context.Context, tx *store.Tx) error {
				return ledger.Hold(ctx, tx, h.reward("task_minus", ledger.House), -1)
			}), "cannot hold")
			require.ErrorContains(t, h.try(func(ctx context.Context, tx *store.Tx) error {
				_, err := ledger.Release(ctx, tx, h.reward("task_c", ledger.House), "")
				return err
			}), "nobody did it")
		})
	})
}

func TestRaces(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store, _ *clock.Fake) {
		h := newHouse(t, s, 5*usd)
		t.Run("of 40 holds on a deposit for 5, 5 succeed", func(t *testing.T) {
			errs := together(40, func(i int) error { return h.post(fmt.Sprintf("task_%02d", i), ledger.House, usd) })
			won := 0
			for _, err := range errs {
				if err == nil {
					won++
					continue
				}
				requireCode(t, schemas.CodePaymentRequired, err)
			}
			require.Equal(t, 5, won)
			available, held := h.balance(ledger.House)
			require.Equal(t, []schemas.Money{0, 5 * usd}, []schemas.Money{available, held})
			h.check()
		})
		t.Run("of 20 ends of one task, one succeeds", func(t *testing.T) {
			h.write(func(ctx context.Context, tx *store.Tx) error {
				return ledger.Issue(ctx, tx, h.agent, ledger.House, usd)
			})
			require.NoError(t, h.post("task_end", ledger.House, usd))
			errs := together(20, func(i int) error {
				_, err := h.end("task_end", ledger.House, []string{"PAID", "CANCELLED"}[i%2])
				return err
			})
			won := 0
			for _, err := range errs {
				if err == nil {
					won++
					continue
				}
				requireCode(t, schemas.CodeConflict, err)
			}
			require.Equal(t, 1, won)
			h.check()
		})
	})
}

// together runs f n times at once.
func together(n int, f func(i int) error) []error {
	errs := make([]error, n)
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() { errs[i] = f(i) })
	}
	all.Wait()
	return errs
}

func TestCheck(t *testing.T) {
	for name, c := range map[string]struct{ broken, says, mended string }{
		"finds a balance that its entries do not explain": {
			`UPDATE accounts SET balance = balance + 1 WHERE kind = 'deposit' AND asset = 'house'`, "but its entries sum to",
			`UPDATE accounts SET balance = balance - 1 WHERE kind = 'deposit' AND asset = 'house'`,
		},
		"finds a transaction that does not sum to zero": {
			`UPDATE ledger_entries SET amount = amount + 1 WHERE account_id = 'escrow:house:task_a'`, "not to zero",
			`UPDATE ledger_entries SET amount = amount - 1 WHERE account_id = 'escrow:house:task_a'`,
		},
		"finds a transaction without entries": {
			`INSERT INTO ledger_transactions (id, kind, subject_id, asset, created_at) VALUES ('lt_x', 'issue', 'x', 'house', 1)`, "transaction lt_x has no entries",
			`DELETE FROM ledger_transactions WHERE id = 'lt_x'`,
		},
		"finds a transaction that crosses assets": {
			`UPDATE ledger_transactions SET asset = 'usdc' WHERE kind = 'hold'`, "crosses assets",
			`UPDATE ledger_transactions SET asset = 'house' WHERE kind = 'hold'`,
		},
		"finds money that is held for what is over": {
			`UPDATE subjects SET finished = TRUE, ended_at = 1 WHERE id = 'task_a'`, "holds $20.00 for no task",
			`UPDATE subjects SET finished = FALSE, ended_at = 0 WHERE id = 'task_a'`,
		},
		"finds a deposit that says otherwise what is held of it": {
			`UPDATE accounts SET held = held + 1 WHERE kind = 'deposit' AND asset = 'house'`, "says that $20.000001 of it is held, but its tasks hold $20.00",
			`UPDATE accounts SET held = held - 1 WHERE kind = 'deposit' AND asset = 'house'`,
		},
		"finds an escrow without a task": {
			`DELETE FROM subjects WHERE id = 'task_a'`, "holds $20.00 for no task",
			`INSERT INTO subjects SELECT * FROM kept`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			storetest.Each(t, func(t *testing.T, s *store.Store, _ *clock.Fake) {
				h := newHouse(t, s, 100*usd)
				require.NoError(t, h.post("task_a", ledger.House, 20*usd))
				h.check()
				storetest.Exec(t, s, `CREATE TABLE kept AS SELECT * FROM subjects`)
				storetest.Exec(t, s, c.broken)
				require.ErrorContains(t, s.Read(t.Context(), func(tx *store.Tx) error { return ledger.Check(t.Context(), tx) }), c.says)
				storetest.Exec(t, s, c.mended)
				h.check()
			})
		})
	}
}

func TestCheckBooksGoesOnWhereItEnded(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store, clk *clock.Fake) {
		h := newHouse(t, s, 100*usd)
		require.NoError(t, h.post("task_a", ledger.House, 20*usd))
		books := func(from ledger.Books) (next ledger.Books, seen int, err error) {
			t.Helper()
			next, err = ledger.CheckBooks(t.Context(), s, from, func(n int) { seen += n })
			return next, seen, err
		}
		clk.Advance(time.Hour)
		first, seen, err := books(ledger.Books{})
		require.NoError(t, err)
		require.Equal(t, 3, seen, "with the play money of test mode")
		require.Equal(t, map[string]int64{"issuer:house:house": -int64(100 * usd), "deposit:house:" + h.agent: int64(80 * usd), "escrow:house:task_a": int64(20 * usd),
			"issuer:test:house": -int64(ledger.TestFloat), "deposit:test:" + h.agent: int64(ledger.TestFloat)}, first.Totals)

		_, seen, err = books(first)
		require.NoError(t, err)
		require.Zero(t, seen, "nothing was written since")

		_, err = h.end("task_a", ledger.House, "CANCELLED")
		require.NoError(t, err)
		recent, seen, err := books(first)
		require.NoError(t, err)
		require.NotZero(t, seen)
		require.Equal(t, first.Totals, recent.Totals, "what is younger than a minute is not settled")

		clk.Advance(time.Hour)
		second, _, err := books(recent)
		require.NoError(t, err)
		require.Equal(t, map[string]int64{"issuer:house:house": -int64(100 * usd), "deposit:house:" + h.agent: int64(100 * usd),
			"issuer:test:house": -int64(ledger.TestFloat), "deposit:test:" + h.agent: int64(ledger.TestFloat)}, second.Totals, "what is empty is left out")

		storetest.Exec(t, s, `UPDATE accounts SET balance = balance + 1 WHERE kind = 'deposit' AND asset = 'house'`)
		_, _, err = books(second)
		require.ErrorContains(t, err, "but its entries sum to", "what has something is always compared")
	})
}

func TestCheckEscrow(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store, _ *clock.Fake) {
		h := newHouse(t, s, 100*usd)
		require.NoError(t, h.post("task_a", ledger.House, 20*usd))
		look := func(state string, reward schemas.Money, finished bool) error {
			return s.Read(t.Context(), func(tx *store.Tx) error {
				return ledger.CheckEscrow(t.Context(), tx, "task_a", ledger.House, state, int64(reward), finished)
			})
		}
		require.NoError(t, look("POSTED", 20*usd, false))
		require.ErrorContains(t, look("CANCELLED", 20*usd, true), "task task_a is CANCELLED with a reward of $20.00 and holds $20.00")
		require.ErrorContains(t, look("POSTED", 21*usd, false), "holds $20.00 in escrow")
		_, err := h.end("task_a", ledger.House, "CANCELLED")
		require.NoError(t, err)
		require.NoError(t, look("CANCELLED", 20*usd, true))
	})
}

// model is what the ledger has to agree with.
type model struct {
	available schemas.Money
	held      map[string]schemas.Money
	ended     map[string]bool
	earned    schemas.Money
}

// play does what the bytes say, three a step, and compares every outcome with the model.
func play(t *testing.T, s *store.Store, steps []byte) {
	h := newHouse(t, s, 100*usd)
	m := model{available: 100 * usd, held: map[string]schemas.Money{}, ended: map[string]bool{}}
	for len(steps) >= 3 {
		task, reward := fmt.Sprintf("task_%d", steps[1]%16), schemas.Money(steps[2])*usd/7
		m.step(t, h, steps[0]%3, task, reward)
		steps = steps[3:]
	}
	available, held := h.balance(ledger.House)
	var open schemas.Money
	for _, amount := range m.held {
		open += amount
	}
	require.Equal(t, []schemas.Money{m.available, open, m.earned}, []schemas.Money{available, held, h.earned()})
	h.check()
}

func (m *model) step(t *testing.T, h *house, what byte, task string, reward schemas.Money) {
	held, open := m.held[task]
	if what == 0 {
		if open || m.ended[task] {
			return
		}
		err := h.post(task, ledger.House, reward)
		if reward > m.available {
			requireCode(t, schemas.CodePaymentRequired, err)
			return
		}
		require.NoError(t, err)
		m.available, m.held[task] = m.available-reward, reward
		return
	}
	status := map[byte]string{1: "PAID", 2: "CANCELLED"}[what]
	paid, err := h.end(task, ledger.House, status)
	if m.ended[task] {
		requireCode(t, schemas.CodeConflict, err)
		return
	}
	require.NoError(t, err)
	require.Equal(t, held, paid)
	if held == 0 {
		return
	}
	delete(m.held, task)
	m.ended[task] = true
	if what == 1 {
		m.earned += held
	} else {
		m.available += held
	}
}

func TestRandomMovements(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store, _ *clock.Fake) {
		random, steps := rand.New(rand.NewPCG(1, 2)), make([]byte, 900)
		for i := range steps {
			steps[i] = byte(random.Uint32())
		}
		play(t, s, steps)
	})
}

func FuzzMovements(f *testing.F) {
	f.Add([]byte{0, 1, 200, 1, 1, 0, 2, 1, 0, 0, 2, 255, 2, 2, 0})
	f.Add([]byte{2, 3, 0, 0, 3, 0, 1, 3, 0, 0, 4, 7})
	f.Fuzz(func(t *testing.T, steps []byte) {
		if len(steps) > 300 {
			return
		}
		play(t, storetest.Open(t), steps)
	})
}
