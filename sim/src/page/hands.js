// ---- The overview ---------------------------------------------------------------------------------

const WHOLE = () => story.end * 1.03 + 500;
function drawOverview() {
  const width = overview.clientWidth, height = 34;
  prepare(overview, thumb, width, height);
  const x = at => GUTTER + Math.max(at, 0) / WHOLE() * (width - GUTTER);
  for (const [, from, to, term, role] of story.spans.filter(span => span[4] === "leader")) {
    thumb.fillStyle = termColour(term, true);
    thumb.fillRect(x(from), 8, Math.max(x(to) - x(from), 1), 18);
  }
  thumb.fillStyle = ink.open;
  for (const [, from, to] of story.faults) thumb.fillRect(x(from), 3, Math.max(x(to) - x(from), 2), 3);
  for (const op of ops) {
    thumb.fillStyle = op.accused ? ink.bad : resultColour(op.result);
    thumb.fillRect(x(op.begin), op.accused ? 8 : 28, op.accused ? 2 : 1.5, op.accused ? 23 : 4);
  }
  if (judged) { thumb.fillStyle = ink.bad; thumb.fillRect(x(judged.to), 0, 2, height); }
  thumb.fillStyle = ink.faint;
  thumb.fillText("all", 5, height / 2);
  thumb.strokeStyle = ink.accent; thumb.lineWidth = 2;
  const [left, right] = [x(view.from), Math.min(x(view.to), width - 1)];
  thumb.strokeRect(left + 1, 1, Math.max(right - left - 2, 2), height - 2);
}

// ---- The list -------------------------------------------------------------------------------------

const ROW = 20;
const list = $("list");
const spacer = list.appendChild(document.createElement("div"));
let rows = [];
function drawList() {
  spacer.style.height = `${shown.length * ROW}px`;
  const first = Math.max(Math.floor(list.scrollTop / ROW) - 5, 0);
  const last = Math.min(first + Math.ceil(list.clientHeight / ROW) + 10, shown.length);
  rows.forEach(row => row.remove());
  rows = shown.slice(first, last).map((event, offset) => {
    const row = document.createElement("div");
    row.className = "row";
    row.classList.toggle("selected", event === selected);
    row.classList.toggle("bad", isBad(event));
    row.classList.toggle("away", event.at < view.from || event.at > view.to);
    row.style.top = `${(first + offset) * ROW}px`;
    const time = row.appendChild(document.createElement("span"));
    time.textContent = `${seconds(event.at).padStart(10)} ${nameOf(event).padEnd(4)}`;
    row.append(event.text);
    row.title = event.text;
    row.onclick = () => select(event);
    list.append(row);
    return row;
  });
}

/// Brings a row into sight; leaves the list alone if it is there already.
function reveal(row) {
  const top = row * ROW;
  if (top < list.scrollTop || top > list.scrollTop + list.clientHeight - 2 * ROW) {
    list.scrollTop = top - list.clientHeight / 3;
  }
}

// ---- Selecting and stepping -----------------------------------------------------------------------

function select(event, centre = true) {
  selected = event;
  if (!event) { describe(null); return redraw(); }
  if (centre && (event.at < view.from || event.at > view.to)) {
    const half = (view.to - view.from) / 2;
    show(event.at - half, event.at + half);
  }
  if (shown[event.row] === event) reveal(event.row);
  describe(event);
  redraw();
}

function step(by) {
  const here = selected && shown[selected.row] === selected ? selected.row + by
    : by > 0 ? firstAfter(selected?.at ?? view.from) : firstAfter(selected?.at ?? view.to) - 1;
  const event = shown[Math.min(Math.max(here, 0), shown.length - 1)];
  if (event) select(event);
}

function describe(event) {
  const detail = $("detail");
  detail.textContent = "";
  detail.classList.toggle("tall", !event && Boolean(story.explanation));
  const add = (tag, text) => detail.appendChild(Object.assign(document.createElement(tag), { textContent: text }));
  if (!event) {
    if (story.explanation) add("pre", story.explanation).className = "columns";
    add("div", "Drag to move, turn the wheel to zoom, click something to see what it says. "
      + "Heartbeats are hidden until you ask for them. Keys: ← → step, shift: in the same lane, + − 0 zoom, v verdict, / search, Esc.");
    const plan = detail.appendChild(document.createElement("details"));
    plan.append(Object.assign(document.createElement("summary"), { textContent: "the plan of this run" }),
      Object.assign(document.createElement("pre"), { textContent: story.plan }));
    return;
  }
  add("pre", lineOf(event));
  if (event.from) add("pre", `${lineOf(event.from)}   (${event.at - event.from.at} us before)`);
  for (const arrival of event.arrivals) add("pre", `${lineOf(arrival)}   (${arrival.at - event.at} us later)`);
  if (event.text.startsWith("send") && !event.arrivals.length) add("pre", "            it never arrived");
  if (event.op) add("pre", describeOp(event.op));
}

const describeOp = op => `#${op.number} ${op.asked} → ${resultOf(op)}\n`
  + `${seconds(op.begin)} to ${op.end === null ? "the end" : seconds(op.end)} `
  + JSON.stringify({ request: op.record.request, outcome: op.record.outcome });

/// The event or operation under the pointer.
function at(x, y) {
  const near = shown.slice(firstAfter(Math.min(timeOf(x - 8), timeOf(x) - slowest)), firstAfter(timeOf(x + 8)) + 1);
  let best = null, bestDistance = 7;
  for (const event of near) {
    const lane = laneOf.get(event.lane);
    if (lane?.shown && lane.member) {
      const distance = Math.hypot(xOf(event.at) - x, middle(lane) - y) - 2;
      if (distance < bestDistance) [best, bestDistance] = [event, distance];
    }
    const line = arrow(event);
    const off = line ? distanceTo(line, x, y) + 1 : Infinity;
    if (off < bestDistance) [best, bestDistance] = [event, off];
  }
  const within = box => box && x >= box.x - 2 && x <= box.x + box.width + 2 && y >= box.y && y <= box.y + box.h;
  return best ?? ops.find(op => within(opBox(op))) ?? null;
}

function distanceTo({ x: ax, y: ay, toX, toY }, x, y) {
  const [dx, dy] = [toX - ax, toY - ay];
  const part = Math.min(Math.max(((x - ax) * dx + (y - ay) * dy) / (dx * dx + dy * dy || 1), 0), 1);
  return Math.hypot(ax + part * dx - x, ay + part * dy - y);
}

const asEvent = thing => thing?.number ? events.find(event => event.op === thing) : thing;

// ---- Hands ----------------------------------------------------------------------------------------

let drag = null;
picture.onpointerdown = down => {
  picture.setPointerCapture(down.pointerId);
  drag = { x: down.clientX, y: down.clientY, view: { ...view }, top: $("scroll").scrollTop, moved: false };
};
picture.onpointermove = move => {
  if (drag) {
    const [dx, dy] = [move.clientX - drag.x, move.clientY - drag.y];
    drag.moved ||= Math.abs(dx) + Math.abs(dy) > 4;
    if (!drag.moved) return;
    const by = dx / (size.width - GUTTER) * (drag.view.to - drag.view.from);
    show(drag.view.from - by, drag.view.to - by);
    $("scroll").scrollTop = drag.top - dy;
    return;
  }
  const found = at(move.offsetX, move.offsetY);
  if (found !== hovered) { hovered = found; redraw(); }
  const tip = $("tip");
  tip.style.display = found ? "block" : "none";
  if (!found) return;
  tip.textContent = found.number ? describeOp(found).split("\n")[0] : lineOf(found).trim();
  tip.style.left = `${Math.min(move.clientX + 12, innerWidth - tip.offsetWidth - 8)}px`;
  tip.style.top = `${move.clientY + 16}px`;
};
picture.onpointerup = up => {
  if (drag && !drag.moved) select(asEvent(at(up.offsetX, up.offsetY)), false);
  if (drag?.moved) reveal(firstAfter(view.from));
  drag = null;
};
picture.onpointerleave = () => { hovered = null; $("tip").style.display = "none"; redraw(); };
picture.addEventListener("wheel", turn => {
  turn.preventDefault();
  if (turn.shiftKey || Math.abs(turn.deltaX) > Math.abs(turn.deltaY)) {
    const by = (turn.deltaX || turn.deltaY) / size.width * (view.to - view.from);
    return show(view.from + by, view.to + by);
  }
  zoom(Math.exp(turn.deltaY / 500), timeOf(turn.offsetX));
  reveal(firstAfter(view.from));
}, { passive: false });

function moveView(move) {
  if (!move.buttons) return;
  const time = (move.offsetX - GUTTER) / (overview.clientWidth - GUTTER) * WHOLE();
  const half = (view.to - view.from) / 2;
  show(time - half, time + half);
  reveal(firstAfter(view.from));
}
overview.onpointerdown = overview.onpointermove = moveView;

function stepInLane(by) {
  const lane = selected?.lane;
  if (lane === undefined) return step(by);
  let row = shown[selected.row] === selected ? selected.row + by : firstAfter(selected.at);
  while (shown[row] && shown[row].lane !== lane) row += by;
  if (shown[row]) select(shown[row]);
}

const keys = {
  ArrowRight: press => press.shiftKey ? stepInLane(1) : step(1),
  ArrowLeft: press => press.shiftKey ? stepInLane(-1) : step(-1),
  "+": () => zoom(.5), "=": () => zoom(.5), "-": () => zoom(2), 0: showAll, v: showVerdict,
  "/": () => $("search").focus(), Escape: () => select(null),
};
addEventListener("keydown", press => {
  if (press.target === $("search")) { if (press.key === "Escape") press.target.blur(); return; }
  const action = press.ctrlKey || press.metaKey || press.altKey ? null : keys[press.key];
  if (action) { press.preventDefault(); action(press); }
});
$("back").onclick = () => step(-1);
$("forward").onclick = () => step(1);
$("in").onclick = () => zoom(.5);
$("out").onclick = () => zoom(2);
$("all").onclick = showAll;
$("judge").onclick = showVerdict;
$("search").oninput = filter;
list.onscroll = drawList;
addEventListener("resize", redraw);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => { readColours(); chips(); redraw(); });

/// Buttons that let something be seen or not. A double click leaves only that one.
function chips() {
  const family = kind => stems.indexOf(stem(kind.name));
  const messages = kinds.filter(kind => kind.message).sort((one, other) => family(one) - family(other));
  const groups = [["messages", messages], ["others", kinds.filter(kind => !kind.message)], ["lanes", lanes]];
  for (const [id, things] of groups) {
    const box = $(id);
    box.querySelectorAll("button").forEach(button => button.remove());
    for (const thing of things) {
      const button = box.appendChild(document.createElement("button"));
      const press = () => { chips(); filter(); };
      button.setAttribute("aria-pressed", thing.shown);
      button.title = "Click: show or hide. Double click: only this, or all.";
      if (thing.message) button.appendChild(document.createElement("i")).style.background = kindColour(thing);
      button.append(thing.name);
      if (thing.count) button.appendChild(document.createElement("small")).textContent = thing.count;
      button.onclick = click => {
        if (click.detail === 2) {
          const alone = things.every(other => other === thing || !other.shown);
          things.forEach(other => other.shown = alone || other === thing);
        } else { thing.shown = !thing.shown; }
        press();
      };
    }
  }
}

// ---- Curtain up -----------------------------------------------------------------------------------

readColours();
$("verdict").className = story.verdict ? "" : "held";
$("verdict").append(Object.assign(document.createElement("b"),
  { textContent: story.verdict ? `Violation of ${story.verdict.invariant}` : "Everything held" }),
  story.verdict ? `: ${story.verdict.what}` : `: ${ops.length} operations, ${events.length} events`);
chips();
filter();
describe(null);
showAll();
