// Many pointers, or other names, in as few addresses as their length allows.

const LONGEST = 2500; // characters of an address that they take
const BETWEEN = 9; // characters that go with each: "&session="

/** Lists of names, each of which fits into one address, `most` in one; what is longer than that alone is left out. */
export function portions(names, most = Infinity) {
  const found = [[]];
  let room = LONGEST;
  for (const name of names) {
    const length = encodeURIComponent(name).length + BETWEEN;
    if (length > LONGEST) continue;
    if (length > room || found.at(-1).length === most) {
      found.push([]);
      room = LONGEST;
    }
    found.at(-1).push(name);
    room -= length;
  }
  return found;
}
