/**
 * What all explorers share: data that is fetched when the element comes into view. Until then,
 * and if it cannot be had, the fallback stands in the page as it stands without a script.
 */
import { h } from "./dom.js";

const near = new IntersectionObserver(
  (seen) => {
    for (const { isIntersecting, target } of seen) {
      if (isIntersecting) target.come();
    }
  },
  { rootMargin: "300px" }, // before it is seen, so that nothing moves under the reader's eyes
);

/** A subclass has `start(data)`, which returns the nodes that take the fallback's place. */
export class Explorer extends HTMLElement {
  connectedCallback() {
    if (!this.started) near.observe(this);
  }

  disconnectedCallback() {
    near.unobserve(this);
  }

  async come() {
    near.unobserve(this);
    if (this.started) return;
    this.started = true;
    try {
      // Resolved only now: instant navigation puts a page in before its address is the document's.
      const reply = await fetch(new URL(this.dataset.src, document.baseURI));
      if (!reply.ok) throw new Error(`status ${reply.status}`);
      this.replaceChildren(...this.start(await reply.json()));
    } catch (error) {
      this.started = false;
      this.away(error);
    }
  }

  /** The fallback stays, with a sentence and a way to try again. */
  away(error) {
    console.warn(this.dataset.src, error);
    this.querySelector(":scope > .said")?.remove();
    const again = h("button", { class: "md-button", type: "button" }, "Try again");
    again.addEventListener("click", () => this.come());
    this.prepend(
      h("p", { class: "said", role: "status" },
        "The data of this explorer could not be fetched, so it stands still. ", again),
    );
  }
}

/** `["50", "100"]` and so on: a slider over listed values that says which one it is at. */
export function slider(label, values, at, write, changed) {
  const input = h("input", { type: "range", min: 0, max: values.length - 1, step: 1 });
  const output = h("span", { class: "value", "aria-hidden": "true" });
  input.value = at;
  const show = () => {
    output.textContent = write(values[input.value]);
    input.setAttribute("aria-valuetext", output.textContent);
  };
  input.addEventListener("input", () => {
    show();
    changed();
  });
  show();
  return {
    node: h("label", { class: "slider" }, h("span", {}, label, " ", output), input),
    get value() {
      return values[input.value];
    },
    set index(index) {
      input.value = index;
      show();
    },
  };
}

/** A control with its label before it. */
export const labelled = (label, control) =>
  h("label", { class: "prompt" }, h("span", {}, label), control);

/** A list to choose from. The value is a place in `names`, counted from 0. */
export function choice(names, changed) {
  const select = h("select", {}, ...names.map((name, n) => h("option", { value: n }, name)));
  select.addEventListener("change", changed);
  return select;
}
