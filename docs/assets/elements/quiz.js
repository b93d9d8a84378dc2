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

/** Whether this reader wants one question at a time; where storage is blocked, for this page. */
const taste = {
  get one() {
    try {
      return localStorage.getItem("readout-one-question") === "yes";
    } catch {
      return false;
    }
  },
  set one(wanted) {
    try {
      localStorage.setItem("readout-one-question", wanted ? "yes" : "no");
    } catch {
      // the choice holds until the page is left
    }
  },
};

class ReadoutQuiz extends HTMLElement {
  connectedCallback() {
    this.disconnected = new AbortController();
    outbox.news.addEventListener("settled", ({ detail }) => this.heard(detail), {
      signal: this.disconnected.signal,
    });
    addEventListener("hashchange", () => this.turn(this.named), {
      signal: this.disconnected.signal,
    });
    if (this.questions) return; // moved within the page, not visited again
    this.slug = this.dataset.slug;
    this.selfCheck = this.dataset.kind === "self-check";
    this.path = `quizzes/${this.slug}/answers`;
    this.count = h("p", { class: "progress" });
    this.questions = new Map();
    for (const section of this.querySelectorAll("section.question")) {
      this.questions.set(section.dataset.id, new Question(section, this));
    }
    this.prepend(this.count, this.pager());
    this.progress();
    this.turn(this.named, { one: taste.one });
    if (!this.selfCheck) this.restore();
  }

  disconnectedCallback() {
    this.disconnected.abort();
  }

  progress() {
    const states = [...this.questions.values()].map(({ section }) => section.dataset.state);
    const answered = states.filter((state) => state && state !== "refused").length;
    const { opensAt, closesAt, overAt } = this.dataset;
    const now = new Date();
    const when = [];
    if (overAt && new Date(overAt) <= now) when.push("The meeting is over: answers now are practice.");
    else if (opensAt && new Date(opensAt) > now) when.push(`Opens ${moment(opensAt)}.`);
    else if (closesAt && new Date(closesAt) > now) when.push(`Open until ${moment(closesAt)}.`);
    else if (closesAt) when.push(`Closed ${moment(closesAt)}: answers now are marked late.`);
    when.push(`You answered ${answered} of ${states.length}.`);
    this.count.textContent = when.join(" ");
  }

  /** The place of the question that the address names; -1 where it names none. */
  get named() {
    return [...this.questions.keys()].indexOf(location.hash.slice(1));
  }

  /** All questions on the page, or one at a time with a way to the next. */
  pager() {
    const button = (label, press) => {
      const made = h("button", { class: "md-button", type: "button" }, label);
      made.addEventListener("click", press);
      return made;
    };
    this.mode = button("One at a time", () => {
      taste.one = !this.one;
      this.turn(0, { one: !this.one });
    });
    this.back = button("Previous", () => this.turn(this.at - 1, { focus: true }));
    this.next = button("Next", () => this.turn(this.at + 1, { focus: true }));
    this.place = h("span", { class: "place", role: "status" });
    const all = h("div", { class: "buttons pager" }, this.mode, this.back, this.next, this.place);
    all.hidden = this.questions.size < 2;
    return all;
  }

  /** Show question number `at`; with `one` set, all of them or one alone. */
  turn(at, { one = this.one, focus = false } = {}) {
    const questions = [...this.questions.values()];
    this.one = one && questions.length > 1;
    this.at = Math.min(Math.max(at, 0), questions.length - 1);
    questions.forEach(({ section }, index) => {
      section.hidden = this.one && index !== this.at;
    });
    this.mode.textContent = this.one ? "Show all" : "One at a time";
    this.mode.setAttribute("aria-pressed", String(this.one));
    this.back.hidden = this.next.hidden = !this.one;
    this.back.disabled = this.at === 0;
    this.next.disabled = this.at === questions.length - 1;
    this.place.textContent = this.one ? `Question ${this.at + 1} of ${questions.length}` : "";
    if (focus) questions[this.at].asked.querySelector("input, select, button")?.focus();
  }

  /** Whether the votes before the meeting are in, and those in it count as a second one. */
  get closed() {
    const { closesAt } = this.dataset;
    return Boolean(closesAt && new Date(closesAt) <= new Date());
  }

  /** Drafts first, then what the service has, then what waits on this device, and drafts after it. */
  async restore() {
    // First who is here: drafts of somebody else are gone after that.
    const { member } = await outbox.whoIsHere();
    const drafts = new Map();
    for (const question of this.questions.values()) {
      const draft = await outbox.draft(question.place);
      if (!draft || question.touched) continue;
      drafts.set(question, draft);
      question.fillIn(draft);
    }
    const reply = member && (await call(this.path).catch(() => null));
    const last = new Map((reply?.ok ? reply.data : []).map((answer) => [answer.question, answer]));
    for (const [id, data] of last) this.bring(id, data, { state: "saved", data });
    for (const entry of await outbox.entriesOf(member ?? (await outbox.remembered()))) {
      if (entry.path === this.path) this.bring(entry.body.question, entry.body, entry);
    }
    for (const [question, draft] of drafts) question.takeUp(draft);
    outbox.flush();
  }

  bring(id, given, outcome) {
    const question = this.questions.get(id);
    if (!question || question.sending) return;
    if (question.touched && !question.answered) return; // somebody is writing in it
    question.fillIn(given);
    if (outcome.state === "saved") question.dropDraft(question.given());
    question.settle(outcome.state === "kept" ? { ...outcome, state: "waiting" } : outcome);
  }

  heard(outcome) {
    const { path, body } = outcome.entry;
    // That an entry still waits is no news: restore() or the one who answered has shown it.
    if (path === this.path && outcome.state !== "kept") this.bring(body.question, body, outcome);
  }
}

customElements.define("readout-quiz", ReadoutQuiz);
