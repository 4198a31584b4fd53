package web

import (
	"encoding/json"
	"net/http"

	"humanops-mcp/internal/account"
	"humanops-mcp/internal/passkey"
	"humanops-mcp/internal/store"
	"humanops-mcp/internal/web/page"
	"humanops-mcp/schemas"
)

// ceremony is what passkey.js needs. Without an id there is nothing to assert.
type ceremony struct {
	ID      string          `json:"id,omitempty"`
	Options json.RawMessage `json:"options,omitempty"`
}

func writeCeremony(w http.ResponseWriter, c passkey.Ceremony) error {
	return writeJSON(w, http.StatusOK, ceremony{c.ID, c.Options})
}

// beginDecision begins the assertion of exactly the answer that the form holds.
func (s *server) beginDecision(w http.ResponseWriter, r *http.Request, at visit) error {
	f, err := readFormUpTo(w, r, "answer", answerLimit)
	if err != nil {
		return err
	}
	v, spec, err := s.reviewView(at)
	if err != nil {
		return err
	}
	f.asks(v)
	in := readAnswer(f, v, spec)
	if f.Wrong() {
		return schemas.NewError(schemas.CodeInvalid, "Something in the form has to be mended first.")
	}
	var begun passkey.Ceremony
	err = s.Store.Write(at.ctx, func(tx *store.Tx) (err error) {
		begun, err = s.Reviews.BeginDecision(at.ctx, tx, in)
		return err
	})
	if err != nil {
		return err
	}
	return writeCeremony(w, begun)
}

func (s *server) beginPasskey(w http.ResponseWriter, r *http.Request) error {
	var begun passkey.Ceremony
	err := s.Store.Write(r.Context(), func(tx *store.Tx) (err error) {
		begun, err = s.Passkeys.BeginRegistration(r.Context(), tx, account.From(r.Context()).PersonID)
		return err
	})
	if err != nil {
		return err
	}
	return writeCeremony(w, begun)
}

func (s *server) addPasskey(w http.ResponseWriter, r *http.Request) error {
	f, err := readForm(w, r, "passkey")
	if err != nil {
		return err
	}
	assertion := readAssertion(f)
	name := f.text("name", 100)
	if assertion == nil {
		f.Alert = "The browser sent no passkey. Registering one needs JavaScript and a browser that has passkeys."
	}
	if err = f.wrong(); err == nil {
		err = s.Store.Write(r.Context(), func(tx *store.Tx) error {
			_, err := s.Passkeys.FinishRegistration(r.Context(), tx, account.From(r.Context()).PersonID, name, *assertion)
			return err
		})
	}
	return s.settleMe(w, r, f, "key-added", err)
}

// beginRemoval begins the assertion that removes a passkey which counts in a loop; any
// other goes without.
func (s *server) beginRemoval(w http.ResponseWriter, r *http.Request) error {
	var begun passkey.Ceremony
	id := r.PathValue("passkey")
	err := s.Store.Write(r.Context(), func(tx *store.Tx) error {
		counts, err := passkey.CountsSomewhere(r.Context(), tx, id)
		if err != nil || !counts {
			return err
		}
		begun, err = s.Passkeys.Begin(r.Context(), tx, account.From(r.Context()).PersonID, passkey.Govern, passkey.RemovalSubject(id))
		return err
	})
	if err != nil {
		return err
	}
	return writeCeremony(w, begun)
}

func passkeyRows(list []passkey.Passkey, now page.Stamp) []page.PasskeyRow {
	out := make([]page.PasskeyRow, len(list))
	for i, k := range list {
		out[i] = page.PasskeyRow{ID: k.ID, Name: k.Name, Created: page.Stamp{At: k.CreatedAt, Now: now.Now}}
		if !k.LastUsedAt.IsZero() {
			out[i].Used = page.Stamp{At: k.LastUsedAt, Now: now.Now}
		}
	}
	return out
}
