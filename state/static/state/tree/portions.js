// Many pointers in as few addresses as their length allows.

const LONGEST = 2500; // characters of an address that name nodes

/** Lists of pointers, each of which fits into one address; what is longer than that alone is left out. */
export function portions(pointers) {
  const found = [[]];
  let room = LONGEST;
  for (const pointer of pointers) {
    const length = encodeURIComponent(pointer).length + 6;
    if (length > LONGEST) continue;
    if (length > room) {
      found.push([]);
      room = LONGEST;
    }
    found.at(-1).push(pointer);
    room -= length;
  }
  return found;
}
