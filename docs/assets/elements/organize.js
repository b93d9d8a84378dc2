/**
 * <readout-organize>: what a meeting should talk about, from the group's answers.
 * For organizers; the service shows it to nobody else, and tells no names.
 */
import { api, call, complaint, root, undone } from "./api.js";
import { h, moment } from "./dom.js";
import { whoIsHere } from "./outbox.js";

const ADVICE = {
  "vote-and-discuss": "Vote and discuss",
  "re-read": "Read again together",
  skip: "Skip",
  "too-few": "Too few answers yet",
};
const percent = (share) => `${Math.round(100 * share)} %`;
/** A response in the words of the options that it names. */
const shown = (response, texts = {}) => {
  const named = (id) => (Object.hasOwn(texts, id) ? texts[id] : String(id));
  return Array.isArray(response) ? response.map(named).join(" → ")
    : response !== null && typeof response === "object"
      ? Object.entries(response).map(([left, right]) => `${named(left)}: ${right}`).join("; ")
      : named(response);
};

class ReadoutOrganize extends HTMLElement {
  async connectedCallback() {
    if (this.said) return;
    this.said = h("p", { class: "said", role: "status" }, "Asking the service…");
    this.replaceChildren(this.said);
    const { member, reachable } = await whoIsHere();
    if (!member || member.role !== "organizer") {
      this.said.textContent = !reachable
        ? "The service is not reachable."
        : "This page is for organizers. You are " + (member ? "signed in as a member." : "not signed in.");
      return;
    }
    const [meetings, quizzes] = await Promise.all([call("meetings"), call("quizzes")])
      .catch(() => [null, null]);
    if (!meetings?.ok || !quizzes?.ok) {
      this.said.textContent = "The service is not reachable.";
      return;
    }
    const asked = new Set(quizzes.data.map(({ meeting }) => meeting));
    const dates = meetings.data.map(({ date }) => date).filter((date) => asked.has(date));
    this.choose(dates.sort().reverse());
  }

  choose(dates) {
    if (!dates.length) {
      this.said.textContent = "No meeting has a quiz yet.";
      return;
    }
    const select = h("select", {}, ...dates.map((date) => h("option", { value: date }, date)));
    this.agenda = h("div", { class: "agenda" });
    select.addEventListener("change", () => this.show(select.value));
    this.replaceChildren(h("p", {}, h("label", {}, "Meeting ", select)), this.said, this.agenda);
    this.show(dates[0]);
  }

  async show(date) {
    this.said.textContent = "Asking the service…";
    const reply = await call(`meetings/${date}/agenda`).catch(() => null);
    if (!reply?.ok) {
      this.said.textContent = reply ? complaint(reply) : "The service is not reachable.";
      return;
    }
    const { items, warm_up: warmUp, tells_until: until } = reply.data;
    const slugs = [...new Set(items.map(({ quiz }) => quiz))];
    const asked = [...new Set([...items, ...warmUp].map(({ quiz }) => quiz))];
    this.texts = Object.assign({}, ...await Promise.all(asked.map((slug) => this.optionTexts(slug))));
    const reports = await Promise.all(slugs.map((slug) => this.reports(slug)));
    this.said.textContent = `${items.length} questions, the most worth discussing first.`;
    if (until) this.said.append(` The quiz runs until ${moment(until)}; what stands here tells its answers.`);
    const group = (title, some) =>
      some.length ? [h("h2", {}, title), ...some.map((item) => this.item(item))] : [];
    this.agenda.replaceChildren(
      ...group("Warm-up, from earlier meetings", warmUp),
      ...Object.entries(ADVICE).flatMap(([advice, title]) =>
        group(title, items.filter((item) => item.advice === advice))),
      ...reports.flat(),
      h("h2", {}, "To carry away"),
      h("ul", {}, ...slugs.map((slug) => h("li", {}, h("a", {
        href: new URL(`quizzes/${slug}/results.csv`, api), download: `${slug}.csv`,
      }, `${slug} as a table (CSV)`)))),
    );
  }

  /** By question, what each option says: the pages of quizzes show no letters. */
  async optionTexts(slug) {
    const reply = await call(`quizzes/${slug}`).catch(() => null);
    return Object.fromEntries((reply?.ok ? reply.data.questions : []).map(({ id, options }) =>
      [id, Object.fromEntries(options.map((option) => [option.id, option.text]))]));
  }

  item(item) {
    const { difficulty, interval, n, correct } = item;
    const facts = [`${correct} of ${n} right`];
    if (difficulty != null) {
      facts.push(`difficulty ${percent(difficulty)} (95 % interval ${percent(interval[0])} to ${percent(interval[1])})`);
    }
    if (item.confident_and_wrong) facts.push(`${item.confident_and_wrong} sure and wrong`);
    if (item.n_late) facts.push(`${item.n_late} late, not counted`);
    if (item.revote) {
      const gain = item.revote.gain == null ? "" : `, gain ${item.revote.gain.toFixed(2)}`;
      facts.push(`after the discussion ${item.revote.correct} of ${item.revote.n}${gain}`);
    }
    const stem = item.stem.split("\n")[0];
    const to = new URL(`quizzes/${item.quiz}/#${item.question}`, root);
    const parts = [h("h3", {}, h("a", { href: to }, stem)), h("p", {}, facts.join("; "), ".")];
    if (item.note) parts.push(h("p", { class: "byline" }, item.note));
    if (item.distribution) parts.push(this.distribution(item));
    if (item.reasons.length) {
      const said = item.reasons.map((reason) => h("li", {}, reason));
      parts.push(h("details", {}, h("summary", {}, `Reasons (${said.length})`), h("ul", {}, ...said)));
    }
    return h("section", { class: "item" }, ...parts);
  }

  distribution({ question, distribution, n, stem }) {
    const rows = distribution.map(({ response, n: times, correct }) =>
      h("tr", {},
        h("th", { scope: "row" }, shown(response, this.texts[question]), correct ? h("span", { class: "mark right" }, "right") : ""),
        h("td", {}, String(times)),
        h("td", {}, h("meter", { min: 0, max: n, value: times, "aria-label": `${times} of ${n}` }))));
    const head = ["Answer", "Members", "Share"].map((title) => h("th", { scope: "col" }, title));
    const title = `Answers to: ${stem.split("\n")[0]}`;
    // On a narrow screen the table scrolls, with the keyboard too.
    return h("div", { class: "scroll", role: "region", tabindex: 0, "aria-label": title }, h("table", {},
      h("caption", {}, title),
      h("thead", {}, h("tr", {}, ...head)), h("tbody", {}, ...rows)));
  }

  /** What members reported about the questions of a quiz, each to be put aside when mended. */
  async reports(slug) {
    const reply = await call(`quizzes/${slug}/reports`).catch(() => null);
    if (!reply?.ok || !reply.data.length) return [];
    const rows = reply.data.map(({ id, question, text, outdated }) => {
      const done = h("button", { class: "md-button", type: "button" }, "Dealt with");
      const row = h("li", {}, h("a", { href: new URL(`quizzes/${slug}/#${question}`, root) }, question),
        outdated ? " (the question has changed since): " : ": ", text, " ", done);
      done.addEventListener("click", async () => {
        const gone = await call(`reports/${id}`, { method: "DELETE" }).catch(() => null);
        if (gone?.ok) row.remove();
        this.said.textContent = gone?.ok ? "Put aside." : undone(gone);
      });
      return row;
    });
    return [h("h2", {}, `Reported problems: ${slug}`), h("ul", {}, ...rows)];
  }
}

customElements.define("readout-organize", ReadoutOrganize);
