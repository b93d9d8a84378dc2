/**
 * <readout-join>: turns an invitation, or a code from another device, into a session.
 *
 * Either may stand in the address (`join#CODE`): what follows the # is sent to no server.
 */
import { call, complaint, root } from "./api.js";
import { onSubmit } from "./controls.js";
import { h } from "./dom.js";
import { flush, remember, whoIsHere } from "./outbox.js";

const DEVICE_CODE = /^[2-9A-Z]{4}(-[2-9A-Z]{4}){2}$/i;
const link = (path, text) => h("a", { href: new URL(path, root) }, text);

/** The code of a whole link, or what was given when it is none. */
const codeIn = (given) => given.trim().replace(/^.*#/s, "");

const said = () => h("p", { class: "said", role: "status", tabindex: -1 });
const submit = (label) =>
  h("p", { class: "buttons" }, h("button", { class: "md-button md-button--primary" }, label));

class ReadoutJoin extends HTMLElement {
  lost = new Set(); // codes that were sent without a reply: each may have been used

  connectedCallback() {
    this.disconnected = new AbortController();
    addEventListener("hashchange", () => this.build(), { signal: this.disconnected.signal });
    this.build();
  }

  disconnectedCallback() {
    this.disconnected.abort();
  }

  build() {
    const code = this.codeOfAddress();
    const isForDevice = DEVICE_CODE.test(code);
    if (this.forms && !code) return; // a code that was used has left the address
    this.here = h("p", { hidden: true });
    this.forms = [this.joining(isForDevice ? "" : code), this.returning(isForDevice ? code : "")];
    if (isForDevice) this.forms.reverse();
    this.replaceChildren(this.here, ...this.forms);
    this.warn();
  }

  codeOfAddress() {
    try {
      return decodeURIComponent(location.hash.slice(1));
    } catch {
      return location.hash.slice(1); // no code has a % in it: the service will say so
    }
  }

  /** Who opens a second link by mistake would become a second member. */
  async warn() {
    const { member } = await whoIsHere();
    if (!member || this.here.isConnected === false) return;
    this.here.replaceChildren("This browser is signed in as ", link("me/", member.name),
      " already. Who joins again becomes another member.");
    this.here.hidden = false;
  }

  joining(code) {
    const invite = h("input", { id: "join-invite", value: code, required: true, maxlength: 400,
      autocomplete: "off", autocapitalize: "none", spellcheck: "false" });
    const name = h("input", { id: "join-name", required: true, maxlength: 80, autocomplete: "nickname" });
    const told = said();
    const form = h("form", {},
      h("label", { for: "join-invite" }, "Your join link, or the code at its end"), invite,
      h("label", { for: "join-name" }, "Your name, as the group knows you"), name,
      submit("Join"));
    onSubmit(form, () => this.enter(form, told, {
      path: "join",
      body: { invite: codeIn(invite.value), name: name.value.trim() },
      done: "you have joined",
      refused: "You have not joined",
      way: "ask an organizer for a code that signs you in, and type it under “Code for this device”",
      welcome: "Welcome",
    }));
    return h("section", {}, h("h2", {}, "With a join link"), form, told);
  }

  returning(code) {
    const field = h("input", { id: "join-code", value: code, required: true, maxlength: 400,
      autocomplete: "one-time-code", autocapitalize: "characters", spellcheck: "false",
      "aria-describedby": "join-code-help" });
    const told = said();
    const form = h("form", {},
      h("label", { for: "join-code" }, "Code for this device"), field,
      h("p", { id: "join-code-help", class: "byline" }, "Twelve letters and digits. A device that is " +
        "signed in makes one on its page ", link("me/", "Me"), "; an organizer makes one when all are lost."),
      submit("Sign in"));
    onSubmit(form, () => this.enter(form, told, {
      path: "session",
      body: { code: codeIn(field.value) },
      done: "this browser is signed in",
      refused: "You are not signed in",
      way: "make another on a device that is signed in, or ask an organizer for one",
      welcome: "Welcome back",
    }));
    return h("section", {}, h("h2", {}, "As a member, on one more device"), form, told);
  }

  async enter(form, told, { path, body, done, refused, way, welcome }) {
    told.textContent = "Sending…";
    const code = body.invite ?? body.code;
    // Without a reply: whether the code may have arrived.
    const reply = await call(path, { method: "POST", body }).catch(({ sent }) => ({ sent }));
    if (reply.sent) {
      this.lost.add(code);
      told.textContent = `It is not known whether ${done}: no reply came from the service. ` +
        `Try once more; if the code is refused then, ${way}.`;
    } else if (reply.sent === false) {
      told.textContent = "The service is not reachable, and nothing was sent. Your code is as good as before: try again.";
    } else if (!reply.ok && this.lost.has(code)) {
      told.textContent = `Not accepted: ${complaint(reply)}. An earlier try may have used the code: ${way}.`;
    } else if (!reply.ok) {
      told.textContent = `${refused}: ${complaint(reply)}.`;
    } else {
      // A used code opens nothing any more; it need not stand in the history either.
      history.replaceState(history.state, "", location.pathname + location.search);
      const { member } = reply.data;
      await remember(member);
      await whoIsHere({ again: true });
      told.replaceChildren(`${welcome}, ${member.name}. This browser is signed in. `,
        link("quizzes/", "Answer a quiz"), " or ", link("meetings/", "read the meetings"), ".");
      this.replaceChildren(told);
      flush();
    }
    told.focus();
  }
}

customElements.define("readout-join", ReadoutJoin);
