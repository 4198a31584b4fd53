package loop

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"humanops-mcp/internal/check"
	"humanops-mcp/internal/notify"
	"humanops-mcp/internal/quorum"
	"humanops-mcp/internal/store"
	"humanops-mcp/internal/store/db"
	"humanops-mcp/schemas"
)

// checkSettings refuses settings that can never work: names of nobody, counts that cannot
// be reached, words without a meaning. What may work later is among the problems instead.
func (s *Service) checkSettings(ctx context.Context, tx *store.Tx, loop db.Loop, in schemas.LoopSettings) error {
	var p check.Problems
	var names []namedAt
	if _, err := quorum.CheckMode("settings.review_mode", in.Mode); err != nil {
		if err := p.Take(err); err != nil {
			return err
		}
	}
	if in.Mode != nil {
		for i, step := range in.Mode.Steps {
			names = append(names, namesAt(fmt.Sprintf("settings.review_mode.steps[%d]", i), step.To)...)
		}
	}
	named := map[string]bool{}
	for i, policy := range in.Escalation {
		names = append(names, checkPolicy(&p, fmt.Sprintf("settings.escalation[%d]", i), policy, named)...)
	}
	for _, n := range names {
		_, err := s.Named(ctx, tx, loop, []string{n.name})
		if schemas.ErrorCode(err) == schemas.CodeInvalid {
			p.Add(n.field, "names nobody. %s", err.Error())
		} else if err != nil {
			return err
		}
	}
	return p.Err()
}

// namedAt is a name of a person or group, and where it stands.
type namedAt struct{ field, name string }

func namesAt(field string, names []string) []namedAt {
	out := make([]namedAt, len(names))
	for i, name := range names {
		out[i] = namedAt{fmt.Sprintf("%s.to[%d]", field, i), name}
	}
	return out
}

// checkPolicy also keeps a priority from having two policies, of which one would be idle.
func checkPolicy(p *check.Problems, field string, policy schemas.EscalationPolicy, seen map[string]bool) (names []namedAt) {
	covered := policy.Priorities
	if len(covered) == 0 {
		covered = []string{""}
	}
	for _, priority := range covered {
		switch {
		case priority != "" && !slices.Contains(schemas.ReviewPriorities, priority):
			p.Add(field+".priorities", "must be of low, medium, high, critical; got %s", Quote(priority))
		case seen[priority]:
			p.Add(field+".priorities", "has %s, for which there is another policy already; each priority has one", whichPriority(priority))
		}
		seen[priority] = true
	}
	for i, step := range policy.Steps {
		place := fmt.Sprintf("%s.steps[%d]", field, i)
		for _, channel := range step.Channels {
			if channel != notify.Mail && channel != notify.Chat && channel != notify.Page {
				p.Add(place+".channels", "must be of mail, chat, page; got %s", Quote(channel))
			}
		}
		names = append(names, namesAt(place, step.To)...)
	}
	return names
}

func whichPriority(priority string) string {
	if priority == "" {
		return "all priorities"
	}
	return priority
}

// problems are sentences about what would keep people from being reached or from
// deciding, as things stand.
func (s *Service) problems(ctx context.Context, tx *store.Tx, loop db.Loop) ([]string, error) {
	members, err := s.Active(ctx, tx, loop.ID)
	if err != nil {
		return nil, err
	}
	settings := Settings(loop)
	out := membershipProblems(settings, members)
	for _, policy := range settings.Escalation {
		for i, step := range policy.Steps {
			where := fmt.Sprintf("Step %d of the escalation for %s", i+1, strings.Join(orAll(policy.Priorities), ", "))
			found, err := s.stepProblems(ctx, tx, loop, where, step)
			if err != nil {
				return nil, err
			}
			out = append(out, found...)
		}
	}
	return out, nil
}

func orAll(priorities []string) []string {
	if len(priorities) == 0 {
		return []string{"all priorities"}
	}
	return priorities
}

func membershipProblems(settings schemas.LoopSettings, members []Member) (out []string) {
	able := len(members)
	if settings.Passkey {
		able = len(slices.DeleteFunc(slices.Clone(members), func(m Member) bool { return !m.Enrolled }))
	}
	switch {
	case len(members) == 0:
		out = append(out, "Nobody in this loop can decide: it has no active members. Add somebody, or admit those who wait.")
	case able == 0:
		out = append(out, "Nobody in this loop can decide: it demands passkeys, and no active member has one that is enrolled.")
	}
	if m := settings.Mode; m != nil && m.Mode == quorum.Quorum && able > 0 && m.Threshold > able {
		out = append(out, fmt.Sprintf("A quorum needs %d equal answers, but the people of this loop who can decide are only %d.", m.Threshold, able))
	}
	return out
}

func (s *Service) stepProblems(ctx context.Context, tx *store.Tx, loop db.Loop, where string, step schemas.EscalationStep) (out []string, err error) {
	var people []Member
	for _, name := range step.To {
		found, err := s.Named(ctx, tx, loop, []string{name})
		if schemas.ErrorCode(err) == schemas.CodeInvalid {
			out = append(out, fmt.Sprintf("%s names %s, which is nobody any more.", where, Quote(name)))
			continue
		}
		if err != nil {
			return nil, err
		}
		if len(found) == 0 {
			out = append(out, fmt.Sprintf("%s names %s, in which there is nobody.", where, Quote(name)))
		}
		people = Union(people, found)
	}
	for _, m := range people {
		if problem := s.channelProblem(where, step.Channels, m); problem != "" {
			out = append(out, problem)
		}
	}
	return out, nil
}

// channelProblem says why a step reaches a person by no channel, or "" when it does. The page
// is a channel only where it is named: it reaches those who look by themselves.
func (s *Service) channelProblem(where string, channels []string, m Member) string {
	byMail := len(channels) == 0 || slices.Contains(channels, notify.Mail)
	byChat := len(channels) == 0 || slices.Contains(channels, notify.Chat)
	if slices.Contains(channels, notify.Page) || byMail && s.cfg.Mail && m.Email != "" || byChat && s.cfg.Chat {
		return ""
	}
	noMail := "no mail server is configured"
	if s.cfg.Mail {
		noMail = m.Name + " has no mail address"
	}
	const noChat = "no chat address is configured"
	switch {
	case !byMail:
		return fmt.Sprintf("%s goes to %s by chat, but %s.", where, m.Name, noChat)
	case !byChat:
		return fmt.Sprintf("%s goes to %s by mail, but %s.", where, m.Name, noMail)
	}
	return fmt.Sprintf("%s goes to %s by mail or chat, but %s and %s.", where, m.Name, noMail, noChat)
}
