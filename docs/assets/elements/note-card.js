/** One note as it is read, with what its author or an organizer may do with it. */
import { Unreachable, call, complaint, root } from "./api.js";
import { fill, h, moment } from "./dom.js";
import { NoteEditor, isDraftOf, isSame } from "./note-editor.js";
import * as outbox from "./outbox.js";

const READ_BY = { private: "only you read it", public: "for everybody" };
const WAITS = {
  kept: () => "Not sent yet. Kept on this device.",
  rejected: ({ why }) => `Rejected: ${why}.`,
};

/** A note that is on this device alone. One that was rejected can be taken off it. */
export function waiting(entry, changed) {
  const parts = [
    h("p", { class: "by" }, WAITS[entry.state](entry)),
    h("pre", {}, entry.body.body),
  ];
  if (entry.state === "rejected") {
    const remove = h("button", { class: "md-button", type: "button" }, "Remove from this device");
    remove.addEventListener("click", async () => {
      await outbox.discard(entry.id);
      changed();
    });
    parts.push(h("p", { class: "buttons" }, remove));
  }
  return h("article", { class: `waiting ${entry.state}` }, ...parts);
}

/** Where a note stands between the site and its file; nothing where it is not to be published. */
function publication({ visibility, state, link }) {
  if (link) {
    const words = state === "published" ? "published" : "published in an earlier version";
    return h("a", { href: new URL(link, root) }, words);
  }
  if (visibility !== "public") return null;
  return state === "exported" ? "exported for a pull request" : "a draft";
}

/**
 * Save a change; `tried` are the texts of this form whose reply was lost. Resolves to `{state, ...}`.
 *
 * saved: `note` is what the service has. lost: nobody knows; away: nothing was sent. `goesOn`:
 * another text may still be saved in this one's place.
 */
export async function change(id, { body, visibility, version, tried = [] }) {
  const headers = { "If-Match": `"${version}"` };
  let reply;
  try {
    reply = await call(`notes/${id}`, { method: "PUT", body: { body, visibility }, headers });
  } catch (error) {
    if (!(error instanceof Unreachable)) throw error;
    return { state: error.sent || tried.length ? "lost" : "away" };
  }
  if (reply.ok) return { state: "saved", note: reply.data };
  if (reply.status === 401) return { state: "refused" };
  if (reply.status === 404) return { state: "gone" };
  if (reply.status !== 412) return { state: "rejected", why: complaint(reply), goesOn: true };
  const { current, merged } = reply.data;
  const isCurrent = (text) => isSame(text, current);
  // The reply to an earlier try was lost: it had been saved.
  if (isCurrent({ body, visibility })) return { state: "saved", note: current };
  if (tried.some(isCurrent)) return change(id, { body, visibility, version: current.version });
  return { state: "conflict", current, merged };
}

export class NoteCard {
  /** `changed` is called when the list should be asked for again, with what there is to say. */
  constructor(changed) {
    this.changed = changed;
    this.by = h("p", { class: "by" });
    this.text = h("div", { class: "text" });
    this.actions = h("p", { class: "buttons" });
    this.said = h("p", { class: "told", role: "status", hidden: true });
    this.element = h("article", {}, this.by, this.text, this.actions, this.said);
  }

  show(note) {
    const before = this.note;
    if (JSON.stringify(before) === JSON.stringify(note)) return;
    this.note = note;
    const { author, created_at, updated_at, version, html, visibility, id } = note;
    const facts = [author, moment(created_at)];
    if (version > 1) facts.push(`changed ${moment(updated_at)}`);
    if (READ_BY[visibility]) facts.push(READ_BY[visibility]);
    const words = facts.join(" · ");
    const where = publication(note);
    this.by.replaceChildren(words, ...(where ? [" · ", where] : []));
    this.element.setAttribute("aria-label", `Note by ${words}`);
    fill(this.text, html);
    if (this.past && before.version !== version) this.showHistory();
    if (this.editing) {
      const isOurs = this.editing.version === version || this.editing.hasTried(note);
      this.tell(isOurs ? "" :
        "Somebody else has just changed this note. Saving will show you both texts.");
      return;
    }
    if (before?.may_change !== note.may_change) this.offer();
    if (!before && note.may_change) this.takeUp(`note-change ${id}`);
  }

  /** The note is gone: so is its card, unless somebody is writing in it. */
  leave() {
    if (this.editing) {
      this.tell("This note cannot be read any more. Copy your text before you leave.");
      return false;
    }
    this.element.remove();
    return true;
  }

  tell(words) {
    this.said.textContent = words;
    this.said.hidden = !words;
  }

  offer() {
    const button = (label, does) => {
      const made = h("button", { class: "md-button", type: "button" }, label);
      // Of a double click the second press asks for nothing.
      made.addEventListener("click", ({ detail }) => detail < 2 && does(made));
      return made;
    };
    this.history = button("History", (pressed) => this.toggleHistory(pressed));
    this.history.setAttribute("aria-expanded", String(Boolean(this.past)));
    const may = this.note.may_change
      ? [button("Edit", () => this.edit()), button("Delete", (pressed) => this.remove(pressed))]
      : [];
    this.actions.replaceChildren(...may, this.history);
  }

  /** What was being changed when the page was left is being changed again, unless it was saved. */
  async takeUp(place) {
    const draft = await outbox.draft(place);
    if (draft && isSame(draft, this.note)) await outbox.dropDraft(place, isDraftOf(draft));
    else if (draft) this.edit(undefined, { takesFocus: false }); // somebody may be writing elsewhere
  }

  async edit(body, { takesFocus = true } = {}) {
    if (this.editing) return;
    this.offer(); // a deletion that was begun is begun no more
    const end = () => {
      this.editing.element.remove();
      this.editing = null;
      this.text.hidden = this.actions.hidden = false;
      this.actions.querySelector("button")?.focus();
    };
    const note = body === undefined ? this.note : { ...this.note, body };
    this.editing = new NoteEditor({
      place: `note-change ${note.id}`,
      label: "Change the note (Markdown)",
      publishes: Boolean(note.meeting),
      note,
      save: (text) => this.save(text),
      cancel: () => {
        end();
        this.tell("");
      },
    });
    this.editing.caughtUp = () => this.tell(""); // nothing is new any more
    this.editing.done = () => {
      end();
      this.tell("Saved.");
    };
    this.tell("");
    if (body === undefined) await this.editing.restore();
    else this.editing.changed();
    this.text.hidden = this.actions.hidden = true;
    this.element.insertBefore(this.editing.element, this.said);
    if (takesFocus) this.editing.text.focus();
  }

  /** An older text takes the place of none that is being written. */
  bringBack(body) {
    if (this.editing) this.tell("Save or cancel your change first; then an older text can be restored.");
    else this.edit(body);
  }

  async save(text) {
    const outcome = await change(this.note.id, text);
    if (outcome.state === "saved") {
      this.show(outcome.note);
      this.changed();
    }
    return outcome;
  }

  /** The first press asks, the second one deletes. */
  async remove(button) {
    if (button.textContent === "Delete") {
      button.textContent = "Delete now";
      this.tell("Press again to delete this note.");
      return;
    }
    const headers = { "If-Match": `"${this.note.version}"` };
    const reply = await call(`notes/${this.note.id}`, { method: "DELETE", headers }).catch(() => null);
    button.textContent = "Delete";
    if (reply?.ok || reply?.status === 404) this.changed("Deleted.");
    else if (!reply) {
      this.tell("It is not known whether the note was deleted: no reply came from the service. Try again later.");
    } else this.tell(reply.status === 412
      ? "Not deleted: the note was changed meanwhile. Read it, then delete it."
      : `Not deleted: ${complaint(reply)}.`);
  }

  async toggleHistory(button) {
    if (this.past) {
      this.past.remove();
      this.past = null;
    } else {
      this.past = h("div", {}); // until it is there
      this.element.append(this.past);
      this.showHistory();
    }
    button.setAttribute("aria-expanded", String(Boolean(this.past)));
  }

  async showHistory() {
    const { past } = this;
    const { history } = await import("./note-history.js");
    const versions = await history(this.note, (body) => this.bringBack(body));
    if (this.past === past) past.replaceChildren(versions);
  }
}
