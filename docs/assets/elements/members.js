/** <readout-members>: for organizers, who belongs to the group and who is invited. */
import { call, complaint, root, undone } from "./api.js";
import { copyable, onSubmit, once, step, unfold } from "./controls.js";
import { h, moment } from "./dom.js";
import { whoIsHere } from "./outbox.js";

const ROLES = ["member", "organizer"];
const day = (iso) =>
  new Date(iso).toLocaleDateString(document.documentElement.lang || undefined, { dateStyle: "medium" });

class ReadoutMembers extends HTMLElement {
  async connectedCallback() {
    if (this.said) return;
    this.said = h("p", { class: "said", role: "status", tabindex: -1 }, "Asking the service…");
    this.once = h("div", { class: "once" }); // what is told this once stays while the lists change
    this.people = h("div", {});
    this.invited = h("div", {});
    this.replaceChildren(this.said);
    if (await this.mayOrganize()) await this.open();
  }

  async mayOrganize({ again = false } = {}) {
    const { member, reachable } = await whoIsHere({ again });
    this.me = member;
    if (member?.role === "organizer") return true;
    this.replaceChildren(this.said);
    this.said.textContent = !reachable
      ? "The service is not reachable."
      : "This page is for organizers. You are " + (member ? "signed in as a member." : "not signed in.");
    if (again) this.said.focus();
    return false;
  }

  async open() {
    if (!(await this.list())) return;
    this.said.textContent = "";
    this.replaceChildren(this.said, this.once,
      h("h2", {}, "Members"), this.people,
      h("h2", {}, "Invitations"), this.inviting(), this.invited);
  }

  /** Show both lists as they are now; false, with the reason told, if they cannot be read. */
  async list() {
    const replies = await Promise.all([call("members"), call("invitations")]).catch(() => [null]);
    const failed = replies.find((reply) => !reply?.ok);
    if (failed !== undefined) {
      this.said.textContent = failed
        ? `The members cannot be listed: ${complaint(failed)}.`
        : "The service is not reachable.";
      return false;
    }
    const [people, invitations] = replies.map(({ data }) => data);
    // Nobody should pass on a link that opens nothing any more.
    if (this.linkOf && !invitations.some(({ id }) => id === this.linkOf)) this.once.replaceChildren();
    const alone = people.filter(({ role }) => role === "organizer").length === 1;
    this.people.replaceChildren(
      h("ul", { class: "rows" }, ...people.map((person) => this.person(person, alone))));
    this.invited.replaceChildren(invitations.length
      ? h("ul", { class: "rows" }, ...invitations.map((one) => this.invitation(one)))
      : h("p", {}, "No invitation is open."));
    return true;
  }

  /** Ask the service for something, show what has become of the lists, and say what was done. */
  async change(path, options, done) {
    const reply = await call(path, options).catch(() => null);
    if (!(await this.mayOrganize({ again: true }))) return null;
    if (reply?.ok || reply?.status === 404) await this.list();
    this.said.textContent = reply?.ok ? done : undone(reply);
    this.said.focus();
    return reply?.ok ? reply : null;
  }

  person({ id, name, role, joined_at: joined }, alone) {
    const isMe = id === this.me.id;
    const facts = `${role}${isMe ? " (you)" : ""}, since ${day(joined)}`;
    const row = h("li", {}, h("strong", {}, name), h("br"), h("span", { class: "byline" }, facts));
    if (isMe && alone) {
      row.append(h("p", { class: "byline" }, "The only organizer. To leave, hand the group over to somebody."));
    } else if (isMe) {
      row.append(this.role(id, "you", "member"));
    } else {
      row.append(unfold("Change", name,
        this.role(id, name, role === "member" ? "organizer" : "member"),
        ...(role === "member" ? [this.handOver(id, name)] : []),
        this.code(id, name),
        this.removal(id, name)));
    }
    return row;
  }

  setRole(id, role, done) {
    return this.change(`members/${id}/role`, { method: "PUT", body: { role } }, done);
  }

  role(id, name, role) {
    const be = name === "you" ? "are" : "is";
    return step({
      label: role === "organizer" ? "Make organizer" : "Make member",
      about: name,
      warning: role === "organizer"
        ? `An organizer sees the results of quizzes, invites and removes members. ${name} can then remove you.`
        : `Takes the rights of an organizer from ${name}.`,
      act: () => this.setRole(id, role, `${name} ${be} ${role === "organizer" ? "an organizer" : "a member"} now.`),
    });
  }

  handOver(id, name) {
    return step({
      label: "Hand over",
      about: name,
      warning: `Makes ${name} an organizer, and you a member. Only ${name} can undo it.`,
      act: async () => {
        const made = await this.setRole(id, "organizer", `${name} is an organizer now.`);
        if (made) await this.setRole(this.me.id, "member", "You are a member now.");
      },
    });
  }

  code(id, name) {
    return step({
      label: "New code",
      about: name,
      warning: `For ${name}, when all devices are lost: signs every device of theirs out, and makes a ` +
        "code for a new one. Give it to nobody else.",
      act: async () => {
        const made = await this.change(`members/${id}/code`, { method: "POST" }, `A code for ${name}:`);
        if (made) this.tellOnce(
          `It works once, until ${moment(made.data.expires_at)}, and is not shown again.`,
          copyable("Code", made.data.code),
          copyable("Link", new URL(`join/#${made.data.code}`, root).href));
      },
    });
  }

  removal(id, name) {
    return step({
      label: "Remove",
      about: name,
      warning: `Ends the membership of ${name} and signs every device out, at once. What ${name} wrote stays.`,
      act: () => this.change(`members/${id}`, { method: "DELETE" }, `${name} was removed.`),
    });
  }

  inviting() {
    const name = h("input", { id: "invite-name", required: true, maxlength: 80, autocomplete: "off" });
    const role = h("select", { id: "invite-role" },
      ...ROLES.map((value) => h("option", { value }, value)));
    const form = h("form", {},
      h("label", { for: "invite-name" }, "Whom to invite"), name,
      h("label", { for: "invite-role" }, "As"), role,
      h("p", { class: "buttons" }, h("button", { class: "md-button md-button--primary" }, "Make a join link")));
    onSubmit(form, async () => {
      const body = { name: name.value.trim(), role: role.value };
      const options = { method: "POST", body };
      const made = await this.change("invitations", options, `A join link for ${body.name}:`);
      if (!made) return;
      form.reset();
      this.tellOnce(
        `It works once, until ${moment(made.data.expires_at)}, and is not shown again.`,
        copyable("Join link", made.data.link));
      this.linkOf = made.data.id;
    });
    return form;
  }

  invitation({ id, name, role, expires_at: until }) {
    const revoke = h("button", { class: "md-button", type: "button",
      "aria-label": `Take back the invitation of ${name}, until ${moment(until)}` }, "Take back");
    const takeBack = once(() =>
      this.change(`invitations/${id}`, { method: "DELETE" }, `The invitation of ${name} was taken back.`));
    // The second click of two may meet the next invitation, which has moved up.
    revoke.addEventListener("click", ({ detail }) => detail < 2 && takeBack());
    return h("li", {}, h("strong", {}, name || "Somebody"), h("br"),
      h("span", { class: "byline" }, `as ${role}, until ${moment(until)}`),
      h("p", { class: "buttons" }, revoke));
  }

  tellOnce(text, ...fields) {
    this.linkOf = null;
    this.once.replaceChildren(...fields, h("p", {}, text));
  }
}

customElements.define("readout-members", ReadoutMembers);
