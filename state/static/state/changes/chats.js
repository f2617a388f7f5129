// What conversations are called: the history knows only their session ids. The names of all that a page shows are asked for
// at once, and until they are there the ids stand.

import { call } from "../../nola/lib/api.js";
import { portions } from "../../nola/lib/portions.js";

const NAMES = "/admin/conversations/names/";
const MOST = 100; // that are asked for at once

const known = new Map(); // names, also of what has been deleted since
const waiting = new Map(); // the elements of each name that is not there yet
let next = []; // the sessions whose names are still to be asked for

/** Make a conversation's name the text of an element, with the session id on hover. */
export function nameChat(element, session) {
  element.dataset.session = element.title = session;
  element.textContent = known.get(session) ?? session;
  if (!known.has(session)) wait(element, session);
  return element;
}

function wait(element, session) {
  const others = waiting.get(session);
  waiting.set(session, [...(others ?? []), element]);
  if (!others && next.push(session) === 1) setTimeout(ask); // once all that is drawn now has said what it needs
}

async function ask() {
  const sessions = next;
  next = [];
  await Promise.all(portions(sessions, MOST).map(read));
}

/** Read some names. Where they cannot be had, the ids stay until they are drawn anew. */
async function read(sessions) {
  try {
    const { text } = await call("GET", NAMES, { query: { session: sessions } });
    for (const [session, name] of Object.entries(JSON.parse(text).names)) {
      known.set(session, name);
      for (const element of waiting.get(session)) element.textContent = name;
    }
  } catch {
    // not signed in any more, or the server is away: the page says so itself
  } finally {
    for (const session of sessions) waiting.delete(session);
  }
}
