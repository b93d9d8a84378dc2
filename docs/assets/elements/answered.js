/** <readout-answered>: how many questions of a quiz the member has answered, on its card. */
import { call } from "./api.js";
import { whoIsHere } from "./outbox.js";

class ReadoutAnswered extends HTMLElement {
  async connectedCallback() {
    const { member } = await whoIsHere();
    if (!member) return;
    const reply = await call(`quizzes/${this.dataset.slug}/answers`).catch(() => null);
    if (!reply?.ok) return;
    const answered = new Set(reply.data.map(({ question }) => question)).size;
    this.textContent = `, you answered ${answered}`;
  }
}

customElements.define("readout-answered", ReadoutAnswered);
