/**
 * <readout-units>: a unit of a small network for images: its weights, its tuning, its relatives.
 *
 * All of it was measured beforehand; the controls choose what is shown.
 */
import { h } from "./dom.js";
import { Explorer, slider } from "./explorer.js";

const WIDTH = 320, HEIGHT = 150, LEFT = 46, BOTTOM = 24;
const SVG = "http://www.w3.org/2000/svg";

function svg(tag, attributes, ...children) {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

const numbers = (text) => text.split(" ").map(Number);
const colour = (n) => (n ? "var(--readout-2, #d9650f)" : "var(--readout-1, #2e86d9)");

class Units extends Explorer {
  start(data) {
    this.data = data;
    this.layer = this.choice(data.layers.map(({ name }) => name));
    this.layer.value = data.layers.findIndex(({ units }) => units[0].sources.length);
    this.stimulus = this.choice(data.stimuli);
    this.choose = h("div", {});
    this.views = h("div", { class: "after" });
    this.said = h("p", { class: "said", role: "status" });
    this.rows = h("div", { class: "after" });
    this.renew();
    const labelled = (label, control) =>
      h("label", { class: "prompt" }, h("span", {}, label), control);
    return [
      h("strong", {}, this.getAttribute("aria-label")),
      h("div", { class: "sliders" }, labelled("Layer", this.layer),
        labelled("Stimuli", this.stimulus), this.choose),
      this.said, this.views, this.rows,
      h("p", { class: "byline" },
        "Measured beforehand. Weights: through all layers below as if they were linear, each " +
        "unit on a scale of its own. The shuffle has the unit's weights in another order."),
    ];
  }

  choice(names) {
    const select = h("select", {}, ...names.map((name, n) => h("option", { value: n }, name)));
    select.addEventListener("change", () => this.renew());
    return select;
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
      : `Unit ${n} prefers ${stimulus} at ${preferred} degrees, with a selectivity of ` +
        `${selectivity.toFixed(2)}. Its peak is ${peak} % and its trough ` +
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

  picture(pixels) {
    const side = Math.sqrt(pixels.length);
    const cells = pixels.map((value, n) => value && svg("rect", {
      x: n % side, y: Math.floor(n / side), width: 1.02, height: 1.02,
      fill: colour(value > 0), opacity: Math.abs(value) / 100,
    })).filter(Boolean);
    const frame = svg("rect", {
      width: side, height: side, fill: "none", stroke: "currentColor", "stroke-width": side / 100,
    });
    const drawing = svg("svg", {
      viewBox: `-0.2 -0.2 ${side + 0.4} ${side + 0.4}`, class: "pixels", role: "img",
      "aria-label": `Weights on ${side} by ${side} pixels`,
    }, ...cells, frame);
    return h("div", {}, h("span", { class: "which" },
      `Weights on ${side} × ${side} pixels: orange adds, blue takes away`), drawing);
  }

  curve({ unit, shuffle }, stimulus) {
    const turn = stimulus === "arcs" ? 360 : 180;
    const across = (n) => LEFT + ((WIDTH - LEFT - 8) * n) / (unit.length - 1);
    const up = (value) => HEIGHT - BOTTOM - ((HEIGHT - BOTTOM - 8) * value) / 100;
    const course = (values, dashed, n) => svg("polyline", {
      points: values.map((value, at) => `${across(at).toFixed(1)},${up(value).toFixed(1)}`).join(" "),
      fill: "none", stroke: colour(n), "stroke-width": 2.5, "stroke-dasharray": dashed,
    });
    const text = (content, x, y, anchor) =>
      svg("text", { x, y, "text-anchor": anchor, "font-size": 12, fill: "currentColor" }, content);
    const last = Math.round(turn - turn / unit.length);
    const drawing = svg("svg", {
      viewBox: `0 0 ${WIDTH} ${HEIGHT}`, class: "tuning", role: "img",
      "aria-label": `Activation against the angle of ${stimulus}, unit and shuffle; the sentence ` +
        "above says the peaks",
    },
    svg("path", {
      d: `M${LEFT} 8V${up(0)}H${WIDTH - 8}`, fill: "none", stroke: "currentColor", opacity: 0.5,
    }),
    text("100 %", LEFT - 4, 16, "end"), text("0", LEFT - 4, up(0) + 4, "end"),
    text("0°", LEFT, HEIGHT - 6, "start"), text(`${last}°`, WIDTH - 8, HEIGHT - 6, "end"),
    course(shuffle, "4 4", 0), course(unit, "none", 1));
    return h("div", {}, h("span", { class: "which" },
      "Activation by angle: unit (solid), shuffle (dashed)"), drawing);
  }
}

if (!customElements.get("readout-units")) customElements.define("readout-units", Units);
