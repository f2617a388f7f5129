// Texts as they are compared when somebody looks for words, character by character: as state/jsondoc/fold.py has it, but
// for Hangul in parts. The server finds; this shows where.

const MARKS = /(?![\u3099\u309a])\p{M}/gu;

function foldCharacter(char) {
  const plain = char.normalize("NFKD").toUpperCase().toLowerCase().normalize("NFKD");
  return plain.replace(MARKS, "").normalize("NFC");
}

/** A text without case, diacritics, and forms of one character. */
export function fold(text) {
  return Array.from(text, foldCharacter).join("");
}

/** Where in a text folded words first are, as [from, to) of the text as it stands; null where they are not. */
export function findFolded(text, words) {
  let folded = "";
  const places = []; // for each unit of the folded text, where in the text it comes from
  let at = 0;
  for (const char of text) {
    const piece = foldCharacter(char);
    for (let n = 0; n < piece.length; n++) places.push(at);
    folded += piece;
    at += char.length;
  }
  const found = words ? folded.indexOf(words) : -1;
  if (found < 0) return null;
  const last = places[found + words.length - 1];
  return [places[found], places.slice(found + words.length).find((place) => place > last) ?? text.length];
}
