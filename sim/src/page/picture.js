// ---- The picture ----------------------------------------------------------------------------------

let asked = false;
function redraw() {
  if (asked) return;
  asked = true;
  requestAnimationFrame(() => { asked = false; draw(); drawOverview(); drawList(); });
}

function prepare(canvas, context, width, height) {
  const ratio = devicePixelRatio || 1;
  if (canvas.width !== Math.round(width * ratio) || canvas.height !== Math.round(height * ratio)) {
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round(height * ratio);
    canvas.style.height = `${height}px`;
  }
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.clearRect(0, 0, width, height);
  context.font = PLAIN;
  context.textBaseline = "middle";
}

function draw() {
  layout();
  prepare(picture, pen, size.width, size.height);
  const inView = shown.slice(firstAfter(view.from - slowest), firstAfter(view.to));
  drawSpans();
  drawFaults();
  drawLaneLines();
  drawMessages(inView);
  drawSpanLabels();
  drawOps();
  drawDots(inView);
  drawVerdict();
  drawSelection();
  drawLabels(inView);
  drawFrame();
}

/// The longest that any message was under way: arrows may begin so long before the view.
const slowest = events.reduce((most, event) => Math.max(most, event.from ? event.at - event.from.at : 0), 0);

/// A text in its own halo, so that lines behind it do not hurt.
function write(text, x, y, colour = ink.ink, halo = ink.paper) {
  pen.lineWidth = 3; pen.strokeStyle = halo; pen.lineJoin = "round";
  pen.strokeText(text, x, y);
  pen.fillStyle = colour;
  pen.fillText(text, x, y);
}

function drawSpans() {
  for (const [id, from, to, term, role] of story.spans) {
    const lane = laneOf.get(id);
    const [left, right] = [Math.max(xOf(from), GUTTER), Math.min(xOf(to), size.width)];
    if (!lane.shown || right <= left) continue;
    const leads = role === "leader";
    pen.fillStyle = role === "down" || role === "starting" ? ink.raised : termColour(term, leads);
    pen.fillRect(left, lane.y, right - left, lane.h);
    if (role === "down") hatch(left, lane.y, right - left, lane.h, ink.line);
    if (/candidate/.test(role)) {
      pen.strokeStyle = ink.faint; pen.lineWidth = 1; pen.setLineDash([3, 3]);
      pen.strokeRect(left + .5, lane.y + .5, right - left - 1, lane.h - 1);
      pen.setLineDash([]);
    }
  }
}

/// What a member is, at the beginning of the part of its life that is in view.
function drawSpanLabels() {
  for (const [id, from, to, term, role] of story.spans) {
    const lane = laneOf.get(id);
    const [left, right] = [Math.max(xOf(from), GUTTER), Math.min(xOf(to), size.width)];
    const leads = role === "leader", idle = role === "down" || role === "starting";
    const texts = idle ? [role] : leads ? [`leads term ${term}`, `term ${term}`] : [`${role}, term ${term}`, `${term}`];
    pen.font = leads ? BOLD : PLAIN;
    const text = lane.shown && texts.find(text => pen.measureText(text).width + 10 < right - left);
    if (text) write(text, left + 5, lane.y + 9, leads ? ink.ink : ink.faint, idle ? ink.raised : termColour(term, leads));
  }
  pen.font = PLAIN;
}

function hatch(x, y, width, height, colour) {
  pen.save();
  pen.beginPath(); pen.rect(x, y, width, height); pen.clip();
  pen.strokeStyle = colour; pen.lineWidth = 1;
  pen.beginPath();
  for (let at = x - height - (x % 7); at < x + width; at += 7) { pen.moveTo(at, y + height); pen.lineTo(at + height, y); }
  pen.stroke();
  pen.restore();
}

/// A bar at the top for each fault, and a stripe along the lanes that it hits.
function drawFaults() {
  for (const fault of story.faults) {
    const [id, from, to, what, hits] = fault;
    const [left, right] = [Math.max(xOf(from), GUTTER), Math.min(Math.max(xOf(to), xOf(from) + 3), size.width)];
    if (right <= GUTTER || left >= size.width) continue;
    const y = AXIS + fault.row * FAULT;
    pen.fillStyle = ink.open; pen.globalAlpha = .28;
    pen.fillRect(left, y + 1, right - left, FAULT - 2);
    pen.globalAlpha = 1;
    pen.fillRect(left, y + 1, 2, FAULT - 2);
    const text = hits.length ? `${what}: n${hits.join(" n")}` : what;
    pen.fillStyle = ink.ink;
    pen.fillText(shortened(text, roomAfter(fault, left) - 10), left + 5, y + FAULT / 2 + .5);
    for (const lane of hits.map(hit => laneOf.get(hit - 1)).filter(lane => lane?.shown)) {
      pen.fillStyle = ink.open; pen.globalAlpha = .8;
      pen.fillRect(left, lane.y + lane.h - 3, right - left, 3);
      pen.globalAlpha = 1;
    }
  }
}

/// How far a fault's words may go beyond its bar: to the next one in its row.
function roomAfter(fault, left) {
  const next = story.faults.filter(other => other.row === fault.row && other[1] > fault[1]);
  return (next.length ? xOf(Math.min(...next.map(other => other[1]))) : size.width) - left;
}

/// As much of a text as there is room for.
function shortened(text, room) {
  if (pen.measureText(text).width <= room) return text;
  let length = text.length;
  while (length > 0 && pen.measureText(`${text.slice(0, length)}…`).width > room) length--;
  return length > 2 ? `${text.slice(0, length)}…` : "";
}

function drawLaneLines() {
  pen.strokeStyle = ink.line; pen.lineWidth = 1;
  pen.beginPath();
  for (const lane of lanes.filter(lane => lane.shown)) {
    const y = lane.member ? middle(lane) : lane.y + lane.h;
    pen.moveTo(GUTTER, Math.round(y) + .5); pen.lineTo(size.width, Math.round(y) + .5);
  }
  pen.stroke();
}

/// The lane that a send goes to.
const towards = event => laneOf.get(Number(/^send \S+ -> n?(\d+)/.exec(event.text)?.[1]) - 1);

/// The two ends of a message: of an arrival its way, of a send that never arrived a stub.
function arrow(event) {
  const from = laneOf.get((event.from ?? event).lane);
  if (!from?.shown || !kinds[event.kind].message) return null;
  const x = xOf((event.from ?? event).at), y = middle(from);
  if (event.from) {
    const to = laneOf.get(event.lane);
    return to.shown ? { x, y, toX: xOf(event.at), toY: middle(to), lost: false } : null;
  }
  const to = event.arrivals.length ? null : towards(event);
  return to ? { x, y, toX: x + 5, toY: y + Math.sign(to.id - from.id) * 20, lost: true } : null;
}

function drawMessages(inView) {
  const heads = inView.length < 700, many = inView.length > 3000;
  pen.lineWidth = many ? .6 : 1.2;
  pen.globalAlpha = many ? .5 : 1;
  const last = new Map();
  for (const [kind, own] of Map.groupBy(inView, event => kinds[event.kind])) {
    if (!kind.message) continue;
    pen.strokeStyle = kindColour(kind);
    pen.beginPath();
    for (const event of own) {
      const line = arrow(event);
      // What would fall on the arrow before it is left out.
      const way = line && `${kind.at} ${line.y} ${line.toY}`;
      if (!line || line.toX - last.get(way) < .5) continue;
      last.set(way, line.toX);
      strokeArrow(line, heads);
    }
    pen.stroke();
  }
  pen.globalAlpha = 1;
}

function strokeArrow(line, head) {
  if (!line) return;
  pen.moveTo(line.x, line.y);
  pen.lineTo(line.toX, line.toY);
  if (line.lost) {
    for (const side of [-3, 3]) { pen.moveTo(line.toX - side, line.toY - 3); pen.lineTo(line.toX + side, line.toY + 3); }
  } else if (head) {
    const angle = Math.atan2(line.toY - line.y, line.toX - line.x);
    for (const side of [-.4, .4]) {
      pen.moveTo(line.toX, line.toY);
      pen.lineTo(line.toX - 7 * Math.cos(angle + side), line.toY - 7 * Math.sin(angle + side));
    }
  }
}

/// A bar from question to answer; one without an answer fades out: it may yet take effect.
function drawOps() {
  for (const op of ops) {
    const box = opBox(op);
    if (!box) continue;
    const colour = resultColour(op.result);
    const fill = pen.createLinearGradient(box.x, 0, box.x + box.width, 0);
    fill.addColorStop(0, colour);
    fill.addColorStop(1, op.result === "unknown" ? "transparent" : colour);
    pen.globalAlpha = .3; pen.fillStyle = fill;
    pen.fillRect(box.x, box.y, box.width, box.h);
    pen.globalAlpha = 1; pen.fillStyle = colour;
    pen.fillRect(box.x, box.y, 2, box.h);
    if (op.accused) {
      pen.strokeStyle = ink.bad; pen.lineWidth = 2.5;
      pen.strokeRect(box.x - 1, box.y - 1, box.width + 2, box.h + 2);
    }
  }
  drawOpLabels();
}

function opBox(op) {
  const lane = laneOf.get(op.lane);
  if (!lane?.shown) return null;
  const [x, end] = [xOf(op.begin), xOf(op.end ?? story.end)];
  if (end < GUTTER || x > size.width) return null;
  return { x, y: lane.y + 4, width: Math.max(end - x, 3), h: lane.h - 7 };
}

/// An operation is named where there is room before the next one of its lane; the accused come first.
function drawOpLabels() {
  const taken = new Map();
  for (const op of [...accused, ...ops.filter(op => !op.accused)]) {
    const box = opBox(op);
    if (!box) continue;
    const next = op.next ? Math.min(xOf(op.next.begin), size.width) : size.width;
    const texts = [`#${op.number} ${op.asked} → ${resultOf(op)}`, `#${op.number} ${op.asked}`, `#${op.number}`];
    const inside = Math.max(box.x, GUTTER) + 6;
    const before = text => box.x - pen.measureText(text).width - 8;
    const aside = op.accused && inside + pen.measureText(texts[0]).width > size.width && before(texts[0]) > GUTTER;
    const room = op.accused ? size.width - inside : next - inside - 2;
    const text = aside ? texts[0] : texts.find(text => pen.measureText(text).width < room);
    const left = aside ? before(text) : inside;
    const row = taken.get(op.lane) ?? [];
    const right = text ? left + pen.measureText(text).width : left;
    if (!text || row.some(([from, to]) => left < to && right > from)) continue;
    taken.set(op.lane, [...row, [left - 6, right + 4]]);
    write(text, left, box.y + box.h / 2 + .5, op.accused ? ink.bad : ink.ink);
  }
}

function drawDots(inView) {
  const radius = inView.length < 300 ? 2.6 : inView.length < 2500 ? 1.6 : 1;
  let lastX = -1, lastLane = -1;
  for (const event of inView) {
    const lane = laneOf.get(event.lane);
    if (!lane?.shown || !lane.member) continue;
    const x = xOf(event.at);
    if (x < GUTTER || (lastLane === event.lane && x - lastX < .5)) continue;
    [lastX, lastLane] = [x, event.lane];
    pen.fillStyle = kindColour(kinds[event.kind]);
    pen.beginPath(); pen.arc(x, middle(lane), radius, 0, 7); pen.fill();
  }
}

/// What happens in a member, in words, where there is room around its line. Files come last.
const FILES = /^(create|write|sync|sync-dir|rename|remove)\b/;
function drawLabels(inView) {
  if (inView.length > 160) return;
  const ends = new Map();
  const rank = event => event === selected ? 0 : FILES.test(event.text) ? 2 : 1;
  for (const event of [...inView].sort((one, other) => rank(one) - rank(other))) {
    const lane = laneOf.get(event.lane);
    const x = xOf(event.at);
    if (!lane?.shown || !lane.member || x < GUTTER || x > size.width) continue;
    const text = event.text.replace(/^(send|receive) \S+ -> (\S+) @(\d+) /, (_, verb, to) => verb === "send" ? `to n${to}: ` : "got ");
    const short = text.length > 46 ? `${text.slice(0, 45)}…` : text;
    const [left, right] = [x + 5, x + 11 + pen.measureText(short).width];
    for (const row of WORDS) {
      const key = `${event.lane} ${row}`, taken = ends.get(key) ?? [];
      if (taken.some(([from, to]) => left < to && right > from)) continue;
      ends.set(key, [...taken, [left, right]]);
      write(short, left, middle(lane) + row, event === selected ? ink.accent : ink.ink);
      break;
    }
  }
}

function drawVerdict() {
  if (!judged) return;
  const x = xOf(judged.to);
  pen.strokeStyle = ink.bad; pen.lineWidth = 1.5; pen.setLineDash([6, 4]);
  pen.beginPath(); pen.moveTo(x, AXIS); pen.lineTo(x, size.height); pen.stroke();
  pen.setLineDash([]);
  const members = accused.length ? [] : story.verdict.members;
  for (const lane of members.map(member => laneOf.get(member - 1)).filter(lane => lane?.shown)) {
    pen.lineWidth = 2.5;
    pen.beginPath(); pen.arc(x, middle(lane), 7, 0, 7); pen.stroke();
  }
}

function drawSelection() {
  for (const [event, width] of [[hovered, 2], [selected, 3]]) {
    if (!event || event.number) continue;
    pen.strokeStyle = ink.accent; pen.lineWidth = width;
    const ways = event.from ? [event] : event.arrivals.length ? event.arrivals : [event];
    pen.beginPath();
    ways.forEach(way => strokeArrow(arrow(way), true));
    pen.stroke();
    const lane = laneOf.get(event.lane);
    const y = lane?.shown ? middle(lane) : AXIS + 4;
    pen.beginPath(); pen.arc(xOf(event.at), y, 5, 0, 7); pen.stroke();
    if (event !== selected) continue;
    pen.globalAlpha = .35; pen.lineWidth = 1;
    pen.beginPath(); pen.moveTo(xOf(event.at), AXIS); pen.lineTo(xOf(event.at), size.height); pen.stroke();
    pen.globalAlpha = 1;
  }
}

/// The axis above and the names at the left, over everything else.
function drawFrame() {
  pen.fillStyle = ink.paper;
  pen.fillRect(0, 0, size.width, AXIS);
  pen.fillRect(0, 0, GUTTER, size.height);
  const steps = [1, 2, 5].flatMap(digit => [...Array(8).keys()].map(power => digit * 10 ** power)).sort((a, b) => a - b);
  const step = steps.find(step => (size.width - GUTTER) * step / (view.to - view.from) > 95) ?? 1e8;
  pen.strokeStyle = ink.line; pen.lineWidth = 1;
  for (let at = Math.ceil(Math.max(view.from, 0) / step) * step; at < view.to; at += step) {
    const x = Math.round(xOf(at)) + .5;
    pen.beginPath(); pen.moveTo(x, AXIS - 5); pen.lineTo(x, AXIS); pen.stroke();
    const text = step >= 1e6 ? `${at / 1e6} s` : step >= 1000 ? `${at / 1000} ms` : `${(at / 1000).toFixed(3)} ms`;
    pen.fillStyle = ink.faint;
    if (x + pen.measureText(text).width + 5 < size.width) pen.fillText(text, x + 3, AXIS - 12);
  }
  if (judged) drawFlag();
  pen.fillStyle = ink.faint;
  if (faultRows) pen.fillText("faults", 5, AXIS + FAULT / 2);
  for (const lane of lanes.filter(lane => lane.shown)) {
    pen.font = lane.member ? "bold 13px system-ui, sans-serif" : PLAIN;
    // Clients behind those of the plan ask only when all is over.
    pen.fillStyle = lane.id < story.members + story.clients ? ink.ink : ink.faint;
    pen.fillText(lane.name, 5, lane.y + lane.h / 2);
  }
}

function drawFlag() {
  const x = xOf(judged.to);
  if (x < GUTTER || x > size.width + 2) return;
  const text = `✗ ${story.verdict.invariant}`;
  pen.font = BOLD;
  const width = pen.measureText(text).width + 12;
  const left = Math.min(x, size.width - width - 2);
  pen.fillStyle = ink.bad;
  pen.fillRect(left, 2, width, AXIS - 5);
  pen.fillStyle = ink.paper;
  pen.fillText(text, left + 6, AXIS / 2);
  pen.font = PLAIN;
}

