/** One question of a quiz: its controls, its state in words, its feedback. */
import { api, root } from "./api.js";
import { fill, h, uuid } from "./dom.js";
import * as outbox from "./outbox.js";
import { mark, read, write } from "./responses.js";

const CERTAINTY = ["under 2/3", "2/3 to 4/5", "over 4/5"]; // certainty 1, 2, 3
const AWAY =
  "The quiz service is not reachable. Your answers are kept on this device " +
  "and will be sent later.";
const SAID = {
  waiting: () => "Kept on this device.",
  kept: ({ why }) =>
    why === "signed-out"
      ? "Kept on this device. You are not signed in any more: " +
        "the answer is sent when you are signed in again."
      : AWAY,
  rejected: ({ why }) => `Rejected: ${why}`,
  refused: ({ why }) => [
    why === "unreachable"
      ? "Not saved: the quiz service is not reachable, and nobody is signed in here. "
      : "Not saved: you are not signed in. Ask an organizer for a join link. ",
    "What you entered is kept here. ",
    h("a", { href: new URL("join/", root) }, "How to join"),
  ],
  lost: () =>
    "The quiz service is not reachable, and nothing can be kept on this device. " +
    "Leave this page open and answer again later.",
};

const judged = ({ correct, score }) =>
  correct == null ? "kept for the meeting" : correct ? "right" : score > 0 ? "partly right" : "not right";

function verdict(data) {
  const { correct, late, tries_left: left } = data;
  if (correct == null) return "Saved. The group discusses this one in the meeting.";
  const words = judged(data);
  const said = [`${words[0].toUpperCase()}${words.slice(1)}${late ? " (late)" : ""}.`];
  if (left > 0 && !correct) said.push(left === 1 ? "One try is left." : `${left} tries are left.`);
  return said.join(" ");
}

/** What a correction of the question made of an answer, in a sentence. */
function corrected({ correction, ...now }) {
  const from = judged(correction), to = judged(now);
  const change = from === to ? "Your mark stays as it was." : `Your answer was ${from} and is now ${to}.`;
  return h("p", { class: "correction" }, h("strong", {}, "This question was corrected. "),
    [change, correction.why].filter(Boolean).join(" "));
}

/** A measured key has sixteen digits; four are as many as anyone predicts. */
const shown = (key) => String(typeof key === "number" ? Number(key.toPrecision(4)) : key);

/** Whether two answers, both as the controls hold them, are one. */
const isSame = (one, other) => JSON.stringify(one) === JSON.stringify(other);

export class Question {
  constructor(section, quiz) {
    this.section = section;
    this.quiz = quiz;
    this.id = section.dataset.id;
    this.type = section.dataset.type;
    this.form = section.querySelector("form");
    this.asked = section.querySelector("fieldset");
    this.place = `quiz ${quiz.slug} ${this.id}`;
    this.build();
  }

  build() {
    const radios = CERTAINTY.map((label, index) =>
      h("label", {}, h("input", { type: "radio", name: "certainty", value: index + 1 }), label),
    );
    this.certainty = h("fieldset", { class: "certainty" },
      h("legend", {}, "How sure are you? (optional)"), ...radios);
    this.reason = h("textarea", { rows: 3, maxlength: 2000, "aria-label": "Why?" });
    const why = h("details", { class: "reason" }, h("summary", {}, "Why? (optional)"), this.reason);
    this.submit = h("button", { class: "md-button md-button--primary" }, "Answer");
    this.toggle = h("button", { class: "md-button", type: "button", "aria-expanded": "false" },
      "Feedback");
    this.toggle.hidden = true;
    this.said = h("p", { class: "said" });
    this.explanation = h("div", { class: "explanation", hidden: true });
    this.feedback = h("div", { class: "feedback", role: "status", tabindex: -1 },
      this.said, this.explanation);
    // Grading here keeps no record, so it has no use for certainty and reason.
    if (!this.quiz.selfCheck) this.form.append(this.certainty, why);
    this.form.append(h("p", { class: "buttons" }, this.submit, this.toggle, this.reporting()));
    this.section.append(this.feedback);
    if (this.type === "order") this.addMoves();
    this.form.addEventListener("submit", (event) => {
      event.preventDefault();
      if (this.answered) this.again();
      else this.answer();
    });
    this.toggle.addEventListener("click", () => this.show(this.explanation.hidden));
    this.form.addEventListener("input", () => this.saveDraft());
    this.section.classList.add("ready");
  }

  /** "Report a problem": a button, and the form that it opens below the question. */
  reporting() {
    // A short word: three buttons have room on a phone.
    const name = "Report a problem with this question";
    const open = h("button", { class: "md-button report", type: "button", "aria-expanded": "false",
      "aria-label": name, title: name }, "Report");
    if (!api) open.hidden = true; // a site without a service has nobody to tell
    open.addEventListener("click", async () => {
      if (!this.report) {
        const { ReportForm } = await import("./report.js");
        this.report = new ReportForm(`quizzes/${this.quiz.slug}/questions/${this.id}/reports`);
        this.section.append(this.report.element);
      }
      const shown = this.report.toggle();
      open.setAttribute("aria-expanded", String(shown));
    });
    return open;
  }

  /** Buttons, not dragging: every hand and every device can press them. */
  addMoves() {
    for (const item of this.asked.querySelectorAll("[data-option]")) {
      const text = item.textContent.trim();
      const move = (label, step) => {
        const name = { type: "button", class: "move", "aria-label": `Move ${label}: ${text}` };
        const button = h("button", name, step < 0 ? "↑" : "↓");
        button.addEventListener("click", () => {
          const other = step < 0 ? item.previousElementSibling : item.nextElementSibling;
          if (other) step < 0 ? other.before(item) : other.after(item);
          button.focus(); // moving a node drops its focus
          const items = [...item.parentNode.children];
          this.said.textContent = `Now ${items.indexOf(item) + 1} of ${items.length}: ${text}`;
          this.saveDraft();
        });
        return button;
      };
      item.append(h("span", { class: "moves" }, move("up", -1), move("down", 1)));
    }
  }

  get level() {
    const checked = this.certainty.querySelector(":checked");
    return checked ? Number(checked.value) : null;
  }

  given() {
    const reason = this.reason.value.trim() || null;
    return { response: read(this.type, this.asked), certainty: this.level, reason };
  }

  fillIn({ response, certainty, reason }) {
    if (response !== undefined) write(this.type, this.asked, response);
    for (const radio of this.certainty.elements) radio.checked = Number(radio.value) === certainty;
    this.reason.value = reason ?? "";
  }

  saveDraft() {
    this.touched = true;
    return this.quiz.selfCheck ? null : outbox.saveDraft(this.place, this.given());
  }

  /** Drop the draft of an answer that is kept elsewhere. What was typed after it stays. */
  dropDraft(given) {
    return outbox.dropDraft(this.place, (draft) => isSame(draft, given));
  }

  /** Go on with a draft that is not the answer shown, if another answer may be given. */
  takeUp(draft) {
    const isBlank = draft.response === undefined && !draft.reason;
    if (isBlank || this.touched || this.noTriesLeft || isSame(draft, this.given())) return;
    this.touched = true; // what comes in from now on must not replace it
    if (this.answered) {
      this.reopen();
      this.said.textContent = "Not sent yet: what you typed after your last answer.";
    }
    this.fillIn(draft);
  }

  async answer() {
    const given = this.given();
    if (this.sending) return;
    if (given.response === undefined) {
      this.said.textContent =
        this.type === "number" ? "Enter a number, for example 0.5." : "Answer the question first.";
      this.asked.querySelector("input, select, button")?.focus();
      return;
    }
    this.sending = true;
    this.said.textContent = "Sending…";
    await this.saveDraft();
    const outcome = this.quiz.selfCheck
      ? { state: "graded", data: await this.grade(given.response) }
      : await outbox.send(this.quiz.path, { id: uuid(), question: this.id, ...given });
    // The service or the outbox has it now.
    if (outcome.state === "saved" || outcome.state === "kept") await this.dropDraft(given);
    this.sending = false;
    this.settle(outcome);
    this.show(true);
    this.feedback.focus();
  }

  async grade(response) {
    const { grade } = await import("./selfcheck.js");
    const key = JSON.parse(this.section.querySelector("template.key").content.textContent);
    return grade(this.type, response, key);
  }

  /** Say in words where the answer is; with a reply, mark it. */
  settle(outcome) {
    const { state, data } = outcome;
    this.section.dataset.state = data ? (data.correct ? "right" : "wrong") : state;
    const open = state === "refused" || state === "lost" || state === "rejected";
    this.data = data ?? null;
    this.lock(!open);
    if (!data) {
      this.said.replaceChildren(...[SAID[state](outcome)].flat());
      return;
    }
    const saved = state === "saved" && data.correct != null ? " Saved." : "";
    this.said.textContent = verdict(data) + saved;
    this.explain(data);
    this.quiz.progress();
  }

  /** The explanation stays folded, and the options unmarked, until `show`. */
  explain(data) {
    this.data = data;
    const { feedback = [], key, why_html, source_html } = data;
    const parts = data.correction ? [corrected(data)] : [];
    parts.push(...feedback.map(({ text_html }) => fill(h("div"), text_html)));
    if (key != null && (this.type === "number" || this.type === "text")) {
      parts.push(h("p", {}, "The answer: ", h("strong", {}, shown(key))));
    }
    if (why_html) parts.push(fill(h("div", { class: "why" }), why_html));
    if (source_html) parts.push(fill(h("div", { class: "source" }), source_html));
    this.explanation.replaceChildren(...parts);
    this.toggle.hidden = !parts.length;
    this.show(false);
  }

  show(open) {
    this.explanation.hidden = !open;
    this.toggle.setAttribute("aria-expanded", String(open));
    mark(this.type, this.asked, open ? this.data : null);
  }

  /** The service counts tries until the meeting, and takes none after a right answer. */
  get noTriesLeft() {
    return this.data?.tries_left != null && (this.data.correct || this.data.tries_left === 0);
  }

  lock(answered) {
    this.answered = answered;
    this.asked.disabled = this.certainty.disabled = this.reason.disabled = answered;
    // Of a vote nothing is told before the second one, in the meeting.
    const votes = this.quiz.closed && this.data?.correct === null;
    this.submit.textContent = !answered ? "Answer" : votes ? "Vote again" : "Answer again";
    this.submit.disabled = answered && this.noTriesLeft;
    this.submit.classList.toggle("md-button--primary", !answered);
  }

  again() {
    this.reopen();
    this.asked.querySelector("input, select, button")?.focus();
  }

  reopen() {
    this.lock(false);
    delete this.section.dataset.state;
    this.said.textContent = "";
    this.explain({});
  }
}
