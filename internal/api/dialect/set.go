package dialect

import "humanops-mcp/schemas"

// Set is the dialects that one listener speaks.
type Set struct {
	house  *Dialect
	spoken []*Dialect
}

// NewSet makes a set. What belongs to no contract (an unknown path, a page that fails) is
// answered in the first dialect.
func NewSet(house Dialect, more ...Dialect) *Set {
	s := &Set{house: &house, spoken: []*Dialect{&house}}
	for i := range more {
		s.spoken = append(s.spoken, &more[i])
	}
	return s
}

// All are the dialects of the set.
func (s *Set) All() []*Dialect { return s.spoken }

// Of is the dialect of a contract, nil where it is not spoken.
func (s *Set) Of(c schemas.Contract) *Dialect {
	for _, d := range s.spoken {
		if d.Contract.Name() == c.Name() {
			return d
		}
	}
	return nil
}

// At is the dialect in which a path is answered, even where nothing is served at it.
func (s *Set) At(path string) *Dialect {
	at, longest := s.house, 0
	for _, d := range s.spoken {
		if n := len(d.Contract.Under(path)); n > longest {
			at, longest = d, n
		}
	}
	return at
}
