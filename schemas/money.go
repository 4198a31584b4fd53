package schemas

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"
)

// Money is an amount in micro-USD (1 USD = 1,000,000). On the wire it is an exact
// decimal JSON number of dollars; a decimal string is accepted too. It never passes
// through a float.
type Money int64

// USD is one dollar.
const USD Money = 1_000_000

const maxMoneyLength = 24

// ParseMoney reads a plain decimal amount of dollars such as "15", "0.5" or "-3.25".
// It refuses exponents, more than six decimals and anything beyond int64 micro-USD.
func ParseMoney(text string) (Money, error) {
	digits, negative := strings.CutPrefix(text, "-")
	whole, fraction, dotted := strings.Cut(digits, ".")
	switch {
	case len(text) > maxMoneyLength, whole == "", dotted && fraction == "", !isDigits(whole), !isDigits(fraction):
		return 0, fmt.Errorf("must be a decimal amount of dollars; got %.32q. Example: 12.50", text)
	case len(fraction) > 6:
		return 0, fmt.Errorf("must have at most 6 decimals; got %s. Example: 12.50", text)
	}
	micros, err := strconv.ParseInt(whole+fraction+strings.Repeat("0", 6-len(fraction)), 10, 64)
	if err != nil {
		return 0, fmt.Errorf("must be below %s; got %s", Money(math.MaxInt64), text)
	}
	if negative {
		micros = -micros
	}
	return Money(micros), nil
}

func isDigits(s string) bool {
	return strings.Trim(s, "0123456789") == ""
}

// String is the shortest exact decimal: "15", "0.5", "-3.25".
func (m Money) String() string {
	sign, n := "", uint64(m)
	if m < 0 {
		sign, n = "-", -n
	}
	fraction := strings.TrimRight(fmt.Sprintf("%06d", n%1_000_000), "0")
	if fraction != "" {
		fraction = "." + fraction
	}
	return sign + strconv.FormatUint(n/1_000_000, 10) + fraction
}

// Dollars is the amount as people read it: "$15.00", "-$0.50", "$0.000001".
func (m Money) Dollars() string {
	text, negative := strings.CutPrefix(m.String(), "-")
	whole, fraction, _ := strings.Cut(text, ".")
	for len(fraction) < 2 {
		fraction += "0"
	}
	sign := ""
	if negative {
		sign = "-"
	}
	return sign + "$" + whole + "." + fraction
}

// MarshalJSON writes an exact decimal number.
func (m Money) MarshalJSON() ([]byte, error) { return []byte(m.String()), nil }

// UnmarshalJSON reads an exact decimal number or a string that holds one.
func (m *Money) UnmarshalJSON(raw []byte) error {
	text := string(bytes.TrimSpace(raw))
	if strings.HasPrefix(text, `"`) {
		if err := json.Unmarshal(raw, &text); err != nil {
			return err
		}
	}
	amount, err := ParseMoney(text)
	if err != nil {
		return err
	}
	*m = amount
	return nil
}
