// What a message holds besides its text, out of its metadata, as `conversations/parts.py` has it.

const KINDS = new Map([
  ...["tool_use", "server_tool_use", "mcp_tool_use", "tool_call", "function_call", "custom_tool_call", "function"].map((type) => [type, "Tool call"]),
  ...["tool_result", "mcp_tool_result", "function_call_output", "custom_tool_call_output"].map((type) => [type, "Tool result"]),
  ...["thinking", "redacted_thinking", "reasoning", "reasoning_content", "think", "thoughts"].map((type) => [type, "Thinking"]),
  ...["image_asset_pointer", "image_url", "input_image"].map((type) => [type, "Image"]),
  ...["audio_asset_pointer", "input_audio", "real_time_user_audio_video_asset_pointer"].map((type) => [type, "Voice clip"]),
]);
const MEMBERS = new Map([
  ["pastes", "Paste"],
  ["extracted", "Paste"],
  ["thinking", "Thinking"],
  ["reasoning", "Thinking"],
  ["reasoning_content", "Thinking"],
  ["tool_calls", "Tool call"],
  ["function_call", "Tool call"],
  ["parts", "Part"],
  ["quotes", "Quote"],
  ["citations", "Source"],
]);
const NAMES = ["name", "title", "file_name", "filename", "url"];
const INNER = ["function", "tool_call", "metadata"];
const WORDS = ["text", "content", "thinking", "think", "reasoning", "code", "summary", "input", "arguments", "args", "output", "result", "url"];

const isObject = (value) => typeof value === "object" && value !== null && !Array.isArray(value);
const isNothing = (value) => value === undefined || value === null || value === "" || (typeof value === "object" && !Object.keys(value).length);

/** The parts in the metadata of a message: [{ title, text }]. */
export function listParts(metadata) {
  const found = [];
  for (const [member, kind] of MEMBERS) {
    let value = metadata?.[member];
    if (member === "extracted" && isObject(value)) value = Object.entries(value).map(([name, text]) => ({ name, text }));
    for (const one of Array.isArray(value) ? value : [value]) {
      if (!isNothing(one)) found.push(part(kind, one));
    }
  }
  return found;
}

function part(kind, one) {
  if (!isObject(one)) return { title: kind, text: words(one) };
  const spelt = [one.type, one.content_type].find((type) => typeof type === "string") ?? "";
  const own = KINDS.get(spelt) ?? (kind === "Part" && spelt ? sentence(spelt) : kind);
  const places = [one, ...INNER.map((name) => one[name]).filter(isObject)];
  const [name] = all(places, NAMES, (value) => typeof value === "string" && value !== "");
  const found = all(places, WORDS, (value) => !isNothing(value));
  const rest = Object.fromEntries(Object.entries(one).filter(([key]) => !["type", "content_type", "id", ...NAMES].includes(key)));
  if (!found.length && Object.keys(rest).length) found.push(rest);
  return { title: name ? `${own}: ${name}` : own, text: found.map(words).join("\n") };
}

function sentence(type) {
  const text = type.replaceAll("_", " ").toLowerCase();
  return text.charAt(0).toUpperCase() + text.slice(1);
}

function all(places, names, fits) {
  return places.flatMap((place) => names.map((name) => place[name]).filter(fits));
}

function words(value) {
  if (typeof value === "string") return value;
  const texts = Array.isArray(value) ? value.map((one) => [one?.text, one?.content].find((text) => typeof text === "string")) : [];
  return texts.length && texts.every(Boolean) ? texts.join("\n") : JSON.stringify(value, null, 2);
}
