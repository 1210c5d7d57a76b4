"use strict";

// ---- The story ------------------------------------------------------------------------------------

const story = JSON.parse(document.getElementById("story").textContent);
const $ = id => document.getElementById(id);

/// Events as objects: place, at, lane (-1: outside), kind, text, from (the send of an arrival),
/// arrivals (of a send).
const events = story.events.map(([at, lane, kind, said], place) => (
  { place, at, lane: lane ?? -1, kind, text: said, from: null, arrivals: [], op: null }));
for (const event of events) {
  if (typeof event.text !== "number") continue;
  event.from = events[event.text];
  event.from.arrivals.push(event);
  event.text = event.from.text.replace(/^send/, "receive");
}

const kinds = story.kinds.map(([name, message], at) => (
  { at, name, message, count: 0, shown: !/^heartbeat/.test(name) }));
events.forEach(event => kinds[event.kind].count++);

const laneNames = new Set(events.map(event => event.lane).filter(lane => lane >= 0));
for (let member = 0; member < story.members; member++) laneNames.add(member);
const lanes = [...laneNames].sort((a, b) => a - b).map(id => ({
  id, member: id < story.members, shown: true, y: 0, h: 0,
  name: id < story.members ? `n${id + 1}` : `c${id - story.members}`,
}));
const laneOf = new Map(lanes.map(lane => [lane.id, lane]));

/// The record of an operation knows its number; the line in which it was asked knows the lane.
const ops = story.ops.map(record => (
  { number: record.op, record, lane: null, member: -1, begin: record.invoked, end: record.returned ?? null,
    result: Object.keys(record.outcome)[0], asked: "", accused: false, next: null }));
const opOf = new Map(ops.map(op => [op.number, op]));
for (const event of events) {
  const asks = /^asks n(\d+) #(\d+) (.*)/.exec(event.text);
  const ends = /^#(\d+) /.exec(event.text);
  if (event.lane < story.members || !(asks || ends)) continue;
  const op = opOf.get(Number(asks ? asks[2] : ends[1]));
  if (!op) continue;
  event.op = op;
  op.lane = event.lane;
  if (asks) { op.member = asks[1] - 1; op.asked = asks[3]; } else { op.end = event.at; }
}
const accused = story.verdict ? story.verdict.ops.map(number => opOf.get(number)).filter(Boolean) : [];
accused.forEach(op => op.accused = true);
for (const lane of lanes) {
  const own = ops.filter(op => op.lane === lane.id).sort((one, other) => one.begin - other.begin);
  own.forEach((op, at) => op.next = own[at + 1] ?? null);
}

/// Where the verdict points: the operations that contradict each other, or the last moment.
const judged = !story.verdict ? null : accused.length
  ? { from: Math.min(...accused.map(op => op.begin)), to: Math.max(...accused.map(op => op.end ?? op.begin)) }
  : { from: story.end, to: story.end };

/// A pair as key=value, values without their padding.
const pair = kv => `${kv.key}=${(kv.value ?? "").replace(/[:.…]+$/, "") || '""'}`;

/// What came of an operation, in a few words.
function resultOf(op) {
  const outcome = op.record.outcome[op.result];
  if (op.result === "unknown") return `? ${outcome}`;
  if (op.result !== "ok") return `refused: ${outcome.message ?? JSON.stringify(outcome)}`;
  const body = Object.values(outcome)[0];
  const shown = body.kvs ? body.kvs.map(pair).join(" ") || "nothing" : "";
  const count = body.deleted !== undefined ? `${body.deleted} deleted` : "";
  const empty = body.count === 0 && !body.kvs ? "nothing" : "";
  return [shown || count || empty || "ok", `r${body.revision}`].join(" ");
}

const seconds = micros => (micros / 1e6).toFixed(6);
const nameOf = event => event.lane < 0 ? "" : laneOf.get(event.lane).name;
const lineOf = event => `${seconds(event.at).padStart(11)} ${nameOf(event).padEnd(4)}${event.text}`;
const isBad = event => event.text.startsWith("violation of") || (event.op?.accused ?? false);

// ---- What is shown --------------------------------------------------------------------------------

let shown = [];          // events that pass the filters, by time
let selected = null;     // an event
let hovered = null;      // an event or an operation

function filter() {
  const words = $("search").value.toLowerCase().split(" ").filter(Boolean);
  const passes = event => kinds[event.kind].shown
    && (event.lane < 0 || laneOf.get(event.lane).shown)
    && words.every(word => `${nameOf(event)} ${event.text}`.toLowerCase().includes(word));
  shown = events.filter(passes);
  shown.forEach((event, row) => event.row = row);
  $("count").textContent = `${shown.length} of ${events.length} events`;
  if (selected && shown[selected.row] === selected) reveal(selected.row);
  else reveal(firstAfter(Math.max(view.from, 0)));
  layout();
  redraw();
}

/// The first shown event at or after a time.
function firstAfter(at) {
  let low = 0, high = shown.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (shown[middle].at < at) low = middle + 1; else high = middle;
  }
  return low;
}

