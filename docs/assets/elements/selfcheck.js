/**
 * Grading in the page, for `self-check` quizzes alone: their keys are no secret.
 *
 * The key, as JSON in `<template class="key">`: `{key, tolerance, accept, feedback, why_html,
 * source_html}` with `feedback` an object from option to HTML and `tolerance` one of
 * `{absolute}`, `{relative}`, `{digits}`. The service grades by the same rules.
 */

/** Spelling that does not count: case, width, spaces, quotes and the full stop around it. */
function plain(text) {
  const folded = text.normalize("NFKC").toLowerCase().replace(/\s+/g, " ").trim();
  return folded.replace(/^["'“‘]+|["'”’.]+$/g, "");
}

function isNear(given, key, { absolute, relative, digits } = {}) {
  if (digits) return given.toPrecision(digits) === key.toPrecision(digits);
  return Math.abs(given - key) <= (absolute ?? Math.abs(key) * (relative ?? 1e-9));
}

const share = (hits, of) => Math.max(0, hits) / of;

const SCORE = {
  single: (given, { key }) => Number(given === key),
  multiple: (given, { key }) =>
    share(given.reduce((sum, id) => sum + (key.includes(id) ? 1 : -1), 0), key.length),
  number: (given, { key, tolerance }) => Number(isNear(given, key, tolerance)),
  text: (given, { key, accept = [] }) =>
    Number([key, ...accept].some((one) => plain(one) === plain(given))),
  /** The share of pairs that stand in the right order. */
  order(given, { key }) {
    const pairs = key.flatMap((first, i) => key.slice(i + 1).map((second) => [first, second]));
    const right = pairs.filter(([a, b]) => given.indexOf(a) < given.indexOf(b));
    return share(right.length, pairs.length);
  },
  match(given, { key }) {
    const lefts = Object.keys(key);
    return share(lefts.filter((left) => given[left] === key[left]).length, lefts.length);
  },
};

/** The same object as the service's reply to an answer. */
export function grade(type, response, keyed) {
  const score = SCORE[type](response, keyed);
  const chosen = type === "single" || type === "multiple" ? [response].flat() : [];
  const feedback = chosen
    .filter((option) => keyed.feedback?.[option])
    .map((option) => ({ option, text_html: keyed.feedback[option] }));
  const { key, why_html, source_html } = keyed;
  return { response, correct: score === 1, score, feedback, key, why_html, source_html };
}
