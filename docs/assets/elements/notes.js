/** <readout-notes data-meeting="2023-11-07">: what members wrote under a meeting, and a form. */
import { call, root } from "./api.js";
import { fill, h, moment, uuid } from "./dom.js";
import * as outbox from "./outbox.js";

const SAID = {
  saved: () => "Saved.",
  kept: () => "Not sent yet. Your note is kept on this device and will be sent later.",
  rejected: ({ why }) => `Rejected: ${why}`,
  refused: ({ why }) =>
    why === "unreachable"
      ? "Not saved: the service is not reachable, and nobody is signed in here. Your text is kept."
      : "Not saved: you are not signed in. Your text is kept here.",
  lost: () =>
    "Not saved: the service is not reachable, and nothing can be kept on this device. " +
    "Leave this page open and try again later.",
};

function shown({ author, created_at, html }) {
  const head = h("p", { class: "by" }, `${author}, ${moment(created_at)}`);
  return h("article", {}, head, fill(h("div"), html));
}

function waiting({ body, state, why }) {
  const head = h("p", { class: "by" }, SAID[state]({ why }));
  return h("article", { class: state }, head, h("pre", {}, body.body));
}

class ReadoutNotes extends HTMLElement {
  connectedCallback() {
    this.disconnected = new AbortController();
    const heard = ({ detail }) => detail.entry.path === "notes" && this.list();
    outbox.news.addEventListener("settled", heard, { signal: this.disconnected.signal });
    if (!this.form) this.build();
  }

  disconnectedCallback() {
    this.disconnected.abort();
  }

  build() {
    const { meeting } = this.dataset;
    this.place = `note ${meeting}`;
    this.notes = h("div", { class: "notes" });
    this.text = h("textarea", { rows: 5, maxlength: 20000, id: `note-${meeting}`, required: true });
    this.said = h("p", { class: "said", role: "status" });
    this.form = h("form", {},
      h("label", { for: this.text.id }, "Your note (Markdown)"),
      this.text,
      h("p", { class: "buttons" },
        h("button", { class: "md-button md-button--primary" }, "Save note")),
      this.said);
    this.append(this.notes, this.form);
    this.text.addEventListener("input", () => outbox.saveDraft(this.place, this.text.value));
    this.form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.write();
    });
    this.open();
  }

  async open() {
    await this.list(); // asks who is here: drafts of somebody else are gone after that
    const draft = await outbox.draft(this.place);
    this.text.value ||= draft ?? "";
    outbox.flush();
  }

  async list() {
    const { meeting } = this.dataset;
    const { member, reachable } = await outbox.whoIsHere();
    if (reachable && !member) {
      this.notes.replaceChildren(
        h("p", {}, "Members read and write notes here. Ask an organizer for a join link. ",
          h("a", { href: new URL("join/", root) }, "How to join")));
      return;
    }
    const path = `notes?meeting=${encodeURIComponent(meeting)}`;
    const reply = member && (await call(path).catch(() => null));
    const entries = await outbox.entriesOf(member ?? (await outbox.remembered()));
    const mine = entries.filter(({ path, body }) => path === "notes" && body.meeting === meeting);
    const notes = reply?.ok ? reply.data.map(shown) : [h("p", {}, "The notes are not reachable.")];
    if (!notes.length && !mine.length) notes.push(h("p", {}, "No notes yet."));
    this.notes.replaceChildren(...notes, ...mine.map(waiting));
  }

  async write() {
    if (this.sending) return;
    this.sending = true;
    this.said.textContent = "Sending…";
    const body = { id: uuid(), meeting: this.dataset.meeting, body: this.text.value };
    const outcome = await outbox.send("notes", body);
    this.sending = false;
    this.said.textContent = SAID[outcome.state](outcome);
    if (outcome.state === "saved" || outcome.state === "kept") {
      // Words typed while it was being sent are a new draft.
      if (this.text.value === body.body) this.text.value = "";
      outbox.saveDraft(this.place, this.text.value);
    }
    this.list();
  }
}

customElements.define("readout-notes", ReadoutNotes);
