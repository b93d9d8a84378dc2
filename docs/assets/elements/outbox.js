/**
 * What a member sent and the service has not yet confirmed.
 *
 * An entry is stored on the device first, under the id that the service will know it by, and
 * leaves when the service has said that it is saved. It belongs to one member and is never sent
 * in another's session. Sending twice is harmless: the service stores one id once.
 */
import { Unreachable, call, complaint, signedIn } from "./api.js";

const RETRY_MS = 30_000;
const PATIENCE_MS = 3000; // a person who pressed a button waits no longer

/** Speaks ("settled") when an entry's state changes; detail is `{entry, state, why, data}`. */
export const news = new EventTarget();
const otherTabs = new BroadcastChannel("readout");
otherTabs.onmessage = ({ data }) => tell(data);

function tell(outcome) {
  news.dispatchEvent(new CustomEvent("settled", { detail: outcome }));
}

// Storage ------------------------------------------------------------------------------------

function open() {
  return new Promise((resolve, reject) => {
    const request = indexedDB.open("readout", 1);
    request.onupgradeneeded = () => {
      request.result.createObjectStore("outbox", { keyPath: "id" });
      request.result.createObjectStore("drafts");
      request.result.createObjectStore("state");
    };
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}

/** Run one request on one store; resolves when it is on the disk. */
async function stored(store, mode, ask) {
  const database = await open();
  try {
    const transaction = database.transaction(store, mode, { durability: "strict" });
    const request = ask(transaction.objectStore(store));
    await new Promise((resolve, reject) => {
      transaction.oncomplete = resolve;
      transaction.onabort = () => reject(transaction.error);
    });
    return request.result;
  } finally {
    database.close();
  }
}

const keep = (entry) => stored("outbox", "readwrite", (store) => store.put(entry));
export const discard = (id) => stored("outbox", "readwrite", (store) => store.delete(id));

/** This member's entries, oldest first; none where the browser stores nothing. */
export async function entriesOf(member) {
  const all = await stored("outbox", "readonly", (store) => store.getAll()).catch(() => []);
  return all.filter((entry) => entry.member === member?.id).sort((a, b) => a.at - b.at);
}

// Drafts are a convenience: where storage is blocked, the form still holds the text.
// `saveDraft` resolves to something true once the draft is on the disk.
const quietly = (promise) => promise.catch(() => undefined);
export const draft = (place) =>
  quietly(stored("drafts", "readonly", (store) => store.get(place)));
export const saveDraft = (place, value) =>
  quietly(stored("drafts", "readwrite", (store) => store.put(value, place)));
/** Only if `isDone(draft)`, in one step: another form may have written since. */
export const dropDraft = (place, isDone = () => true) =>
  quietly(stored("drafts", "readwrite", (store) => {
    const asked = store.get(place);
    asked.onsuccess = () => asked.result !== undefined && isDone(asked.result) && store.delete(place);
    return asked;
  }));

/** What was typed and not sent, as `{place, value}`, but for drafts without a word or a choice. */
export async function drafts() {
  const places = await stored("drafts", "readonly", (store) => store.getAllKeys()).catch(() => []);
  const all = await Promise.all(places.map(async (place) => ({ place, value: await draft(place) })));
  return all.filter(({ value }) => value && saysSomething(value));
}

const saysSomething = ({ body, response, reason }) => body?.trim() || response !== undefined || reason;

const dropDrafts = () => quietly(stored("drafts", "readwrite", (store) => store.clear()));

let known; // for browsers that store nothing

/** The member last seen in this browser; stays known while the service is away. */
export const remembered = async () =>
  (await quietly(stored("state", "readonly", (store) => store.get("member")))) ?? known;

export async function remember({ id, name }) {
  const before = await remembered();
  if (before && before.id !== id) await dropDrafts(); // they are somebody else's words
  known = { id, name };
  await quietly(stored("state", "readwrite", (store) => store.put(known, "member")));
}

let asked;

/**
 * Who is signed in: `{member, reachable}`, asked once a visit, or `again`.
 * `reachable` tells "nobody" from "no idea".
 */
export function whoIsHere({ again = false } = {}) {
  if (again || !asked) asked = ask();
  return asked;
}

async function ask() {
  try {
    const member = await signedIn();
    if (member) await remember(member);
    return { member, reachable: true };
  } catch {
    asked = undefined;
    return { member: null, reachable: false };
  }
}

/** Remove everything of this member from the device: after signing out or erasing. */
export async function forget(member) {
  asked = known = undefined;
  for (const { id } of await entriesOf(member)) await discard(id);
  await dropDrafts();
  await quietly(stored("state", "readwrite", (store) => store.clear()));
}

// Sending ------------------------------------------------------------------------------------

/** Offer one entry to the service. Throws Unreachable. */
async function deliver(entry) {
  const reply = await call(entry.path, { method: "POST", body: entry.body });
  if (reply.ok && reply.data?.id === entry.id) return { entry, state: "saved", data: reply.data };
  if (reply.status === 401) return { entry, state: "kept", why: "signed-out" };
  if (reply.ok || reply.status === 429) throw new Unreachable(reply.status); // later, then
  return { entry, state: "rejected", why: complaint(reply) };
}

/** Tell this tab and the others, once the device has it too. */
async function settle(outcome) {
  const { entry, state, why } = outcome;
  if (state === "saved") await quietly(discard(entry.id));
  if (state === "rejected") await quietly(keep({ ...entry, state, why }));
  tell(outcome);
  otherTabs.postMessage(outcome);
}

/** One tab sends at a time. Without locks (plain http) two may; the service stores one. */
function alone(work) {
  return navigator.locks ? navigator.locks.request("readout-outbox", work) : work();
}

let retry;
function later() {
  clearTimeout(retry);
  retry = setTimeout(flush, RETRY_MS);
}

/** Send what waits, oldest first; how each entry fared is told to `news`. */
export function flush() {
  return alone(async () => {
    const last = await remembered();
    const waiting = (await entriesOf(last)).filter(({ state }) => state === "kept");
    if (!waiting.length) return;
    const here = await whoIsHere({ again: true }); // another tab may have signed out
    if (here.member && here.member.id !== last.id) return; // somebody else's session
    let why = here.member ? null : here.reachable ? "signed-out" : "unreachable";
    for (const entry of waiting) {
      const outcome = why
        ? { entry, state: "kept", why }
        : await deliver(entry).catch(({ status }) => {
            // An error with a status may concern this entry alone; the next one is tried.
            if (!status || status === 503) why = "unreachable";
            return { entry, state: "kept", why: "unreachable" };
          });
      if (outcome.why === "signed-out") why = "signed-out";
      if (outcome.why === "unreachable") later();
      await settle(outcome);
    }
  });
}

/**
 * Keep `body` (it has an `id`) and send it; resolves to `{state, why, data}` in three seconds.
 *
 * saved: the service has it. kept: on this device. rejected: the service refused, see `why`.
 * refused: nobody is signed in, or (`why` "unreachable") nobody known to be.
 * lost: not sent, and this browser stores nothing.
 */
export async function send(path, body) {
  let member = await remembered();
  if (!member) {
    const here = await whoIsHere({ again: true });
    if (!here.member) return { state: "refused", why: here.reachable ? null : "unreachable" };
    member = here.member;
  }
  const entry = { id: body.id, member: member.id, path, body, at: Date.now(), state: "kept" };
  try {
    await keep(entry);
  } catch {
    const outcome = await deliver(entry).catch(() => ({ entry, state: "lost" }));
    // The session has ended, and "kept" would be untrue: whoever asked must hold on to the text.
    return outcome.state === "kept" ? { entry, state: "refused", why: null } : outcome;
  }
  const settled = new Promise((resolve) => {
    const done = new AbortController();
    const heard = ({ detail }) => {
      if (detail.entry.id !== entry.id) return;
      done.abort();
      resolve(detail);
    };
    news.addEventListener("settled", heard, { signal: done.signal });
  });
  const patience = new Promise((resolve) => setTimeout(resolve, PATIENCE_MS));
  flush();
  return (await Promise.race([settled, patience])) ?? { entry, state: "kept", why: "unreachable" };
}

addEventListener("online", flush);
