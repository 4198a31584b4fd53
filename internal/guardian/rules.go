package guardian

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"

	"humanops-mcp/schemas"
)

// Scores that are given without looking.
const (
	scoreNothing     = 0  // nothing was sent
	scoreNoPhoto     = 20 // a photo was asked for and there is none
	scoreTooFew      = 55
	scoreNoWords     = 50
	scoreWordsUnread = 70
	scoreEnough      = 75
)

// A requirement that asks for words cannot be judged by photos. Which ones do is decided
// by the agent's own wording, never by anything the operator sent.
var (
	wordsAsked = sync.OnceValue(func() *regexp.Regexp {
		return regexp.MustCompile(`(?i)\b(notes?|comments?|descriptions?|describe|explain|explanations?|summary|summari[sz]e|written|in words|notiz(en)?|beschreib\w*|notas?|descri[bp]\w*|décri\w*|remarques?)\b`)
	})
	photoAsked = sync.OnceValue(func() *regexp.Regexp {
		return regexp.MustCompile(`(?i)\b(photos?|photographs?|pictures?|images?|screenshots?|close-?ups?|pics?|shots?|fotos?|bild(er)?|imagen(es)?)\b`)
	})
	photosAsked = sync.OnceValue(func() *regexp.Regexp {
		return regexp.MustCompile(`(?i)\b(\d{1,2})\s+(?:[\p{L}-]+\s+){0,2}(?:photos?|photographs?|pictures?|images?|screenshots?|fotos?|bilder)\b`)
	})
)

func asksForWords(requirement string) bool {
	return wordsAsked().MatchString(requirement) && !photoAsked().MatchString(requirement)
}

// split holds the indexes of requirements by what can answer them.
type split struct{ visual, words []int }

func sortOut(requirements []string) split {
	var s split
	for i, r := range requirements {
		if asksForWords(r) {
			s.words = append(s.words, i)
		} else {
			s.visual = append(s.visual, i)
		}
	}
	return s
}

// judge puts together what the model saw and what only needs to be there.
func judge(in Input, s split, seen sight) schemas.Verdict {
	findings := make([]schemas.Finding, len(in.Requirements))
	for n, i := range s.visual {
		findings[i] = seen.findings[n]
		findings[i].Requirement = in.Requirements[i]
		if seen.textToReviewer && findings[i].Score > mostUnseen {
			findings[i].Score = mostUnseen
		}
	}
	for _, i := range s.words {
		findings[i] = wordsFinding(in, i)
	}
	reasons := weakReasons(findings)
	if seen.textToReviewer {
		reasons = append(reasons, "A photo holds text that speaks to the reviewer; a person must look.")
	}
	return verdict(Vision, findings, reasons)
}

// complete checks only that something was sent. It can reject, never approve.
func complete(in Input, configured string) schemas.Verdict {
	findings := make([]schemas.Finding, len(in.Requirements))
	for i, r := range in.Requirements {
		if asksForWords(r) {
			findings[i] = wordsFinding(in, i)
		} else {
			findings[i] = photosFinding(in, r)
		}
	}
	if len(findings) == 0 {
		findings = []schemas.Finding{photosFinding(in, "proof of the task")}
	}
	why := "No vision model is configured, so only the number of files was checked; a person or the agent must look at them."
	if configured == Vision {
		why = "There was nothing for the vision model to look at; a person or the agent must decide."
	}
	return verdict(Completeness, findings, append(weakReasons(findings), why))
}

// verdict takes the lowest score as the confidence.
func verdict(method string, findings []schemas.Finding, reasons []string) schemas.Verdict {
	lowest := 100
	for _, f := range findings {
		lowest = min(lowest, f.Score)
	}
	if method == Completeness {
		lowest = min(lowest, mostUnseen)
	}
	if len(reasons) == 0 {
		reasons = []string{"Every requirement is shown."}
	}
	return schemas.Verdict{Decision: Decide(lowest), Confidence: lowest, Method: method, Reasons: reasons, Findings: findings}
}

func wordsFinding(in Input, i int) schemas.Finding {
	f := schemas.Finding{Requirement: in.Requirements[i]}
	switch {
	case nothing(in):
		f.Score, f.Reason = scoreNothing, "Nothing was sent."
	case strings.TrimSpace(in.Note) == "":
		f.Score, f.Reason = scoreNoWords, "This asks for words, and no note was sent."
	default:
		f.Score, f.Reason = scoreWordsUnread, "A note was sent. Guardian does not score words; a person or the agent must read it."
	}
	return f
}

func photosFinding(in Input, requirement string) schemas.Finding {
	f := schemas.Finding{Requirement: requirement, Score: scoreEnough, Reason: fmt.Sprintf("Sent: %s. Nobody has looked yet.", count(in.Files, "file"))}
	needed := photosNeeded(in.Requirements)
	switch {
	case nothing(in):
		f.Score, f.Reason = scoreNothing, "Nothing was sent."
	case in.Files == 0 && (needsPhoto(in.TaskType) || photoAsked().MatchString(requirement)):
		f.Score, f.Reason = scoreNoPhoto, "This needs a photo, and no file was sent."
	case in.Files == 0:
		f.Score, f.Reason = scoreTooFew, "No file was sent, only a note. Guardian does not score words."
	case in.Files < needed:
		f.Score, f.Reason = scoreTooFew, fmt.Sprintf("The requirements ask for about %s; sent: %d.", count(needed, "photo"), in.Files)
	}
	return f
}

// photosNeeded counts one photo a visual requirement, or as many as it names.
func photosNeeded(requirements []string) int {
	total := 0
	for _, i := range sortOut(requirements).visual {
		n := 1
		if m := photosAsked().FindStringSubmatch(requirements[i]); m != nil {
			n, _ = strconv.Atoi(m[1])
		}
		total += n
	}
	return total
}

func needsPhoto(taskType string) bool {
	return slices.Contains([]string{"PHOTO", "INSPECTION"}, taskType)
}

func nothing(in Input) bool { return in.Files == 0 && strings.TrimSpace(in.Note) == "" }

func weakReasons(findings []schemas.Finding) []string {
	var reasons []string
	for _, f := range findings {
		if f.Score < approveFrom {
			reasons = append(reasons, f.Requirement+": "+f.Reason)
		}
	}
	return reasons
}

func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return strconv.Itoa(n) + " " + noun + "s"
}
