// Changes in a row by the same actor, which lists show as one.

export const FEW = 3; // so many changes in a row become one line
const MOST = 500; // changes in one line
const PAUSE = 30 * 60_000; // milliseconds between two changes that are no longer in a row
const ALONE = new Set(["undo", "restore", "seed"]);

/** Whether a newer change and the older one right before it, one of so many, are in a row: {actor, source, at, info}. */
export function isRun(newer, older, many) {
  return (
    many < MOST &&
    newer.actor === older.actor &&
    newer.source === older.source &&
    newer.info?.batch === older.info?.batch &&
    !ALONE.has(newer.source) &&
    newer.at - older.at < PAUSE
  );
}
