/**
 * <readout-member>: who is signed in, in a line.
 * <readout-me>: the same with sign out, export and erase.
 */
import { api, call, complaint, root } from "./api.js";
import { h } from "./dom.js";
import { discard, entriesOf, forget, whoIsHere } from "./outbox.js";

const link = (path, text) => h("a", { href: new URL(path, root) }, text);

class ReadoutMember extends HTMLElement {
  async connectedCallback() {
    const { member, reachable } = await whoIsHere();
    if (member) this.replaceChildren("Signed in as ", link("me/", member.name));
    else this.replaceChildren(reachable ? link("join/", "Not signed in") : "");
  }
}

const WAITS = { kept: () => "Kept on this device", rejected: ({ why }) => `Rejected: ${why}` };

class ReadoutMe extends HTMLElement {
  connectedCallback() {
    this.show();
  }

  async show() {
    const { member, reachable } = await whoIsHere({ again: true });
    if (!member) {
      const text = reachable
        ? "You are not signed in. Ask an organizer for a join link."
        : "The service is not reachable, so this page cannot say who you are.";
      this.replaceChildren(h("p", {}, text));
      return;
    }
    this.said = h("p", { class: "said", role: "status", tabindex: -1 });
    const entries = await entriesOf(member);
    const unsent = entries.length
      ? ` What waits on this device (${entries.length}) is removed unsent.`
      : "";
    this.replaceChildren(
      h("p", {}, "You are signed in as ", h("strong", {}, member.name), ` (${member.role}).`),
      ...(entries.length ? [this.waiting(entries)] : []),
      h("h2", {}, "Your data"),
      h("p", {}, h("a", { href: new URL("me/export", api), download: "readout.json" },
        "Download everything you wrote"), " as JSON."),
      this.step("Sign out", `Signs this browser out.${unsent}`, "session", member),
      this.step("Erase me", "Erases your name, answers and notes for good. Counts over the whole " +
        `group stay, without you.${unsent}`, "me", member),
      this.said,
    );
  }

  /** What waits or was refused, as it was written, with a way to be rid of it. */
  waiting(entries) {
    const rows = entries.map((entry) => {
      const remove = h("button", { class: "md-button", type: "button" }, "Remove");
      remove.addEventListener("click", async () => {
        await discard(entry.id);
        await this.show();
        this.said.focus();
      });
      const text = h("pre", {}, JSON.stringify(entry.body, null, 1));
      return h("li", {}, WAITS[entry.state](entry), text, remove);
    });
    return h("ul", { class: "waiting" }, ...rows);
  }

  /** A button that says what it will do, and does it on the second press. */
  step(label, warning, path, member) {
    const button = h("button", { class: "md-button", type: "button" }, label);
    const sure = h("button", { class: "md-button md-button--primary", type: "button" },
      `${label} now`);
    const details = h("div", { hidden: true }, h("p", {}, warning), sure);
    button.setAttribute("aria-expanded", "false");
    button.addEventListener("click", () => {
      details.hidden = !details.hidden;
      button.setAttribute("aria-expanded", String(!details.hidden));
    });
    sure.addEventListener("click", async () => {
      const reply = await call(path, { method: "DELETE" }).catch(() => null);
      if (reply?.ok) {
        await forget(member);
        await this.show();
      } else {
        const why = reply ? complaint(reply) : "the service is not reachable";
        this.said.textContent = `Nothing was changed: ${why}.`;
        this.said.focus();
      }
    });
    return h("div", { class: "step" }, button, details);
  }
}

customElements.define("readout-member", ReadoutMember);
customElements.define("readout-me", ReadoutMe);
