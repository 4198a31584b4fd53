package web

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"humanops-mcp/internal/account"
	"humanops-mcp/internal/store"
	"humanops-mcp/internal/web/page"
	"humanops-mcp/schemas"
)

// How many open tasks, and how many that were paid, the start page lists.
const (
	openShown = 20
	paidShown = 5
)

func (s *server) start(w http.ResponseWriter, r *http.Request) error {
	caller := account.From(r.Context())
	if caller.PersonID == "" {
		return s.render(w, r, http.StatusOK, page.Welcome(page.WelcomeView{Frame: s.frame(w, r, "")}))
	}
	v := page.StartView{Operator: caller.Operator, Owner: caller.Owner}
	err := s.Store.Read(r.Context(), func(tx *store.Tx) error {
		if err := s.fillOperator(r.Context(), tx, caller, &v); err != nil {
			return err
		}
		if err := s.fillOwner(r.Context(), tx, caller, &v); err != nil {
			return err
		}
		return s.fillReviews(r.Context(), tx, caller, &v)
	})
	if err != nil {
		return err
	}
	v.Frame = s.frame(w, r, "Start")
	return s.render(w, r, http.StatusOK, page.Start(v))
}

func (s *server) fillOperator(ctx context.Context, tx *store.Tx, caller account.Caller, v *page.StartView) (err error) {
	if !caller.Operator {
		return nil
	}
	if v.Earnings, err = s.Tasks.GetEarnings(ctx, tx, schemas.Empty{}); err != nil {
		return err
	}
	v.Done = v.Earnings.RecentTasks[:min(len(v.Earnings.RecentTasks), paidShown)]
	work, err := s.Tasks.GetWork(ctx, tx)
	if err != nil {
		return err
	}
	v.Active, v.Waiting = s.operatorRows(work.InHand), s.operatorRows(work.Pending)
	open, err := s.Tasks.ListOpenTasks(ctx, tx, schemas.ListOpenTasksRequest{PageRequest: schemas.PageRequest{Limit: openShown}})
	if err != nil {
		return err
	}
	v.MoreOpen, v.UncountedOpen = max(0, open.Pagination.Total-len(open.Data)), open.Pagination.TotalMore
	v.Open = s.operatorRows(slices.DeleteFunc(open.Data, func(t schemas.OperatorTask) bool { return t.Mine }))
	return nil
}

func (s *server) operatorRows(list []schemas.OperatorTask) (rows []page.TaskRow) {
	for _, t := range list {
		rows = append(rows, s.operatorRow(t))
	}
	return rows
}

func taskHref(id string) string { return "/tasks/" + url.PathEscape(id) }

func (s *server) operatorRow(t schemas.OperatorTask) page.TaskRow {
	row := page.TaskRow{
		Href: taskHref(t.TaskID), Title: t.Title, Status: t.Status, Kind: t.TaskType, Place: t.Location, Reward: t.RewardUSD,
		Deadline: page.Stamp{At: t.Deadline, Now: s.Clock.Now()}, Assigned: t.Assigned,
	}
	if status, _ := schemas.ParseTaskStatus(t.Status); status == schemas.Accepted {
		row.ToStart = page.Stamp{At: t.StartBy, Now: s.Clock.Now()}
	}
	return row
}

func (s *server) fillOwner(ctx context.Context, tx *store.Tx, caller account.Caller, v *page.StartView) error {
	if !caller.Owner {
		return nil
	}
	var err error
	if v.Unasked, err = s.unasked(ctx, tx); err != nil {
		return err
	}
	people, err := s.Accounts.InReach(ctx, tx, "live")
	if err != nil {
		return err
	}
	for _, p := range people {
		v.People = append(v.People, p.Name)
	}
	v.Connect = s.connect()
	return nil
}

// connect lists the commands that set up each client, and the address for all others.
func (s *server) connect() page.Connect {
	c := page.Connect{}
	for _, client := range [][2]string{
		{"Claude Desktop", "claude-desktop"}, {"Claude Code", "claude-code"}, {"Cursor", "cursor"}, {"VS Code", "vscode"},
	} {
		c.Commands = append(c.Commands, page.Command{What: client[0], Line: s.Config.Command + " install " + client[1]})
	}
	if s.Config.PublicURL != "" {
		c.Endpoint = strings.TrimSuffix(s.Config.PublicURL, "/") + "/mcp"
	}
	return c
}
