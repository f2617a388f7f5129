// The last row there is. What is not loaded of where it stands is loaded first, and it is said how far that is.

const MOST = 1000; // members that are loaded at once

/** Focus it, unless its owner has gone elsewhere meanwhile. */
export async function toEnd({ filter, memory, mine, tree, view }) {
  if (filter.isOn) return view.focus(view.edge(true));
  const { current } = view;
  let node = tree.root;
  while (node.isRoot || (node.open && node.size)) {
    while (node.kids?.at(-1)?.index !== node.size - 1) {
      await (node.type === "array" ? memory.single(node, String(node.size - 1)) : memory.load(node, MOST));
      if (view.current !== current) return undefined;
      if (node.type === "object") mine.say(progress(node));
    }
    node = node.kids.at(-1);
  }
  return view.focus(node);
}

function progress({ prefix, size, isWhole }) {
  const all = size.toLocaleString("en");
  return isWhole ? `All ${all} are loaded` : `Loading: ${prefix.toLocaleString("en")} of ${all} …`;
}
