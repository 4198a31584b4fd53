package view

import (
	"cmp"
	"context"
	"encoding/json"
	"math"
	"slices"
	"strings"
	"unicode"

	"humanops-mcp/internal/account"
	"humanops-mcp/internal/keyset"
	"humanops-mcp/internal/store"
	"humanops-mcp/internal/store/db"
	"humanops-mcp/schemas"
)

const (
	searched        = 2000
	defaultMatches  = 10
	maxMatches      = 50
	toolMember      = `,"tool":"`
	wordEdge        = '\x00'
	lettersTogether = 3
	// leastAlike keeps out what has only common words and endings in common with what was
	// searched for.
	leastAlike = 0.3
)

// FindPrecedents searches what the people of the house decided for this agent before, the
// most similar first. Without words everything that passes the filters is equally similar,
// the newest first.
func (s *Reader) FindPrecedents(ctx context.Context, tx *store.Tx, in schemas.FindPrecedentsRequest) (schemas.PrecedentList, error) {
	c := account.From(ctx)
	loopID := ""
	if in.LoopID != "" {
		loop, err := s.loops.Find(ctx, tx, in.LoopID)
		if err != nil {
			return schemas.PrecedentList{}, err
		}
		loopID = loop.ID
	}
	completed := list{scope: scope{mode: c.Mode, agentID: c.AgentID}}
	completed.sources = []source{ofAgent{completed.scope, string(schemas.ReviewCompleted)}}
	end, err := completed.bound(ctx, tx, span{beyond: keyset.Newest, until: keyset.Oldest})
	if err != nil {
		return schemas.PrecedentList{}, err
	}
	rows, err := tx.ListPrecedents(ctx, db.ListPrecedentsParams{
		AgentID: c.AgentID, Mode: c.Mode, Until: end.at.Time, UntilID: end.at.ID, LoopID: loopID, Decision: in.Decision, RowLimit: searched,
	})
	if err != nil {
		return schemas.PrecedentList{}, err
	}
	limit := defaultMatches
	if in.Limit > 0 {
		limit = min(in.Limit, maxMatches)
	}
	out := schemas.PrecedentList{Precedents: mostSimilar(rows, in.Query, in.Tool, limit), Searched: len(rows)}
	account.MarkTest(&out.Sandboxed, c.Mode)
	return out, nil
}

func mostSimilar(rows []db.ListPrecedentsRow, query, tool string, limit int) []schemas.Precedent {
	wanted := pieces(query)
	list := []schemas.Precedent{}
	for _, row := range rows {
		p := precedent(row)
		if tool != "" && p.Tool != tool {
			continue
		}
		if p.Similarity = 1; len(wanted) > 0 {
			p.Similarity = alike(wanted, pieces(row.Title+" "+row.RequestText+" "+p.Tool))
		}
		if p.Similarity >= leastAlike {
			list = append(list, p)
		}
	}
	slices.SortStableFunc(list, func(a, b schemas.Precedent) int { return cmp.Compare(b.Similarity, a.Similarity) })
	return list[:min(len(list), limit)]
}

func precedent(row db.ListPrecedentsRow) schemas.Precedent {
	var text struct {
		WasEdited bool `json:"was_edited"`
	}
	if row.ResponseType == "editable_text" {
		store.ReadJSON(row.Response, &text)
	}
	return schemas.Precedent{
		RequestID: row.ID, LoopID: row.LoopID, RequestText: row.RequestText, Tool: toolAtEnd(row.ActionEnd), Decision: row.Decision,
		ResponseValue: OrNull(row.ResponseValue), Comment: row.Comment, WasEdited: row.ActionEdited || text.WasEdited,
		DecidedAt: store.Time(row.EndedAt),
	}
}

// toolAtEnd reads the tool from the end of an action's canonical form, where it stands
// behind the arguments. Within a string its quotes would be escaped.
func toolAtEnd(text string) string {
	at := strings.LastIndex(text, toolMember)
	if at < 0 {
		return ""
	}
	var tool string
	quoted := strings.TrimSuffix(text[at+len(toolMember)-1:], "}")
	if json.Unmarshal([]byte(quoted), &tool) != nil {
		return ""
	}
	return tool
}

// pieces are the sets of three letters that the words of a text are made of, so that
// inflected and misspelt words are alike too.
func pieces(text string) map[[lettersTogether]rune]bool {
	set := map[[lettersTogether]rune]bool{}
	words := strings.FieldsFunc(strings.ToLower(text), func(c rune) bool { return !unicode.IsLetter(c) && !unicode.IsDigit(c) })
	for _, word := range words {
		letters := append(append([]rune{wordEdge}, []rune(word)...), wordEdge)
		for i := range len(letters) - lettersTogether + 1 {
			set[[lettersTogether]rune(letters[i:i+lettersTogether])] = true
		}
	}
	return set
}

// alike is the cosine of two sets: 0 without anything in common, 1 when they are equal.
func alike(a, b map[[lettersTogether]rune]bool) float64 {
	if len(a) == 0 || len(b) == 0 {
		return 0
	}
	common := 0
	for piece := range a {
		if b[piece] {
			common++
		}
	}
	return math.Round(1000*float64(common)/math.Sqrt(float64(len(a))*float64(len(b)))) / 1000
}
