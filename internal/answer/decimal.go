package answer

import (
	"encoding/json"
	"math/big"
	"strconv"
	"strings"
)

const (
	maxPlaces   = 10 // decimal places of a number
	maxLiteral  = 40 // characters of a number
	maxExponent = 30
	maxInteger  = 1 << 53 // beyond it, other JSON readers lose digits
)

var (
	largest = big.NewRat(maxInteger, 1)
	finest  = new(big.Rat).SetInt(new(big.Int).Exp(big.NewInt(10), big.NewInt(maxPlaces), nil))
)

// numberOf is a JSON number, exactly; nil when raw is something else, beyond ±2^53 or
// finer than ten decimal places.
func numberOf(raw json.RawMessage) *big.Rat {
	text := string(raw)
	if text == "" || len(text) > maxLiteral || text[0] != '-' && (text[0] < '0' || text[0] > '9') || !json.Valid(raw) {
		return nil
	}
	if _, exponent, ok := strings.Cut(strings.ToLower(text), "e"); ok {
		// An exponent is bounded before it is worked out: 1e999999999 would fill the memory.
		if e, err := strconv.Atoi(exponent); err != nil || e > maxExponent || e < -maxExponent {
			return nil
		}
	}
	n, ok := new(big.Rat).SetString(text)
	if !ok || new(big.Rat).Abs(n).Cmp(largest) > 0 || !exact(n) {
		return nil
	}
	return n
}

// exact tells whether ten decimal places hold all of n.
func exact(n *big.Rat) bool { return new(big.Rat).Mul(n, finest).IsInt() }

// decimal writes a number without needless zeros: one spelling for one value.
func decimal(n *big.Rat) string {
	text := n.FloatString(maxPlaces)
	return strings.TrimSuffix(strings.TrimRight(text, "0"), ".")
}

// places is how many decimal places a number has.
func places(n *big.Rat) int {
	_, fraction, _ := strings.Cut(decimal(n), ".")
	return len(fraction)
}

// onStep tells whether n lies a whole number of steps from the start.
func onStep(n, start, step *big.Rat) bool {
	if start == nil {
		start = new(big.Rat)
	}
	distance := new(big.Rat).Sub(n, start)
	return distance.Quo(distance, step).IsInt()
}

func float(n *big.Rat) *float64 {
	if n == nil {
		return nil
	}
	f, _ := n.Float64()
	return &f
}
