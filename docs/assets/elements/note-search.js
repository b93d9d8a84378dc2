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
    const query = new URLSearchParams({ q: words.value });
    const reply = await call(`notes/search?${query}`).catch(() => null);
    if (!reply?.ok) {
      said.textContent =
        `Not searched: ${reply ? complaint(reply) : "the service is not reachable"}.`;
      return;
    }
    const n = reply.data.length;
    said.textContent = n === 0 ? "No note has all these words." : `${n} note${n === 1 ? "" : "s"}`;
    list.replaceChildren(...reply.data.map(found));
  });
  return form;
}
