/**
 * <readout-weights>: a unit's weights as two pictures, and the bar that each of them promises.
 *
 * All of it was measured beforehand; the controls choose what is shown.
 */
import { h } from "./dom.js";
import { curves, numbers, pixels } from "./drawing.js";
import { Explorer, choice, labelled, slider } from "./explorer.js";

class Weights extends Explorer {
  start(data) {
    this.data = data;
    this.kinds = Object.keys(data.networks[0].off);
    this.network = choice(data.networks.map(({ name }) => name), () => this.show());
    this.kind = choice(this.kinds, () => this.show());
    this.unit = slider("Unit", data.networks[0].units.map((_, n) => n), 0, String,
      () => this.show());
    this.views = h("div", { class: "after" });
    this.said = h("p", { class: "said", role: "status" });
    this.show();
    return [
      h("strong", {}, this.getAttribute("aria-label")),
      h("div", { class: "sliders" }, labelled("Network", this.network),
        labelled("Picture", this.kind), this.unit.node),
      this.said, this.views,
      h("p", { class: "byline" },
        "Measured beforehand. Drive: what a unit adds up before its ReLU, for the best of nine " +
        "places of a bar; each curve from its own least to its own most."),
    ];
  }

  show() {
    const network = this.data.networks[this.network.value];
    const kind = this.kinds[this.kind.value];
    const unit = network.units[this.unit.value];
    const picture = unit.pictures[kind];
    this.said.textContent =
      `Unit ${this.unit.value} answers most to a bar at ${unit.best} degrees. Its picture, ` +
      `${kind}, promises ${picture.best}: ${picture.off} degrees off. Over the ` +
      `${network.units.length} units of this network ${kind} is off by ${network.off[kind]} ` +
      "degrees in the mean; angles drawn by lot would be off by 45.";
    const values = numbers(picture.pixels);
    const side = Math.sqrt(values.length);
    this.views.replaceChildren(
      h("div", {}, h("span", { class: "which" },
        `${kind}, ${side} × ${side}: orange adds, blue takes away`), pixels(values)),
      this.curve(numbers(unit.measured), numbers(picture.predicted)));
  }

  curve(measured, predicted) {
    const drawing = curves({
      solid: measured, dashed: predicted, first: this.data.degrees[0],
      last: this.data.degrees.at(-1), most: "most", least: "least",
      label: "Drive against the angle of a bar, measured and promised by the picture; the " +
        "sentence above says where both are highest",
    });
    return h("div", {}, h("span", { class: "which" },
      "Drive by angle: measured (solid), promised (dashed)"), drawing);
  }
}

if (!customElements.get("readout-weights")) customElements.define("readout-weights", Weights);
