"use strict";
// The schedules of an instance as SVG: memory over time, and the attempts as bars.  All share
// one stretch of time.  Round r lies between the times r - 1 and r.
const LEFT = 76, RIGHT = 10, TOP = 8, BOTTOM = 38;
const number = x => x.toLocaleString("en", { maximumFractionDigits: 2 });

function make(tag, parent, text = "", attributes = {}) {
  const element = document.createElement(tag);
  element.textContent = text;
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  return parent.appendChild(element);
}
function shape(tag, parent, attributes, text = "") {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.textContent = text;
  return parent.appendChild(element);
}
// The position of the last value at most x in an increasing list; -1 if there is none.
function last(list, x) {
  let low = 0, high = list.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (list[middle] <= x) low = middle + 1; else high = middle;
  }
  return low - 1;
}
// Whole numbers between two others, about `count` of them, at round distances.
function ticks(from, to, count) {
  const rough = (to - from) / count, power = 10 ** Math.floor(Math.log10(rough));
  const step = Math.max(1, power * [1, 2, 5, 10].find(s => s * power >= rough));
  const found = [];
  for (let t = Math.ceil(from / step) * step; t <= to; t += step) found.push(t);
  return found;
}
function sums(steps) { let sum = 0; return steps.map(step => sum += step); }

// The killed attempts' hatching, once in the page.
function hatching() {
  if (document.getElementById("hatch")) return;
  const svg = shape("svg", document.body, { class: "hidden-svg", "aria-hidden": "true" });
  const tile = shape("pattern", shape("defs", svg, {}),
    { id: "hatch", width: 6, height: 6, patternUnits: "userSpaceOnUse" });
  shape("rect", tile, { width: 6, height: 6, class: "hatch" });
  shape("path", tile, { d: "M-1 7L7 -1M-1 1L1 -1M5 7L7 5", class: "stripe" });
}

// Show schedules in a place; returns an object whose show(label) shows one more of them.
function showSchedules(place, { memory, groups, released, runs, shown }) {
  hatching();
  const prompt = [], output = [];
  for (const [s, o, count] of groups)
    for (let i = 0; i < count; i++) { prompt.push(s); output.push(o); }
  if (released) released.time = sums(released.time);
  runs.forEach(unpack);
  const whole = 1.01 * Math.max(1, ...runs.map(run => run.makespan));
  let from = 0, to = whole, held = null, marked = null, waiting = false;
  const charts = [];

  const choice = make("div", place, "", { class: "controls", role: "group",
    "aria-label": "schedules to show" });
  const tools = make("div", place, "", { class: "controls", role: "toolbar",
    "aria-label": "stretch of time" });
  const step = () => (to - from) / 5, middle = () => (from + to) / 2;
  const acts = {
    "+": ["zoom in", () => zoom(0.5, middle())],
    "−": ["zoom out", () => zoom(2, middle())],
    "◀": ["earlier", () => look(from - step(), to - step())],
    "▶": ["later", () => look(from + step(), to + step())],
    "all": ["show everything", () => look(0, whole)],
  };
  for (const [text, [name, act]] of Object.entries(acts))
    make("button", tools, text, { type: "button", "aria-label": name, title: name })
      .addEventListener("click", act);
  const stretch = make("span", tools, "", { class: "note", role: "status" });
  make("p", place, "Plain bars completed, hatched ones were killed; the dashed line is the memory " +
    "budget; in a strong colour: from the least to the most memory where that changes within a " +
    "pixel. Drag over a chart to zoom, double-click for everything, point to read. By keyboard: " +
    "arrows to move, + and - to zoom, 0 for everything." +
    (released ? " Ticks at the top edge: releases." : ""), { class: "note" });
  for (const run of runs) addPanel(run);

  function unpack(run) {
    if (!run.bars) return;
    run.bars.start = sums(run.bars.start);
    run.profile.time = sums(run.profile.time);
    run.lanes = [];
    run.bars.lane.forEach((lane, a) => (run.lanes[lane] ??= []).push(a));
    run.laneStarts = run.lanes.map(lane => lane.map(a => run.bars.start[a]));
  }

  function addPanel(run) {
    const label = make("label", choice, "", { class: "box" });
    run.box = make("input", label, "", { type: "checkbox" });
    run.box.checked = shown.includes(run.label);
    run.box.addEventListener("change", redraw);
    label.append(run.label);
    run.figure = make("figure", place);
    const caption = make("figcaption", run.figure);
    make("strong", caption, run.label);
    caption.append(`: ${run.words}`);
    run.idle = `peak ${number(run.peak)} of ${number(memory)} tokens, ` +
      `${number(run.attempts)} attempts in ${number(run.makespan)} rounds`;
    const readout = make("p", run.figure, run.idle, { class: "readout" });
    const bars = run.bars ? [drawBars, readBars] : [drawRunning, readRunning];
    const tall = run.bars ? Math.min(360, Math.max(60, 20 * run.lanes.length)) : 150;
    addChart(run, "memory over time", 150, drawMemory, readMemory, readout);
    addChart(run, "attempts over time", tall, ...bars, readout);
    if (!run.bars) make("p", run.figure, `${number(run.attempts)} attempts are too many for bars: ` +
      `they are summed up over ${number(run.makespan / run.bins.low.length)} rounds.`,
      { class: "note" });
  }

  function addChart(run, what, tall, draw, read, readout) {
    const svg = shape("svg", run.figure, { class: "chart", height: TOP + tall + BOTTOM, tabindex: 0,
      role: "img", "aria-label": `${what}, ${run.label}: ${run.words}` });
    const it = { run, svg, tall, draw };
    charts.push(it);
    const time = event => it.time(event.clientX - svg.getBoundingClientRect().left);
    svg.addEventListener("pointerdown", event => {
      if (event.button) return;
      svg.setPointerCapture(event.pointerId);
      held = { it, from: time(event), to: time(event) };
    });
    svg.addEventListener("pointermove", event => {
      const y = event.clientY - svg.getBoundingClientRect().top, t = time(event), before = marked;
      marked = null;
      readout.textContent = t >= from && t <= to && read(it, t, it.value(y)) || run.idle;
      if (held) held.to = t;
      if (held || before !== marked) redraw();
    });
    svg.addEventListener("pointerup", () => {
      if (!held) return;
      const [a, b] = [Math.min(held.from, held.to), Math.max(held.from, held.to)];
      held = null;
      if (b - a > (to - from) / 100) look(a, b); else redraw();
    });
    svg.addEventListener("pointercancel", () => { held = null; redraw(); });
    svg.addEventListener("pointerleave", () => {
      marked = null;
      readout.textContent = run.idle;
      redraw();
    });
    svg.addEventListener("dblclick", () => look(0, whole));
    svg.addEventListener("wheel", event => {
      if (!event.ctrlKey) return; // without, the page scrolls
      event.preventDefault();
      zoom(Math.exp(event.deltaY / 300), time(event));
    }, { passive: false });
    svg.addEventListener("keydown", event => {
      const names = { "+": "+", "=": "+", "-": "−", ArrowLeft: "◀", ArrowRight: "▶", 0: "all" };
      if (event.ctrlKey || event.metaKey || event.altKey || !(event.key in names)) return;
      event.preventDefault();
      acts[names[event.key]][1]();
    });
  }

  function look(a, b) {
    const width = Math.min(whole, Math.max(b - a, Math.min(whole, 2)));
    from = Math.max(0, Math.min(a, whole - width));
    to = from + width;
    redraw();
  }
  function zoom(factor, centre) {
    look(centre - (centre - from) * factor, centre + (to - centre) * factor);
  }
  function redraw() {
    if (waiting) return;
    waiting = true;
    requestAnimationFrame(() => { waiting = false; drawAll(); });
  }
  function drawAll() {
    stretch.textContent = `time ${number(Math.floor(from))} to ${number(Math.ceil(to))} rounds`;
    for (const run of runs) run.figure.hidden = !run.box.checked;
    for (const it of charts) if (it.run.box.checked) drawChart(it);
  }

  function drawChart(it) {
    const { svg, tall } = it, width = svg.clientWidth;
    if (!width) return; // its instance is closed
    const inner = Math.max(40, width - LEFT - RIGHT);
    svg.replaceChildren();
    it.inner = inner;
    it.x = time => LEFT + (time - from) / (to - from) * inner;
    it.time = x => from + (x - LEFT) / inner * (to - from);
    const clip = `clip-${charts.indexOf(it)}-${place.dataset.number}`;
    shape("rect", shape("clipPath", svg, { id: clip }), { x: LEFT, y: 0, width: inner, height: TOP + tall });
    it.g = shape("g", svg, { "clip-path": `url(#${clip})` });
    it.draw(it);
    if (released) drawReleases(it);
    if (held && held.it === it) {
      const [a, b] = [it.x(held.from), it.x(held.to)];
      shape("rect", it.g, { class: "held", x: Math.min(a, b), y: TOP, width: Math.abs(b - a), height: tall });
    }
  }
  // The axes, of which the upright one reaches up to some value.
  function scale(it, top, name) {
    const { svg, tall, inner } = it;
    it.y = value => TOP + tall * (1 - value / top);
    it.value = y => top * (1 - (y - TOP) / tall);
    let d = `M${LEFT} ${TOP}V${TOP + tall}H${LEFT + inner}`;
    for (const value of ticks(0, top, Math.max(2, tall / 32))) {
      d += `M${LEFT - 4} ${it.y(value)}h4`;
      shape("text", svg, { x: LEFT - 7, y: it.y(value) + 4, "text-anchor": "end" }, number(value));
    }
    for (const time of ticks(from, to, inner / 90)) {
      const x = it.x(time), atEdge = x > LEFT + inner - 14;
      d += `M${x} ${TOP + tall}v4`;
      shape("text", svg, { x: atEdge ? LEFT + inner + RIGHT : x, y: TOP + tall + 17,
        "text-anchor": atEdge ? "end" : "middle" }, number(time));
    }
    shape("path", svg, { d, class: "axis" });
    shape("text", svg, { x: LEFT + inner / 2, y: TOP + tall + 33, "text-anchor": "middle" }, "time (rounds)");
    shape("text", svg, { transform: `translate(12 ${TOP + tall / 2}) rotate(-90)`,
      "text-anchor": "middle" }, name);
  }

  // Ticks at the top edge, one a pixel at most.
  function drawReleases(it) {
    let d = "", before = -1;
    for (let i = Math.max(0, last(released.time, from)); released.time[i] <= to; i++) {
      const x = Math.round(it.x(released.time[i]));
      if (x !== before && released.count[i]) d += `M${x} 0v${TOP}`;
      before = x;
    }
    shape("path", it.g, { d, class: "release" });
  }

  function drawMemory(it) {
    const { run, g } = it;
    scale(it, 1.08 * Math.max(memory, run.peak), "tokens");
    if (run.bins) drawBand(it, binLeft(it), run.bins.low, run.bins.high);
    else {
      const { time, last: end } = run.profile;
      const first = Math.max(0, last(time, from)), stop = Math.min(end.length - 1, last(time, to));
      if (stop - first > it.inner / 2) drawBand(it, i => LEFT + i, ...envelope(it, first, stop));
      else drawCurve(it, first, stop);
    }
    shape("path", g, { d: `M${LEFT} ${it.y(memory)}h${it.inner}`, class: "budget" });
  }
  function drawCurve(it, first, stop) {
    const { time, last: end, running } = it.run.profile, y0 = it.y(0);
    let d = `M${it.x(time[first]).toFixed(1)} ${y0}`;
    for (let i = first; i <= stop; i++) {
      const begin = end[i] - running[i] * (time[i + 1] - time[i]);
      d += `L${it.x(time[i]).toFixed(1)} ${it.y(begin).toFixed(1)}` +
        `L${it.x(time[i + 1]).toFixed(1)} ${it.y(end[i]).toFixed(1)}`;
    }
    shape("path", it.g, { d: `${d}V${y0}Z`, class: "memory" });
  }
  // The least and the most memory in each column of pixels, for pieces too short to be drawn.
  function envelope(it, first, stop) {
    const { time, last: end, running } = it.run.profile, count = Math.ceil(it.inner);
    const low = Array(count).fill(Infinity), high = Array(count).fill(0);
    const take = (i, t) => {
      const column = Math.min(count - 1, Math.floor(it.x(t) - LEFT));
      if (t < from || t > to) return;
      const value = end[i] - running[i] * (time[i + 1] - t);
      low[column] = Math.min(low[column], value);
      high[column] = Math.max(high[column], value);
    };
    for (let i = first; i <= stop; i++) {
      take(i, time[i]);
      for (let c = Math.max(0, Math.ceil(it.x(time[i]) - LEFT)); c < it.x(time[i + 1]) - LEFT; c++)
        take(i, it.time(LEFT + c + 1e-6));
      take(i, time[i + 1]);
    }
    return [low.map(value => value === Infinity ? 0 : value), high];
  }
  function readMemory({ run }, t) {
    const round = Math.max(1, Math.ceil(t));
    if (run.bins) {
      const i = bin(run, t);
      return i < 0 ? "" : `around round ${number(round)}: ${number(run.bins.low[i])} to ` +
        `${number(run.bins.high[i])} tokens in use`;
    }
    const { time, last: end, running } = run.profile, i = last(time, round - 1);
    const inside = i >= 0 && i < end.length;
    const used = inside ? end[i] - running[i] * (time[i + 1] - round) : 0;
    return `round ${number(round)}: ${number(used)} tokens in use, ` +
      `${number(inside ? running[i] : 0)} attempts running`;
  }

  function drawBars(it) {
    const { run, g, inner } = it, { start, rounds, killed, lane, request } = run.bars;
    const end = last(start, to);
    let top = 1; // as many lanes as are in use in this stretch of time
    for (let a = 0; a <= end; a++) if (start[a] + rounds[a] > from) top = Math.max(top, lane[a] + 1);
    scale(it, top, "at once");
    const high = it.y(0) - it.y(1), gap = high > 6 ? 1 : 0, perRound = inner / (to - from);
    const paths = { done: "", killed: "" }, reached = [], names = [];
    let outlined = "";
    for (let a = 0; a <= end; a++) {
      if (start[a] + rounds[a] <= from) continue;
      const x = it.x(start[a]), wide = rounds[a] * perRound, y = it.y(lane[a] + 1) + gap;
      const box = `M${x.toFixed(1)} ${y.toFixed(1)}h${Math.max(wide, 0.5).toFixed(1)}` +
        `v${(high - 2 * gap).toFixed(1)}h${(-Math.max(wide, 0.5)).toFixed(1)}z`;
      if (request[a] === marked) outlined += box;
      if (x + wide < reached[lane[a]] + 0.5) continue; // it is in a pixel that is full
      reached[lane[a]] = x + wide;
      paths[killed[a] === "1" ? "killed" : "done"] += box;
      const left = Math.max(x, LEFT), right = Math.min(x + wide, LEFT + inner);
      if (high > 13 && right - left > 8 * String(request[a]).length + 6)
        names.push([(left + right) / 2, y + high / 2 - gap + 4, request[a]]);
    }
    const fine = high > 4 && perRound > 0.2 ? "" : " fine"; // edges would hide what is thin
    for (const [name, d] of Object.entries(paths)) shape("path", g, { d, class: name + fine });
    for (const [x, y, text] of names) shape("text", g, { x, y, class: "name" }, String(text));
    if (outlined) shape("path", g, { d: outlined, class: "marked" });
  }
  function readBars({ run }, t, height) {
    const lane = Math.floor(height);
    if (!run.lanes[lane]) return "";
    const a = run.lanes[lane][last(run.laneStarts[lane], t)];
    const { start, rounds, killed, request } = run.bars;
    if (a === undefined || t > start[a] + rounds[a]) return "";
    marked = request[a];
    return `request ${marked} (prompt ${number(prompt[marked])}, output ${number(output[marked])}): ` +
      `time ${number(start[a])} to ${number(start[a] + rounds[a])}, ` +
      (killed[a] === "1" ? "killed" : "completed");
  }

  function drawRunning(it) {
    const { completed, killed } = it.run.bins, sum = completed.map((c, i) => c + killed[i]);
    scale(it, 1.1 * Math.max(1, ...sum), "running");
    drawBand(it, binLeft(it), completed, sum, "killed");
  }
  function readRunning({ run }, t) {
    const i = bin(run, t);
    return i < 0 ? "" : `around time ${number(Math.floor(t))}, on average: ` +
      `${number(run.bins.completed[i])} running that will complete, ` +
      `${number(run.bins.killed[i])} that will be killed`;
  }
  function bin(run, t) {
    const i = Math.floor(t / run.makespan * run.bins.low.length);
    return i < run.bins.low.length ? i : -1;
  }
  function binLeft(it) {
    const width = it.run.makespan / it.run.bins.low.length;
    return i => it.x(i * width);
  }
  // A quantity summed up in bins, whose left ends are given: filled up to the lower values, and
  // its range above.
  function drawBand(it, left, low, high, above = "range") {
    for (const [name, values] of [[above, high], ["memory", low]]) {
      let d = `M${left(0).toFixed(1)} ${it.y(0)}`;
      values.forEach((value, i) => {
        if (left(i + 1) < LEFT || left(i) > LEFT + it.inner) return;
        d += `L${left(i).toFixed(1)} ${it.y(value).toFixed(1)}H${left(i + 1).toFixed(1)}`;
      });
      shape("path", it.g, { d: `${d}V${it.y(0)}Z`, class: `${name} fine` });
    }
  }

  let drawnWidth = 0;
  new ResizeObserver(() => {
    if (place.clientWidth !== drawnWidth) redraw();
    drawnWidth = place.clientWidth;
  }).observe(place);
  drawAll();
  return {
    show(label) {
      const run = runs.find(run => run.label === label);
      if (run) { run.box.checked = true; redraw(); }
    },
  };
}
