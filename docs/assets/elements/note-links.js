/** Entries of the library while `[[` is typed: a list below the text, by arrows and Enter. */
import { call } from "./api.js";
import { h } from "./dom.js";

const MOST = 8;
const OPENED = /\[\[([^\[\]\n]{0,60})$/;

let entries; // asked once a visit
let made = 0;

function ask() {
  entries ??= call("notes/entries")
    .then(({ ok, data }) => (ok ? data : []))
    .catch(() => {
      entries = undefined;
      return [];
    });
  return entries;
}

/** Watch a textarea; returns the list, to stand below it. */
export function complete(text) {
  const id = `note-links-${++made}`;
  const list = h("ul", { id, class: "links", role: "listbox", "aria-label": "Entries", hidden: true });
  text.setAttribute("aria-autocomplete", "list");
  text.setAttribute("aria-controls", id);
  let found = [], active = 0;

  const close = () => {
    list.hidden = true;
    text.removeAttribute("aria-activedescendant");
  };

  const mark = (index) => {
    active = (index + found.length) % found.length;
    [...list.children].forEach((item, at) => item.setAttribute("aria-selected", at === active));
    text.setAttribute("aria-activedescendant", `${id}-${active}`);
  };

  const take = ({ slug }) => {
    const end = text.selectionStart;
    const start = end - OPENED.exec(text.value.slice(0, end))[1].length;
    const closed = text.value.startsWith("]]", end) ? 2 : 0;
    text.setRangeText(`${slug}]]`, start, end + closed, "end");
    close();
    text.focus();
    text.dispatchEvent(new Event("input", { bubbles: true }));
  };

  text.addEventListener("input", async () => {
    const opened = OPENED.exec(text.value.slice(0, text.selectionStart));
    if (!opened) return close();
    const all = await ask();
    const words = opened[1].toLowerCase().split(/\s+/);
    const fits = ({ slug, title }) => words.every((word) => `${slug} ${title}`.toLowerCase().includes(word));
    if (OPENED.exec(text.value.slice(0, text.selectionStart))?.[1] !== opened[1]) return;
    found = all.filter(fits).slice(0, MOST);
    list.replaceChildren(...found.map((entry, index) => {
      const item = h("li", { id: `${id}-${index}`, role: "option" },
        entry.title, " ", h("code", {}, entry.slug));
      item.addEventListener("mousedown", (event) => event.preventDefault()); // keep the focus
      item.addEventListener("click", () => take(entry));
      return item;
    }));
    list.hidden = !found.length;
    if (found.length) mark(0);
    else close();
  });

  text.addEventListener("keydown", (event) => {
    if (list.hidden) return;
    const does = {
      ArrowDown: () => mark(active + 1),
      ArrowUp: () => mark(active - 1),
      Enter: () => take(found[active]),
      Tab: () => take(found[active]),
      Escape: close,
    }[event.key];
    if (!does) return;
    event.preventDefault();
    does();
  });
  text.addEventListener("blur", close);
  return list;
}
