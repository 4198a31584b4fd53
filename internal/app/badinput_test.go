package app

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"hash/crc32"
	"maps"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// bad is a call that is refused, and what the answer has to say.
type bad struct {
	name   string
	by     who
	method string
	path   string
	body   any
	status int
	says   []string
}

// refused makes each call, looks at its answer, and that nothing changed.
func (h *house) refused(t *testing.T, cases []bad) {
	t.Helper()
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			before := h.state()
			method := c.method
			if method == "" {
				method = "POST"
			}
			got := h.send(c.by, method, c.path, c.body)
			require.Equal(t, c.status, got.status, got.raw)
			for _, words := range c.says {
				require.Contains(t, got.text("error"), words)
			}
			require.NotEmpty(t, got.text("code"))
			require.Less(t, len(got.raw), 8000, "an answer is no echo")
			require.Equal(t, before, h.state(), "nothing has changed")
		})
	}
}

// edited is a good task with members replaced by raw JSON; "" leaves one out.
func (h *house) edited(members map[string]string) string {
	body := h.newTask(nil)
	raw := map[string]json.RawMessage{}
	for name, value := range body {
		text, err := json.Marshal(value)
		require.NoError(h.t, err)
		raw[name] = text
	}
	for name, value := range members {
		raw[name] = json.RawMessage(value)
	}
	maps.DeleteFunc(raw, func(_ string, v json.RawMessage) bool { return len(v) == 0 })
	var parts []string
	for _, name := range sorted(raw) {
		key, err := json.Marshal(name)
		require.NoError(h.t, err)
		parts = append(parts, string(key)+":"+string(raw[name]))
	}
	return "{" + strings.Join(parts, ",") + "}"
}

func TestBadTasksAreRefusedWithWhatToDo(t *testing.T) {
	eachHouse(t, func(t *testing.T, h *house) {
		h.person("Ada")
		_ = h.post(h.live(), nil)
		post := func(name, body string, status int, says ...string) bad {
			return bad{name, h.live(), "POST", "/api/v1/tasks", body, status, says}
		}
		member := func(name, member, value string, says ...string) bad {
			return post(name, h.edited(map[string]string{member: value}), 400, append(says, member)...)
		}
		good := h.edited(nil)
		h.refused(t, []bad{
			{"no body", h.live(), "POST", "/api/v1/tasks", nil, 400, []string{"Nothing was sent", "title", "reward_usd", "deadline", "Example"}},
			post("an empty object", "{}", 400, "title is required", "proof_requirements is required"),
			post("a body of 10 MB", `{"title":"`+strings.Repeat("x", 10<<20)+`"}`, 413, "larger than 1 MiB"),
			post("half a body", good[:len(good)/2], 400, "JSON"),
			post("a list", "["+good+"]", 400, "object"),
			post("no JSON", "title=Photo", 400, "JSON"),
			post("two values", good+good, 400, "JSON"),
			post("nested without end", strings.Repeat("[", 200_000), 400),
			post("bad UTF-8", strings.Replace(good, "Storefront", "Store\xfffront", 1), 400, "UTF-8"),
			post("a half surrogate", strings.Replace(good, "Storefront", `Store\ud800front`, 1), 400),
			post("a member twice", strings.Replace(good, "{", `{"title":"Other",`, 1), 400, "title", "more than once"),
			post("a member in another case", strings.Replace(good, `"title"`, `"Title"`, 1), 400, "Title", "title"),
			post("a member twice, once in another case", strings.Replace(good, "{", `{"Title":"Other",`, 1), 400, "Title", "title"),
			member("a number for a text", "title", "5", "must be", "got 5", "Example"),
			member("a text for a number", "reward_usd", `"many"`, "got", "Example"),
			member("a text for a list", "proof_requirements", `"photo"`, "array", "Example"),
			member("a number within a list", "proof_requirements", `["photo",5]`, "[1]"),
			member("null for a needed member", "description", "null"),
			member("money with seven decimals", "reward_usd", "1.0000001", "at most 6 decimals", "1.0000001", "Example"),
			member("money in exponents", "reward_usd", "1e3", `got "1e3"`, "Example"),
			member("too little money", "reward_usd", "0.5", "between 1 and 10000", "got 0.5", "Example"),
			member("negative money", "reward_usd", "-5", "between", "got -5"),
			member("too much money", "reward_usd", "10000.01", "10000", "got 10000.01"),
			member("a reward of 0 for anybody", "reward_usd", "0", "assign_to"),
			member("a deadline without a zone", "deadline", `"2030-01-01 10:00"`, "RFC 3339", "Example"),
			member("a title of 100 kB", "title", `"`+strings.Repeat("ä", 50_000)+`"`, "between 1 and 200", "got 50000", "Example"),
			member("an empty title", "title", `""`, "must not be empty", "Example"),
			member("a title of blanks", "title", `"   "`),
			member("an unknown type", "task_type", `"FOTO"`, "PHOTO", "got"),
			member("no proof wanted", "proof_requirements", "[]"),
			member("a latitude of 91", "location", `{"lat":91,"lng":0}`, "location.lat", "between -90 and 90", "got 91", "Example"),
			member("a longitude of 181", "location", `{"lat":0,"lng":181}`, "location.lng", "got 181"),
			member("half a place", "location", `{"lat":1}`, "lng"),
			member("nobody's name", "assign_to", `"Nobody"`, "Nobody", "people add"),
			member("a private callback", "callback_url", `"http://127.0.0.1/hook"`, "https"),
			post("a deadline that has passed", h.edited(map[string]string{"deadline": `"2020-01-01T00:00:00Z"`}), 410, "deadline", "2020-01-01"),
			post("more than there is", h.edited(map[string]string{"reward_usd": "1000"}), 402, "nsufficient balance"),
			post("everything wrong at once", `{"title":"","task_type":"X","reward_usd":-1,"location":{"lat":91}}`, 400, "title", "description", "task_type", "reward_usd", "deadline", "proof_requirements", "location.lat"),
		})
		t.Run("an unknown member is a warning that names the nearest", func(t *testing.T) {
			got := h.must(h.live(), "POST", "/api/v1/tasks", strings.Replace(h.edited(nil), "{", `{"titel":"x",`, 1))
			require.Contains(t, got.text("warnings"), "titel")
			require.Contains(t, got.text("warnings"), "did you mean title?")
		})
	})
}

func TestAToolRefusesWhatItDoesNotKnow(t *testing.T) {
	h := newHouse(t)
	h.person("Ada")
	before := h.state()
	for name, c := range map[string]struct{ arguments, says string }{
		"an unknown member":         {strings.Replace(h.edited(nil), "{", `{"titel":"x",`, 1), "did you mean title?"},
		"a wrong type":              {h.edited(map[string]string{"title": "5"}), "title"},
		"money with seven decimals": {h.edited(map[string]string{"reward_usd": "1.0000001"}), "at most 6 decimals"},
		"a latitude of 91":          {h.edited(map[string]string{"lat": "91", "lng": "0"}), "lat must be between -90 and 90; got 91"},
		"a passed deadline":         {h.edited(map[string]string{"deadline": `"2020-01-01T00:00:00Z"`}), "deadline"},
		"nothing":                   {"{}", "title"},
	} {
		t.Run(name, func(t *testing.T) {
			got := h.tool(t, "post_task", c.arguments)
			require.Contains(t, got.raw, `"isError":true`)
			require.Contains(t, got.raw, c.says)
		})
	}
	require.Equal(t, before, h.state(), "nothing has changed")
}

// hugePNG claims a size in its header and holds no picture.
func hugePNG(side uint32) []byte {
	chunk := func(kind string, data []byte) []byte {
		out := binary.BigEndian.AppendUint32(nil, uint32(len(data)))
		out = append(append(out, kind...), data...)
		return binary.BigEndian.AppendUint32(out, crc32.ChecksumIEEE(out[4:]))
	}
	size := binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(nil, side), side)
	out := append([]byte("\x89PNG\r\n\x1a\n"), chunk("IHDR", append(size, 8, 2, 0, 0, 0))...)
	return append(out, chunk("IEND", nil)...)
}

func TestBadProofIsRefusedAndNothingIsKept(t *testing.T) {
	eachHouse(t, func(t *testing.T, h *house) {
		o, other := h.task(h.live(), "IN_PROGRESS"), h.task(h.live(), "IN_PROGRESS")
		path := "/api/v1/operator/tasks/" + o.task + "/proof"
		proof := func(name string, status int, body any, says ...string) bad {
			return bad{name, o.operator, "POST", path, body, status, says}
		}
		one := func(name string, content []byte) multipartBody { return multipartBody{files: []file{{name, content}}} }
		many := multipartBody{}
		for n := range 21 {
			many.files = append(many.files, file{fmt.Sprintf("%d.jpg", n), photoBytes(t)})
		}
		note := func(fields map[string]string) multipartBody { return multipartBody{fields: fields} }
		h.refused(t, []bad{
			proof("no form", 415, `{"note":"x"}`, "multipart/form-data", "files"),
			proof("no body", 415, nil, "multipart/form-data"),
			proof("neither photo nor note", 400, multipartBody{fields: map[string]string{"lat": "1", "lng": "1"}}, "files", "at least one photo"),
			proof("a PNG of 30000 by 30000", 400, one("big.png", hugePNG(30_000)), "files[0]", "30000 x 30000", "60 megapixels", "example"),
			proof("text named .jpg", 400, one("facade.jpg", []byte("This is no photo.")), "files[0]", "facade.jpg", "JPEG"),
			proof("a page named .png", 400, one("x.png", []byte("<html><script>alert(1)</script>")), "files[0]"),
			proof("a HEIC photo", 415, one("x.heic", []byte("\x00\x00\x00\x18ftypheic\x00\x00\x00\x00mif1heic")), "files[0]", "HEIC", "JPEG"),
			proof("an empty file", 400, one("empty.jpg", nil), "files[0]", "is empty"),
			proof("half a photo after a whole one", 400, multipartBody{files: []file{{"a.jpg", photoBytes(t)}, {"b.png", []byte("\x89PNG\r\n\x1a\n")}}}, "files[1]"),
			proof("21 files", 413, many, "At most 20 files", "20.jpg"),
			proof("a file of 26 MB", 413, one("big.jpg", append(photoBytes(t), bytes.Repeat([]byte{1}, 26<<20)...)), "big.jpg", "25 MiB"),
			proof("a latitude of 91", 400, note(map[string]string{"note": "x", "lat": "91", "lng": "0"}), "lat", "-90 and 90", "got 91"),
			proof("a latitude that is none", 400, note(map[string]string{"note": "x", "lat": "north", "lng": "0"}), "lat", "north"),
			proof("half a place", 400, note(map[string]string{"note": "x", "lat": "1"}), "lng"),
			proof("a note of 2001 characters", 400, note(map[string]string{"note": strings.Repeat("ä", 2001)}), "note", "at most 2000", "2001"),
			proof("a note of bad UTF-8", 400, note(map[string]string{"note": "\xff\xfe"}), "note"),
			{"proof on somebody else's task", o.operator, "POST", "/api/v1/operator/tasks/" + other.task + "/proof", one("a.jpg", photoBytes(t)), 404, []string{other.task}},
			{"proof on no task", o.operator, "POST", "/api/v1/operator/tasks/task_x/proof", one("a.jpg", photoBytes(t)), 404, nil},
		})
		h.must(o.operator, "POST", path, one("a.jpg", photoBytes(t)))
		h.refused(t, []bad{proof("a second submission", 409, one("b.jpg", photoBytes(t)), "SUBMITTED")})
		h.work()
		h.refused(t, []bad{proof("a second submission while it is reviewed", 409, one("b.jpg", photoBytes(t)), "MANUAL_REVIEW")})
	})
}

func TestBadDecisionsAndMessages(t *testing.T) {
	eachHouse(t, func(t *testing.T, h *house) {
		o, other := h.task(h.live(), "MANUAL_REVIEW"), h.task(h.live(), "IN_PROGRESS")
		own, work := "/api/v1/tasks/"+o.task, "/api/v1/operator/tasks/"+o.task
		decide := func(name string, status int, body string, says ...string) bad {
			return bad{name, h.live(), "POST", own + "/decision", body, status, says}
		}
		write := func(name string, status int, body string, says ...string) bad {
			return bad{name, h.live(), "POST", own + "/messages", body, status, says}
		}
		foreign := h.must(other.operator, "POST", "/api/v1/operator/tasks/"+other.task+"/messages", `{"text":"Which door?"}`).text("message_id")
		h.refused(t, []bad{
			decide("no body", 400, "", "submission", "decision"),
			decide("no submission", 400, `{"decision":"approve"}`, "submission"),
			decide("submission 0", 400, `{"submission":0,"decision":"approve"}`, "submission", "got 0"),
			decide("an unknown word", 400, `{"submission":1,"decision":"accept"}`, "decision", "approve", `got "accept"`),
			decide("a rejection without a reason", 400, `{"submission":1,"decision":"reject"}`, "reasons", "Example"),
			decide("changes without a reason", 400, `{"submission":1,"decision":"request_changes","reasons":[]}`, "reasons", "Example"),
			decide("an empty reason", 400, `{"submission":1,"decision":"reject","reasons":[" "]}`, "reasons[0]"),
			decide("a reason of 501 characters", 400, `{"submission":1,"decision":"reject","reasons":["`+strings.Repeat("ä", 501)+`"]}`, "reasons[0]", "500", "501"),
			decide("a submission that is to come", 409, `{"submission":2,"decision":"approve"}`, "number 1", "number 2"),
			decide("a refund where there is no dispute", 409, `{"submission":1,"decision":"refund","reasons":["x"]}`, "dispute"),
			write("an empty message", 400, `{"text":""}`, "text"),
			write("a message of 501 characters", 400, `{"text":"`+strings.Repeat("ä", 501)+`"}`, "text", "500", "501"),
			write("an answer to a message of another task", 400, `{"text":"x","reply_to":"`+foreign+`"}`, "reply_to", foreign),
			write("an answer to nothing", 400, `{"text":"x","reply_to":"msg_x"}`, "reply_to"),
			{"a message on somebody else's task", o.operator, "POST", "/api/v1/operator/tasks/" + other.task + "/messages", `{"text":"x"}`, 404, []string{other.task}},
			{"a task id of 100 kB", h.live(), "GET", "/api/v1/tasks/" + strings.Repeat("x", 100_000), nil, 400, []string{"task_id"}},
			{"a task id with a slash", h.live(), "GET", "/api/v1/tasks/..%2f..%2fetc", nil, 404, nil},
			{"a bad limit", h.live(), "GET", "/api/v1/tasks?limit=1000", nil, 400, []string{"limit", "between 1 and 100", "got 1000"}},
			{"a cursor that is none", h.live(), "GET", "/api/v1/tasks?cursor=x", nil, 400, []string{"cursor"}},
			{"an unknown status", h.live(), "GET", "/api/v1/tasks?status=DONEISH", nil, 400, []string{"status", "DONEISH"}},
			{"waiting for nothing", h.live(), "GET", "/api/v1/wait", nil, 400, []string{"ids"}},
			{"waiting too long", h.live(), "GET", "/api/v1/wait?ids=" + o.task + "&timeout=51", nil, 400, []string{"timeout", "50", "51"}},
			{"waiting for others", h.live(), "GET", "/api/v1/wait?ids=" + o.task + ",task_x", nil, 404, []string{"task_x"}},
			{"an unknown path", h.live(), "GET", "/api/v1/nothing", nil, 404, []string{"/openapi.json"}},
			{"a wrong method", h.live(), "PUT", "/api/v1/tasks", "{}", 405, []string{"GET", "POST"}},
		})
		t.Run("a decision on an older submission", func(t *testing.T) {
			h.must(h.live(), "POST", own+"/decision", `{"submission":1,"decision":"request_changes","reasons":["Closer"]}`)
			h.must(o.operator, "POST", work+"/proof", multipartBody{files: []file{{"b.jpg", photoBytes(t)}}})
			h.work()
			h.refused(t, []bad{decide("names it and the newer one", 409, `{"submission":1,"decision":"approve"}`, "number 2", "number 1")})
		})
		t.Run("the 51st message", func(t *testing.T) {
			for n := range 50 {
				require.Equal(t, http.StatusCreated, h.send(h.live(), "POST", own+"/messages", fmt.Sprintf(`{"text":"Message %d"}`, n)).status)
			}
			h.refused(t, []bad{write("is one too many", 409, `{"text":"One more"}`, "50")})
			h.must(o.operator, "POST", work+"/messages", `{"text":"The other side still may"}`)
		})
		t.Run("the last of 500 characters is taken, counted as people count", func(t *testing.T) {
			h.must(h.live(), "POST", "/api/v1/tasks/"+other.task+"/messages", `{"text":"`+strings.Repeat("ä", 500)+`"}`)
		})
	})
}

func TestAForgedCursorIsRefusedByEveryList(t *testing.T) {
	eachHouse(t, func(t *testing.T, h *house) {
		o := h.task(h.live(), "ACCEPTED")
		lists := map[string]who{
			"/api/v1/tasks": h.live(), "/api/v1/agents/keys": h.live(), "/api/v1/tasks/" + o.task + "/messages": h.live(),
			"/api/v1/operator/tasks": o.operator, "/platform/v1/people": h.owner(),
		}
		var cases []bad
		for _, path := range sorted(lists) {
			for _, forged := range []string{"1|\x00", "1|\xff", "x|task_1", "1", "99999999999999999999|task_1", "1|' OR 1=1"} {
				cursor := base64.RawURLEncoding.EncodeToString([]byte(forged))
				cases = append(cases, bad{fmt.Sprintf("%s %q", path, forged), lists[path], "GET", path + "?cursor=" + cursor, nil, 400, []string{"cursor must be"}})
			}
		}
		h.refused(t, cases)
	})
}
