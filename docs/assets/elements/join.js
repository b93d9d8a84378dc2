/** <readout-join>: turns the invitation in the address (`join#CODE`) into a session. */
import { call, complaint, root } from "./api.js";
import { h } from "./dom.js";
import { flush, remember, whoIsHere } from "./outbox.js";

const link = (path, text) => h("a", { href: new URL(path, root) }, text);

class ReadoutJoin extends HTMLElement {
  connectedCallback() {
    this.disconnected = new AbortController();
    addEventListener("hashchange", () => this.build(), { signal: this.disconnected.signal });
    this.build();
  }

  disconnectedCallback() {
    this.disconnected.abort();
  }

  build() {
    this.invite = decodeURIComponent(location.hash.slice(1));
    if (!this.invite) {
      const text = "This page opens with a join link. Ask an organizer for one.";
      if (!this.said) this.replaceChildren(h("p", {}, text));
      return;
    }
    const field = { id: "join-name", required: true, maxlength: 80, autocomplete: "nickname" };
    this.name = h("input", field);
    this.said = h("p", { class: "said", role: "status", tabindex: -1 });
    const form = h("form", {},
      h("label", { for: "join-name" }, "Your name, as the group knows you"),
      this.name,
      h("p", { class: "buttons" }, h("button", { class: "md-button md-button--primary" }, "Join")));
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.join(form);
    });
    this.replaceChildren(form, this.said);
  }

  async join(form) {
    this.said.textContent = "Sending…";
    const body = { invite: this.invite, name: this.name.value.trim() };
    const reply = await call("join", { method: "POST", body }).catch(() => null);
    if (!reply) {
      this.said.textContent = "The service is not reachable. Your link is still good: try again.";
    } else if (!reply.ok) {
      this.said.textContent =
        `You have not joined: ${complaint(reply)}. Ask an organizer for a new link if this one ` +
        "cannot be used.";
    } else {
      // A used code opens nothing any more; it need not stand in the history either.
      history.replaceState(history.state, "", location.pathname + location.search);
      const { member } = reply.data;
      await remember(member);
      await whoIsHere({ again: true });
      form.remove();
      this.said.replaceChildren(`Welcome, ${member.name}. This browser is signed in. `,
        link("quizzes/", "Answer a quiz"), " or ", link("meetings/", "read the meetings"), ".");
      flush();
    }
    this.said.focus();
  }
}

customElements.define("readout-join", ReadoutJoin);
