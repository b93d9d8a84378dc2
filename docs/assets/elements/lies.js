/**
 * <readout-lies>: searches for a prompt that forces a word, with the budget on a slider.
 *
 * All of it was measured beforehand; the controls choose what is shown.
 */
import { h } from "./dom.js";
import { numbers } from "./drawing.js";
import { Explorer, choice, labelled, slider } from "./explorer.js";

class Lies extends Explorer {
  start(data) {
    this.data = data;
    this.search = choice(data.searches.map(({ name }) => name), () => this.show());
    this.asked = choice(data.asked, () => this.show());
    const budgets = [...Array(data.steps + 1).keys()];
    this.budget = slider("Budget", budgets, data.steps,
      (step) => `${step} ${step === 1 ? "step" : "steps"}`, () => this.show());
    this.said = h("p", { class: "said", role: "status" });
    this.body = h("tbody", {});
    this.bar = h("span", { class: "bar" });
    this.show();
    return [
      h("strong", {}, this.getAttribute("aria-label")),
      h("div", { class: "sliders" }, labelled("Search", this.search),
        labelled("Country", this.asked), this.budget.node),
      this.said, this.bar,
      h("div", { class: "scroll", tabindex: 0, role: "group", "aria-label": "Steps and prompts" },
        h("table", { class: "draws" },
          h("caption", {}, "What the search held at each step, where it changed"),
          h("thead", {}, h("tr", {}, ...["Step", "Prompt", "Says", "Wanted word"].map((title) =>
            h("th", { scope: "col" }, title)))),
          this.body)),
      h("p", { class: "byline" },
        "Measured beforehand. Bold: the likeliest next word is the wanted one. A search stops a few " +
        "steps after that. Area: how well entropy tells the prompts of this search at this budget " +
        "from plain sentences; 50 % is chance."),
    ];
  }

  show() {
    const search = this.data.searches[this.search.value];
    const { wanted, steps, read } = search.prompts[this.asked.value];
    const at = this.budget.value;
    const rows = steps.map((text) => text.split("\t"));
    const [prompt, says, share, entropy, swaps] = rows[at];
    const [reached, count, auc] = [search.reached, read, search.auc]
      .map((text) => numbers(text)[at]);
    this.said.textContent =
      `With ${count} prompts read, “${prompt} is” is followed by “${says || "a line break"}”; the wanted ` +
      `word “${wanted}” has ${share} %. ${swaps} ${swaps === "1" ? "word" : "words"} swapped, entropy ` +
      `${entropy} nats. Of all ${this.data.asked.length} targets ${reached} % are reached; area for ` +
      `entropy ${auc} %.`;
    this.bar.style.setProperty("--share", `${reached}%`);
    this.bar.style.setProperty("--model", `${reached}%`);
    const changed = rows.map((row, n) => [n, row]).filter(([n, [text]]) =>
      n <= at && (n === 0 || text !== rows[n - 1][0]));
    this.body.replaceChildren(...changed.map(([n, [text, word, p]]) => h("tr", {},
      h("td", {}, String(n)), h("td", {}, text),
      h("td", {}, word === wanted ? h("strong", {}, word) : word || "a line break"),
      h("td", {}, `${p} %`))));
  }
}

if (!customElements.get("readout-lies")) customElements.define("readout-lies", Lies);
