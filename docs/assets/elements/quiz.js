/**
 * <readout-quiz>: makes the questions in it answerable.
 *
 * A `meeting` quiz is graded by the service; a `self-check` quiz carries its keys and is graded
 * here. Everything that appears later has its room from the start (readout.css), so that
 * nothing moves under the reader's hand.
 */
import { call } from "./api.js";
import { h, moment } from "./dom.js";
import * as outbox from "./outbox.js";
import { Question } from "./question.js";

class ReadoutQuiz extends HTMLElement {
  connectedCallback() {
    this.disconnected = new AbortController();
    outbox.news.addEventListener("settled", ({ detail }) => this.heard(detail), {
      signal: this.disconnected.signal,
    });
    if (this.questions) return; // moved within the page, not visited again
    this.slug = this.dataset.slug;
    this.selfCheck = this.dataset.kind === "self-check";
    this.path = `quizzes/${this.slug}/answers`;
    this.count = h("p", { class: "progress" });
    this.prepend(this.count);
    this.questions = new Map();
    for (const section of this.querySelectorAll("section.question")) {
      this.questions.set(section.dataset.id, new Question(section, this));
    }
    this.progress();
    if (!this.selfCheck) this.restore();
  }

  disconnectedCallback() {
    this.disconnected.abort();
  }

  progress() {
    const states = [...this.questions.values()].map(({ section }) => section.dataset.state);
    const answered = states.filter((state) => state && state !== "refused").length;
    const { opensAt, closesAt } = this.dataset;
    const now = new Date();
    const when = [];
    if (opensAt && new Date(opensAt) > now) when.push(`Opens ${moment(opensAt)}.`);
    else if (closesAt && new Date(closesAt) > now) when.push(`Open until ${moment(closesAt)}.`);
    else if (closesAt) when.push(`Closed ${moment(closesAt)}: answers now are marked late.`);
    when.push(`You answered ${answered} of ${states.length}.`);
    this.count.textContent = when.join(" ");
  }

  /** Drafts first, then what the service has, then what waits on this device. */
  async restore() {
    // First who is here: drafts of somebody else are gone after that.
    const { member } = await outbox.whoIsHere();
    for (const question of this.questions.values()) {
      const draft = await outbox.draft(question.place);
      if (draft && !question.touched) question.fillIn(draft);
    }
    const reply = member && (await call(this.path).catch(() => null));
    const last = new Map((reply?.ok ? reply.data : []).map((answer) => [answer.question, answer]));
    for (const [id, data] of last) this.bring(id, data, { state: "saved", data });
    for (const entry of await outbox.entriesOf(member ?? (await outbox.remembered()))) {
      if (entry.path === this.path) this.bring(entry.body.question, entry.body, entry);
    }
    outbox.flush();
  }

  bring(id, given, outcome) {
    const question = this.questions.get(id);
    if (!question || question.sending) return;
    if (question.touched && !question.answered) return; // somebody is writing in it
    question.fillIn(given);
    question.settle(outcome.state === "kept" ? { ...outcome, state: "waiting" } : outcome);
  }

  heard(outcome) {
    const { path, body } = outcome.entry;
    // That an entry still waits is no news: restore() or the one who answered has shown it.
    if (path === this.path && outcome.state !== "kept") this.bring(body.question, body, outcome);
  }
}

customElements.define("readout-quiz", ReadoutQuiz);
