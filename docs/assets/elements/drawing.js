/** What several explorers draw: weights on pixels (orange adds, blue takes away), and curves. */
const SVG = "http://www.w3.org/2000/svg";

export function svg(tag, attributes, ...children) {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

export const numbers = (text) => text.split(" ").map(Number);
export const colour = (n) => (n ? "var(--readout-2, #d9650f)" : "var(--readout-1, #2e86d9)");

/** A square picture of weights in hundredths of the largest. */
export function pixels(values) {
  const side = Math.sqrt(values.length);
  const cells = values.map((value, n) => value && svg("rect", {
    x: n % side, y: Math.floor(n / side), width: 1.02, height: 1.02,
    fill: colour(value > 0), opacity: Math.abs(value) / 100,
  })).filter(Boolean);
  const frame = svg("rect", {
    width: side, height: side, fill: "none", stroke: "currentColor", "stroke-width": side / 100,
  });
  return svg("svg", {
    viewBox: `-0.2 -0.2 ${side + 0.4} ${side + 0.4}`, class: "pixels", role: "img",
    "aria-label": `Weights on ${side} by ${side} pixels`,
  }, ...cells, frame);
}

const WIDTH = 320, HEIGHT = 150, LEFT = 46, BOTTOM = 24;

/**
 * Two courses over angles, in hundredths: what counts is solid, what it is compared with dashed.
 * `first` and `last` are in degrees; `most` and `least` name the ends of the upright axis.
 */
export function curves({ solid, dashed, first, last, most, least, label }) {
  const across = (n) => LEFT + ((WIDTH - LEFT - 8) * n) / (solid.length - 1);
  const up = (value) => HEIGHT - BOTTOM - ((HEIGHT - BOTTOM - 8) * value) / 100;
  const course = (values, dashes, n) => svg("polyline", {
    points: values.map((value, at) => `${across(at).toFixed(1)},${up(value).toFixed(1)}`).join(" "),
    fill: "none", stroke: colour(n), "stroke-width": 2.5, "stroke-dasharray": dashes,
  });
  const text = (content, x, y, anchor) =>
    svg("text", { x, y, "text-anchor": anchor, "font-size": 12, fill: "currentColor" }, content);
  return svg("svg", {
    viewBox: `0 0 ${WIDTH} ${HEIGHT}`, class: "tuning", role: "img", "aria-label": label,
  },
  svg("path", {
    d: `M${LEFT} 8V${up(0)}H${WIDTH - 8}`, fill: "none", stroke: "currentColor", opacity: 0.5,
  }),
  text(most, LEFT - 4, 16, "end"), text(least, LEFT - 4, up(0) + 4, "end"),
  text(`${first}°`, LEFT, HEIGHT - 6, "start"), text(`${last}°`, WIDTH - 8, HEIGHT - 6, "end"),
  course(dashed, "4 4", 0), course(solid, "none", 1));
}
