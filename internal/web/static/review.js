// The page of a review: keeps the claim while it is looked at, and keeps what was typed.
// Everything works without it.
const form = document.querySelector("form[data-answer]");
const kept = `answer ${location.pathname}`;

function draftOf(fields) {
  const draft = {};
  for (const [name, value] of new FormData(fields)) {
    if (!["round", "action_digest", "assertion"].includes(name)) (draft[name] ??= []).push(value);
  }
  return JSON.stringify({ round: fields.dataset.round, draft });
}

function fill(fields, draft) {
  for (const control of fields.elements) {
    const values = draft[control.name];
    if (!values || control.type === "hidden" || control.type === "submit") continue;
    if (control.type === "radio" || control.type === "checkbox") control.checked = values.includes(control.value);
    else control.value = values[0];
    if (control.value && control.closest("details") && control.value !== control.defaultValue) control.closest("details").open = true;
  }
}

// A page that came back with something to mend holds what was typed already.
function restore(fields) {
  if (document.querySelector("[role=alert] a")) return false;
  try {
    const saved = JSON.parse(sessionStorage.getItem(kept));
    if (saved?.round !== fields.dataset.round) return false;
    fill(fields, saved.draft);
    return true;
  } catch {
    return false;
  }
}

const post = (path) => fetch(path, { method: "POST", headers: { Accept: "application/json" }, credentials: "same-origin" });

// keepClaim renews the lease every third of it, while somebody can see the page.
function keepClaim(fields) {
  const base = fields.getAttribute("action");
  const said = fields.querySelector("[data-said]");
  let mine = fields.dataset.claim === "mine";
  let typed = restore(fields);
  let leaving = false;

  // The server says how long the claim lasts; it is renewed after a third of that.
  let timer;
  function again(seconds) {
    clearTimeout(timer);
    timer = setTimeout(() => { if (mine && !document.hidden) claim(); else again(seconds); }, Math.max(5, seconds / 3) * 1000);
  }

  async function claim() {
    try {
      const answer = await post(`${base}/claim`);
      const result = await answer.json();
      mine = answer.ok;
      said.textContent = answer.ok ? "You have claimed this; the others see it." : (result.error ?? "");
      if (answer.ok) document.querySelector("[data-claim-note]")?.remove(); // its time has moved on
      if (answer.ok) again(result.lease_seconds);
    } catch {
      said.textContent = "The connection is gone; what you typed stays here.";
      if (mine) again(15);
    }
  }

  fields.addEventListener("input", () => {
    if (!typed && !mine && fields.dataset.claim === "free") claim();
    typed = true;
    sessionStorage.setItem(kept, draftOf(fields));
  });
  if (fields.dataset.claim) {
    if (mine) again(Number(fields.dataset.lease));
    document.addEventListener("visibilitychange", () => { if (mine && !document.hidden) claim(); });
    document.addEventListener("submit", () => { leaving = true; });
    addEventListener("pagehide", () => { if (mine && !typed && !leaving) navigator.sendBeacon(`${base}/release`); });
    addEventListener("pageshow", (event) => { if (event.persisted) location.reload(); });
  }
}

if (form) keepClaim(form);
if (document.querySelector("[data-final]")) sessionStorage.removeItem(kept);
