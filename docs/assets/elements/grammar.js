/**
 * <readout-grammar>: one phenomenon of grammar: its rules, its scores, and all of its pairs.
 *
 * All of it was measured beforehand; the controls choose what is shown.
 */
import { h } from "./dom.js";
import { Explorer, choice, labelled, slider } from "./explorer.js";

const WHO = {
  one_person: "one person, on BLiMP",
  gpt2_large: "GPT-2 large, on BLiMP",
  transformer_xl: "Transformer-XL, on BLiMP",
  lstm: "LSTM, on BLiMP",
  five_gram: "5-gram, on BLiMP",
  "word pairs": "table of word pairs, on these pairs",
  words: "table of words, on these pairs",
};
const percent = (share) => `${Math.round(100 * share)} %`;

class Grammar extends Explorer {
  start(data) {
    this.data = data;
    this.phenomenon = choice(data.phenomena.map(({ name }) => name), () => this.renew());
    this.paradigm = h("select", {});
    this.paradigm.addEventListener("change", () => this.show(0));
    this.choose = h("div", {});
    this.said = h("p", { class: "said", role: "status" });
    this.pair = h("div", { class: "pair" });
    this.table = h("div", { class: "scroll" });
    this.renew();
    return [
      h("strong", {}, this.getAttribute("aria-label")),
      h("div", { class: "sliders" }, labelled("Phenomenon", this.phenomenon),
        labelled("Paradigm", this.paradigm), this.choose),
      this.said, this.pair, this.table,
      h("p", { class: "byline" },
        "Measured beforehand. A sentence's surprise is the sum of its tokens' losses, in nats; the " +
        "less surprising sentence is preferred. The mark in a bar is chance, one half."),
    ];
  }

  get chosen() {
    return this.data.phenomena[this.phenomenon.value];
  }

  /** Another phenomenon has other paradigms. */
  renew() {
    this.paradigm.replaceChildren(
      ...this.chosen.paradigms.map(({ name }, n) => h("option", { value: n }, name)));
    this.show(0);
  }

  /** Another paradigm has other pairs: the slider is made anew. */
  show(at) {
    const { paradigms, hits, n, interval, name } = this.chosen;
    const paradigm = paradigms[this.paradigm.value];
    this.slider = slider("Pair", paradigm.pairs.map((_, n) => n + 1), at, String, () => this.look());
    this.choose.replaceChildren(this.slider.node);
    const [low, high] = interval;
    const where = high < this.data.vote ? "below" : "not below";
    this.said.textContent =
      `${name}: ${hits} of ${n} pairs right, ${percent(hits / n)} (95 % interval ${percent(low)} to ` +
      `${percent(high)}), ${where} the ${(100 * this.data.vote).toFixed(1)} % of people's majority ` +
      `vote. ${paradigm.name}: ${paradigm.hits} of ${paradigm.n}.`;
    this.table.replaceChildren(this.scores(paradigm));
    this.look();
  }

  look() {
    const { pairs, rule } = this.chosen.paradigms[this.paradigm.value];
    const [good, bad, surprise, other] = pairs[this.slider.value - 1].split("\t");
    const preferred = Number(surprise) < Number(other);
    const gap = Math.abs(surprise - other).toFixed(1);
    this.pair.replaceChildren(
      h("p", { class: "which" }, `Rule: ${rule}.`),
      h("p", {}, h("span", { class: "which" }, `Right, surprise ${surprise} nats: `), good),
      h("p", {}, h("span", { class: "which" }, `Wrong, surprise ${other} nats: `), bad),
      h("p", { role: "status" }, Number(surprise) === Number(other)
        ? "Neither is preferred."
        : `The model prefers the ${preferred ? "right" : "wrong"} one, by ${gap} nats.`));
  }

  scores({ name, hits, n, interval, others }) {
    const row = (label, share, note) => {
      const bar = h("span", { class: "bar" });
      bar.style.setProperty("--share", `${100 * share}%`);
      bar.style.setProperty("--model", "50%");
      return h("tr", {}, h("th", { scope: "row" }, label), h("td", {}, note), h("td", {}, bar));
    };
    const own = `${percent(hits / n)} (${percent(interval[0])} to ${percent(interval[1])})`;
    return h("table", { class: "draws" },
      h("caption", {}, `Share of pairs right: ${name}`),
      h("thead", {}, h("tr", {}, ...["who", "share", "bar"].map((title) =>
        h("th", { scope: "col" }, title)))),
      h("tbody", {}, row("SmolLM2, on these pairs", hits / n, own),
        ...Object.entries(WHO).map(([who, label]) => row(label, others[who], percent(others[who])))));
  }
}

if (!customElements.get("readout-grammar")) customElements.define("readout-grammar", Grammar);
