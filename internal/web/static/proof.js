// The proof form: shows the chosen photos, adds the place when asked, says that it sends.
const form = document.querySelector("form[data-proof]");

// A second visit to the camera or the gallery adds to the photos, as people expect; the
// browser by itself would put the new ones in the place of the old.
function collect(input) {
  const list = document.createElement("ul");
  list.className = "photos";
  list.setAttribute("aria-label", "Chosen photos");
  input.after(list);
  let chosen = [];
  const show = () => {
    const files = new DataTransfer();
    chosen.forEach((file) => files.items.add(file));
    input.files = files.files;
    list.querySelectorAll("img").forEach((image) => URL.revokeObjectURL(image.src));
    list.replaceChildren(...chosen.map((file) => tile(file, () => {
      chosen = chosen.filter((other) => other !== file);
      show();
      input.focus();
    })));
  };
  input.addEventListener("change", () => {
    chosen = chosen.concat([...input.files]);
    show();
  });
}

function tile(file, remove) {
  const item = document.createElement("li");
  const image = document.createElement("img");
  image.src = URL.createObjectURL(file);
  image.alt = file.name;
  const button = document.createElement("button");
  button.type = "button";
  button.className = "button plain";
  button.textContent = "Remove";
  button.setAttribute("aria-label", `Remove ${file.name}`);
  button.addEventListener("click", remove);
  item.append(image, button);
  return item;
}

function place(box) {
  const button = box.querySelector("button");
  const status = box.querySelector("[role=status]");
  if (!navigator.geolocation || !isSecureContext) return;
  box.hidden = false;
  button.addEventListener("click", () => {
    status.textContent = "Asking this device where it is…";
    navigator.geolocation.getCurrentPosition(
      ({ coords }) => {
        form.elements.lat.value = coords.latitude.toFixed(6);
        form.elements.lng.value = coords.longitude.toFixed(6);
        form.elements.accuracy_m.value = Math.round(coords.accuracy);
        status.textContent = `Location added, within ${Math.round(coords.accuracy)} m.`;
      },
      () => { status.textContent = "This device did not give its location. You can send the proof without it."; },
      { enableHighAccuracy: true, timeout: 20000, maximumAge: 60000 },
    );
  });
}

if (form) {
  form.querySelectorAll("input[type=file]").forEach(collect);
  form.querySelectorAll("[data-place]").forEach(place);
  form.addEventListener("submit", () => {
    form.querySelector("[data-sending]").textContent = "Sending. Keep this page open until it is done.";
  });
}
