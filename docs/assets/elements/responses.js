/** A response in the page: read from its controls, written into them, marked. */
import { h } from "./dom.js";

const checked = (asked) => [...asked.querySelectorAll("input:checked")].map(({ value }) => value);
const items = (asked) => [...asked.querySelectorAll("li[data-option]")];
const selects = (asked) => [...asked.querySelectorAll("select[data-option]")];

const READ = {
  single: (asked) => checked(asked)[0],
  multiple: (asked) => (checked(asked).length ? checked(asked) : undefined),
  number(asked) {
    const text = asked.querySelector("input").value.trim().replace(",", ".").replace("−", "-");
    return text && Number.isFinite(Number(text)) ? Number(text) : undefined;
  },
  text: (asked) => asked.querySelector("input").value.trim() || undefined,
  order: (asked) => items(asked).map((item) => item.dataset.option),
  match(asked) {
    if (selects(asked).some(({ value }) => !value)) return undefined;
    return Object.fromEntries(selects(asked).map((one) => [one.dataset.option, one.value]));
  },
};

/** The response that the controls hold; undefined while it is incomplete. */
export const read = (type, asked) => READ[type](asked);

export function write(type, asked, response) {
  if (type === "order") {
    const byId = new Map(items(asked).map((item) => [item.dataset.option, item]));
    for (const id of response) if (byId.has(id)) byId.get(id).parentNode.append(byId.get(id));
  } else if (type === "match") {
    for (const one of selects(asked)) one.value = response[one.dataset.option] ?? "";
  } else if (type === "number" || type === "text") {
    asked.querySelector("input").value = response;
  } else {
    const chosen = [response].flat();
    for (const input of asked.querySelectorAll("input")) {
      input.checked = chosen.includes(input.value);
    }
  }
}

/** Say in words, beside each option, what was right; `null` takes the marks away. */
export function mark(type, asked, answer) {
  for (const old of asked.querySelectorAll(".mark")) old.remove();
  if (answer?.key == null) return;
  const { key } = answer;
  const note = (element, text, right) =>
    element?.append(h("span", { class: right ? "mark right" : "mark" }, text));
  if (type === "single" || type === "multiple") {
    for (const input of asked.querySelectorAll("input")) {
      const right = [key].flat().includes(input.value);
      if (right) note(input.parentNode, input.checked ? "right, chosen" : "right", true);
      else if (input.checked) note(input.parentNode, "not right, chosen", false);
    }
  } else if (type === "order") {
    items(asked).forEach((item, index) => {
      const place = key.indexOf(item.dataset.option);
      note(item, place === index ? "right" : `belongs at ${place + 1}`, place === index);
    });
  } else if (type === "match") {
    for (const one of selects(asked)) {
      const right = key[one.dataset.option];
      const option = [...one.options].find(({ value }) => value === right);
      const same = one.value === right;
      note(one.parentNode, same ? "right" : `right: ${option?.textContent ?? right}`, same);
    }
  }
}
