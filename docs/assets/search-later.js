/**
 * The search index is as heavy as a page, and the theme fetches it with every page, and the worker
 * that reads it.
 *
 * Here the two wait until somebody searches, or follows a link to a search. A classic script in the
 * page's head: the theme's own begins before any module does.
 */
{
  const wanted = new Promise((resolve) => {
    if (/[?&][qh]=/.test(location.search)) resolve();
    const begin = ({ target }) => target.matches?.("[data-md-component=search-query]") && resolve();
    addEventListener("focusin", begin);
    addEventListener("input", begin);
  });
  const { open, send } = XMLHttpRequest.prototype;
  const index = new WeakSet();
  XMLHttpRequest.prototype.open = function (method, url, ...rest) {
    if (new URL(url, document.baseURI).pathname.endsWith("/search/search_index.json")) index.add(this);
    return open.call(this, method, url, ...rest);
  };
  XMLHttpRequest.prototype.send = function (body) {
    if (index.has(this)) wanted.then(() => send.call(this, body));
    else send.call(this, body);
  };

  /** What is said to the worker before there is one is said to it when it has come. */
  class Later extends EventTarget {
    constructor(url) {
      super();
      this.worker = wanted.then(() => {
        const worker = new Now(url);
        worker.onmessage = ({ data }) => this.dispatchEvent(new MessageEvent("message", { data }));
        return worker;
      });
    }

    postMessage(message) {
      this.worker.then((worker) => worker.postMessage(message));
    }
  }

  const { Worker: Now } = window;
  window.Worker = class {
    constructor(url, ...rest) {
      return String(url).includes("/workers/search.") ? new Later(url) : new Now(url, ...rest);
    }
  };
}
