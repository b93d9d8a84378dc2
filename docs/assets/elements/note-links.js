/** Entries of the library while `[[` is typed: a list below the text, by arrows and Enter. */
import { call } from "./api.js";
import { h } from "./dom.js";

const MOST = 8;
const OPENED = /\[\[([^\[\]\n]{0,60})$/;
const REST = /^(?:[^\[\]\n]{0,60}\]\]|[^\[\]\s]*)/; // of a link, or of the word

const count = (text, pattern) => (text.match(pattern) ?? []).length;

/** Whether a fence, or a backtick in the last line, is open at the end of a text. */
const isInCode = (text) =>
  count(text, /^\s*(```|~~~)/gm) % 2 === 1 || count(text.replace(/^.*\n/s, ""), /`/g) % 2 === 1;

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
  let found = [], active = 0, asked;

  /** What stands between `[[` and the caret; undefined where that is code, as a list of lists is. */
  const word = () => {
    const before = text.value.slice(0, text.selectionStart);
    return isInCode(before) ? undefined : OPENED.exec(before)?.[1];
  };

  const close = () => {
    list.hidden = true;
    text.removeAttribute("aria-activedescendant");
  };

  const mark = (index) => {
    active = (index + found.length) % found.length;
    [...list.children].forEach((item, at) => item.setAttribute("aria-selected", at === active));
    text.setAttribute("aria-activedescendant", `${id}-${active}`);
  };

  const move = (step) => {
    mark(active + step);
    list.children[active].scrollIntoView({ block: "nearest" });
  };

  const take = ({ slug }) => {
    const end = text.selectionStart;
    const rest = REST.exec(text.value.slice(end))[0];
    text.setRangeText(`${slug}]]`, end - asked.length, end + rest.length, "end");
    close();
    text.focus();
    text.dispatchEvent(new Event("input", { bubbles: true }));
  };

  const look = async () => {
    asked = word();
    if (asked === undefined) return close();
    const sought = asked;
    const all = await ask();
    const words = sought.toLowerCase().split(/\s+/);
    const fits = ({ slug, title }) => words.every((word) => `${slug} ${title}`.toLowerCase().includes(word));
    if (word() !== sought) return;
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
  };

  // The list is for where the caret was; a key or a click may have moved it.
  const isOld = () => !list.hidden && word() !== asked;
  text.addEventListener("input", look);
  for (const moved of ["keyup", "click"]) text.addEventListener(moved, () => isOld() && look());

  text.addEventListener("keydown", (event) => {
    if (isOld()) close();
    if (list.hidden) return;
    const does = {
      ArrowDown: () => move(1),
      ArrowUp: () => move(-1),
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
