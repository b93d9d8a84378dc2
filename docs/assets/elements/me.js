/** <readout-me>: a member's own account: what waits, drafts, devices, export, sign out, erase. */
import { api, call, complaint, root, undone } from "./api.js";
import { copyable, step } from "./controls.js";
import { h, moment } from "./dom.js";
import { discard, drafts, dropDraft, entriesOf, forget, remembered, whoIsHere } from "./outbox.js";

const link = (path, text) => h("a", { href: new URL(path, root) }, text);
const WAITS = { kept: () => "Kept on this device", rejected: ({ why }) => `Rejected: ${why}` };
const STAYS =
  "What you wrote here is still on this device. What waits is sent when you are signed in again; drafts " +
  "are removed when somebody else signs in here, so copy what you need.";

/** Where a draft was written, in words. */
function origin(place) {
  const [kind, slug] = place.split(" ");
  if (kind === "quiz") return ["An answer in the quiz ", link(`quizzes/${slug}/`, slug)];
  if (kind === "note-change") return ["A change of a note"];
  const folder = /^\d{4}-\d\d-\d\d$/.test(slug) ? "meetings" : "library";
  return ["A note under ", link(`${folder}/${slug}/`, slug)];
}

/** The same of what was sent, or waits to be; nothing of a report. */
function originOf({ path, body }) {
  if (path === "notes") return origin(`note ${body.meeting ?? body.entry}`);
  if (path.startsWith("notes/")) return origin("note-change");
  return path.endsWith("/answers") ? origin(`quiz ${path.split("/")[1]}`) : [];
}

/** What is lost from this device with the session, as sentences to append. */
function losses(entries, unsent) {
  const said = [];
  if (entries.length) said.push(` What waits on this device (${entries.length}) is removed unsent.`);
  if (unsent.length === 1) said.push(" A draft that you have not sent is removed.");
  if (unsent.length > 1) said.push(` ${unsent.length} drafts that you have not sent are removed.`);
  return said.join("");
}

class ReadoutMe extends HTMLElement {
  connectedCallback() {
    this.show();
  }

  async show() {
    const { member, reachable } = await whoIsHere({ again: true });
    if (!member) {
      await this.showNobody(reachable);
      return;
    }
    this.said = h("p", { class: "said", role: "status", tabindex: -1 });
    const entries = await entriesOf(member);
    const unsent = await drafts();
    const lost = losses(entries, unsent);
    this.devices = h("div", {});
    this.replaceChildren(
      h("p", {}, "You are signed in as ", h("strong", {}, member.name), ` (${member.role}).`),
      ...(entries.length ? [this.waiting(entries)] : []),
      this.said,
      this.leaving("Sign out", `Signs this browser out.${lost}`, "session", member),
      ...(unsent.length ? this.unsent(unsent) : []),
      h("h2", {}, "Your devices"),
      this.devices,
      h("h2", {}, "Your data"),
      h("p", {}, h("a", { href: new URL("me/export", api), download: "readout.json" },
        "Download everything you wrote"), " as JSON."),
      this.leaving("Erase me", "Erases your name, notes, reasons and reports for good. Counts over " +
        "the whole group stay, without you." +
        (member.role === "organizer" ? " The only organizer of others hands the group over first, on the page Members." : "") + lost,
      "me", member, true),
    );
    await this.listDevices();
  }

  /** Nobody is signed in, or nobody knows who is: what was written is on this device all the same. */
  async showNobody(reachable) {
    const entries = await entriesOf(await remembered());
    const unsent = await drafts();
    this.said = h("p", { class: "said", role: "status", tabindex: -1 }, ...(reachable
      ? ["You are not signed in. ", link("join/", "Join or sign in"), " with a link or a code."]
      : ["The service is not reachable, so this page cannot say who you are."]));
    this.replaceChildren(this.said,
      ...(entries.length || unsent.length ? [h("p", {}, STAYS)] : []),
      ...(entries.length ? [h("h2", {}, "What waits"), this.waiting(entries)] : []),
      ...(unsent.length ? this.unsent(unsent) : []));
  }

  tell(text) {
    this.said.textContent = text;
    this.said.focus();
  }

  /** Ask the service for something; null, with the reason told, if it was not done. */
  async ask(path, options) {
    const reply = await call(path, options).catch(() => null);
    if (reply?.ok) return reply;
    this.tell(undone(reply));
    return null;
  }

  async listDevices() {
    const reply = await call("me/devices").catch(() => null);
    if (!reply?.ok) {
      const why = reply ? complaint(reply) : "the service is not reachable";
      this.devices.replaceChildren(h("p", {}, `Your devices cannot be listed: ${why}.`));
      return;
    }
    const add = h("button", { class: "md-button", type: "button" }, "Add a device");
    const code = h("div", { class: "once", tabindex: -1 });
    add.addEventListener("click", () => this.addDevice(code));
    this.devices.replaceChildren(
      h("ul", { class: "rows" }, ...reply.data.map((device) => this.device(device))),
      h("p", { class: "buttons" }, add),
      code);
  }

  device({ id, device, made_at: made, used_at: used, current }) {
    const when = `last used ${moment(used)}, signed in ${moment(made)}`;
    const row = h("li", {}, h("strong", {}, device || "A device"), current ? " (this one)" : "",
      h("br"), h("span", { class: "byline" }, when));
    if (current) return row;
    const end = h("button", { class: "md-button", type: "button",
      "aria-label": `Sign out ${device}, ${when}` }, "Sign out");
    end.addEventListener("click", async () => {
      if (!(await this.ask(`me/devices/${id}`, { method: "DELETE" }))) return;
      await this.listDevices();
      this.tell(`${device || "The device"} is signed out.`);
    });
    row.append(h("p", { class: "buttons" }, end));
    return row;
  }

  async addDevice(place) {
    const reply = await this.ask("me/devices", { method: "POST" });
    if (!reply) return;
    const { code, expires_at: until } = reply.data;
    place.replaceChildren(
      h("p", {}, "On the other device, open the link, or the page ", link("join/", "Join"),
        ` and type the code. It works once, until ${moment(until)}; a new one takes its place.`),
      copyable("Code", code),
      copyable("Link", new URL(`join/#${code}`, root).href));
    place.focus();
  }

  /** What waits or was refused, as it was written, with a way to be rid of it. */
  waiting(entries) {
    const rows = entries.map((entry, index) => {
      const label = `Text ${index + 1}`;
      const remove = h("button", { class: "md-button", type: "button", "aria-label": `Remove: ${label}` },
        "Remove");
      remove.addEventListener("click", async () => {
        await discard(entry.id);
        await this.show();
        this.said.focus();
      });
      return h("li", {}, h("p", {}, WAITS[entry.state](entry), ". ", ...originOf(entry)),
        copyable(label, entry.body.body ?? JSON.stringify(entry.body, null, 1), { rows: 5 }), remove);
    });
    return h("ul", { class: "waiting" }, ...rows);
  }

  /** What was typed and not sent, also where a note is gone and no page shows it any more. */
  unsent(found) {
    const rows = found.map(({ place, value }, index) => {
      const label = `Draft ${index + 1}`;
      const act = async () => {
        await dropDraft(place);
        await this.show();
        this.said.focus();
      };
      return h("li", {}, ...origin(place),
        copyable(label, value.body ?? JSON.stringify(value, null, 1), { rows: 5 }),
        step({ label: "Discard", about: label, warning: "Its text is removed from this device.", act }));
    });
    return [
      h("h2", {}, "Your drafts"),
      h("p", {}, "Typed on this device and not sent. Go on where you wrote them; if a note is gone, or " +
        "not yours to change any more, copy its text from here."),
      h("ul", { class: "rows" }, ...rows),
    ];
  }

  /** A step that ends this session. `isForGood`: the member types their name first. */
  leaving(label, warning, path, member, isForGood = false) {
    const typed = h("input", { id: "me-name", autocomplete: "off", spellcheck: "false" });
    const wrong = h("p", { role: "status" });
    const field = h("div", {}, h("label", { for: "me-name" }, `Type your name, ${member.name}, to go on`),
      typed, wrong);
    const act = async () => {
      if (isForGood && typed.value.trim() !== member.name) {
        typed.focus();
        wrong.textContent = `Nothing was erased: type ${member.name}, as it is written.`;
        return;
      }
      if (!(await this.ask(path, { method: "DELETE" }))) return;
      await forget(member);
      await this.show();
      this.said.focus();
    };
    return step({ label, warning, act, field: isForGood ? field : null });
  }
}

customElements.define("readout-me", ReadoutMe);
