/**
 * <readout-epsilon>: how far an attack may go, and what it does to networks and to training sets.
 *
 * All of it was measured beforehand; the controls choose the set of images and the radius.
 */
import { h } from "./dom.js";
import { numbers, svg } from "./drawing.js";
import { Explorer, choice, labelled, slider } from "./explorer.js";

const WIDTH = 340, HEIGHT = 190, LEFT = 46, BOTTOM = 26, LEVELS = 8;
const DASHES = ["none", "7 4", "2 3", "9 3 2 3", "4 4"];
const COLOURS = ["#2e86d9", "#d9650f", "#16946c", "#b360d0", "#8a8a3c"]; // as in figures

const colour = (n) => `var(--readout-${1 + n}, ${COLOURS[n]})`;
const percent = (thousandths) => `${(thousandths / 10).toFixed(1)} %`;

class Epsilon extends Explorer {
  start(data) {
    this.data = data;
    this.set = choice(data.sets.map(({ name }) => name), () => this.renew());
    this.choose = h("div", {});
    this.said = h("p", { class: "said", role: "status" });
    this.panels = h("div", { class: "panels" });
    this.views = h("div", { class: "after" });
    this.renew();
    return [
      h("strong", {}, this.getAttribute("aria-label")),
      h("div", { class: "sliders" },
        labelled("Images", this.set), this.choose),
      this.said, this.views, this.panels,
      h("p", { class: "byline" },
        "Measured beforehand. ε is the most that an image may be moved, in L2. Pictures: the first " +
        "images to fit of some classes; orange is bright. Changes, on a scale of their own: orange " +
        "brightens, blue darkens."),
    ];
  }

  get chosen() {
    return this.data.sets[this.set.value];
  }

  /** Another set has other radii: the slider is made anew, at the radius that the notebook took. */
  renew() {
    const { radii, chosen } = this.chosen;
    this.radius = slider("ε", radii.map((_, n) => n), radii.indexOf(chosen),
      (n) => `${radii[n]}`, () => this.show());
    this.choose.replaceChildren(this.radius.node);
    this.show();
  }

  show() {
    const set = this.chosen;
    const at = this.radius.value;
    const share = Object.fromEntries(
      Object.entries(set.shares).map(([name, text]) => [name, numbers(text)]));
    const old = share["old label, to the robust network"][at];
    const strict = share["trained on next labels"][at];
    const chance = 1000 * set.chance;
    this.said.textContent =
      `ε = ${set.radii[at]}, where an image is ${set.length} long: under attack the standard network ` +
      `is right on ${percent(share["standard network"][at])} and the robust one on ` +
      `${percent(share["robust network"][at])}. Of the training images labelled "next", ` +
      `the robust network still calls ${percent(old)} by their old label; a new network trained on ` +
      `them names ${percent(strict)} of untouched images rightly, ` +
      `${strict > chance ? "above" : "not above"} chance (${percent(chance)}).`;
    this.views.replaceChildren(this.curves(set, share, at), this.list(share, at));
    this.panels.replaceChildren(...set.examples.map((example) => this.example(example, at)));
  }

  list(share, at) {
    return h("div", {}, h("span", { class: "which" }, "At this ε"),
      h("ol", { class: "key" }, ...Object.entries(share).map(([name, values], n) =>
        h("li", {}, this.sample(n), ` ${name}: `, h("strong", {}, percent(values[at]))))));
  }

  sample(n) {
    return svg("svg", { viewBox: "0 0 28 8", width: 28, height: 8, "aria-hidden": "true" },
      svg("path", { d: "M0 4H28", ...this.stroke(n) }));
  }

  stroke(n) {
    return {
      fill: "none", stroke: colour(n), "stroke-width": 2.5,
      "stroke-dasharray": DASHES[n],
    };
  }

  curves(set, share, at) {
    const furthest = set.radii.at(-1);
    const across = (radius) => LEFT + ((WIDTH - LEFT - 12) * radius) / furthest;
    const up = (thousandths) => HEIGHT - BOTTOM - ((HEIGHT - BOTTOM - 8) * thousandths) / 1000;
    const text = (content, x, y, anchor) =>
      svg("text", { x, y, "text-anchor": anchor, "font-size": 12, fill: "currentColor" }, content);
    const courses = Object.values(share).map((values, n) => svg("polyline", {
      points: values.map((value, m) => `${across(set.radii[m]).toFixed(1)},${up(value).toFixed(1)}`).join(" "),
      ...this.stroke(n),
    }));
    const drawing = svg("svg", {
      viewBox: `0 0 ${WIDTH} ${HEIGHT}`, class: "curves", role: "img",
      "aria-label": `Five shares against ε from ${set.radii[0]} to ${furthest}; the list says those ` +
        "at the chosen ε",
    },
    svg("path", {
      d: `M${LEFT} 8V${up(0)}H${WIDTH - 12}`, fill: "none", stroke: "currentColor", opacity: 0.5,
    }),
    svg("path", {
      d: `M${across(set.radii[at])} 8V${up(0)}`, stroke: "currentColor", "stroke-width": 1.5,
    }),
    text("100 %", LEFT - 4, 16, "end"), text("0", LEFT - 4, up(0) + 4, "end"),
    text("ε = 0", LEFT, HEIGHT - 6, "start"), text(`${furthest}`, WIDTH - 12, HEIGHT - 6, "end"),
    ...courses);
    return h("div", {}, h("span", { class: "which" }, "Share of images against ε; upright: the chosen one"), drawing);
  }

  example({ seen, given, robust, original, attacked }, at) {
    const before = numbers(original);
    const after = numbers(attacked[at]);
    const change = after.map((value, n) => value - before[n]);
    const reads = numbers(robust)[at];
    const strongest = Math.max(1, ...change.map(Math.abs));
    return h("figure", {},
      h("div", { class: "three" },
        this.picture(before, 100, `An image of ${seen}`),
        this.picture(change, strongest, "What the attack changed"),
        this.picture(after, 100, `The result, labelled ${given}`)),
      h("figcaption", {}, `seen as ${seen}, labelled ${given}; the robust network says ${reads}`));
  }

  picture(values, strongest, label) {
    const side = Math.sqrt(values.length);
    const levels = new Map();
    values.forEach((value, n) => {
      const level = Math.round((LEVELS * value) / strongest);
      if (!level) return;
      const box = `M${n % side} ${Math.floor(n / side)}h1.02v1.02h-1.02z`;
      levels.set(level, (levels.get(level) ?? "") + box);
    });
    const drawn = [...levels].map(([level, d]) => svg("path", {
      d, fill: level > 0 ? "var(--readout-2, #d9650f)" : "var(--readout-1, #2e86d9)",
      opacity: Math.abs(level) / LEVELS,
    }));
    return svg("svg", {
      viewBox: `-0.2 -0.2 ${side + 0.4} ${side + 0.4}`, class: "image", role: "img", "aria-label": label,
    }, ...drawn, svg("rect", {
      width: side, height: side, fill: "none", stroke: "currentColor", "stroke-width": side / 100,
    }));
  }
}

if (!customElements.get("readout-epsilon")) customElements.define("readout-epsilon", Epsilon);
