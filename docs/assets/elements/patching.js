/**
 * <readout-patching>: one activation of a run taken from the other, and what the model then says.
 *
 * Every patch was made beforehand, exactly; a click only shows it.
 */
import { h } from "./dom.js";
import { Explorer, labelled } from "./explorer.js";

const SITES = {
  resid_pre: "residual stream before a layer",
  attn_out: "what an attention layer writes",
  mlp_out: "what a feed-forward layer writes",
};
const DIRECTIONS = {
  denoising: "clean into corrupted: does it suffice?",
  noising: "corrupted into clean: is it needed?",
};
const METRICS = {
  difference: "logit difference, moved towards the other run",
  probability: "probability of the clean answer",
};
const visible = (token) => token.replaceAll(" ", "·").replaceAll("\n", "⏎");
const percent = (thousandths) =>
  thousandths ? `${(thousandths / 10).toFixed(1)} %` : "< 0.1 %";

/** How far a patch moves the logit difference from the patched run (0) to the other one (1). */
export function moved([difference], [from], [to]) {
  return Math.round((100 * (difference - from)) / (to - from)) / 100 || 0; // no minus zero
}

class Patching extends Explorer {
  start(data) {
    this.data = data;
    this.pair = this.choice(data.pairs.map(({ name }) => name));
    this.site = this.choice(Object.keys(SITES).filter((site) => site in data.pairs[0].cells), SITES);
    this.direction = this.choice(Object.keys(DIRECTIONS), DIRECTIONS);
    this.metric = this.choice(Object.keys(METRICS), METRICS);
    this.runs = h("div", { class: "runs" });
    this.grid = h("table", { class: "patches", role: "grid" });
    this.grid.addEventListener("keydown", (event) => this.move(event));
    this.grid.addEventListener("click", ({ target }) => this.pick(target.closest("td")));
    this.grid.addEventListener("focusin", ({ target }) => this.pick(target.closest("td")));
    this.said = h("p", { class: "said", role: "status" });
    this.after = h("div", { class: "after" });
    this.show();
    return [
      h("strong", {}, this.getAttribute("aria-label")),
      h("div", { class: "sliders" }, labelled("Prompts", this.pair), labelled("Site", this.site),
        labelled("Direction", this.direction), labelled("Metric", this.metric)),
      this.runs, this.said, this.after,
      h("div", { class: "scroll" }, this.grid),
      h("p", { class: "byline" },
        `Exact values of ${data.model}, each from a run of its own, computed beforehand. ` +
        "Arrow keys go from cell to cell. A dot stands for a space. Positions before the first " +
        "token that differs are left out: there the runs are the same."),
    ];
  }

  choice(values, names = {}) {
    const select = h("select", {}, ...values.map((value, n) =>
      h("option", { value: names[value] ? value : n }, names[value] ?? value)));
    select.addEventListener("change", () => this.show());
    return select;
  }

  /** The chosen pair with its patched run (`base`) and the run that the patch is taken from. */
  get chosen() {
    const pair = this.data.pairs[this.pair.value];
    const [base, source] = this.direction.value === "denoising"
      ? ["corrupted", "clean"] : ["clean", "corrupted"];
    const cells = pair.cells[this.site.value][this.direction.value];
    return { pair, base, source, cells };
  }

  cell(layer, position) {
    const { pair, base, cells } = this.chosen;
    return cells[`${layer},${position}`] ?? pair[base].says; // unchanged
  }

  value(cell) {
    const { pair, base, source } = this.chosen;
    if (this.metric.value === "probability") return cell[1] / 1000;
    return moved(cell, pair[base].says, pair[source].says);
  }

  show() {
    const { pair, base } = this.chosen;
    const { tokens } = pair[base];
    const positions = tokens.map((_, n) => n).slice(pair.first);
    const last = tokens.length - 1;
    if (!this.at || !positions.includes(this.at.position)) this.at = { layer: 0, position: last };
    const head = h("tr", {}, h("th", { scope: "col" }, "Layer"), ...positions.map((n) =>
      h("th", { scope: "col" }, visible(tokens[n]))));
    const layers = Array.from({ length: this.data.n_layers }, (_, n) => n);
    const rows = layers.map((layer) => h("tr", {},
      h("th", { scope: "row" }, String(layer)),
      ...positions.map((position) => this.square(layer, position, tokens[position]))));
    this.grid.replaceChildren(
      h("caption", {}, `${METRICS[this.metric.value]}, by layer and position. Orange is above 0, ` +
        "blue below; the stronger, the further."),
      h("thead", {}, head), h("tbody", {}, ...rows));
    this.tell();
  }

  square(layer, position, token) {
    const value = this.value(this.cell(layer, position));
    const square = h("td", {
      role: "gridcell", tabindex: -1, "data-layer": layer, "data-position": position,
      "aria-label": `layer ${layer}, ${token.trim() || "space"}: ${value.toFixed(2)}`,
    });
    square.style.setProperty("--strength", `${Math.round(100 * Math.min(Math.abs(value), 1))}%`);
    square.classList.toggle("below", value < 0);
    return square;
  }

  pick(square) {
    if (!square) return;
    this.at = { layer: Number(square.dataset.layer), position: Number(square.dataset.position) };
    this.tell();
  }

  move(event) {
    const step = {
      ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1],
    }[event.key];
    if (!step) return;
    event.preventDefault();
    this.square_at(this.at.layer + step[0], this.at.position + step[1])?.focus();
  }

  square_at(layer, position) {
    return this.grid.querySelector(`[data-layer="${layer}"][data-position="${position}"]`);
  }

  /** What the patch of the chosen cell does. */
  tell() {
    for (const square of this.grid.querySelectorAll("td")) {
      const chosen = square === this.square_at(this.at.layer, this.at.position);
      square.tabIndex = chosen ? 0 : -1;
      square.setAttribute("aria-selected", chosen);
    }
    const { pair, base, source } = this.chosen;
    const { layer, position } = this.at;
    const cell = this.cell(layer, position);
    this.runs.replaceChildren(...[base, source].map((name) => this.run(pair, name, position)));
    this.said.textContent =
      `Layer ${layer}, position ${position} (“${visible(pair[base].tokens[position])}”): ` +
      `the ${source} run's activation in the ${base} run moves the logit difference by ` +
      `${moved(cell, pair[base].says, pair[source].says).toFixed(2)} of the way.`;
    const columns = [
      [`${base} run`, pair[base].says], ["patched run", cell], [`${source} run`, pair[source].says],
    ];
    this.after.replaceChildren(...columns.map(([title, says]) => this.predictions(title, says)));
  }

  run(pair, name, position) {
    const other = pair[name === "clean" ? "corrupted" : "clean"].tokens;
    const words = pair[name].tokens.map((token, n) => {
      const word = h("span", { class: n === position ? "chosen" : "" }, token);
      return token === other[n] ? word : h("mark", {}, word);
    });
    return h("p", {}, h("span", { class: "which" }, `${name}: `), ...words);
  }

  predictions(title, [, , listed]) {
    const rows = [];
    for (let n = 0; n < listed.length; n += 2) {
      rows.push(h("li", {},
        h("code", {}, visible(this.data.vocabulary[listed[n]])), ` ${percent(listed[n + 1])}`));
    }
    return h("div", {}, h("span", { class: "which" }, `The ${title} goes on with`),
      h("ol", {}, ...rows));
  }
}

if (!customElements.get("readout-patching")) customElements.define("readout-patching", Patching);
