/**
 * <readout-atlas>: maps of a network's states in cells, to move about in and to search.
 *
 * Drawn on a canvas, and drawn anew only when something has changed. What a cell holds is also said
 * in a sentence, and all cells stand in a table below.
 */
import { h } from "./dom.js";
import { Explorer, choice, labelled } from "./explorer.js";

const NONE = 65535; // the cell of a state whose cell holds too few
const CLOSEST = 14; // how far one may zoom in
const LISTED = 4; // names and finds that are told
const DOTS = 2.4, NAMES = 6; // how far one has zoomed in when states, and their names, appear
const NEAR = 14; // pixels within which a state is meant

const bytes = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
const shorts = (text) => new Uint16Array(bytes(text).buffer);
const clamp = (value, low, high) => Math.min(Math.max(value, low), high);
const quoted = (word) => `“${word}”`;
const plain = (word) => word.trim().toLowerCase();

/** One map of the data, with what is asked of it again and again. */
function read(map, data) {
  const numbers = map.cells.split(" ").map(Number);
  const words = map.words.split("\n").map((line) => line.split("\t"));
  const cells = words.map((said, n) => ({
    row: numbers[3 * n], column: numbers[3 * n + 1], count: numbers[3 * n + 2], said, states: [],
  }));
  const places = shorts(map.places);
  const names = (map.names ?? data.tokens).split("\t");
  shorts(map.of).forEach((cell, n) => cell !== NONE && cells[cell].states.push(n));
  return {
    ...map, cells, names,
    most: Math.max(...cells.map(({ count }) => count)),
    place: (n) => [places[2 * n] / 65535, places[2 * n + 1] / 65535],
    name: (n) => names[map.names ? n : position(n, data.length)].replace(/^␣(?=.)/, ""),
    before: (n) => {
      if (map.names) return "";
      const at = position(n, data.length);
      const text = names.slice(Math.max(at - (at % data.length), at - 7), at).join("");
      return (text + (/^␣./.test(names[at]) ? "␣" : "")).replaceAll("␣", " ");
    },
  };
}

/** The first token of each passage has no state on the map. */
const position = (n, length) => n + 1 + Math.floor(n / (length - 1));

/** Grey pictures in one row, as the map's cells have them. */
function sprite({ side, pixels }, n) {
  const strip = h("canvas", { width: side * n, height: side });
  const context = strip.getContext("2d");
  const image = context.createImageData(side * n, side);
  bytes(pixels).forEach((value, at) => {
    const [one, y, x] = [Math.floor(at / side / side), Math.floor(at / side) % side, at % side];
    const to = 4 * (y * side * n + one * side + x);
    image.data.fill(value, to, to + 3);
    image.data[to + 3] = 255;
  });
  context.putImageData(image, 0, 0);
  return strip;
}

class Atlas extends Explorer {
  start(data) {
    this.data = data;
    this.maps = data.maps.map(() => null);
    this.choose = choice(data.maps.map(({ name }) => name), () => this.open());
    this.choose.value = data.first ?? 0;
    this.sought = h("input", { type: "search", autocomplete: "off", spellcheck: "false" });
    this.sought.addEventListener("input", () => this.search());
    this.sought.addEventListener("keydown", (event) => {
      if (event.key === "Enter" && this.found.length) this.go(this.found[0]);
    });
    this.canvas = h("canvas", {
      tabindex: 0, role: "application",
      "aria-label": "Map. Arrow keys go from cell to cell, plus and minus zoom, 0 shows all",
    });
    this.said = h("p", { class: "said", role: "status" });
    this.finds = h("p", { class: "buttons", hidden: true });
    this.table = h("details", {}, h("summary", {}, "All cells of this map as a table"));
    this.table.addEventListener("toggle", () => this.tabulate());
    this.listen();
    this.open();
    const button = (label, name, act) => {
      const made = h("button", { class: "md-button", type: "button", "aria-label": name }, label);
      made.addEventListener("click", act);
      return made;
    };
    return [
      h("strong", {}, this.getAttribute("aria-label")),
      h("div", { class: "sliders" },
        labelled("Map", this.choose),
        labelled("Find a word", this.sought)),
      this.canvas,
      h("p", { class: "buttons" },
        button("+", "Zoom in", () => this.zoom(1.6)), button("−", "Zoom out", () => this.zoom(1 / 1.6)),
        button("All", "Show the whole map", () => this.whole())),
      this.said,
      this.finds,
      this.table,
      h("p", { class: "byline" },
        "Measured beforehand. Drag to move; pinch, or use the wheel after a click, to zoom. A cell is " +
        "drawn the larger, the more states it holds."),
    ];
  }

  disconnectedCallback() {
    super.disconnectedCallback();
    this.watching?.forEach((one) => one.disconnect());
  }

  get map() {
    const n = this.choose.value;
    return (this.maps[n] ??= read(this.data.maps[n], this.data));
  }

  open() {
    const { map } = this;
    this.icons = map.icons && (map.strip ??= sprite(map.icons, map.cells.length));
    this.chosen = null;
    this.state = null;
    this.whole();
    this.search();
    this.tabulate();
  }

  // What is seen: `view.x`, `view.y` are the corner in units of the map, `view.zoom` from 1.

  whole() {
    this.view = { x: 0, y: 0, zoom: 1 };
    this.draw();
  }

  get size() {
    return this.canvas.clientWidth;
  }

  zoom(factor, at = [this.size / 2, this.size / 2]) {
    const { x, y, zoom } = this.view;
    const next = clamp(zoom * factor, 1, CLOSEST);
    const shift = (1 / zoom - 1 / next) / this.size;
    this.look({ x: x + at[0] * shift, y: y + at[1] * shift, zoom: next });
  }

  look({ x, y, zoom }) {
    const last = 1 - 1 / zoom;
    this.view = { x: clamp(x, 0, last), y: clamp(y, 0, last), zoom };
    // With the whole map in view there is nothing to drag, and a finger scrolls the page.
    this.canvas.style.touchAction = zoom > 1 ? "none" : "pan-y";
    this.draw();
  }

  /** Move until a cell is in the middle, near enough to be read. */
  go(cell) {
    const { side } = this.map;
    const zoom = Math.max(this.view.zoom, 3);
    const corner = (n) => (n + 0.5) / side - 0.5 / zoom;
    this.pick(cell);
    this.look({ x: corner(cell.column), y: corner(cell.row), zoom });
  }

  listen() {
    const { canvas } = this;
    const held = new Map();
    let moved = 0;
    const at = (event) => {
      const box = canvas.getBoundingClientRect();
      return [event.clientX - box.left, event.clientY - box.top];
    };
    const apart = ([a, b]) => Math.hypot(a[0] - b[0], a[1] - b[1]);
    canvas.addEventListener("pointerdown", (event) => {
      held.set(event.pointerId, at(event));
      canvas.setPointerCapture(event.pointerId);
      moved = 0;
    });
    canvas.addEventListener("pointermove", (event) => {
      const now = at(event);
      const then = held.get(event.pointerId);
      if (!then) return event.pointerType === "mouse" ? this.point(now) : undefined;
      const before = [...held.values()];
      held.set(event.pointerId, now);
      const [dx, dy] = [now[0] - then[0], now[1] - then[1]];
      moved += Math.hypot(dx, dy);
      if (held.size === 2) {
        const after = [...held.values()];
        const middle = [0, 1].map((axis) => (after[0][axis] + after[1][axis]) / 2);
        this.zoom(apart(after) / Math.max(apart(before), 1), middle);
      }
      const unit = this.view.zoom * this.size * held.size;
      this.look({ ...this.view, x: this.view.x - dx / unit, y: this.view.y - dy / unit });
    });
    const release = (event) => {
      if (held.delete(event.pointerId) && event.type === "pointerup" && moved < 6) this.point(at(event));
    };
    canvas.addEventListener("pointerup", release);
    canvas.addEventListener("pointercancel", release);
    canvas.addEventListener("wheel", (event) => {
      // Who scrolls by has not asked to zoom.
      if (document.activeElement !== canvas && !event.ctrlKey) return;
      event.preventDefault();
      this.zoom(Math.exp(-event.deltaY / 400), at(event));
    }, { passive: false });
    canvas.addEventListener("keydown", (event) => this.press(event));
    this.watching = [new ResizeObserver(() => this.draw()), new MutationObserver(() => this.draw())];
    this.watching[0].observe(canvas);
    this.watching[1].observe(document.body, { attributeFilter: ["data-md-color-scheme"] });
  }

  press(event) {
    if (event.ctrlKey || event.altKey || event.metaKey) return;
    const steps = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
    if (event.key in steps) this.step(...steps[event.key]);
    else if (event.key === "+" || event.key === "=") this.zoom(1.6);
    else if (event.key === "-") this.zoom(1 / 1.6);
    else if (event.key === "0" || event.key === "Home") this.whole();
    else return;
    event.preventDefault();
  }

  /** To the nearest cell in a direction; what lies aside counts double. */
  step(right, down) {
    const { cells, side } = this.map;
    const from = this.chosen ?? this.nearest([this.size / 2, this.size / 2]);
    if (!this.chosen) return this.pick(from);
    let best = null;
    for (const cell of cells) {
      const [x, y] = [cell.column - from.column, cell.row - from.row];
      const ahead = x * right + y * down;
      const cost = ahead + 2 * Math.abs(x * down + y * right);
      if (ahead > 0 && (!best || cost < best.cost)) best = { cell, cost };
    }
    if (!best) return;
    const { cell } = best;
    this.pick(cell);
    const { zoom } = this.view;
    const within = (n, low) => clamp(low, (n + 1.5) / side - 1 / zoom, (n - 0.5) / side);
    this.look({ x: within(cell.column, this.view.x), y: within(cell.row, this.view.y), zoom });
  }

  onMap([x, y]) {
    const unit = this.size * this.view.zoom;
    return [this.view.x + x / unit, this.view.y + y / unit];
  }

  nearest(at) {
    const { cells, side } = this.map;
    const [x, y] = this.onMap(at);
    const far = (cell) => Math.hypot((cell.column + 0.5) / side - x, (cell.row + 0.5) / side - y);
    return cells.reduce((one, other) => (far(other) < far(one) ? other : one));
  }

  /** The cell under a point, and where states are drawn, the state that is meant. */
  point(at) {
    const { map } = this;
    const cell = this.nearest(at);
    const [x, y] = this.onMap(at);
    const unit = this.size * this.view.zoom;
    const off = Math.max(Math.abs((cell.column + 0.5) / map.side - x), Math.abs((cell.row + 0.5) / map.side - y));
    if (off > 1 / map.side) return this.pick(null);
    let state = null;
    if (this.view.zoom >= DOTS) {
      let least = NEAR;
      for (const n of cell.states) {
        const [u, v] = map.place(n);
        const far = Math.hypot(u - x, v - y) * unit;
        if (far < least) [state, least] = [n, far];
      }
    }
    this.pick(cell, state);
  }

  pick(cell, state = null) {
    if (cell === this.chosen && state === this.state) return;
    this.chosen = cell;
    this.state = state;
    this.tell();
    this.draw();
  }

  tell() {
    const { map, chosen, state } = this;
    if (!chosen) return this.counts();
    const named = `Row ${chosen.row + 1}, column ${chosen.column + 1}: ${chosen.count} ${map.unit}. ` +
      `${map.says}: ${chosen.said.map(quoted).join(", ")}. ${map.holds}: ${this.crowd(chosen)}.`;
    this.said.replaceChildren(named);
    if (state !== null) {
      const before = map.before(state);
      this.said.append(before ? ` One of them: …${before}` : " One of them: ",
        h("strong", {}, map.name(state)), ".");
    }
  }

  /** The commonest names of a cell's states. */
  crowd(cell) {
    const times = new Map();
    for (const n of cell.states) {
      const name = this.map.name(n);
      times.set(name, (times.get(name) ?? 0) + 1);
    }
    const most = [...times].sort((one, other) => other[1] - one[1]).slice(0, LISTED);
    const rest = times.size - most.length;
    return most.map(([name, n]) => `${quoted(name)} ${n}×`).join(", ") + (rest ? ` and ${rest} more` : "");
  }

  /** Cells that say a word, and states that have it as their name. */
  search() {
    const { map } = this;
    const word = plain(this.sought.value);
    const is = (one) => word && plain(one) === word;
    this.found = word
      ? map.cells.filter(({ said }) => said.some(is)).sort((one, other) => other.count - one.count) : [];
    this.matching = new Set(this.found);
    this.having = new Set();
    map.cells.forEach(({ states }) => states.forEach((n) => is(map.name(n)) && this.having.add(n)));
    this.finds.hidden = !this.found.length;
    this.finds.replaceChildren(...this.found.slice(0, LISTED).map((cell) => {
      const place = `row ${cell.row + 1}, column ${cell.column + 1}`;
      const to = h("button", { class: "md-button", type: "button" }, `${place} (${cell.count})`);
      to.addEventListener("click", () => this.go(cell));
      return to;
    }));
    this.chosen = null;
    this.state = null;
    this.counts();
    this.draw();
  }

  counts() {
    const { map, found, having } = this;
    const all = map.cells.reduce((sum, { count }) => sum + count, 0);
    this.said.textContent = this.sought.value.trim()
      ? `${quoted(this.sought.value.trim())}: ${found.length} of ${map.cells.length} cells say it, and ` +
        `${having.size} of ${all} ${map.unit} have it. ${found.length ? "Enter goes to the largest cell." : ""}`
      : `${map.cells.length} cells with ${all} ${map.unit}. Point at a cell, or press an arrow key on the map.`;
  }

  tabulate() {
    if (!this.table.open) return;
    const { map } = this;
    const head = ["Row", "Column", map.unit, map.says];
    const rows = map.cells.map((cell) => h("tr", {},
      ...[cell.row + 1, cell.column + 1, cell.count, cell.said.join(" ")].map((text) => h("td", {}, text))));
    const table = h("table", { class: "cells" }, h("thead", {}, h("tr", {},
      ...head.map((text) => h("th", { scope: "col" }, text)))), h("tbody", {}, ...rows));
    const scroll = h("div", { class: "scroll", tabindex: 0, role: "group", "aria-label": "Cells" }, table);
    this.table.replaceChildren(this.table.firstElementChild, scroll);
  }

  /** At the next frame, however often it is asked for before that. */
  draw() {
    this.frame ??= requestAnimationFrame(() => {
      this.frame = undefined;
      this.paint();
    });
  }

  paint() {
    const { canvas, map, size, view } = this;
    if (!size) return;
    const dense = Math.min(devicePixelRatio || 1, 2);
    if (canvas.width !== Math.round(size * dense)) canvas.width = canvas.height = Math.round(size * dense);
    const context = canvas.getContext("2d");
    const style = getComputedStyle(this);
    const ink = style.color;
    const [blue, orange] = [1, 2].map((n) =>
      style.getPropertyValue(`--readout-${n}`).trim() || ["#2e86d9", "#d9650f"][n - 1]);
    const paper = style.getPropertyValue("--md-default-bg-color").trim() || "#fff";
    context.setTransform(dense, 0, 0, dense, 0, 0);
    context.clearRect(0, 0, size, size);
    const unit = size * view.zoom;
    const wide = unit / map.side;
    const seen = map.cells.map((cell, n) => ({
      cell, n,
      x: (cell.column + 0.5) * wide - view.x * unit, y: (cell.row + 0.5) * wide - view.y * unit,
    })).filter(({ x, y }) => x > -wide && y > -wide && x < size + wide && y < size + wide);
    this.drawn = seen.length;

    for (const { cell, n, x, y } of seen) {
      const half = (wide / 2) * (0.4 + 0.55 * Math.sqrt(cell.count / map.most));
      const matches = this.matching.has(cell);
      const box = [x - half, y - half, 2 * half, 2 * half];
      if (this.icons) {
        const { side } = map.icons;
        context.imageSmoothingEnabled = false;
        context.drawImage(this.icons, n * side, 0, side, side, ...box);
      } else {
        context.globalAlpha = matches ? 0.45 : 0.16;
        context.fillStyle = matches ? orange : blue;
        context.fillRect(...box);
        context.globalAlpha = 1;
      }
      if (matches || cell === this.chosen) {
        context.strokeStyle = cell === this.chosen ? ink : orange;
        context.lineWidth = 3;
        context.strokeRect(...box);
      }
    }

    const taken = [];
    const free = (left, top, right, bottom) => {
      if (taken.some((box) => left < box[2] && right > box[0] && top < box[3] && bottom > box[1])) return false;
      taken.push([left, top, right, bottom]);
      return true;
    };
    context.textBaseline = "middle";
    const write = (text, x, y, align, font, colour) => {
      context.font = `${font}px ${style.fontFamily}`;
      context.textAlign = align;
      const width = context.measureText(text).width;
      const left = align === "center" ? x - width / 2 : x;
      if (!free(left - 2, y - font * 0.6, left + width + 2, y + font * 0.6)) return;
      context.lineWidth = 3;
      context.lineJoin = "round";
      context.strokeStyle = paper;
      context.strokeText(text, x, y);
      context.fillStyle = colour;
      context.fillText(text, x, y);
    };
    // The chosen, those that match, then the fullest: who comes later finds no room.
    const rank = ({ cell }) => (cell === this.chosen ? 1e9 : this.matching.has(cell) ? 1e6 : 0) + cell.count;
    const font = clamp(wide * 0.3, 11, 16);
    for (const { cell, x, y } of [...seen].sort((one, other) => rank(other) - rank(one))) {
      const lift = this.icons || view.zoom >= DOTS ? -wide / 2 + font * 0.6 : 0;
      if (!this.icons || wide > 26) write(cell.said[0], x, y + lift, "center", font, ink);
    }

    const dot = (n, colour, radius) => {
      const [u, v] = map.place(n);
      const [x, y] = [(u - view.x) * unit, (v - view.y) * unit];
      context.fillStyle = colour;
      context.beginPath();
      context.arc(x, y, radius, 0, 2 * Math.PI);
      context.fill();
      return [x, y];
    };
    for (const { cell } of seen) {
      for (const n of cell.states) {
        const has = this.having.has(n);
        if (!has && view.zoom < DOTS) continue;
        const [x, y] = dot(n, has || n === this.state ? orange : this.icons ? blue : ink, n === this.state ? 5 : has ? 3 : 2);
        if (view.zoom >= NAMES) write(map.name(n), x + 5, y, "start", 11, ink);
      }
    }
  }
}

if (!customElements.get("readout-atlas")) customElements.define("readout-atlas", Atlas);
