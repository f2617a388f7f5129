// Names as a person can see and hear them: what has no shape, or none of its own, is written out. `show_name` in
// state/jsondoc/names.py does the same.

const JOINED = /(?<=[^\0-\u00a0])[\u200c\u200d](?=[^\0-\u00a0])/gu; // within words and emoji they do what they are for
const UNSEEN = /^ +| +$| {2,}|[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}\u115f\u1160\u2800\u3164\uffa0]|(?! )\p{Zs}/gu;

/** A name with visible marks in place of what cannot be seen: ␣ for a space, ‹U+200B› for others. */
export function shownName(name) {
  if (name === "") return "(no name)";
  return replaced(name, (run) => "␣".repeat(run.length), (code) => `‹${code}›`);
}

/** A name in words. */
export function spokenName(name) {
  if (name === "") return "no name";
  const spoken = replaced(name, (run) => " space ".repeat(run.length), (code) => ` ${code} `);
  return spoken === name ? name : spoken.replace(/ +/g, " ").trim();
}

function replaced(name, space, unseen) {
  const joiners = new Set([...name.matchAll(JOINED)].map(({ index }) => index));
  return name.replace(UNSEEN, (one, index) => {
    if (one[0] === " ") return space(one);
    return joiners.has(index) ? one : unseen(`U+${one.codePointAt(0).toString(16).toUpperCase().padStart(4, "0")}`);
  });
}
