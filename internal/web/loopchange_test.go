package web_test

import (
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestDeletingLoops(t *testing.T) {
	h := newHouse(t)
	owner, ada := h.person("me"), h.person("Ada")
	mine := owner.register()
	t.Run("a loop is deleted by whoever types its name", func(t *testing.T) {
		gone := owner.loop("Short-lived")
		require.Equal(t, http.StatusNotFound, ada.post("/loops/"+gone+"/delete", url.Values{"typed_name": {"Short-lived"}}).Status)
		got := owner.post("/loops/"+gone+"/delete", url.Values{"typed_name": {"Another"}})
		require.Equal(t, http.StatusBadRequest, got.Status)
		require.Contains(t, got.Body, `id="deletion-typed_name-error"`)
		require.Contains(t, got.Body, `value="Another"`)
		got = owner.post("/loops/"+gone+"/delete", url.Values{"typed_name": {" Short-lived "}})
		require.Equal(t, http.StatusSeeOther, got.Status, got.Body)
		require.Contains(t, owner.get("/loops").Body, "The loop and everything in it were deleted.")
		require.Equal(t, http.StatusNotFound, owner.get("/loops/"+gone).Status)
	})
	t.Run("a loop that is needed stays, and the page says why", func(t *testing.T) {
		id := h.loop("default").ID
		require.NotContains(t, owner.get("/loops/"+id).Body, "Delete this loop")
		got := owner.post("/loops/"+id+"/delete", url.Values{"typed_name": {h.loop("default").Name}})
		require.Equal(t, http.StatusConflict, got.Status)
		require.Contains(t, got.Body, "belong to the house and cannot be deleted")
	})
	t.Run("a loop is deleted by a passkey", func(t *testing.T) {
		gone := owner.loop("Short-lived")
		set := url.Values{"change": {"settings"}, "name": {"Short-lived"}, "passkey": {"yes"}, "fail_closed": {"yes"}, "routing": {"broadcast"}, "mode": {"first"}}
		c := owner.begin("/loops/"+gone+"/passkey", set)
		require.Equal(t, http.StatusSeeOther, owner.post("/loops/"+gone, asserted(t, set, mine.Get(c))).Status)
		form := url.Values{"change": {"delete"}, "typed_name": {"Short-lived"}}
		require.Contains(t, owner.get("/loops/"+gone).Body, `action="/loops/`+gone+`/delete" data-passkey="/loops/`+gone+`/passkey"`)
		require.Equal(t, http.StatusForbidden, owner.post("/loops/"+gone+"/delete", form).Status)
		wrong := url.Values{"change": {"delete"}, "typed_name": {"x"}}
		require.Equal(t, http.StatusBadRequest, owner.post("/loops/"+gone+"/passkey", wrong, "Accept", "application/json").Status)
		c = owner.begin("/loops/"+gone+"/passkey", form)
		require.Equal(t, http.StatusSeeOther, owner.post("/loops/"+gone+"/delete", asserted(t, form, mine.Get(c))).Status)
		require.Equal(t, http.StatusNotFound, owner.get("/loops/"+gone).Status)
	})
}

func TestTwoOwnersAtOneLoop(t *testing.T) {
	h := newHouse(t)
	owner := h.person("me")
	loop := owner.loop("Payments")
	t.Run("of two owners who save at once, the second is told and loses nothing", func(t *testing.T) {
		first, second := shownForm(t, owner.get("/loops/"+loop).Body, "/loops/"+loop), shownForm(t, owner.get("/loops/"+loop).Body, "/loops/"+loop)
		h.clock.Advance(time.Minute)
		first.Set("description", "What the first wrote")
		require.Equal(t, http.StatusSeeOther, owner.post("/loops/"+loop, first).Status)
		second.Set("description", "What the second wrote")
		require.Equal(t, http.StatusBadRequest, owner.post("/loops/"+loop+"/passkey", second, "Accept", "application/json").Status)
		second.Set("claim", "soon")
		got := owner.post("/loops/"+loop, second)
		require.Equal(t, http.StatusBadRequest, got.Status)
		second = shownForm(t, got.Body, "/loops/"+loop)
		second.Set("claim", "5 min")
		got = owner.post("/loops/"+loop, second)
		require.Equal(t, http.StatusConflict, got.Status, "a mistake in between changes nothing")
		require.Contains(t, got.Body, "Somebody else changed this loop")
		require.Contains(t, got.Body, "What the second wrote")
		require.Equal(t, "What the first wrote", h.loop(loop).Description)
		again := shownForm(t, got.Body, "/loops/"+loop)
		require.Equal(t, http.StatusSeeOther, owner.post("/loops/"+loop, again).Status)
	})
}
