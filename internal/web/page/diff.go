package page

import (
	"slices"
	"strings"
)

// change is a stretch of text that stayed, went or came.
type change struct {
	kind string // "", del, ins
	text string
}

// comparableCells is how much two texts may hold to be compared piece by piece.
const comparableCells = 4_000_000

// diffWords compares texts word by word.
func diffWords(before, after string) []change { return diff(words(before), words(after)) }

// diffLines compares texts line by line.
func diffLines(before, after string) []change {
	return diff(strings.SplitAfter(before, "\n"), strings.SplitAfter(after, "\n"))
}

// words splits a text into words, each with the spaces behind it.
func words(text string) []string {
	var out []string
	start, inSpace := 0, false
	for i, r := range text {
		space := strings.ContainsRune(" \n\t", r)
		if inSpace && !space {
			out = append(out, text[start:i])
			start = i
		}
		inSpace = space
	}
	return append(out, text[start:])
}

// diff is the shortest way from one list to the other. Lists that are too long to compare
// are shown whole, the old one and the new one.
func diff(before, after []string) []change {
	var head, tail []change
	for len(before) > 0 && len(after) > 0 && before[0] == after[0] {
		head = append(head, change{"", before[0]})
		before, after = before[1:], after[1:]
	}
	for len(before) > 0 && len(after) > 0 && before[len(before)-1] == after[len(after)-1] {
		tail = append(tail, change{"", before[len(before)-1]})
		before, after = before[:len(before)-1], after[:len(after)-1]
	}
	slices.Reverse(tail)
	return merge(slices.Concat(head, middle(before, after), tail))
}

func middle(before, after []string) []change {
	var out []change
	if len(before)*len(after) > comparableCells {
		return []change{{"del", strings.Join(before, "")}, {"ins", strings.Join(after, "")}}
	}
	common := commonLengths(before, after)
	i, j := 0, 0
	for i < len(before) && j < len(after) {
		switch {
		case before[i] == after[j]:
			out = append(out, change{"", before[i]})
			i, j = i+1, j+1
		case common[i+1][j] >= common[i][j+1]:
			out = append(out, change{"del", before[i]})
			i++
		default:
			out = append(out, change{"ins", after[j]})
			j++
		}
	}
	for ; i < len(before); i++ {
		out = append(out, change{"del", before[i]})
	}
	for ; j < len(after); j++ {
		out = append(out, change{"ins", after[j]})
	}
	return out
}

// commonLengths holds, for each pair of places, how much the rests have in common.
func commonLengths(before, after []string) [][]int32 {
	table := make([][]int32, len(before)+1)
	for i := range table {
		table[i] = make([]int32, len(after)+1)
	}
	for i := len(before) - 1; i >= 0; i-- {
		for j := len(after) - 1; j >= 0; j-- {
			if before[i] == after[j] {
				table[i][j] = table[i+1][j+1] + 1
			} else {
				table[i][j] = max(table[i+1][j], table[i][j+1])
			}
		}
	}
	return table
}

// merge joins neighbours of one kind.
func merge(list []change) []change {
	var out []change
	for _, c := range list {
		if n := len(out); n > 0 && out[n-1].kind == c.kind {
			out[n-1].text += c.text
			continue
		}
		out = append(out, c)
	}
	return out
}
