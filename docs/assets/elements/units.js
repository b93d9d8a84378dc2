/**
 * <readout-units>: a unit of a small network for images: its weights, its tuning, its relatives.
 *
 * All of it was measured beforehand; the controls choose what is shown.
 */
import { h } from "./dom.js";
import { curves, numbers, pixels } from "./drawing.js";
import { Explorer, choice, labelled, slider } from "./explorer.js";

const SELECTIVE = 0.3; // as in the notebook

class Units extends Explorer {
  start(data) {
    this.data = data;
    this.layer = choice(data.layers.map(({ name }) => name), () => this.renew());
    this.layer.value = data.layers.findIndex(({ units }) => units[0].sources.length);
    this.stimulus = choice(data.stimuli, () => this.renew());
    this.choose = h("div", {});
    this.views = h("div", { class: "after" });
    this.said = h("p", { class: "said", role: "status" });
    this.rows = h("div", { class: "after" });
    this.renew();
    return [
      h("strong", {}, this.getAttribute("aria-label")),
      h("div", { class: "sliders" }, labelled("Layer", this.layer),
        labelled("Stimuli", this.stimulus), this.choose),
      this.said, this.views, this.rows,
      h("p", { class: "byline" },
        "Measured beforehand. Weights: through all layers below as if they were linear, each " +
        "unit on a scale of its own. The shuffle has the unit's weights in another order. The " +
        "angle that a unit prefers is the mean of all, weighted by its answers; below a " +
        `selectivity of ${SELECTIVE} there is none.`),
    ];
  }

  get units() {
    return this.data.layers[this.layer.value].units;
  }

  /** Another layer has other units: the slider is made anew, and keeps its place where it can. */
  renew() {
    const names = this.units.map((_, n) => n);
    const at = Math.min(this.unit?.value ?? 0, names.length - 1);
    if (names.length !== this.count) {
      this.count = names.length;
      this.unit = slider("Unit", names, at, String, () => this.show());
      this.choose.replaceChildren(this.unit.node);
    }
    this.show();
  }

  show() {
    const n = this.unit.value;
    const unit = this.units[n];
    const stimulus = this.data.stimuli[this.stimulus.value];
    const { selectivity, preferred, ...curves } = unit.tuning[stimulus];
    const tuning = { unit: numbers(curves.unit), shuffle: numbers(curves.shuffle) };
    this.views.replaceChildren(this.picture(numbers(unit.pixels)), this.curve(tuning, stimulus));
    const peak = Math.max(...tuning.unit);
    const other = Math.max(...tuning.shuffle);
    this.said.textContent = peak === 0
      ? `Unit ${n} does not answer to ${stimulus} at any angle; its shuffle reaches ${other} %.`
      : `Unit ${n} ` + (selectivity > SELECTIVE
        ? `prefers ${stimulus} at ${preferred} degrees, with`
        : `does not tell ${stimulus} apart by their angle, with`) +
        ` a selectivity of ${selectivity.toFixed(2)}. Its peak is ${peak} % and its trough ` +
        `${Math.min(...tuning.unit)} % of the most that any stimulus draws from it or from its ` +
        `shuffle; the shuffle's peak is ${other} %.`;
    this.rows.replaceChildren(
      ...this.list("Sources below, and their share of all that varies", unit.sources.map(([source, share]) =>
        `unit ${source}: ${share} %`)),
      ...this.list("Best match in", unit.matches.map(([name, match, likeness]) =>
        `${name}: unit ${match}, correlation ${(likeness / 100).toFixed(2)}`)));
  }

  list(title, items) {
    if (!items.length) return [];
    return [h("div", {}, h("span", { class: "which" }, title),
      h("ol", {}, ...items.map((item) => h("li", {}, item))))];
  }

  picture(values) {
    const side = Math.sqrt(values.length);
    return h("div", {}, h("span", { class: "which" },
      `Weights on ${side} × ${side} pixels: orange adds, blue takes away`), pixels(values));
  }

  curve({ unit, shuffle }, stimulus) {
    const turn = stimulus === "arcs" ? 360 : 180;
    const drawing = curves({
      solid: unit, dashed: shuffle, first: 0, last: Math.round(turn - turn / unit.length),
      most: "100 %", least: "0",
      label: `Activation against the angle of ${stimulus}, unit and shuffle; the sentence above ` +
        "says the peaks",
    });
    return h("div", {}, h("span", { class: "which" },
      "Activation by angle: unit (solid), shuffle (dashed)"), drawing);
  }
}

if (!customElements.get("readout-units")) customElements.define("readout-units", Units);
