/** What is wrong with a question, for the organizers. */
import { h, uuid } from "./dom.js";
import * as outbox from "./outbox.js";

const SAID = {
  saved: () => "Reported. An organizer sees it without your name.",
  kept: () => "Kept on this device and sent when the service is reachable.",
  rejected: ({ why }) => `Not accepted: ${why}`,
  refused: () => "Not sent: only members can report. What you wrote is kept here.",
  lost: () => "Not sent: the service is not reachable. Leave this page open and try again later.",
};

export class ReportForm {
  constructor(path) {
    this.path = path;
    this.text = h("textarea", { rows: 3, maxlength: 2000, required: true });
    this.said = h("p", { class: "said", role: "status" });
    this.element = h("form", { class: "report", hidden: true },
      h("label", {}, "What is wrong with this question?", this.text),
      h("p", { class: "buttons" }, h("button", { class: "md-button" }, "Send the report")),
      this.said);
    this.element.addEventListener("submit", (event) => {
      event.preventDefault();
      this.send();
    });
  }

  /** Open or close; says whether it is open now. */
  toggle() {
    this.element.hidden = !this.element.hidden;
    if (!this.element.hidden) this.text.focus();
    return !this.element.hidden;
  }

  async send() {
    const text = this.text.value.trim();
    if (!text || this.sending) return;
    this.sending = true;
    this.said.textContent = "Sending…";
    const outcome = await outbox.send(this.path, { id: uuid(), text });
    this.sending = false;
    this.said.textContent = SAID[outcome.state](outcome);
    if (outcome.state === "saved" || outcome.state === "kept") this.text.value = "";
  }
}
