/**
 * <readout-knowledge>: the same questions in another format, and what becomes of the answers.
 *
 * All of it was measured beforehand; the controls choose what is shown.
 */
import { h } from "./dom.js";
import { Explorer, labelled, slider } from "./explorer.js";

const visible = (token) => token.replaceAll("\n", "⏎").trim() || "(space)";

class Knowledge extends Explorer {
  start(data) {
    this.data = data;
    const names = [...new Set(data.formats.map(({ format }) => format))];
    this.format = h("select", {}, ...names.map((name) => h("option", {}, name)));
    this.format.addEventListener("change", () => this.renew());
    this.choose = h("div", {});
    this.said = h("p", { class: "said", role: "status" });
    this.prompt = h("pre", { tabindex: 0, role: "region", "aria-label": "Prompt" });
    this.table = h("div", { class: "scroll" });
    this.renew();
    return [
      h("strong", {}, this.getAttribute("aria-label")),
      h("div", { class: "sliders" },
        labelled("Format", this.format), this.choose),
      this.said, this.prompt, this.table,
      h("p", { class: "byline" },
        `Measured beforehand on ${data.asked} countries. Says: the capital's first token is the ` +
        "likeliest of all. Knows: it is ahead of all other capitals'."),
    ];
  }

  get offered() {
    return this.data.formats.filter(({ format }) => format === this.format.value);
  }

  /** Not every format was asked with every number of examples: the slider is made anew. */
  renew() {
    const counts = this.offered.map(({ shown }) => shown);
    const at = Math.max(0, counts.indexOf(this.slider?.value ?? 0));
    this.slider = slider("Examples shown", counts, at, String, () => this.show());
    this.choose.replaceChildren(this.slider.node);
    this.show();
  }

  show() {
    const one = this.offered.find(({ shown }) => shown === this.slider.value);
    const [[low, high], [least, most]] = one.intervals;
    const share = (hits) => Math.round((100 * hits) / this.data.asked);
    this.said.textContent =
      `Says ${share(one.says)} % (${low} to ${high} %), knows ${share(one.knows)} % (${least} to ` +
      `${most} %). Its mean confidence is ${one.confidence} %, for countries that do not exist ` +
      `${one.invented} %; calibration error ${one.error} points.`;
    this.prompt.textContent = one.prompt;
    const rows = one.countries.map((line) => {
      const [country, capital, token, sure, right] = line.split("\t");
      return h("tr", {}, h("th", { scope: "row" }, country), h("td", {}, capital),
        h("td", {}, `${visible(token)} (${sure} %)`), h("td", {}, right === "1" ? "right" : "wrong"));
    });
    this.table.replaceChildren(h("table", { class: "draws said-first" },
      h("caption", {}, "The first of the countries, and the first token of what is said"),
      h("thead", {}, h("tr", {}, ...["country", "capital", "says", ""].map((title) =>
        title ? h("th", { scope: "col" }, title) : h("td", {})))),
      h("tbody", {}, ...rows)));
  }
}

if (!customElements.get("readout-knowledge")) customElements.define("readout-knowledge", Knowledge);
