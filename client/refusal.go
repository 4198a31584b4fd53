package client

import (
	"encoding/json"
	"strings"

	"humanops-mcp/schemas"
)

// reviewEnvelope is the review contract's error answer. Its data is a sentence, or an
// object that names a field, or what this program's own servers add.
type reviewEnvelope struct {
	Msg    string
	Data   json.RawMessage
	Code   schemas.Code
	Fields []schemas.FieldError
	State  string
}

// readReviewEnvelope reads the review contract's error answer.
func readReviewEnvelope(body []byte) envelope {
	e := readEnvelope(body)
	var r reviewEnvelope
	if json.Unmarshal(body, &r) != nil || r.Msg == "" {
		return e
	}
	e.Fields, e.State, e.Code = r.Fields, r.State, r.Code
	message := r.Msg
	var sentence string
	if len(r.Fields) == 0 && json.Unmarshal(r.Data, &sentence) == nil && sentence != "" && !strings.Contains(message, sentence) {
		message = strings.TrimRight(message, ".") + ": " + sentence
	}
	e.addData(r.Data)
	e.Error, _ = json.Marshal(message) // a string can always be written
	return e
}

// addData reads what stands in the data of an error.
func (e *envelope) addData(raw json.RawMessage) {
	var data struct {
		Code         schemas.Code
		Fields       []schemas.FieldError
		State        string
		Field, Issue string
	}
	if json.Unmarshal(raw, &data) != nil {
		return
	}
	if e.Code == "" {
		e.Code = data.Code
	}
	if e.State == "" {
		e.State = data.State
	}
	if len(e.Fields) == 0 {
		e.Fields = data.Fields
	}
	if data.Field != "" && len(e.Fields) == 0 {
		e.Fields = []schemas.FieldError{{Field: data.Field, Message: data.Issue}}
	}
}
