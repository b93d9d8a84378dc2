/**
 * <readout-review>: the questions that are due again, a handful at a time.
 *
 * Each is taken from its quiz's page, where it is built already, and answered as it is there.
 */
import { call, complaint, root } from "./api.js";
import { h } from "./dom.js";
import { whoIsHere } from "./outbox.js";
import { Question } from "./question.js";

const MOST = 5; // about three minutes

class ReadoutReview extends HTMLElement {
  async connectedCallback() {
    if (this.said) return;
    this.said = h("p", { class: "said", role: "status" }, "Asking the service…");
    this.replaceChildren(this.said);
    const { member, reachable } = await whoIsHere();
    if (!member) {
      this.said.textContent = reachable
        ? "You are not signed in, so nobody knows what you missed."
        : "The service is not reachable.";
      return;
    }
    await this.ask();
  }

  async ask() {
    const reply = await call("review").catch(() => null);
    if (!reply?.ok) {
      this.said.textContent = reply ? complaint(reply) : "The service is not reachable.";
      return;
    }
    const due = reply.data.slice(0, MOST);
    const sections = await Promise.all(due.map((item) => this.section(item)));
    const found = sections.filter(Boolean);
    this.said.textContent = !reply.data.length
      ? "Nothing is due. What you miss comes back here."
      : `${reply.data.length} due. ${found.length === 1 ? "One question" : `${found.length} questions`}, ` +
        "the longest due first.";
    const more = h("p", { class: "buttons" }, h("button", { class: "md-button", type: "button" }, "More"));
    more.hidden = reply.data.length <= MOST;
    more.firstChild.addEventListener("click", () => this.ask().then(() => this.said.focus()));
    this.said.tabIndex = -1;
    this.replaceChildren(this.said, ...found, more);
  }

  /** The question as its quiz's page has it, made answerable; null if it is not there any more. */
  async section({ quiz, question, why }) {
    const page = new URL(`quizzes/${quiz}/`, root);
    const html = await fetch(page).then((reply) => (reply.ok ? reply.text() : "")).catch(() => "");
    const parsed = new DOMParser().parseFromString(html, "text/html");
    const section = parsed.querySelector(`section.question[data-id="${CSS.escape(question.id)}"]`);
    if (!section) return null;
    for (const relative of section.querySelectorAll("[href], [src]")) {
      const name = relative.hasAttribute("href") ? "href" : "src";
      relative.setAttribute(name, new URL(relative.getAttribute(name), page));
    }
    const adopted = document.adoptNode(section);
    const title = parsed.querySelector("h1")?.firstChild?.textContent.trim() ?? quiz;
    const from = h("p", { class: "byline" }, why === "missed" ? "You missed this one. " : "You were sure, and wrong. ",
      h("a", { href: `${page}#${question.id}` }, title));
    adopted.prepend(from);
    // What a question asks of its quiz: where it is sent, and that nothing is kept from before.
    const asked = new Question(adopted, {
      slug: quiz,
      path: `quizzes/${quiz}/answers`,
      selfCheck: false,
      closed: true,
      progress() {},
    });
    return asked.section;
  }
}

customElements.define("readout-review", ReadoutReview);
