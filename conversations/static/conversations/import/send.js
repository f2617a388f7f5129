// Files on their way to the server, piece by piece, so that none is too large for one request and it is seen how far
// they are.

import { call } from "../../nola/lib/api.js";

const PIECE = 1 << 20; // bytes
const PAUSES = [500, 1000, 2000, 4000, 8000]; // milliseconds between attempts

/** Send files; resolves to the address of the upload. `told` hears how many bytes of all have gone. Throws Problem. */
export async function send(index, files, told) {
  const about = files.map(({ name, size }) => ({ name, size }));
  const { href } = JSON.parse((await post(`${index}new`, { files: about })).text);
  let gone = 0;
  for (const [number, file] of files.entries()) {
    for (let at = 0; at < file.size; at += PIECE) {
      const piece = file.slice(at, at + PIECE);
      await send_piece(`${href}files/${number}`, at, piece);
      gone += piece.size;
      told(gone);
    }
  }
  return href;
}

/** A piece is sent again while the server cannot be reached, or is busy; one that came, but whose answer did not, counts. */
async function send_piece(path, at, piece) {
  for (let attempt = 0; ; attempt += 1) {
    try {
      await call("POST", path, { query: { at }, body: piece, type: "application/octet-stream" });
      return;
    } catch (error) {
      if (error.status === 409 && attempt) return;
      const isPassing = error instanceof TypeError ? piece_is_there(piece) : [429, 502, 503, 504].includes(error.status);
      if (!(await isPassing) || attempt === PAUSES.length) throw error;
      await new Promise((done) => setTimeout(done, PAUSES[attempt]));
    }
  }
}

/** Whether the file can be read still: one that was changed or taken away meanwhile cannot. */
async function piece_is_there(piece) {
  try {
    await piece.slice(0, 1).arrayBuffer();
    return true;
  } catch {
    throw new Error("the file cannot be read any more; choose it again");
  }
}

export function post(path, body = {}) {
  return call("POST", path, { body: JSON.stringify(body), type: "application/json" });
}
