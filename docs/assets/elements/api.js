/** The service as the pages see it. */

const TIMEOUT_MS = 3000;
const named = document.querySelector('meta[name="readout-api"]')?.content;

/** The root of the site, wherever it is mounted. */
export const root = new URL("../../", import.meta.url);

/** Where the service answers; "" when the site says that it has none. */
export const api =
  named === undefined
    ? new URL("api/v1/", root)
    : named && new URL(named.replace(/\/*$/, "/"), document.baseURI);

/** No reply to rely on. Whether a write arrived is unknown, so it may be sent again. */
export class Unreachable extends Error {
  constructor(status, { sent = true } = {}) {
    super("the service is not reachable");
    this.status = status; // undefined when there was no reply at all
    this.sent = sent; // whether it may have arrived
  }
}

/**
 * Ask the service: `{status, ok, data, etag, again}`. `headers` are If-Match and the like.
 * Throws Unreachable after three seconds, on a 5xx, and on a reply that is not JSON:
 * that one came from a static host or a hotel's login page, and means nothing. A 429 is a reply
 * whoever it comes from: what it asks for is to wait until `again`.
 */
export async function call(path, { method = "GET", body, headers = {} } = {}) {
  // Asking while the device knows that it is offline would only fill the console.
  if (!api || navigator.onLine === false) throw new Unreachable(undefined, { sent: false });
  let reply, data;
  try {
    reply = await fetch(new URL(path, api), {
      method,
      body: body && JSON.stringify(body),
      headers: body ? { "Content-Type": "application/json", ...headers } : headers,
      credentials: "same-origin",
      cache: "no-store",
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
    data = reply.status === 204 || reply.status === 304 ? null : JSON.parse(await reply.text());
  } catch {
    if (reply?.status !== 429) throw new Unreachable(reply?.status);
  }
  if (reply.status >= 500) throw new Unreachable(reply.status);
  const { status, ok, headers: told } = reply;
  return { status, ok, data, etag: told.get("ETag"), again: againAt(told.get("Retry-After")) };
}

/** When a Retry-After of seconds, or of a date, is over; null where there is none. */
function againAt(told) {
  if (!told) return null;
  const at = new Date(/^\d+$/.test(told) ? Date.now() + 1000 * told : told);
  return Number.isNaN(at.getTime()) ? null : at;
}

/** What the service says is wrong, as a sentence without its full stop. */
export function complaint({ status, data, again }) {
  const said = typeof data?.detail === "string" ? data.detail : null;
  if (status === 401) return "you are not signed in, or not any more; sign in again on the page Join";
  if (status === 429) {
    const at = again?.toLocaleTimeString(document.documentElement.lang || undefined, { timeStyle: "short" });
    return `${said ?? "too many requests"}${at ? ` (at ${at})` : said ? "" : "; try again in a minute"}`;
  }
  return said ?? `the service did not accept it (${status})`;
}

/** What to say where a step was not done, or no reply came (`null`), so that nobody knows. */
export const undone = (reply) =>
  reply
    ? `Nothing was changed: ${complaint(reply)}.`
    : "It is not known whether that was done: no reply came from the service. Load this page again.";

/**
 * The member whose session this browser holds, or null.
 * `session` replies 200 to everybody: a 401 would stand in every reader's console.
 */
export async function signedIn() {
  const session = await call("session");
  if (session.ok) return session.data.member;
  if (session.status === 429) throw new Unreachable(429); // it did not say who is here
  if (session.status !== 404) return null;
  const me = await call("me");
  return me.ok ? me.data : null;
}
