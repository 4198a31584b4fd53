package oncall_test

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"humanops-mcp/internal/oncall"
	"humanops-mcp/schemas"
)

var workdays = []string{"mon", "tue", "wed", "thu", "fri"}

func office(zone string) schemas.AvailabilityRules {
	return schemas.AvailabilityRules{TimeZone: zone, Hours: []schemas.Hours{{Days: workdays, From: "09:00", Until: "17:00"}}}
}

func night(zone string, days ...string) schemas.AvailabilityRules {
	return schemas.AvailabilityRules{TimeZone: zone, Hours: []schemas.Hours{{Days: days, From: "22:00", Until: "06:00"}}}
}

func away(r schemas.AvailabilityRules, from, until string) schemas.AvailabilityRules {
	f, u := at(from), at(until)
	r.AbsentFrom, r.AbsentUntil = &f, &u
	return r
}

func at(text string) time.Time {
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		panic(err)
	}
	return t
}

func rules(t *testing.T, in schemas.AvailabilityRules) oncall.Rules {
	t.Helper()
	r, err := oncall.RulesOf(in)
	require.NoError(t, err)
	return r
}

func TestAPersonIsAskedAtTheNextTimeTheyWork(t *testing.T) {
	dawn := schemas.AvailabilityRules{TimeZone: "Europe/Vienna", Hours: []schemas.Hours{{Days: []string{"sun"}, From: "02:15", Until: "02:45"}}}
	for name, c := range map[string]struct {
		rules    schemas.AvailabilityRules
		at, next string
		critical bool
	}{
		"without hours always":                       {schemas.AvailabilityRules{}, "2026-03-07T03:00:00Z", "2026-03-07T03:00:00Z", false},
		"during work at once":                        {office("UTC"), "2026-03-02T09:00:00Z", "2026-03-02T09:00:00Z", false},
		"the end is outside":                         {office("UTC"), "2026-03-02T17:00:00Z", "2026-03-03T09:00:00Z", false},
		"before work":                                {office("UTC"), "2026-03-02T08:59:59Z", "2026-03-02T09:00:00Z", false},
		"over the weekend":                           {office("UTC"), "2026-03-06T18:00:00Z", "2026-03-09T09:00:00Z", false},
		"critical at night":                          {office("UTC"), "2026-03-06T18:00:00Z", "2026-03-06T18:00:00Z", true},
		"in a zone":                                  {office("America/New_York"), "2026-03-02T09:00:00Z", "2026-03-02T14:00:00Z", false},
		"the day after clocks go forward":            {office("America/New_York"), "2026-03-08T12:00:00Z", "2026-03-09T13:00:00Z", false},
		"the day after clocks go back":               {office("Europe/Vienna"), "2026-10-25T12:00:00Z", "2026-10-26T08:00:00Z", false},
		"over midnight, before it":                   {night("UTC", "mon"), "2026-03-02T23:00:00Z", "2026-03-02T23:00:00Z", false},
		"over midnight, after it":                    {night("UTC", "mon"), "2026-03-03T05:59:00Z", "2026-03-03T05:59:00Z", false},
		"over midnight, the next day has none":       {night("UTC", "mon"), "2026-03-03T22:00:00Z", "2026-03-09T22:00:00Z", false},
		"over midnight, of the week":                 {night("UTC", "sun"), "2026-03-02T01:00:00Z", "2026-03-02T01:00:00Z", false},
		"hours that the clocks jump over":            {dawn, "2026-03-28T12:00:00Z", "2026-04-05T00:15:00Z", false},
		"hours that come twice":                      {dawn, "2026-10-25T00:50:00Z", "2026-10-25T01:15:00Z", false},
		"a night in which clocks go forward":         {schemas.AvailabilityRules{TimeZone: "Europe/Vienna", Hours: []schemas.Hours{{Days: []string{"sun"}, From: "02:30", Until: "08:00"}}}, "2026-03-29T00:00:00Z", "2026-03-29T01:00:00Z", false},
		"away":                                       {away(office("UTC"), "2026-03-02T00:00:00Z", "2026-03-04T12:00:00Z"), "2026-03-02T10:00:00Z", "2026-03-04T12:00:00Z", false},
		"away until after work":                      {away(office("UTC"), "2026-03-02T00:00:00Z", "2026-03-04T20:00:00Z"), "2026-03-02T10:00:00Z", "2026-03-05T09:00:00Z", false},
		"away, though critical":                      {away(office("UTC"), "2026-03-02T00:00:00Z", "2026-03-04T20:00:00Z"), "2026-03-02T10:00:00Z", "2026-03-04T20:00:00Z", true},
		"not yet away":                               {away(office("UTC"), "2026-03-03T00:00:00Z", "2026-03-04T00:00:00Z"), "2026-03-02T10:00:00Z", "2026-03-02T10:00:00Z", false},
		"back already":                               {away(office("UTC"), "2026-02-01T00:00:00Z", "2026-03-02T10:00:00Z"), "2026-03-02T10:00:00Z", "2026-03-02T10:00:00Z", false},
		"away for months from tomorrow, after hours": {away(office("UTC"), "2026-03-03T00:00:00Z", "2026-06-01T00:00:00Z"), "2026-03-02T18:00:00Z", "2026-06-01T09:00:00Z", false},
	} {
		t.Run(name, func(t *testing.T) {
			r := rules(t, c.rules)
			next := oncall.NextOpening(r, at(c.at), c.critical)
			require.Equal(t, at(c.next).UTC(), next.UTC())
			require.Equal(t, c.at == c.next, c.critical && next.Equal(at(c.at)) || oncall.Available(r, at(c.at)))
		})
	}
}

func TestAnAbsenceWithoutABeginningHasBegun(t *testing.T) {
	until := at("2026-03-04T12:00:00Z")
	r := rules(t, schemas.AvailabilityRules{AbsentUntil: &until})
	require.Equal(t, until, oncall.NextOpening(r, at("2026-03-01T00:00:00Z"), true))
}

func TestWrongRulesAreRefused(t *testing.T) {
	from := at("2026-03-04T12:00:00Z")
	before := from.Add(-time.Hour)
	hours := func(from, until string, days ...string) schemas.AvailabilityRules {
		return schemas.AvailabilityRules{Hours: []schemas.Hours{{Days: days, From: from, Until: until}}}
	}
	for field, in := range map[string]schemas.AvailabilityRules{
		"time_zone":    {TimeZone: "Mars/Olympus"},
		"hours[0]":     hours("09:00", "09:00", "mon"),
		"hours[0] ":    hours("09:00", "25:00", "mon"),
		"hours[0]  ":   hours("24:00", "09:00", "mon"),
		"hours[0]   ":  hours("09:00", "17:00", "monday"),
		"hours[0]    ": hours("09:00", "17:00"),
		"absent_until": {AbsentFrom: &from},
		"absent_until ": {
			AbsentFrom: &from, AbsentUntil: &before,
		},
		"time_zone ": {TimeZone: "Local"},
	} {
		_, err := oncall.RulesOf(in)
		require.ErrorContains(t, err, trim(field), "%+v", in)
	}
}

func trim(field string) string {
	for field[len(field)-1] == ' ' {
		field = field[:len(field)-1]
	}
	return field
}

// The next opening is found by trying every minute, for random rules around the days on
// which clocks change.
func TestTheNextOpeningIsTheFirstMinuteAtWhichTheyAreAvailable(t *testing.T) {
	zones := []string{"UTC", "Europe/Vienna", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu", "America/Santiago"}
	starts := []time.Time{at("2026-03-07T00:00:00Z"), at("2026-03-28T00:00:00Z"), at("2026-04-04T00:00:00Z"), at("2026-09-05T00:00:00Z"), at("2026-10-24T00:00:00Z"), at("2026-11-01T00:00:00Z")}
	random := rand.New(rand.NewPCG(1, 2))
	for range 400 {
		in := schemas.AvailabilityRules{TimeZone: zones[random.IntN(len(zones))]}
		for range 1 + random.IntN(3) {
			in.Hours = append(in.Hours, randomHours(random))
		}
		start := starts[random.IntN(len(starts))].Add(time.Duration(random.IntN(3*24*60)) * time.Minute)
		if random.IntN(3) == 0 {
			from := start.Add(time.Duration(random.IntN(48)-24) * time.Hour)
			until := from.Add(time.Duration(1+random.IntN(72)) * time.Hour)
			in.AbsentFrom, in.AbsentUntil = &from, &until
		}
		r := rules(t, in)
		expected := start
		for !oncall.Available(r, expected) {
			expected = expected.Add(time.Minute)
		}
		next := oncall.NextOpening(r, start, false)
		require.Equal(t, expected.UTC(), next.UTC(), "%+v at %s", in, start)
		require.True(t, oncall.Available(r, next))
		require.False(t, next.Before(start))
		critical := oncall.NextOpening(r, start, true)
		require.False(t, critical.Before(start) || critical.After(next))
	}
}

func randomHours(random *rand.Rand) schemas.Hours {
	from := random.IntN(24 * 4)
	until := random.IntN(24 * 4)
	if from == until {
		until = (until + 1) % (24 * 4)
	}
	all := []string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"}
	clock := func(quarter int) string {
		return time.Date(2026, 1, 1, quarter/4, quarter%4*15, 0, 0, time.UTC).Format("15:04")
	}
	return schemas.Hours{Days: []string{all[random.IntN(7)], all[random.IntN(7)]}, From: clock(from), Until: clock(until)}
}

func TestRoutingChoosesWhoIsAsked(t *testing.T) {
	people := []oncall.Candidate{
		{PersonID: "a", LastAssigned: 5, Open: 1, Available: true},
		{PersonID: "b", LastAssigned: 3, Open: 2, Available: true},
		{PersonID: "c", LastAssigned: 1, Open: 0, Available: false},
	}
	require.Equal(t, []string{"a", "b", "c"}, oncall.Choose("", people), "everybody, whoever is away hears later")
	require.Equal(t, []string{"b"}, oncall.Choose(oncall.RoundRobin, people))
	require.Equal(t, []string{"a"}, oncall.Choose(oncall.LeastLoaded, people))
	require.Equal(t, []string{"c"}, oncall.Choose(oncall.RoundRobin, people[2:]), "somebody has to be asked")
	require.Empty(t, oncall.Choose(oncall.RoundRobin, nil))
	require.Empty(t, oncall.Choose(oncall.Broadcast, nil))
}

func TestEscalationStepsAreCountedOverTheRepetitions(t *testing.T) {
	general := schemas.EscalationPolicy{Steps: []schemas.EscalationStep{{AfterSeconds: 60, To: []string{"loop"}}}}
	high := schemas.EscalationPolicy{
		Priorities: []string{"high", "critical"}, Repeat: 1, Last: oncall.LastCancel,
		Steps: []schemas.EscalationStep{{AfterSeconds: 300, To: []string{"Ada"}}, {AfterSeconds: 600, To: []string{"owner"}}},
	}
	plan, ok := oncall.PlanFor([]schemas.EscalationPolicy{general, high}, "high")
	require.True(t, ok)
	var told []string
	var waits []time.Duration
	for n := 0; ; n++ {
		step, after, more := plan.Step(n)
		if !more {
			break
		}
		told, waits = append(told, step.To...), append(waits, after)
	}
	require.Equal(t, []string{"Ada", "owner", "Ada", "owner"}, told)
	require.Equal(t, []time.Duration{5 * time.Minute, 10 * time.Minute, 5 * time.Minute, 10 * time.Minute}, waits)
	require.Equal(t, oncall.LastCancel, plan.Last())

	plan, ok = oncall.PlanFor([]schemas.EscalationPolicy{high, general}, "low")
	require.True(t, ok)
	require.Equal(t, oncall.LastKeepOpen, plan.Last())
	_, ok = oncall.PlanFor([]schemas.EscalationPolicy{high}, "low")
	require.False(t, ok)
}
