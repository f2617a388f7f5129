// The last row there is. What is not loaded of where it stands is loaded first: a page of each level, from its end.

/** Focus it, unless its owner has gone elsewhere meanwhile. */
export async function toEnd({ filter, memory, tree, view }) {
  if (filter.isOn) return view.focus(view.edge(true));
  const { current } = view;
  let node = tree.root;
  while (node.size && (node.isRoot || node.open)) {
    while (node.kids?.at(-1)?.index !== node.size - 1) {
      await memory.last(node);
      if (view.current !== current) return undefined;
    }
    node = node.kids.at(-1);
  }
  return view.focus(node);
}
