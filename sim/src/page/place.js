// ---- Colours --------------------------------------------------------------------------------------

let ink = {};
let dark = false;
function readColours() {
  dark = matchMedia("(prefers-color-scheme: dark)").matches;
  const style = getComputedStyle(document.documentElement);
  for (const name of ["paper", "raised", "ink", "faint", "line", "accent", "ok", "bad", "open", "select"]) {
    ink[name] = style.getPropertyValue(`--${name}`).trim();
  }
}

/// A request and its answer share a hue: append and append-accepted, request-vote and vote.
const stem = name => name.replace(/^(request|ask)-/, "").replace(/-(accepted|rejected|echo)$/, "");
const stems = [...new Set(kinds.filter(kind => kind.message).map(kind => stem(kind.name)))];
function kindColour(kind) {
  if (!kind.message || stem(kind.name) === "heartbeat") return ink.faint;
  const hue = (215 + 137.5 * stems.indexOf(stem(kind.name))) % 360;
  const answer = stem(kind.name) !== kind.name && !/^(request|ask)-/.test(kind.name);
  const light = dark ? (answer ? 74 : 64) : (answer ? 50 : 38);
  return `hsl(${hue} 65% ${light}%)`;
}

function termColour(term, leads) {
  const hue = (40 + 99 * term) % 360;
  if (dark) return leads ? `hsl(${hue} 45% 30%)` : `hsl(${hue} 22% 15%)`;
  return leads ? `hsl(${hue} 75% 80%)` : `hsl(${hue} 45% 95%)`;
}

const resultColour = result => ({ ok: ink.ok, unknown: ink.open })[result] ?? ink.faint;

// ---- Where things are -----------------------------------------------------------------------------

const PLAIN = "11px system-ui, sans-serif", BOLD = `bold ${PLAIN}`;
const GUTTER = 46, AXIS = 22, FAULT = 15, CLIENT = 25, GAP = 5;
const MEMBER = story.members > 3 ? 72 : 88;
/// Where words stand around the line of a member.
const WORDS = story.members > 3 ? [13, 25, -12] : [14, 27, -12, -25];
const picture = $("picture"), pen = picture.getContext("2d");
const overview = $("overview"), thumb = overview.getContext("2d");
let view = { from: 0, to: 1 };
let size = { width: 0, height: 0 };
let faultRows = 0;

/// Faults take the first row that is free; lanes follow from top to bottom.
function layout() {
  const ends = [];
  for (const fault of story.faults) {
    let row = ends.findIndex(end => end <= fault[1]);
    if (row < 0) row = ends.length;
    ends[row] = fault[2];
    fault.row = row;
  }
  faultRows = ends.length;
  let y = AXIS + faultRows * FAULT + GAP;
  for (const lane of lanes.filter(lane => lane.shown)) {
    lane.y = y;
    lane.h = lane.member ? MEMBER : CLIENT;
    y += lane.h + (lane.member ? GAP : 1);
  }
  size.width = $("scroll").clientWidth;
  size.height = Math.max(y + 6, $("scroll").clientHeight);
}

const xOf = at => GUTTER + (at - view.from) / (view.to - view.from) * (size.width - GUTTER);
const timeOf = x => view.from + (x - GUTTER) / (size.width - GUTTER) * (view.to - view.from);
const middle = lane => lane.y + lane.h / 2 + (lane.member ? 6 : 0);

function show(from, to) {
  const span = Math.min(Math.max(to - from, 50), story.end * 1.06 + 1000);
  const centre = (from + to) / 2;
  const start = Math.min(Math.max(centre - span / 2, -story.end * 0.02), story.end * 1.04 + 1000 - span);
  view = { from: start, to: start + span };
  redraw();
}
const showAll = () => show(-story.end * 0.01, story.end * 1.03 + 500);
function zoom(factor, at) {
  const pivot = at ?? (selected && selected.at > view.from && selected.at < view.to
    ? selected.at : (view.from + view.to) / 2);
  show(pivot - (pivot - view.from) * factor, pivot + (view.to - pivot) * factor);
}
function showVerdict() {
  if (!judged) return showAll();
  const around = Math.max((judged.to - judged.from) * 0.6, story.end / 60);
  show(judged.from - around, judged.to + around);
  select(events.find(event => event.op?.accused) ?? events[events.length - 1], false);
}

