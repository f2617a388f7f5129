// Moments as people read them, in the zone of NOLA_TIME_ZONE and not of the browser, with the exact time on hover.
// access/moments.py says the same, and tests/data/moments.json holds both to it.

import { h } from "./dom.js";

const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
const AHEAD = -60; // seconds: clocks differ, and what is to come is not long ago
const ZONE = known(document.querySelector('meta[name="time-zone"]')?.content);
const PARTS = {
  calendar: "iso8601",
  numberingSystem: "latn",
  hourCycle: "h23",
  year: "numeric",
  month: "numeric",
  day: "numeric",
  hour: "2-digit",
  minute: "2-digit",
  second: "2-digit",
  timeZoneName: "longOffset",
};
const readers = new Map();

/** A zone as the browser knows it; else its own. */
function known(timeZone) {
  try {
    return new Intl.DateTimeFormat("en", { timeZone }).resolvedOptions().timeZone;
  } catch {
    return known();
  }
}

/** The parts of a moment in the zone: {year, month, day, hour, minute, second, offset}, as text. */
function read(at, zone) {
  if (!readers.has(zone)) readers.set(zone, new Intl.DateTimeFormat("en", { ...PARTS, timeZone: zone }));
  const found = Object.fromEntries(readers.get(zone).formatToParts(new Date(at)).map(({ type, value }) => [type, value]));
  const two = (name) => found[name].padStart(2, "0");
  return {
    ...found,
    date: `${found.year.padStart(4, "0")}-${two("month")}-${two("day")}`,
    time: `${two("hour")}:${two("minute")}`,
    day: Number(found.day),
    second: two("second"),
    offset: found.timeZoneName.replace("GMT", "") || "+00:00",
  };
}

/** The time of today, "14:03"; in this year "3 Nov, 14:03"; else "3 Nov 2025". */
export function shortTime(at, { now = Date.now(), zone = ZONE } = {}) {
  const [one, today] = [read(at, zone), read(now, zone)];
  if (one.date === today.date) return one.time;
  const date = `${one.day} ${MONTHS[one.month - 1]}`;
  return one.year === today.year ? `${date}, ${one.time}` : `${date} ${one.year}`;
}

/** How long ago it was, up to a month; else the short time. */
export function ago(at, { now = Date.now(), zone = ZONE } = {}) {
  const seconds = (now - new Date(at)) / 1000;
  const minutes = Math.floor(seconds / 60);
  const days = Math.floor(minutes / (24 * 60));
  if (seconds < AHEAD || days > 30) return shortTime(at, { now, zone });
  if (minutes < 1) return "just now";
  if (minutes < 60) return `${minutes} min ago`;
  if (!days) return `${Math.floor(minutes / 60)} h ago`;
  return days === 1 ? "1 day ago" : `${days} days ago`;
}

/** To the second, with the offset of the zone: "2025-11-03T14:03:22+01:00". */
export function exactTime(at, { zone = ZONE } = {}) {
  const { date, time, second, offset } = read(at, zone);
  return `${date}T${time}:${second}${offset}`;
}

/** To the second, for people: "3 Nov 2025, 14:03:22". */
export function fullTime(at) {
  const { day, month, year, time, second } = read(at, ZONE);
  return `${day} ${MONTHS[month - 1]} ${year}, ${time}:${second}`;
}

/** The time of its day: "14:03". */
export function clock(at) {
  return read(at, ZONE).time;
}

/** The day of a moment, as a heading: "Today", "Yesterday", "Monday, 3 November", with the year if it is another. */
export function day(at, { now = Date.now(), zone = ZONE } = {}) {
  const [one, today] = [read(at, zone), read(now, zone)];
  const days = (Date.parse(today.date) - Date.parse(one.date)) / 86_400_000;
  if (days === 0) return "Today";
  if (days === 1) return "Yesterday";
  const year = one.year === today.year ? undefined : "numeric";
  return new Intl.DateTimeFormat("en-GB", { timeZone: zone, weekday: "long", day: "numeric", month: "long", year }).format(new Date(at));
}

/** An element that says when; `about` is said on hover too. */
export function when(at, { isAgo = false, about = "" } = {}) {
  const exact = exactTime(at);
  const title = about ? `${exact} · ${about}` : exact;
  return h("time.ui-when", { dateTime: new Date(at).toISOString(), title }, isAgo ? ago(at) : shortTime(at));
}

// What people type into a field for a time is a time of the zone, too

/** A moment as a field for a time has it: "2025-11-03T14:03:22". */
export function toField(at, { zone = ZONE } = {}) {
  return exactTime(at, { zone }).slice(0, 19);
}

/** The moment that a field for a time means; undefined for none. */
export function fromField(text, { zone = ZONE } = {}) {
  const meant = Date.parse(`${text}Z`);
  if (Number.isNaN(meant)) return undefined;
  let found = meant;
  for (let turn = 0; turn < 2; turn++) found += meant - Date.parse(`${toField(found, { zone })}Z`);
  return new Date(found);
}

/** When the day of a moment began. */
export function midnight(at = Date.now(), { zone = ZONE } = {}) {
  return fromField(`${toField(at, { zone }).slice(0, 10)}T00:00`, { zone });
}
