/**
 * What every page loads. Elements come in only on pages that have them, and once:
 * instant navigation swaps the page's content and keeps this module.
 */

const ELEMENTS = {
  quiz: "readout-quiz",
  answered: "readout-answered",
  organize: "readout-organize",
  review: "readout-review",
  join: "readout-join",
  member: "readout-member",
  me: "readout-me",
  members: "readout-members",
  library: "readout-library, readout-read",
};

function loadElements() {
  for (const [file, selector] of Object.entries(ELEMENTS)) {
    if (document.querySelector(selector)) import(`./elements/${file}.js`);
  }
  // An explorer of a notebook names its own file.
  for (const { dataset } of document.querySelectorAll("[data-explorer]")) {
    import(`./elements/${dataset.explorer}.js`);
  }
  for (const notes of document.querySelectorAll("readout-notes")) coming.observe(notes);
}

/** Notes stand at the end of a page: who does not read as far as there loads nothing for them. */
const coming = new IntersectionObserver((seen) => {
  if (!seen.some(({ isIntersecting }) => isIntersecting)) return;
  coming.disconnect();
  import("./elements/notes.js");
}, { rootMargin: "600px" });

/** What scrolls sideways must be reachable by keyboard; what does not is no stop for it. */
const scrolling = new ResizeObserver((seen) => {
  for (const { target } of seen) {
    if (target.scrollWidth > target.clientWidth) target.tabIndex = 0;
    else target.removeAttribute("tabindex");
  }
});

/** Formulas of notes: they come and change long after the page. */
const FORMULAS = ":is(.notes, .found, .preview) math[display=block]";
new MutationObserver((changes) => {
  for (const { target } of changes) {
    for (const formula of target.querySelectorAll(FORMULAS)) scrolling.observe(formula);
  }
}).observe(document.body, { childList: true, subtree: true });

function watchScrolling() {
  scrolling.disconnect();
  const regions =
    ".md-typeset pre, .md-typeset pre > code, .md-typeset__scrollwrap, .md-typeset__table, " +
    ".jp-RenderedHTMLCommon, .jp-OutputArea-output, .readout-figure, figure .scroll, " +
    `.md-typeset div.arithmatex, ${FORMULAS}`;
  for (const region of document.querySelectorAll(regions)) {
    const { overflowX } = getComputedStyle(region);
    if (overflowX === "auto" || overflowX === "scroll") scrolling.observe(region);
  }
}

function nameSearch() {
  document.querySelector(".md-search[role=dialog]")?.setAttribute("aria-label", "Search");
}

/** Material puts the copy button of each code block into a nav: too many landmarks of one name. */
new MutationObserver(() => {
  for (const nav of document.querySelectorAll("nav.md-code__nav:not([role])")) nav.role = "none";
}).observe(document.body, { childList: true, subtree: true });

/** Escape puts a definition away, wherever the pointer or the focus is; it comes back by coming back. */
document.addEventListener("keydown", ({ key }) => {
  const term = key === "Escape" && document.querySelector(".term:is(:hover, :focus-visible)");
  if (!term) return;
  term.classList.add("put-away");
  const back = () => term.classList.remove("put-away");
  for (const left of ["pointerleave", "blur"]) term.addEventListener(left, back, { once: true });
});

/** Send what an earlier visit could not. Nobody who never answered loads the outbox for it. */
async function sendWaiting() {
  const databases = (await indexedDB.databases?.()) ?? [];
  if (databases.some(({ name }) => name === "readout")) {
    (await import("./elements/outbox.js")).flush();
  }
}

function visit() {
  nameSearch();
  watchScrolling();
  loadElements();
}

// Material's document$ speaks on the first page and after each instant navigation.
if (window.document$) window.document$.subscribe(visit);
else visit();
// A browser that blocks storage has nothing waiting.
sendWaiting().catch(() => {});
