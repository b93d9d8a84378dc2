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
  constructor(status) {
    super("the service is not reachable");
    this.status = status; // undefined when there was no reply at all
  }
}

/**
 * Ask the service: `{status, ok, data, etag}`. `headers` are If-Match and the like.
 * Throws Unreachable after three seconds, on a 5xx, and on a reply that is not JSON:
 * that one came from a static host or a hotel's login page, and means nothing.
 */
export async function call(path, { method = "GET", body, headers = {} } = {}) {
  // Asking while the device knows that it is offline would only fill the console.
  if (!api || navigator.onLine === false) throw new Unreachable();
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
    throw new Unreachable(reply?.status);
  }
  if (reply.status >= 500 || reply.status === 429) throw new Unreachable(reply.status);
  return { status: reply.status, ok: reply.ok, data, etag: reply.headers.get("ETag") };
}

/** What the service says is wrong, as a sentence. */
export function complaint({ status, data }) {
  if (typeof data?.detail === "string") return data.detail;
  return `the service did not accept it (${status})`;
}

/**
 * The member whose session this browser holds, or null.
 * `session` replies 200 to everybody: a 401 would stand in every reader's console.
 */
export async function signedIn() {
  const session = await call("session");
  if (session.ok) return session.data.member;
  if (session.status !== 404) return null;
  const me = await call("me");
  return me.ok ? me.data : null;
}
