/**
 * <readout-library>: filters over the list of entries. <readout-read data-slug>: one entry's mark.
 * What was read is kept on this device. The filters stand in the address, so they can be shared.
 */

const KEY = "readout-read";
const news = new EventTarget();

/** The slugs of what was read. */
function marks() {
  try {
    return new Set(JSON.parse(localStorage.getItem(KEY) ?? "[]"));
  } catch {
    return new Set(); // storage is blocked, or somebody else wrote there
  }
}

/** Mark an entry, or take its mark away. False if this device keeps nothing. */
function mark(slug, read) {
  const all = marks(); // afresh: another tab may have written
  if (read) all.add(slug);
  else all.delete(slug);
  try {
    localStorage.setItem(KEY, JSON.stringify([...all].sort()));
  } catch {
    return false;
  }
  news.dispatchEvent(new Event("marked"));
  return true;
}

addEventListener("storage", ({ key }) => key === KEY && news.dispatchEvent(new Event("marked")));

/** Without accents and capitals, so that `Jerome` finds `Jérôme`. */
function folded(text) {
  return text.normalize("NFD").replace(/\p{M}/gu, "").toLowerCase();
}

class ReadoutLibrary extends HTMLElement {
  connectedCallback() {
    this.form = this.querySelector("form");
    this.said = this.querySelector("[role=status]");
    this.sections = [...this.querySelectorAll("section")];
    this.entries = [...this.querySelectorAll("li[data-slug]")].map((item) => this.entry(item));
    const query = new URLSearchParams(location.search);
    for (const control of this.form.querySelectorAll("[name]")) {
      control.value = query.get(control.name) ?? "";
      if (control.selectedIndex === -1) control.value = ""; // an address with an unknown choice
    }
    this.form.addEventListener("input", () => this.changed());
    this.form.addEventListener("submit", (event) => event.preventDefault());
    this.form.addEventListener("reset", () => setTimeout(() => this.changed()));
    this.addEventListener("change", ({ target }) => this.marked(target));
    this.disconnected = new AbortController();
    news.addEventListener("marked", () => this.show(), { signal: this.disconnected.signal });
    this.show();
  }

  disconnectedCallback() {
    this.disconnected.abort();
  }

  entry(item) {
    const { slug, kind, year, topics, authors } = item.dataset;
    const link = item.querySelector("a");
    const box = item.querySelector(".read input");
    box.setAttribute("aria-label", `read: ${link.textContent}`);
    const words = folded(`${link.textContent} ${item.querySelector(".byline").textContent} ${authors ?? ""} ${year}`);
    return { item, box, slug, kind, year, topics: topics.split(" "), words };
  }

  marked(box) {
    const entry = this.entries.find((entry) => entry.box === box);
    if (entry && !mark(entry.slug, box.checked)) {
      box.checked = !box.checked;
      this.said.textContent = "This browser keeps nothing for this site, so nothing can be marked.";
    }
  }

  changed() {
    const query = new URLSearchParams(new FormData(this.form));
    for (const [name, value] of [...query]) if (!value.trim()) query.delete(name);
    history.replaceState(history.state, "", `${location.pathname}${query.size ? `?${query}` : ""}`);
    this.show();
  }

  show() {
    const wanted = Object.fromEntries(new FormData(this.form));
    const words = folded(wanted.text).split(/\s+/).filter(Boolean);
    const read = marks();
    // A mark that was just set must not take its entry from under the pointer.
    const kept = this.querySelector("li .read input:focus");
    let n = 0;
    for (const entry of this.entries) {
      const isRead = read.has(entry.slug);
      const fits =
        (!wanted.topic || entry.topics.includes(wanted.topic)) &&
        (!wanted.kind || entry.kind === wanted.kind) &&
        (!wanted.year || entry.year === wanted.year) &&
        (!wanted.read || isRead === (wanted.read === "yes") || entry.box === kept) &&
        words.every((word) => entry.words.includes(word));
      entry.box.checked = isRead;
      entry.item.hidden = !fits;
      n += fits;
    }
    for (const section of this.sections) {
      section.hidden = !section.querySelector("li:not([hidden])");
    }
    const of = n === this.entries.length ? "" : ` of ${this.entries.length}`;
    const said = `${n}${of} ${this.entries.length === 1 ? "entry" : "entries"}`;
    if (this.said.textContent !== said) this.said.textContent = said;
  }
}

class ReadoutRead extends HTMLElement {
  connectedCallback() {
    this.box = this.querySelector("input");
    this.box.addEventListener("change", () => {
      if (!mark(this.dataset.slug, this.box.checked)) {
        this.box.checked = false;
        this.box.disabled = true;
        this.querySelector("label").append(" (this browser keeps nothing for this site)");
      }
    });
    this.disconnected = new AbortController();
    news.addEventListener("marked", () => this.show(), { signal: this.disconnected.signal });
    this.show();
  }

  disconnectedCallback() {
    this.disconnected.abort();
  }

  show() {
    this.box.checked = marks().has(this.dataset.slug);
  }
}

customElements.define("readout-library", ReadoutLibrary);
customElements.define("readout-read", ReadoutRead);
