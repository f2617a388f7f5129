// Markdown to DOM nodes. Text becomes text nodes and nothing else: no HTML of a message is ever parsed, and no image
// is fetched. Links lead to http, https and mailto only.

import { h } from "../../nola/lib/dom.js";

const INLINE =
  /(?<code>`+)(?<source>[^`]|[^`].*?[^`])\k<code>(?!`)|!\[(?<alt>[^\]]*)\]\((?<image>[^)\s]+)[^)]*\)|\[(?<label>[^\]]+)\]\((?<href>[^)\s]+)[^)]*\)|(?<url>https?:\/\/[^\s<>"')\]]+[^\s<>"')\].,;:!?])|\*\*(?<strong>\S(?:.*?\S)?)\*\*|(?<![\w*])\*(?<em>[^\s*](?:[^*]*[^\s*])?)\*(?!\w)|~~(?<del>\S(?:.*?\S)?)~~|\\(?<escaped>[\\`*_{}[\]()#+\-.!~>|])/su;
const LONGEST_INLINE = 20000; // characters of a paragraph in which marks are looked for

/** The nodes of a text in Markdown. */
export function markdown(text) {
  const fragment = document.createDocumentFragment();
  const lines = text.replace(/\r\n?/g, "\n").split("\n");
  let at = 0;
  while (at < lines.length) at = block(lines, at, fragment);
  return fragment;
}

function block(lines, at, into) {
  const line = lines[at];
  if (!line.trim()) return at + 1;
  const fence = line.match(/^\s{0,3}(`{3,}|~{3,})\s*([\w+#.-]*)/);
  if (fence) return code(lines, at, fence[1], into);
  const heading = line.match(/^\s{0,3}(#{1,6})\s+(.*?)\s*#*$/);
  if (heading) {
    into.append(filled(h(`p.nola-h.nola-h${heading[1].length}`), heading[2]));
    return at + 1;
  }
  if (/^\s{0,3}([-*_])(\s*\1){2,}\s*$/.test(line)) {
    into.append(h("hr"));
    return at + 1;
  }
  if (/^\s{0,3}>/.test(line)) return quote(lines, at, into);
  if (ITEM.test(line)) return list(lines, at, into);
  if (line.includes("|") && /^\s*\|?\s*:?-+:?\s*(\|\s*:?-+:?\s*)*\|?\s*$/.test(lines[at + 1] ?? "")) return table(lines, at, into);
  return paragraph(lines, at, into);
}

const ITEM = /^(\s*)([-*+]|\d{1,9}[.)])\s+(.*)$/;

function paragraph(lines, at, into) {
  const some = [];
  while (at < lines.length && lines[at].trim() && (!some.length || !/^\s{0,3}(`{3,}|~{3,}|#{1,6}\s|>)/.test(lines[at])) && (!some.length || !ITEM.test(lines[at]))) {
    some.push(lines[at++]);
  }
  into.append(filled(h("p"), some.join("\n")));
  return at;
}

function code(lines, at, mark, into) {
  let end = at + 1;
  while (end < lines.length && !(lines[end].trim().startsWith(mark) && !lines[end].trim().slice(mark.length).replaceAll(mark[0], ""))) end++;
  const pre = h("pre");
  pre.tabIndex = 0;
  pre.append(h("code", {}, lines.slice(at + 1, end).join("\n")));
  into.append(pre);
  return end + 1;
}

function quote(lines, at, into) {
  const some = [];
  while (at < lines.length && /^\s{0,3}>/.test(lines[at])) some.push(lines[at++].replace(/^\s{0,3}> ?/, ""));
  const node = h("blockquote");
  node.append(some.length < 500 && some[0].match(/^>*/)[0].length < 10 ? markdown(some.join("\n")) : some.join("\n"));
  into.append(node);
  return at;
}

function list(lines, at, into) {
  const open = [];
  for (; at < lines.length; at++) {
    const item = lines[at].match(ITEM);
    if (!item) {
      if (!lines[at].trim() && ITEM.test(lines[at + 1] ?? "")) continue;
      if (open.length && /^\s{2,}\S/.test(lines[at])) {
        open.at(-1).node.lastChild.append("\n", ...filled(h("span"), lines[at].trim()).childNodes);
        continue;
      }
      break;
    }
    const indent = item[1].replaceAll("\t", "    ").length;
    while (open.length > 1 && indent < open.at(-1).indent) open.pop();
    if (!open.length || (indent > open.at(-1).indent + 1 && open.length < 12)) {
      const ordered = /\d/.test(item[2]);
      const node = h(ordered ? "ol" : "ul");
      if (ordered) node.start = Number.parseInt(item[2], 10);
      (open.length ? open.at(-1).node.lastChild : into).append(node);
      open.push({ node, indent });
    }
    open.at(-1).node.append(filled(h("li"), item[3]));
  }
  return at;
}

function table(lines, at, into) {
  const cells = (line) => line.trim().replace(/^\||\|$/g, "").split("|").map((cell) => cell.trim());
  const node = h("table");
  const row = (line, name) => {
    const made = h("tr");
    for (const cell of cells(line).slice(0, 50)) made.append(filled(h(name), cell));
    node.append(made);
  };
  row(lines[at], "th");
  for (at += 2; at < lines.length && lines[at].includes("|"); at++) row(lines[at], "td");
  const frame = h("div.nola-table");
  frame.append(node);
  into.append(frame);
  return at;
}

function filled(node, text, depth = 0) {
  let rest = text;
  while (rest.length && rest.length < LONGEST_INLINE && depth < 8) {
    const found = rest.match(INLINE);
    if (!found) break;
    node.append(rest.slice(0, found.index), inline(found.groups, depth + 1));
    rest = rest.slice(found.index + found[0].length);
  }
  node.append(rest);
  return node;
}

function inline(found, depth) {
  if (found.code !== undefined) return h("code", {}, found.source);
  if (found.image !== undefined) return link(found.image, `image: ${found.alt || found.image}`, depth);
  if (found.href !== undefined) return link(found.href, found.label, depth);
  if (found.url !== undefined) return link(found.url, found.url, 9);
  if (found.strong !== undefined) return filled(h("strong"), found.strong, depth);
  if (found.em !== undefined) return filled(h("em"), found.em, depth);
  if (found.del !== undefined) return filled(h("del"), found.del, depth);
  return document.createTextNode(found.escaped);
}

function link(href, label, depth) {
  if (!/^(https?:\/\/|mailto:)/i.test(href)) return filled(h("span"), label, depth);
  const node = filled(h("a"), label, depth);
  node.href = href;
  node.rel = "noopener noreferrer nofollow";
  node.target = "_blank";
  return node;
}
