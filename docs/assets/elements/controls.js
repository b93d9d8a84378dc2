/** Controls that several elements share. */
import { h } from "./dom.js";

/** A button, and below it what it unfolds. Its name says too what it is `about`. */
export function unfold(label, about, ...inside) {
  const named = about ? { "aria-label": `${label}: ${about}` } : {};
  const button = h("button", { class: "md-button", type: "button", "aria-expanded": "false", ...named }, label);
  const below = h("div", { class: "below", hidden: true }, ...inside);
  button.addEventListener("click", () => {
    below.hidden = !below.hidden;
    button.setAttribute("aria-expanded", String(!below.hidden));
  });
  return h("div", { class: "step" }, button, below);
}

/** A button that says what it will do, and does it on the second press, once. */
export function step({ label, about, warning, field, act }) {
  const named = about ? { "aria-label": `${label} now: ${about}` } : {};
  const sure = h("button", { class: "md-button md-button--primary", ...named }, `${label} now`);
  const form = h("form", {}, h("p", {}, warning), ...(field ? [field] : []),
    h("p", { class: "buttons" }, sure));
  onSubmit(form, act);
  return unfold(label, about, form);
}

/** Call `act` when a form is sent, and not again before it has ended. */
export function onSubmit(form, act) {
  const actOnce = once(act);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    actOnce();
  });
}

/** What calls `act`, and not again before it has ended. */
export function once(act) {
  let busy = false;
  return async () => {
    if (busy) return;
    busy = true;
    await act().finally(() => (busy = false));
  };
}

let made = 0;

/**
 * A text to carry elsewhere: in a field, where it can be selected, with a button that copies it.
 * `rows`: how high the field is for a text of several lines.
 */
export function copyable(label, text, { rows } = {}) {
  const id = `copyable-${(made += 1)}`;
  const given = { id, readonly: true, spellcheck: "false" };
  const field = rows ? h("textarea", { ...given, rows }, text) : h("input", { ...given, type: "text", value: text });
  const said = h("span", { role: "status" });
  const copy = h("button", { class: "md-button", type: "button", "aria-label": `Copy: ${label}` }, "Copy");
  copy.addEventListener("click", async () => {
    field.select();
    // A browser keeps the clipboard from pages that came over plain http.
    const done = await navigator.clipboard?.writeText(text).then(() => true, () => false);
    said.textContent = done ? "Copied." : "Selected: copy it with the keyboard or by a long press.";
  });
  return h("div", { class: "copyable" }, h("label", { for: id }, label), field, copy, " ", said);
}
