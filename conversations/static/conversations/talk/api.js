// What a conversation asks of the API: its calls, in plain objects, and the stream of what happens to it.

import { call as ask } from "../../nola/lib/api.js";

/** One call: {found, revision}. Throws an Error in words for the reader. */
export async function call(method, path, body) {
  try {
    const { text, revision } = await ask(method, path, body && { body: JSON.stringify(body), type: "application/json" });
    return { found: text ? JSON.parse(text) : null, revision };
  } catch (error) {
    throw error instanceof TypeError ? new Error("Nola cannot be reached; nothing was changed") : error;
  }
}

/** Follows one conversation while the page is visible; `onRevision` gets each event, `onLost` when all must be read anew. */
export function follow(session, since, onRevision, onLost) {
  let stream = null;
  let cursor = String(since);
  let timer = 0;

  function open() {
    clearTimeout(timer);
    if (document.hidden || stream) return;
    stream = new EventSource(`/api/changes?${new URLSearchParams({ key: session, since: cursor })}`);
    stream.onmessage = (event) => {
      cursor = event.lastEventId || cursor;
      onRevision(JSON.parse(event.data));
    };
    stream.addEventListener("cursor", (event) => (cursor = event.lastEventId || cursor));
    stream.addEventListener("reset", (event) => {
      cursor = JSON.parse(event.data).cursor;
      onLost();
    });
    stream.onerror = () => {
      if (stream?.readyState === EventSource.CLOSED) again();
    };
  }

  function close() {
    stream?.close();
    stream = null;
  }

  function again() {
    close();
    timer = setTimeout(() => {
      onLost();
      open();
    }, 5000);
  }

  document.addEventListener("visibilitychange", () => (document.hidden ? close() : open()));
  addEventListener("pagehide", close);
  open();
}
