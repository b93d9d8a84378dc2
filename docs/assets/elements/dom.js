/** Small helpers to build pages with. */

/** `h("p", {class: "state"}, "text", node)`: an element with attributes and children. */
export function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "boolean") element.toggleAttribute(name, value);
    else element.setAttribute(name, value);
  }
  element.append(...children);
  return element;
}

/** Fill `element` with HTML that the service has sanitized; the browser looks at it again. */
export function fill(element, html) {
  if (element.setHTML) element.setHTML(html ?? "", { sanitizer: {} });
  else element.innerHTML = html ?? "";
  return element;
}

/** A moment in the reader's own time zone and the page's language. */
export function moment(iso) {
  const language = document.documentElement.lang || undefined;
  return new Date(iso).toLocaleString(language, { dateStyle: "medium", timeStyle: "short" });
}

/** UUID version 4. `crypto.randomUUID` is missing on plain http, as in a local network. */
export function uuid() {
  if (crypto.randomUUID) return crypto.randomUUID();
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = (bytes[6] & 0x0f) | 0x40;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");
}
