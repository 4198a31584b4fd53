package loop

import (
	"context"
	"encoding/json"

	"humanops-mcp/internal/account"
	"humanops-mcp/internal/oncall"
	"humanops-mcp/internal/store"
	"humanops-mcp/internal/store/db"
	"humanops-mcp/schemas"
)

// rulesOf reads stored rules. Rules that cannot be read any more, such as of a zone that
// has gone, are none: rather somebody is asked at night than nobody.
func rulesOf(zone, hours string, absentFrom, absentUntil int64) oncall.Rules {
	rules, err := oncall.RulesOf(storedRules(zone, hours, absentFrom, absentUntil))
	if err != nil {
		return oncall.Rules{}
	}
	return rules
}

func storedRules(zone, hours string, absentFrom, absentUntil int64) schemas.AvailabilityRules {
	out := schemas.AvailabilityRules{TimeZone: zone, AbsentFrom: store.TimePointer(absentFrom), AbsentUntil: store.TimePointer(absentUntil)}
	store.ReadJSON(hours, &out.Hours)
	return out
}

// findRules reads a person's rules; who has set none is always available.
func findRules(ctx context.Context, tx *store.Tx, personID string) (schemas.AvailabilityRules, error) {
	row, err := tx.AvailabilityOf(ctx, personID)
	if store.NotFound(err) {
		return schemas.AvailabilityRules{}, nil
	}
	return storedRules(row.TimeZone, row.Hours, row.AbsentFrom, row.AbsentUntil), err
}

func availabilityOf(ctx context.Context, tx *store.Tx, personID string) (oncall.Rules, error) {
	in, err := findRules(ctx, tx, personID)
	if err != nil {
		return oncall.Rules{}, err
	}
	rules, unreadable := oncall.RulesOf(in)
	if unreadable != nil {
		return oncall.Rules{}, nil //nolint:nilerr // see rulesOf
	}
	return rules, nil
}

// whose finds the person whose availability is meant: one's own, or for an owner anybody's.
func (s *Service) whose(ctx context.Context, tx *store.Tx, idOrName string) (string, error) {
	c := account.From(ctx)
	if c.PersonID != "" && (idOrName == "me" || idOrName == c.PersonID) {
		return c.PersonID, nil
	}
	if !c.Owner {
		return "", schemas.NewError(schemas.CodeNotFound, "You may see and set only your own availability: use me as the person.")
	}
	p, err := s.Accounts.FindPerson(ctx, tx, idOrName)
	return p.ID, err
}

// GetAvailability tells when a person may be asked.
func (s *Service) GetAvailability(ctx context.Context, tx *store.Tx, in schemas.PersonRequest) (schemas.Availability, error) {
	id, err := s.whose(ctx, tx, in.PersonID)
	if err != nil {
		return schemas.Availability{}, err
	}
	return availabilityView(ctx, tx, id)
}

func availabilityView(ctx context.Context, tx *store.Tx, personID string) (schemas.Availability, error) {
	in, err := findRules(ctx, tx, personID)
	if err != nil {
		return schemas.Availability{}, err
	}
	rules, err := availabilityOf(ctx, tx, personID)
	out := schemas.Availability{PersonID: personID, AvailabilityRules: in, AvailableNow: oncall.Available(rules, tx.Now())}
	if !out.AvailableNow {
		next := oncall.NextOpening(rules, tx.Now(), false).UTC()
		out.NextAt = &next
	}
	return out, err
}

// PutAvailability replaces a person's working hours and absence.
func (s *Service) PutAvailability(ctx context.Context, tx *store.Tx, in schemas.PutAvailabilityRequest) (schemas.Availability, error) {
	id, err := s.whose(ctx, tx, in.PersonID)
	if err != nil {
		return schemas.Availability{}, err
	}
	if _, err := oncall.RulesOf(in.AvailabilityRules); err != nil {
		return schemas.Availability{}, err
	}
	if in.Hours == nil {
		in.Hours = []schemas.Hours{}
	}
	hours, err := json.Marshal(in.Hours)
	if err != nil {
		return schemas.Availability{}, err
	}
	err = tx.PutAvailability(ctx, db.PutAvailabilityParams{
		PersonID: id, TimeZone: in.TimeZone, Hours: string(hours), AbsentFrom: store.MicrosOf(in.AbsentFrom), AbsentUntil: store.MicrosOf(in.AbsentUntil),
		UpdatedAt: store.Micros(tx.Now()),
	})
	if err != nil {
		return schemas.Availability{}, err
	}
	return availabilityView(ctx, tx, id)
}

// TimeZone is the zone in which a person works, "" when they have not said.
func TimeZone(ctx context.Context, tx *store.Tx, personID string) (string, error) {
	zone, err := tx.TimeZoneOf(ctx, personID)
	if store.NotFound(err) {
		return "", nil
	}
	return zone, err
}
