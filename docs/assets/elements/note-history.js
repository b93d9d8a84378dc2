/** The versions of a note, newest first: what each changed, and the way back to it. */
import { call, complaint } from "./api.js";
import { h, moment } from "./dom.js";

const TAGS = { added: "ins", removed: "del", same: "span" };

function difference(pieces) {
  return h("pre", { class: "difference" },
    ...pieces.map(([kind, text]) => h(TAGS[kind], {}, text)));
}

async function ask(path) {
  const reply = await call(path).catch(() => null);
  if (reply?.ok) return reply.data;
  const why = reply ? complaint(reply) : "the service is not reachable";
  return h("p", { role: "status" }, `Not shown: ${why}.`);
}

/** An element. `restore(body)` opens a form with the text of a version. */
export async function history({ id, may_change, version: newest }, restore) {
  const versions = await ask(`notes/${id}/revisions`);
  if (versions instanceof Element) return versions;
  const rows = versions.reverse().map(({ version, by, body, saved_at }) => {
    const head = `Version ${version}, ${by ?? "from the published file"}, ${moment(saved_at)}`;
    const row = h("details", {}, h("summary", {}, head));
    row.addEventListener("toggle", async () => {
      if (row.children.length > 1) return;
      const pieces = await ask(`notes/${id}/revisions/${version}/changes`);
      row.append(pieces instanceof Element ? pieces : difference(pieces));
      if (!may_change || version === newest) return;
      const back = h("button", { class: "md-button", type: "button" }, "Restore this text");
      back.addEventListener("click", () => restore(body));
      row.append(h("p", { class: "buttons" }, back));
    });
    return row;
  });
  const isWhole = versions.length === Math.max(...versions.map(({ version }) => version));
  if (!isWhole) rows.push(h("p", {}, "Versions that were for their author alone are not shown."));
  return h("div", { class: "history" }, ...rows);
}
