package app

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestSimulatedPeopleAreNobodysToManage(t *testing.T) {
	eachHouse(t, func(t *testing.T, h *house) {
		h.person("Ada")
		h.unchanged(func() {
			for _, name := range []string{"Simulated%20operator%201", "op_simulated0000001"} {
				link := h.send(h.owner(), "POST", "/platform/v1/people/"+name+"/link", nil)
				require.Equal(t, 404, link.status, link.raw)
				require.Equal(t, 404, h.send(h.owner(), "DELETE", "/platform/v1/people/"+name, nil).status)
			}
			for _, name := range []string{"Simulated operator 1", "op_simulated0000001"} {
				got := h.send(h.live(), "POST", "/api/v1/tasks", h.newTask(func(b map[string]any) { b["assign_to"] = name }))
				require.Equal(t, 400, got.status, got.raw)
			}
		})
		require.NotContains(t, h.must(h.owner(), "GET", "/platform/v1/people", nil).raw, "imulated")
		added := h.send(h.owner(), "POST", "/platform/v1/people", map[string]any{"name": "Simulated operator 1"})
		require.Less(t, added.status, 500, added.raw)
		require.NotContains(t, added.raw, "op_simulated")
	})
}

func TestAPersonWhoWasRemovedCanComeBackAsSomebodyNew(t *testing.T) {
	eachHouse(t, func(t *testing.T, h *house) {
		old, oldID := h.person("Bob")
		o := h.post(h.live(), func(b map[string]any) { b["assign_to"] = "Bob" })
		link := strings.TrimPrefix(h.must(h.owner(), "POST", "/platform/v1/people/Bob/link", nil).text("url"), h.url)
		h.must(h.owner(), "DELETE", "/platform/v1/people/Bob", nil)
		fresh, freshID := h.person("Bob")
		require.NotEqual(t, oldID, freshID)
		require.Equal(t, 401, h.send(old, "GET", "/api/v1/operator/tasks", nil).status)
		require.Equal(t, 410, h.send(who{}, "GET", link, nil).status)
		require.Equal(t, 410, h.send(who{}, "POST", link, nil).status)
		require.Equal(t, 404, h.send(fresh, "GET", "/api/v1/operator/tasks/"+o, nil).status, "what was meant for the other Bob is not this one's")
		require.Equal(t, 404, h.send(h.owner(), "DELETE", "/platform/v1/people/"+oldID, nil).status)
		require.Equal(t, 404, h.send(h.owner(), "POST", "/platform/v1/people/"+oldID+"/link", nil).status)
	})
}

// Pages are for people who are signed in, and show each only what is theirs.
func TestPagesByKindOfCaller(t *testing.T) {
	h := newHouse(t)
	crowd := h.crowd()
	o := h.task(h.live(), "MANUAL_REVIEW")
	cookie := func(c who) who {
		token := strings.TrimPrefix(c.headers["Authorization"], "Bearer ")
		return who{name: c.name, headers: map[string]string{"Cookie": "humanops_session=" + token}}
	}
	proof := "/reviews/" + h.reviewOf(o.task)
	paths := []string{"/tasks/" + o.task, "/tasks/" + o.task + "/photos/1", "/decide/" + o.task, proof, proof + "/photos/1"}
	posts := []string{"/tasks/" + o.task + "/accept", "/tasks/" + o.task + "/start", "/tasks/" + o.task + "/release", "/tasks/" + o.task + "/messages", "/tasks/" + o.task + "/proof", "/decide/" + o.task, proof}
	h.unchanged(func() {
		nobodies := []who{{name: "nobody"}, h.live(), h.owner(), o.operator, {name: "garbage", headers: map[string]string{"Cookie": "humanops_session=x"}}}
		for _, c := range crowd.strangers {
			if !strings.Contains(c.name, "cookie") {
				nobodies = append(nobodies, c)
			}
		}
		for _, c := range nobodies { // keys and bearers open no page
			for _, path := range paths {
				require.Equal(t, 401, h.send(c, "GET", path, nil).status, "%s by %s", path, c.name)
			}
			for _, path := range posts {
				require.Equal(t, 401, h.send(c, "POST", path, nil).status, "%s by %s", path, c.name)
			}
		}
		for _, path := range paths {
			require.Equal(t, 404, h.send(cookie(crowd.bob), "GET", path, nil).status, "%s by Bob", path)
		}
		for _, path := range posts {
			if strings.HasSuffix(path, "/proof") {
				continue // needs its own kind of form
			}
			form := with(cookie(crowd.bob), "form", map[string]string{"Content-Type": "application/x-www-form-urlencoded"})
			got := h.send(form, "POST", path, "text=x&submission=1&decision=approve&round=1&answer=approve")
			require.Equal(t, 404, got.status, "%s by Bob: %s", path, got.raw)
		}
		require.Equal(t, 404, h.send(cookie(crowd.bob), "POST", "/tasks/"+o.task+"/proof", multipartBody{files: []file{{"a.jpg", photoBytes(t)}}}).status)
		require.Equal(t, 404, h.send(cookie(o.operator), "GET", "/decide/"+o.task, nil).status)
		require.Equal(t, 404, h.send(cookie(o.operator), "GET", proof, nil).status)
	})
	require.Equal(t, 200, h.send(cookie(o.operator), "GET", "/tasks/"+o.task, nil).status)
	require.Equal(t, 200, h.send(cookie(o.operator), "GET", "/tasks/"+o.task+"/photos/1", nil).status)
	require.Equal(t, proof, h.proofPage(cookie(h.owner()), o.task))
	require.Equal(t, 200, h.send(cookie(h.owner()), "GET", proof, nil).status)
}

func TestAnAddressThatNoDatabaseCanHoldIsNoPage(t *testing.T) {
	eachHouse(t, func(t *testing.T, h *house) {
		owner := who{name: "owner", headers: map[string]string{"Cookie": "humanops_session=" + h.creds.OwnerToken}}
		for _, path := range []string{"/tasks/%00", "/tasks/%ff", "/decide/%00", "/decide/%ff", "/tasks/%00/photos/1"} {
			require.Equal(t, 404, h.send(owner, "GET", path, nil).status, path)
		}
		form := with(owner, "form", map[string]string{"Content-Type": "application/x-www-form-urlencoded"})
		for _, path := range []string{"/tasks/%00/accept", "/decide/%ff"} {
			require.Equal(t, 404, h.send(form, "POST", path, "submission=1&decision=approve").status, path)
		}
	})
}
