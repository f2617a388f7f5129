// Calls to Nola's API with the admin's session. A refusal is an Error with the server's own words.

function cookie(name) {
  return document.cookie.split("; ").find((one) => one.startsWith(`${name}=`))?.slice(name.length + 1) ?? "";
}

export async function call(method, path, body) {
  const headers = method === "GET" ? {} : { "X-CSRFToken": cookie("nola_csrf"), "Content-Type": "application/json" };
  let response;
  try {
    response = await fetch(path, { method, headers, body: body === undefined ? undefined : JSON.stringify(body) });
  } catch {
    throw new Error("Nola cannot be reached; nothing was changed");
  }
  const text = await response.text();
  const found = text ? JSON.parse(text) : null;
  if (!response.ok) throw Object.assign(new Error(found?.detail ?? response.statusText), { status: response.status });
  return { found, revision: Number(response.headers.get("Nola-Revision")) };
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
