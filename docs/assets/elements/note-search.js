/** A search in all notes that the member may read. */
import { call, complaint, root } from "./api.js";
import { fill, h, moment } from "./dom.js";

function found({ meeting, entry, author, created_at, html }) {
  const path = meeting ? `meetings/${meeting}/` : `library/${entry}/`;
  const place = h("a", { href: new URL(path, root) }, meeting ?? entry);
  return h("article", {},
    h("p", { class: "by" }, place, ` · ${author} · ${moment(created_at)}`),
    fill(h("div", { class: "text" }), html));
}

const MOST = 50; // that the service lists

function counted(n) {
  if (n === 0) return "No note has all these words.";
  if (n === MOST) return `The newest ${MOST} notes. More words find fewer.`;
  return `${n} note${n === 1 ? "" : "s"}`;
}

export function searchForm() {
  const words = h("input", { type: "search", maxlength: 200, required: true });
  const said = h("p", { class: "told", role: "status" });
  const list = h("div", { class: "found" });
  const form = h("form", { role: "search" },
    h("label", {}, "Words in notes ", words),
    h("button", { class: "md-button" }, "Find"),
    said,
    list);
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const sought = words.value.trim();
    if (!sought) {
      list.replaceChildren();
      said.textContent = "Type a word to search for.";
      words.focus();
      return;
    }
    const query = new URLSearchParams({ q: sought });
    const reply = await call(`notes/search?${query}`).catch(() => null);
    if (!reply?.ok) {
      said.textContent =
        `Not searched: ${reply ? complaint(reply) : "the service is not reachable"}.`;
      return;
    }
    said.textContent = counted(reply.data.length);
    list.replaceChildren(...reply.data.map(found));
  });
  return form;
}
