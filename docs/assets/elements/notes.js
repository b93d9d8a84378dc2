/**
 * <readout-notes data-meeting="2023-11-07"> or <readout-notes data-entry="2022-wang-ioi">:
 * what members wrote there, and a form. Asks again every few seconds while it can be seen.
 */
import { api, call, root } from "./api.js";
import { h } from "./dom.js";
import { NoteCard, change, waiting } from "./note-card.js";
import { NoteEditor, isSame } from "./note-editor.js";
import * as outbox from "./outbox.js";

const EVERY_MS = 4000;
const AWAY_MS = 30_000; // a service that is away is left alone for a while

class ReadoutNotes extends HTMLElement {
  connectedCallback() {
    this.disconnected = new AbortController();
    const { signal } = this.disconnected;
    const heard = ({ detail }) => {
      if (detail.entry.path !== "notes") return;
      this.editor.hear(detail);
      this.list();
    };
    outbox.news.addEventListener("settled", heard, { signal });
    document.addEventListener("visibilitychange", () => this.later(0), { signal });
    if (!this.editor) this.build();
    // Who does not read as far as here asks nobody.
    this.seen = new IntersectionObserver(([{ isIntersecting }]) => {
      this.inView = isIntersecting;
      if (isIntersecting && !this.opened) this.open();
      else this.later(0);
    }, { rootMargin: "300px" });
    this.seen.observe(this);
  }

  disconnectedCallback() {
    this.disconnected.abort();
    this.seen.disconnect();
    clearTimeout(this.timer);
  }

  build() {
    const { meeting, entry } = this.dataset;
    this.where = meeting ? { meeting } : { entry };
    this.cards = new Map();
    this.notes = h("div", { class: "notes" });
    this.news = h("p", { class: "news", role: "status", tabindex: -1 });
    this.editor = new NoteEditor({
      place: `note ${meeting ?? entry}`,
      label: "Your note (Markdown)",
      publishes: Boolean(meeting),
      save: (text) => this.write(text),
    });
    this.search = h("details", { class: "search" }, h("summary", {}, "Search all notes"));
    this.search.addEventListener("toggle", async () => {
      if (this.search.children.length > 1) return;
      const { searchForm } = await import("./note-search.js");
      this.search.append(searchForm());
    });
    this.search.hidden = true;
    this.replaceChildren(this.notes, this.news, this.editor.element, this.search);
  }

  async open() {
    this.opened = true;
    // Before the list: what is sent meanwhile stands in one of the two.
    const waiting = await outbox.entriesOf(await outbox.remembered());
    await this.list(); // asks who is here: drafts of somebody else are gone after that
    await this.editor.restore((draft) => this.isStored(draft, waiting));
    outbox.flush();
  }

  /** Whether the outbox or the service has all of a draft: the page was left as it was being sent. */
  isStored({ id, body, visibility, tried = [] }, waiting) {
    const there = waiting.find((entry) => entry.id === id)?.body ?? this.cards.get(id)?.note;
    if (!there) return false;
    // Under one id the service stores what was sent first. It may have been changed since.
    const known = tried.length === 1 ? [there, tried[0]] : [there];
    return known.some((text) => isSame(text, { body, visibility }));
  }

  later(milliseconds) {
    clearTimeout(this.timer);
    if (!this.isConnected || !this.opened || !this.inView || document.hidden || !this.isMember) return;
    this.timer = setTimeout(() => this.list(), milliseconds);
  }

  /** Show what there is; one list at a time, and once more where something happened meanwhile. */
  list() {
    this.again = true;
    this.listing ??= this.listAll();
    return this.listing;
  }

  async listAll() {
    do {
      this.again = false;
      await this.listOnce();
    } while (this.again);
    this.listing = null;
  }

  async listOnce() {
    if (!api) {
      this.say("Members' notes need a service, and this site has none.");
      this.editor.element.hidden = true;
      return;
    }
    const { member, reachable } = await outbox.whoIsHere();
    this.isMember = Boolean(member);
    this.search.hidden = !member;
    if (reachable && !member) {
      for (const [id, card] of this.cards) if (card.leave()) this.cards.delete(id);
      this.etag = null;
      this.say(
        "Members read and write notes here. Ask an organizer for a join link. ",
        h("a", { href: new URL("join/", root) }, "How to join"));
      await this.showWaiting(await outbox.remembered());
      return;
    }
    const query = new URLSearchParams(this.where);
    const headers = this.etag ? { "If-None-Match": this.etag } : {};
    const reply = member && (await call(`notes?${query}`, { headers }).catch(() => null));
    if (reply?.status === 401 && !(await outbox.whoIsHere({ again: true })).member) {
      this.again = true;
      return;
    }
    if (reply?.ok) {
      this.etag = reply.etag;
      this.show(reply.data);
    }
    await this.showWaiting(member);
    this.isAway = !reply || !(reply.ok || reply.status === 304);
    if (this.isAway) this.say("The notes are not reachable.");
    else if (!this.cards.size && !this.waiting) this.say("No notes yet.");
    else this.hint?.remove();
    this.isMember ||= !reachable; // somebody may be signed in, and the service come back
    this.later(this.isAway ? AWAY_MS : EVERY_MS);
  }

  say(...words) {
    this.hint ??= h("p", {});
    this.hint.replaceChildren(...words);
    if (!this.hint.isConnected) this.notes.append(this.hint);
  }

  /** Cards stay where they are while their note does: somebody may be writing in one. */
  show(notes) {
    const inHand = this.contains(document.activeElement) ? document.activeElement : null;
    const at = inHand?.getBoundingClientRect().top;
    const first = !this.known;
    const fresh = notes.filter(({ id, mine }) => !this.cards.has(id) && !mine).length;
    const kept = new Set(notes.map(({ id }) => id));
    for (const [id, card] of this.cards) {
      if (!kept.has(id) && card.leave()) this.cards.delete(id);
    }
    notes.forEach((note, index) => {
      const card = this.cards.get(note.id) ?? new NoteCard((words) => this.listAnd(words));
      this.cards.set(note.id, card);
      card.show(note);
      const there = this.notes.children[index];
      if (there !== card.element) this.notes.insertBefore(card.element, there ?? null);
    });
    this.known = true;
    if (!first && fresh) this.news.textContent = fresh === 1 ? "A new note." : `${fresh} new notes.`;
    // What somebody is about to press stays where it is.
    if (inHand?.isConnected) window.scrollBy(0, inHand.getBoundingClientRect().top - at);
  }

  async listAnd(words) {
    await this.list();
    if (!words) return;
    this.news.textContent = words;
    this.news.focus();
  }

  async showWaiting(member) {
    const entries = await outbox.entriesOf(member ?? (await outbox.remembered()));
    const [name, slug] = Object.entries(this.where)[0];
    const mine = entries.filter(({ path, body }) => path === "notes" && body[name] === slug);
    const sent = mine.filter(({ id }) => !this.cards.has(id)); // another tab may be clearing up
    this.waiting = sent.length;
    const shown = JSON.stringify(sent);
    if (shown === this.shownWaiting) return; // somebody may be about to press in one
    this.shownWaiting = shown;
    for (const element of this.notes.querySelectorAll(".waiting")) element.remove();
    this.notes.append(...sent.map((entry) => waiting(entry, () => this.list())));
  }

  /**
   * Whether an earlier try arrived may be unknown. It is sent again as it was: under one id the
   * service stores it once. Another text then changes it.
   */
  async write({ id, body, visibility, tried }) {
    const [first = { body, visibility }] = tried;
    let outcome = await outbox.send("notes", { id, ...this.where, ...first });
    if (first.body !== body || first.visibility !== visibility) {
      outcome = await this.writeOver(outcome, id, { body, visibility, version: 1, tried });
    }
    // The form holds what was refused; a browser that stores nothing has nothing to let go.
    if (outcome.state === "rejected") await outbox.discard(id).catch(() => undefined);
    this.list();
    return outcome;
  }

  /** Change what has been written first, now that it is known to be saved. */
  async writeOver(outcome, id, text) {
    if (outcome.state === "kept") {
      await outbox.discard(id); // it would be sent later, without this text
      return { state: "lost" };
    }
    if (outcome.state !== "saved") return outcome;
    const changed = await change(id, text);
    if (changed.state !== "conflict") return changed;
    return { state: "rejected", why: "what you sent first is saved, and was changed meanwhile" };
  }
}

customElements.define("readout-notes", ReadoutNotes);
