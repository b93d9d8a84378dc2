/**
 * <readout-sampling>: from the next-token distribution of a real prompt to what is drawn from it.
 *
 * The data lists the likeliest tokens by name. All others are counted in steps of log probability,
 * so every number here is one of the whole vocabulary, right to within half a step.
 */
import { h } from "./dom.js";
import { Explorer, labelled, slider } from "./explorer.js";

const TEMPERATURES = Array.from({ length: 20 }, (_, n) => (n + 1) / 10);
const KS = [1, 2, 3, 5, 10, 20, 40, 100, 200, 640, 2000, 10000, Infinity];
const PS = [...Array.from({ length: 18 }, (_, n) => (n + 1) * 0.05), 0.95, 0.99, 1];
const OPEN = { temperature: TEMPERATURES.indexOf(1), k: KS.length - 1, p: PS.length - 1 };
const ROWS = 12;
const DRAWS = 100;

const percent = (share) =>
  share > 0 && share < 0.0005 ? "< 0.1 %" : `${(100 * share).toFixed(1)} %`;
const count = (number) => Math.round(number).toLocaleString("en");
const visible = (token) => token.replaceAll(" ", "·").replaceAll("\n", "⏎").replaceAll("\t", "⇥");

/** The distribution in order: each level is some equally likely tokens, by name if it is one. */
export function levelsOf({ tokens, logprobs, rest }, step) {
  const named = tokens.map((token, n) => ({ token, logprob: logprobs[n], tokens: 1 }));
  const others = rest.counts.split(" ")
    .map((tokens, n) => ({ token: null, logprob: rest.top - n * step, tokens: Number(tokens) }))
    .filter(({ tokens }) => tokens);
  return [...named, ...others];
}

/**
 * Temperature, then top-k, then top-p, in the order of most libraries.
 * Returns how many tokens of each level are kept and with which share the level is drawn; the kept
 * mass, of the distribution at this temperature; and both entropies, in bits.
 */
export function cut(levels, temperature, k, p) {
  const each = levels.map(({ logprob }) => Math.exp((logprob - levels[0].logprob) / temperature));
  const sum = (of) => of.reduce((total, tokens, n) => total + tokens * each[n], 0);
  const all = levels.map(({ tokens }) => tokens);
  const whole = sum(all);

  let left = k;
  const likeliest = all.map((tokens) => {
    const kept = Math.min(tokens, left);
    left -= kept;
    return kept;
  });
  let missing = p >= 1 ? Infinity : p * sum(likeliest);
  const kept = likeliest.map((tokens, n) => {
    // The smallest set that reaches p: of a level, as many tokens as are still needed.
    const needed = missing > 0 ? Math.ceil(missing / each[n] - 1e-9) : 0;
    const taken = Math.min(tokens, needed);
    missing -= taken * each[n];
    return taken;
  });

  const inside = sum(kept);
  const entropy = (of, total) =>
    of.reduce((bits, tokens, n) => {
      const share = each[n] / total;
      return tokens && share ? bits - tokens * share * Math.log2(share) : bits;
    }, 0);
  return {
    kept,
    shares: kept.map((tokens, n) => (tokens * each[n]) / inside),
    size: kept.reduce((total, tokens) => total + tokens, 0),
    mass: inside / whole,
    entropy: entropy(all, whole),
    keptEntropy: entropy(kept, inside),
  };
}

/** The index of a level, drawn by its share. `luck` is from 0 up to 1. */
export function draw(shares, luck) {
  let at = 0;
  for (let left = luck; at < shares.length - 1 && left >= shares[at]; at += 1) left -= shares[at];
  // A rounding error must not draw what was cut off.
  while (!shares[at]) at -= 1;
  return at;
}

class Sampling extends Explorer {
  start(data) {
    this.data = data;
    this.prompt = h("select", {}, ...data.prompts.map(({ text }, n) =>
      h("option", { value: n }, `${text} …`)));
    this.prompt.addEventListener("change", () => this.take());
    const changed = () => this.show();
    this.temperature = slider(
      "Temperature", TEMPERATURES, OPEN.temperature, (t) => t.toFixed(1), changed);
    this.k = slider("Top-k", KS, OPEN.k, (k) => (k === Infinity ? "all" : count(k)), changed);
    this.p = slider("Top-p", PS, OPEN.p, (p) => p.toFixed(2), changed);

    this.numbers = h("dl", { class: "numbers" });
    this.said = h("p", { class: "said", role: "status" });
    this.body = h("tbody");
    const buttons = h("div", { class: "buttons" },
      this.button("Draw a token", () => this.drawOne(), "md-button md-button--primary"),
      this.button(`Draw ${DRAWS}`, () => this.drawMany()),
      this.button("Reset", () => this.reset()));
    const head = ["Token", "Model", "Drawn with", "Drawn"].map((title) =>
      h("th", { scope: "col" }, title));
    const table = h("table", { class: "draws" },
      h("caption", {}, `The ${ROWS} likeliest tokens. The bar is the share that each is drawn ` +
        "with, the mark on it the model's own probability."),
      h("thead", {}, h("tr", {}, ...head)), this.body);
    const listed = data.prompts[0].tokens.length;
    const note = h("p", { class: "byline" },
      `Real next-token distributions of ${data.model}. The ${listed} likeliest tokens have their ` +
      `names; the other ${count(data.vocabulary - listed)} are counted in steps of ` +
      `${data.step} nats, so no number here leaves them out. A dot stands for a space.`);
    this.take();
    return [
      h("strong", {}, this.getAttribute("aria-label")),
      labelled("Prompt", this.prompt),
      h("div", { class: "sliders" }, this.temperature.node, this.k.node, this.p.node),
      this.numbers, buttons, this.said,
      h("div", { class: "scroll" }, table), note,
    ];
  }

  button(label, act, style = "md-button") {
    const button = h("button", { class: style, type: "button" }, label);
    button.addEventListener("click", act);
    return button;
  }

  take() {
    this.chosen = this.data.prompts[this.prompt.value];
    this.levels = levelsOf(this.chosen, this.data.step);
    this.show();
  }

  reset() {
    this.temperature.index = OPEN.temperature;
    this.k.index = OPEN.k;
    this.p.index = OPEN.p;
    this.show();
    this.say("Back to the model's own distribution.");
  }

  say(text) {
    this.said.textContent = text;
  }

  /** What the sliders now leave. Draws made with other settings are forgotten. */
  show() {
    this.now = cut(this.levels, this.temperature.value, this.k.value, this.p.value);
    this.drawn = new Map();
    const { size, mass, entropy, keptEntropy } = this.now;
    const words = (bits) => {
      const alike = count(2 ** bits);
      return `${bits.toFixed(2)} bits, like ${alike} equal token${alike === "1" ? "" : "s"}`;
    };
    const numbers = [
      ["Tokens kept", `${count(size)} of ${count(this.data.vocabulary)}`],
      ["Mass kept", percent(mass)],
      ["Entropy before the cut", words(entropy)],
      ["Entropy after", words(keptEntropy)],
    ];
    this.numbers.replaceChildren(...numbers.map(([term, value]) =>
      h("div", {}, h("dt", {}, term), h("dd", {}, value))));
    this.say("");
    this.rows();
  }

  rows() {
    const { kept, shares } = this.now;
    const row = (name, model, share, drawn, cutOff) => {
      const bar = h("span", { class: "bar", "aria-hidden": "true" });
      bar.style.setProperty("--model", `${100 * model}%`);
      bar.style.setProperty("--share", `${100 * share}%`);
      return h("tr", { class: cutOff ? "cut" : "" },
        h("th", { scope: "row" }, name), h("td", {}, percent(model)),
        h("td", {}, bar, cutOff ? "cut off" : percent(share)), h("td", {}, drawn || ""));
    };
    const first = this.levels.slice(0, ROWS).map(({ token, logprob }, n) =>
      row(visible(token), Math.exp(logprob), shares[n], this.drawn.get(n), !kept[n]));
    const from = (values) => values.slice(ROWS).reduce((total, value) => total + value, 0);
    const model = from(this.levels.map(({ logprob, tokens }) => tokens * Math.exp(logprob)));
    const drawn = [...this.drawn].reduce((total, [n, times]) => total + (n < ROWS ? 0 : times), 0);
    const all = from(kept);
    this.body.replaceChildren(
      ...first, row(`all others`, model, all ? from(shares) : 0, drawn, !all));
  }

  drawOne() {
    const at = draw(this.now.shares, Math.random());
    this.drawn.set(at, (this.drawn.get(at) ?? 0) + 1);
    this.rows();
    const { token } = this.levels[at];
    const what = token === null
      ? `one of the unlisted tokens, about number ${this.rank(at)} in order of probability`
      : `${this.chosen.text}${token.replaceAll("\n", "⏎")} (${percent(this.now.shares[at])})`;
    this.say(`Draw ${this.total()}: ${what}`);
  }

  /** Where a level of unlisted tokens stands: its middle. */
  rank(at) {
    const before = this.levels.slice(0, at).reduce((total, { tokens }) => total + tokens, 0);
    return count(before + (this.levels[at].tokens + 1) / 2);
  }

  drawMany() {
    for (let n = 0; n < DRAWS; n += 1) {
      const at = draw(this.now.shares, Math.random());
      this.drawn.set(at, (this.drawn.get(at) ?? 0) + 1);
    }
    this.rows();
    const times = [...this.drawn].filter(([at]) => this.levels[at].token !== null);
    const most = times.sort((one, other) => other[1] - one[1]).slice(0, 3)
      .map(([at, n]) => `“${visible(this.levels[at].token)}” ${n} times`);
    this.say(`${this.total()} drawn with these settings, most often ` +
      `${most.join(", ") || "tokens that are not listed"}.`);
  }

  /** How many were drawn with these settings. */
  total() {
    return [...this.drawn.values()].reduce((sum, n) => sum + n, 0);
  }
}

if (!customElements.get("readout-sampling")) customElements.define("readout-sampling", Sampling);
