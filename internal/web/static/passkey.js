// Passkeys: a form that needs one asks the device for it and is sent with what the device
// gave. It holds for decisions, for changes of a loop and for registering.
const decode = (text) => Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (c) => c.charCodeAt(0));
const encode = (buffer) => btoa(String.fromCharCode(...new Uint8Array(buffer))).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");

const descriptors = (list) => (list ?? []).map((item) => ({ ...item, id: decode(item.id) }));

function requestOptions(options) {
  const key = options.publicKey ?? options;
  return { ...key, challenge: decode(key.challenge), allowCredentials: descriptors(key.allowCredentials) };
}

function creationOptions(options) {
  const key = options.publicKey ?? options;
  return {
    ...key, challenge: decode(key.challenge), user: { ...key.user, id: decode(key.user.id) },
    excludeCredentials: descriptors(key.excludeCredentials),
  };
}

// written is a credential as JSON; toJSON is missing where an extension stands in between.
function written(credential) {
  const from = credential.response;
  const response = { clientDataJSON: encode(from.clientDataJSON) };
  for (const part of ["attestationObject", "authenticatorData", "signature", "userHandle"]) {
    if (from[part]) response[part] = encode(from[part]);
  }
  if (from.getTransports) response.transports = from.getTransports();
  return {
    id: credential.id, rawId: encode(credential.rawId), type: credential.type, response,
    authenticatorAttachment: credential.authenticatorAttachment ?? undefined,
    clientExtensionResults: credential.getClientExtensionResults(),
  };
}

// begin asks the server for a ceremony about exactly what the form says.
async function begin(form, submitter) {
  const body = new URLSearchParams(new FormData(form, submitter));
  body.delete("assertion");
  const answer = await fetch(form.dataset.passkey, {
    method: "POST", body, headers: { Accept: "application/json" }, credentials: "same-origin",
  });
  const result = await answer.json().catch(() => ({}));
  if (!answer.ok) throw Object.assign(new Error(result.error ?? "This did not work. Load the page again."), { told: true, mend: answer.status === 400 });
  return result;
}

async function ceremony(form, submitter) {
  const begun = await begin(form, submitter);
  if (!begun.id) return ""; // nothing here needs a passkey
  if (!window.PublicKeyCredential || !isSecureContext) {
    throw Object.assign(new Error("This browser has no passkeys at this address, so nothing was sent."), { told: true });
  }
  if (begun.enrols?.length && !confirm(`From now on these passkeys count in this loop:\n\n${begun.enrols.join("\n")}`)) {
    throw Object.assign(new Error("Nothing was sent."), { told: true });
  }
  const credential = "register" in form.dataset
    ? await navigator.credentials.create({ publicKey: creationOptions(begun.options) })
    : await navigator.credentials.get({ publicKey: requestOptions(begun.options) });
  return JSON.stringify({ ceremony: begun.id, credential: written(credential) });
}

function words(error) {
  if (error.told) return error.message;
  if (error.name === "NotAllowedError") return "The device did not confirm it, so nothing was sent. Try again.";
  if (error.name === "InvalidStateError") return "This device has a passkey for you here already.";
  if (error.name === "SecurityError") return "Browsers allow no passkeys at this address. Open the page at its public address, or at localhost.";
  return "The passkey did not work, so nothing was sent. Try again.";
}

// The listener stands before all others: the form goes out only once the device has spoken.
document.addEventListener("submit", async (event) => {
  const form = event.target;
  if (!form.dataset.passkey || form.dataset.asserted) return;
  event.preventDefault();
  event.stopImmediatePropagation();
  if (form.dataset.asking) return;
  const said = form.querySelector("[data-said]");
  form.dataset.asking = "yes";
  said.textContent = "Your device asks for you now…";
  try {
    form.elements.assertion.value = await ceremony(form, event.submitter);
    form.dataset.asserted = "yes";
    said.textContent = "";
  } catch (error) {
    if (!error.mend) {
      said.textContent = words(error);
      return;
    }
    form.dataset.asserted = "yes"; // the page that comes back says what to mend, and where
  } finally {
    delete form.dataset.asking;
  }
  form.requestSubmit(event.submitter);
}, { capture: true });

addEventListener("pageshow", () => document.querySelectorAll("form[data-asserted]").forEach((form) => delete form.dataset.asserted));
