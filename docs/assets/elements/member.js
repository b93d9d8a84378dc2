/** <readout-member>: who is signed in, in a line. */
import { root } from "./api.js";
import { h } from "./dom.js";
import { whoIsHere } from "./outbox.js";

const link = (path, text) => h("a", { href: new URL(path, root) }, text);

class ReadoutMember extends HTMLElement {
  async connectedCallback() {
    const { member, reachable } = await whoIsHere();
    if (member) this.replaceChildren("Signed in as ", link("me/", member.name));
    else this.replaceChildren(reachable ? link("join/", "Not signed in") : "");
  }
}

customElements.define("readout-member", ReadoutMember);
