package answer

import (
	"encoding/json"
	"fmt"
	"math/big"
	"slices"
	"strconv"

	"humanops-mcp/schemas"
)

// rating is a place on a scale.
type rating struct {
	low, high, step *big.Rat
	labels          map[string]string // by place
	help            string
}

const (
	maxSteps  = 1000 // places on a scale
	maxRadios = 11   // places that a page shows side by side
)

func parseRating(c *config) kind {
	r := rating{low: c.number("scale_min", "min_value", "min"), high: c.number("scale_max", "max_value", "max"),
		step: c.number("scale_step", "step"), help: c.either(maxHelp, "prompt", "guidelines")}
	c.flag("show_numeric_labels", true)
	c.flag("required", true)
	orRat(&r.low, 1)
	orRat(&r.step, 1)
	if r.high == nil {
		r.high = new(big.Rat).Add(r.low, big.NewRat(4, 1))
	}
	switch {
	case r.low.Cmp(r.high) >= 0:
		c.add("scale_min", "must be below scale_max; got "+decimal(r.low)+" and "+decimal(r.high))
	case r.step.Sign() <= 0:
		c.add("scale_step", "must be above 0; got "+decimal(r.step))
	case r.places() > maxSteps:
		c.add("scale_step", fmt.Sprintf("must leave at most %d places on the scale", maxSteps))
	default:
		r.labels = r.parseLabels(c)
	}
	return r
}

func orRat(n **big.Rat, fallback int64) {
	if *n == nil {
		*n = big.NewRat(fallback, 1)
	}
}

// places counts what can be chosen; the last place may lie below the end of the scale.
func (r rating) places() int64 {
	steps := new(big.Rat).Sub(r.high, r.low)
	steps.Quo(steps, r.step)
	whole := new(big.Int).Quo(steps.Num(), steps.Denom())
	if !whole.IsInt64() {
		return maxInteger
	}
	return whole.Int64() + 1
}

func (r rating) at(i int64) *big.Rat {
	n := new(big.Rat).Mul(r.step, big.NewRat(i, 1))
	return n.Add(n, r.low)
}

// parseLabels reads words for places: an object by place, or an array with one for each.
func (r rating) parseLabels(c *config) map[string]string {
	raw := c.find("labels")
	if raw == nil {
		return nil
	}
	if items, ok := itemsOf(raw); ok {
		return r.labelList(c, items)
	}
	members, ok := membersOf(raw)
	if !ok {
		c.add("labels", `must be an object such as {"1":"poor","5":"excellent"}; got `+got(raw))
		return nil
	}
	if len(members) > maxSteps {
		c.add("labels", fmt.Sprintf("must have at most %d labels; got %d", maxSteps, len(members)))
		return nil
	}
	labels := map[string]string{}
	in := &config{path: c.path + ".labels", ordered: members}
	for _, m := range members {
		key := m.name
		if n := numberOf(json.RawMessage(key)); n != nil {
			key = decimal(n)
		}
		labels[key] = in.text(m.name, maxLabel) // min, max and the like stand beside the scale
	}
	c.problems.Join(in.problems)
	return labels
}

func (r rating) labelList(c *config, items []json.RawMessage) map[string]string {
	if int64(len(items)) != r.places() {
		c.add("labels", fmt.Sprintf("must have one label for each of the %d places; got %d", r.places(), len(items)))
		return nil
	}
	labels := map[string]string{}
	for i, raw := range items {
		label, ok := textOf(raw)
		if !ok || len([]rune(label)) > maxLabel {
			c.add("labels["+strconv.Itoa(i)+"]", fmt.Sprintf("must be a string of at most %d characters; got %s", maxLabel, got(raw)))
		}
		labels[decimal(r.at(int64(i)))] = label
	}
	return labels
}

func (r rating) check(field string, raw json.RawMessage) (Answer, error) {
	if members, ok := membersOf(raw); ok {
		value, err := main(field, members, "rating", "rating_label")
		if err != nil {
			return Answer{}, err
		}
		field, raw = field+".rating", value
	}
	n := numberOf(raw)
	switch {
	case n == nil:
		return Answer{}, schemas.Invalid(field, "must be a number; got "+got(raw))
	case n.Cmp(r.low) < 0 || n.Cmp(r.high) > 0:
		return Answer{}, schemas.Invalid(field, "must be between "+decimal(r.low)+" and "+decimal(r.high)+"; got "+got(raw))
	case !onStep(n, r.low, r.step):
		return Answer{}, schemas.Invalid(field, "must be on a step of "+decimal(r.step)+" from "+decimal(r.low)+"; got "+got(raw))
	}
	return r.answer(n), nil
}

func (r rating) answer(n *big.Rat) Answer {
	value := json.RawMessage(decimal(n))
	return Answer{Data: object("rating", value, "rating_label", quote(r.label(n))), Value: value, Decision: schemas.Answered}
}

func (r rating) label(n *big.Rat) string {
	if label := r.labels[decimal(n)]; label != "" {
		return label
	}
	return decimal(n)
}

func (r rating) fields() []Field {
	f := Field{Name: fieldName, Label: "Your rating", Kind: "number", Required: true, Help: r.help,
		Min: float(r.low), Max: float(r.high), Step: float(r.step)}
	if r.places() > maxRadios {
		return []Field{f}
	}
	f.Kind = "radio" // a slider always stands somewhere: an answer that nobody gave
	for i := range r.places() {
		o := Option{Value: decimal(r.at(i)), Label: decimal(r.at(i))}
		if label := r.label(r.at(i)); label != o.Value {
			o.Label += " – " + label
		}
		f.Options = append(f.Options, o)
	}
	return []Field{f}
}

func (r rating) fromForm(form map[string][]string) (json.RawMessage, error) {
	text := entered(form, fieldName)
	if text == "" {
		return nil, schemas.Invalid(fieldName, "is required: choose a rating")
	}
	return numeral(fieldName, text)
}

func (r rating) simulated(steer string) json.RawMessage {
	if steer == "reject" || steer == "changes" {
		return r.answer(r.low).Data
	}
	return r.answer(r.at(r.places() - 1)).Data
}

// number is any number within bounds.
type number struct {
	low, high, step          *big.Rat
	decimals                 int // at most; -1 for any
	unsigned                 bool
	prefix, suffix           string
	placeholder, explanation string
}

func parseNumber(c *config) kind {
	n := number{
		low: c.number("min_value", "min", "scale_min"), high: c.number("max_value", "max", "scale_max"), step: c.number("step"),
		decimals: c.whole("decimal_places", 0, maxPlaces, -1), unsigned: !c.flag("allow_negative", true),
		prefix: c.text("prefix", maxValue), suffix: c.either(maxValue, "suffix", "unit"),
		placeholder: c.text("placeholder", maxLabel), explanation: c.either(maxHelp, "validation_message", "prompt", "guidelines"),
	}
	c.flag("required", true)
	if n.unsigned && n.high != nil && n.high.Sign() < 0 {
		c.add("max_value", "must not be below 0 where negative numbers are not allowed")
	}
	if n.low != nil && n.high != nil && n.low.Cmp(n.high) > 0 {
		c.add("min_value", "must not be above max_value; got "+decimal(n.low)+" and "+decimal(n.high))
	}
	if n.step != nil && n.step.Sign() <= 0 {
		c.add("step", "must be above 0; got "+decimal(n.step))
	}
	return n
}

func (n number) check(field string, raw json.RawMessage) (Answer, error) {
	if members, ok := membersOf(raw); ok {
		value, err := main(field, members, "number", "formatted_value")
		if err != nil {
			return Answer{}, err
		}
		field, raw = field+".number", value
	}
	v := numberOf(raw)
	if v == nil {
		return Answer{}, schemas.Invalid(field, "must be a number within ±9007199254740992 with at most 10 decimal places; got "+got(raw))
	}
	if rule := n.broken(v); rule != "" {
		return Answer{}, schemas.Invalid(field, rule+"; got "+got(raw))
	}
	value := json.RawMessage(decimal(v))
	return Answer{Data: object("number", value, "formatted_value", quote(n.format(v))), Value: value, Decision: schemas.Answered}, nil
}

// broken is the rule that v breaks, or "".
func (n number) broken(v *big.Rat) string {
	switch {
	case n.unsigned && v.Sign() < 0:
		return "must not be negative"
	case n.low != nil && v.Cmp(n.low) < 0:
		return "must be at least " + decimal(n.low)
	case n.high != nil && v.Cmp(n.high) > 0:
		return "must be at most " + decimal(n.high)
	case n.decimals >= 0 && places(v) > n.decimals:
		return fmt.Sprintf("must have at most %d decimal places", n.decimals)
	case n.step != nil && !onStep(v, n.low, n.step):
		return "must be on a step of " + decimal(n.step)
	}
	return ""
}

func (n number) format(v *big.Rat) string {
	text := decimal(v)
	if n.decimals >= 0 {
		text = v.FloatString(n.decimals)
	}
	return n.prefix + text + n.suffix
}

func (n number) fields() []Field {
	f := Field{Name: fieldName, Label: "Your answer", Kind: "number", Required: true, Min: float(n.low), Max: float(n.high), Step: float(n.step),
		Prefix: n.prefix, Suffix: n.suffix, Placeholder: n.placeholder, Help: n.explanation}
	if n.unsigned && (n.low == nil || n.low.Sign() < 0) {
		f.Min = float(new(big.Rat))
	}
	if f.Step == nil && n.decimals >= 0 {
		f.Step = float(new(big.Rat).Quo(big.NewRat(1, 1), power(n.decimals)))
	}
	return []Field{f}
}

func power(decimals int) *big.Rat {
	return new(big.Rat).SetInt(new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(decimals)), nil))
}

func (n number) fromForm(form map[string][]string) (json.RawMessage, error) {
	text := entered(form, fieldName)
	if text == "" {
		return nil, schemas.Invalid(fieldName, "is required: enter a number")
	}
	return numeral(fieldName, text)
}

// simulated tries what is most likely allowed.
func (n number) simulated(string) json.RawMessage {
	for _, v := range []*big.Rat{big.NewRat(1, 1), n.low, n.high, new(big.Rat)} {
		if v != nil && n.broken(v) == "" {
			return json.RawMessage(decimal(v))
		}
	}
	if n.step != nil && n.high != nil && n.low == nil { // the highest step
		steps := new(big.Rat).Quo(n.high, n.step)
		whole := new(big.Int).Div(steps.Num(), steps.Denom())
		return json.RawMessage(decimal(new(big.Rat).Mul(n.step, new(big.Rat).SetInt(whole))))
	}
	return json.RawMessage("0")
}

// Median is the middle of rating or number answers; of an even count the mean of the
// middle two, where it is a possible answer, else the lower of them.
func (s Spec) Median(values []json.RawMessage) (Answer, bool) {
	if s.name != "rating" && s.name != "number" || len(values) == 0 {
		return Answer{}, false
	}
	sorted := make([]*big.Rat, len(values))
	for i, raw := range values {
		if sorted[i] = numberOf(raw); sorted[i] == nil {
			return Answer{}, false
		}
	}
	slices.SortFunc(sorted, (*big.Rat).Cmp)
	low, high := sorted[(len(sorted)-1)/2], sorted[len(sorted)/2]
	mean := new(big.Rat).Add(low, high)
	mean.Quo(mean, big.NewRat(2, 1))
	for _, n := range []*big.Rat{mean, low} {
		if a, err := s.Check("answers", json.RawMessage(decimal(n))); err == nil && exact(n) {
			return a, true
		}
	}
	return Answer{}, false
}
