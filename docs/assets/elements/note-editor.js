/** A form for the text of a note: kept on the device as it is typed, shown as it will look. */
import { call, complaint, root } from "./api.js";
import { fill, h, uuid } from "./dom.js";
import { complete } from "./note-links.js";
import * as outbox from "./outbox.js";

const PREVIEW_MS = 400; // after the last key
const LARGEST = 16_384; // bytes, as the service counts
const VISIBLE = {
  group: "The group",
  public: "Everybody, once it is published",
  private: "Only I",
};

const kept = (isKept) =>
  isKept
    ? "Your text is kept on this device."
    : "Nothing can be kept on this device: leave this page open.";

// A textarea holds every line end as \n, whatever it was given.
const asTyped = (text) => text.replace(/\r\n?/g, "\n");
const endsAllLinesWithCrlf = (text) =>
  text.includes("\r\n") && !/[\r\n]/.test(text.replaceAll("\r\n", ""));

/** Whether two notes, or drafts, say the same to the same readers. */
export const isSame = (one, other) =>
  one.body === other.body && one.visibility === other.visibility;

/** Whether a draft is that of a form; as an earlier version of this page kept it, it is its text. */
export const isDraftOf = (form) => (draft) =>
  draft === form.body || (draft.id === form.id && isSame(draft, form));

/** What became of a text, in words. `isKept`: whether the draft is on the disk. */
const SAID = {
  saved: () => "Saved.",
  kept: ({ why }) =>
    why === "signed-out"
      ? "Not sent. Your note is kept on this device; it is sent when the same member signs in again."
      : "Not sent yet. Your note is kept on this device and will be sent later.",
  rejected: ({ why }, isKept) => `Rejected: ${why}. ${kept(isKept)}`,
  refused: ({ why }, isKept) =>
    (why === "unreachable"
      ? "Not saved: the service is not reachable, and nobody is signed in here. "
      : "Not saved: you are not signed in. ") + kept(isKept),
  away: (_, isKept) => `Not saved: this device is offline. ${kept(isKept)}`,
  gone: (_, isKept) => `Not saved: the note was deleted meanwhile. ${kept(isKept)}`,
  conflict: (_, isKept) => `Not saved: the note was changed meanwhile. ${kept(isKept)}`,
  another: () =>
    "Not saved: another member is signed in here now. Copy your text before you leave this page.",
  lost: (_, isKept) =>
    "It is not known whether your note was saved: no reply came from the service. " +
    `${kept(isKept)} Save again later; it is stored once.`,
};

const readBy = (value) => h("option", { value }, VISIBLE[value]);

let made = 0;

export class NoteEditor {
  /**
   * `place` names the draft; `save({id, body, visibility, version, tried})` resolves to
   * `{state, ...}`. `tried` are the texts that were sent before without a reply, oldest first;
   * each may have been saved. `id` is for a new note, the same until it is known to be saved.
   * `note` is the one that is changed, if any; `cancel` is called when its change is given up.
   * `publishes`: whether notes under the same page are ever carried into a pull request.
   * A form for a new note saves nothing before `restore`; one for a change is shown after it.
   */
  constructor({ place, label, save, publishes, note = null, cancel = null }) {
    Object.assign(this, { place, save, note });
    this.version = note?.version;
    this.readBefore = note?.visibility; // who read the version that is being changed
    this.build(label, publishes, cancel);
    this.beginAnew();
    this.hasRead = Boolean(note); // whether the draft of an earlier visit is known
    this.usesCrlf = endsAllLinesWithCrlf(note?.body ?? "");
    this.given = ""; // the text last put into the form, with its own line ends
    if (note) this.set(note);
  }

  build(label, publishes, cancel) {
    const id = `note-text-${++made}`;
    this.text = h("textarea", { rows: 5, id, required: true, "aria-describedby": `${id}-help` });
    this.visibility = h("select", {},
      ...Object.keys(VISIBLE).filter((value) => publishes || value !== "public").map(readBy));
    this.said = h("p", { class: "said", role: "status" });
    this.shown = h("div", { class: "preview" });
    this.preview = h("details", {}, h("summary", {}, "Preview"), this.shown);
    this.choices = h("div", { class: "choices", hidden: true });
    this.saves = h("button", { class: "md-button md-button--primary", disabled: !this.note },
      this.note ? "Save change" : "Save note");
    const buttons = [this.saves];
    if (cancel) {
      const give = h("button", { class: "md-button", type: "button" }, "Cancel");
      give.addEventListener("click", () => {
        if (this.sending) return; // it cannot be taken back any more
        outbox.dropDraft(this.place, isDraftOf(this.value));
        cancel();
      });
      buttons.push(give);
    }
    const links = complete(this.text);
    this.element = h("form", { class: "note-editor" },
      h("label", { for: id }, label),
      this.text,
      links,
      h("p", { class: "help", id: `${id}-help` },
        "Formulas as $x^2$; [[ leads to an entry of the library. Kept on this device as you type."),
      this.preview,
      h("p", {}, h("label", { class: "visibility" }, "Who reads it ", this.visibility)),
      h("p", { class: "buttons" }, ...buttons),
      this.said,
      this.choices);
    this.element.addEventListener("input", () => this.changed());
    this.preview.addEventListener("toggle", () => this.show());
    this.element.addEventListener("submit", (event) => {
      event.preventDefault();
      this.submit();
    });
  }

  /** The text with the line ends that its author gave it: who mends a word changes no others. */
  get body() {
    const typed = this.text.value;
    if (typed === asTyped(this.given)) return this.given;
    return this.usesCrlf ? typed.replaceAll("\n", "\r\n") : typed;
  }

  get value() {
    const { id, body, version, readBefore, tried } = this;
    return { id, body, visibility: this.visibility.value, version, readBefore, tried };
  }

  beginAnew() {
    this.id = uuid();
    this.tried = [];
  }

  set({ body, visibility }) {
    this.given = body;
    this.text.value = body;
    if (visibility) this.letRead(visibility);
    this.show();
  }

  /** What a note is already stays a choice, also where it is not offered. */
  letRead(visibility) {
    this.visibility.value = visibility;
    if (this.visibility.value !== visibility) {
      this.visibility.append(readBy(visibility));
      this.visibility.value = visibility;
    }
  }

  /** Whether a note is as it was sent from here without a reply. */
  hasTried(note) {
    return this.tried.some((text) => isSame(text, note));
  }

  /** Take up the draft of an earlier visit, unless `isStored(draft)`: then it is done with. */
  async restore(isStored = () => false) {
    this.member = await outbox.remembered(); // whose text it is
    const kept = await outbox.draft(this.place);
    const draft = typeof kept === "string" ? { body: kept } : kept; // as an earlier version kept it
    this.hasRead = true;
    this.saves.disabled = false;
    if (draft && isStored(draft)) await outbox.dropDraft(this.place, isDraftOf(draft));
    else if (draft) this.takeUp(draft);
    if (this.touched) outbox.saveDraft(this.place, this.value);
  }

  takeUp(draft) {
    this.set(this.touched ? this.joined(draft) : draft);
    this.id = draft.id ?? this.id;
    this.tried = draft.tried ?? [];
    // A draft was written on a version that somebody may have changed since.
    if (draft.version && draft.version !== this.version) {
      this.version = draft.version;
      // An older draft does not tell; then nobody is taken to have chosen anew.
      this.readBefore = draft.readBefore ?? draft.visibility;
    }
    if (!draft.body.trim()) return;
    this.said.textContent = this.hasTried(this.value)
      ? "It is not known whether this was saved. Save it again; it is stored once."
      : "This is what you had not saved yet.";
  }

  /** A draft, and below it what was typed before it had been read. */
  joined(draft) {
    const body = [draft.body, this.text.value].filter(Boolean).join("\n\n");
    const chosen = this.visibility.value; // the first is chosen where nobody chose
    return { body, visibility: chosen === "group" ? draft.visibility : chosen };
  }

  changed() {
    this.touched = true;
    this.waitsFor = null;
    this.merging?.remove(); // it lacks what was typed since
    if (this.hasRead) outbox.saveDraft(this.place, this.value);
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.show(), PREVIEW_MS);
    if (this.sending) return;
    const size = new TextEncoder().encode(this.body).length;
    // Whatever was said before, was said of another text.
    this.said.textContent = size > LARGEST
      ? `${size.toLocaleString("en")} bytes; a note may have ${LARGEST.toLocaleString("en")}.`
      : "";
  }

  /** As the service will show it. Only the newest text is shown, whatever order replies come in. */
  async show() {
    if (!this.preview.open) return;
    const body = this.text.value;
    if (!body.trim()) {
      this.shown.replaceChildren();
      return;
    }
    const reply = await call("notes/preview", { method: "POST", body: { body } }).catch(() => null);
    if (body !== this.text.value) return;
    if (reply?.ok) fill(this.shown, reply.data.html);
    else {
      const why = reply ? complaint(reply) : "the service is not reachable";
      this.shown.replaceChildren(h("p", {}, `No preview: ${why}.`));
    }
  }

  async submit() {
    if (this.sending) return;
    this.sending = true;
    this.said.textContent = "Sending…";
    this.choices.hidden = true;
    const sent = this.value;
    if (await this.isAnothers()) {
      this.sending = false;
      this.said.textContent = SAID.another();
      return;
    }
    // Who leaves the page before the reply comes does not know whether this was saved.
    if (!this.hasTried(sent)) {
      this.tried = [...sent.tried, { body: sent.body, visibility: sent.visibility }];
    }
    const isKept = Boolean(await outbox.saveDraft(this.place, { ...sent, tried: this.tried }));
    const outcome = await this.save(sent);
    this.sending = false;
    const isThere = outcome.state === "saved" || outcome.state === "kept";
    const typedOn = isThere && !isSame(this.value, sent);
    this.prepare(outcome, sent, typedOn);
    this.said.replaceChildren(SAID[outcome.state](outcome, isKept));
    if (outcome.state === "refused") {
      this.said.append(" ", h("a", { href: new URL("join/", root) }, "How to join"));
    }
    if (outcome.state === "conflict") this.choose(outcome);
    if (typedOn) this.said.append(" What you typed since then is not saved yet.");
    this.waitsFor = outcome.state === "kept" ? sent.id : null;
    if (!isThere || typedOn) {
      // Where the page was left meanwhile, a newer form may have a newer draft.
      if (this.element.isConnected) outbox.saveDraft(this.place, this.value);
      return;
    }
    this.text.value = "";
    this.touched = false;
    this.shown.replaceChildren();
    await outbox.dropDraft(this.place, isDraftOf(sent));
    this.done?.(outcome);
  }

  /** Whether who is signed in here is not who was when the text was begun. */
  async isAnothers() {
    const now = await outbox.remembered();
    this.member ??= now;
    return Boolean(now) && now.id !== this.member.id;
  }

  /** What waited on this device has come to an end: the words of then are true no more. */
  hear({ entry, state }) {
    if (entry.id !== this.waitsFor || state === "kept") return;
    this.said.textContent = state === "saved" ? SAID.saved() : ""; // a refusal has its own card
    this.waitsFor = null;
  }

  /** What the next save will be: of the same note, or of another; and on which version. */
  prepare({ state, goesOn, note }, sent, typedOn) {
    if (state === "away" || state === "refused" || goesOn) this.tried = sent.tried;
    else if (state !== "lost" && (this.note || !typedOn)) this.beginAnew();
    if (!this.note || !note) return;
    this.version = note.version;
    this.readBefore = note.visibility;
  }

  /**
   * Who may read a note is not part of its text, and the author may have changed it elsewhere:
   * that stands, unless another choice was made here too. What there is to know, in words.
   */
  adoptVisibility(saved) {
    const chosen = this.visibility.value;
    const choseHere = chosen !== this.readBefore;
    this.readBefore = saved;
    if (chosen === saved) return "";
    if (choseHere) {
      return `Who reads it is now “${VISIBLE[saved]}”; your choice here is “${VISIBLE[chosen]}”, ` +
        "and replaces that when you save.";
    }
    this.letRead(saved);
    return `Who reads it was changed meanwhile, from “${VISIBLE[chosen]}” to “${VISIBLE[saved]}”. ` +
      "That stays when you save.";
  }

  /** Somebody else saved meanwhile: three ways to go on, and no text is thrown away. */
  choose({ current, merged }) {
    const theirs = fill(h("div", { class: "preview" }), current.html);
    const readers = this.adoptVisibility(current.visibility);
    const put = (body, words, ...ways) => {
      this.version = current.version;
      this.usesCrlf = endsAllLinesWithCrlf(current.body);
      this.set({ body });
      this.changed();
      this.choices.replaceChildren(h("p", { class: "buttons" }, ...ways));
      this.choices.hidden = !ways.length;
      this.said.textContent = `${words} ${readers}`.trim();
      this.caughtUp?.();
      this.text.focus();
    };
    const way = (label, act) => {
      const button = h("button", { class: "md-button", type: "button" }, label);
      button.addEventListener("click", act);
      return button;
    };
    const keep = (body) => put(body, "Your text replaces theirs when you save.");
    const take = (label, body, words) => way(label, () => {
      const mine = this.body; // nothing that was typed is thrown away
      put(body, words, ...(mine === body ? [] : [way("Back to my text", () => keep(mine))]));
    });
    const ways = [
      way("Keep my text", () => keep(this.body)),
      take("Take theirs", current.body, "This is their text."),
    ];
    if (merged) {
      const words = merged.conflicts
        ? "Both texts are in it; where they differ they stand between <<<<<<< and >>>>>>>. Mend, then save."
        : "Both changes are in it. Read it, then save.";
      this.merging = take("Put both together", merged.body, words);
      ways.unshift(this.merging);
    }
    this.choices.replaceChildren(
      h("p", {}, "What it says now:"), theirs, ...(readers ? [h("p", {}, readers)] : []),
      h("p", { class: "buttons" }, ...ways));
    this.choices.hidden = false;
  }
}
