// A Plotly figure that is redrawn in place: zoom and hidden series stay, only what changed is painted.
// data: UTF-8 JSON {figure: {data, layout, frames}, filename, alt, scale, box, legend, library, follows}.

const ICONS = {
  save: { width: 24, height: 24, path: "M12 15.6 6.9 10.5l1.5-1.5 2.5 2.5V3h2.2v8.5l2.5-2.5 1.5 1.5zM5 21q-.8 0-1.4-.6T3 19v-4h2v4h14v-4h2v4q0 .8-.6 1.4T19 21z" },
  whole: { width: 24, height: 24, path: "M3 3h7v2H5v5H3zm11 0h7v7h-2V5h-5zM3 14h2v5h5v2H3zm16 0h2v7h-7v-2h5z" },
  more: { width: 24, height: 24, path: "M3 3h18v18H3zm2 6h4V5H5zm6 0h8V5h-8zm-6 6h4v-4H5zm6 0h8v-4h-8zm-6 4h4v-2H5zm6 0h8v-2h-8z" },
};

function library(url) {
  window.gammascopePlotly ??= new Promise((resolve, reject) => {
    const script = document.createElement("script");
    script.src = url;
    script.onload = () => resolve(window.Plotly);
    script.onerror = () => {
      script.remove();
      window.gammascopePlotly = null; // the next figure tries once more
      reject(new Error(`${script.src} could not be loaded`));
    };
    document.head.append(script);
  });
  return window.gammascopePlotly;
}

// The page's own colours and letters; the figures bring none.
function template(element) {
  const style = getComputedStyle(element);
  const read = (name) => style.getPropertyValue(name).trim();
  const colour = read("--st-text-color");
  const axis = { gridcolor: read("--st-border-color"), automargin: true, zeroline: false };
  return {
    layout: {
      font: { family: read("--st-font"), color: colour },
      paper_bgcolor: "rgba(0,0,0,0)",
      plot_bgcolor: "rgba(0,0,0,0)",
      hoverlabel: { bgcolor: read("--st-secondary-background-color"), bordercolor: read("--st-border-color"), font: { color: colour } },
      xaxis: axis,
      yaxis: axis,
      modebar: { orientation: "h" },
    },
  };
}

// Large type: every font of the figure grows with the page's, but for what is named small.
function enlarge(node, scale) {
  if (Array.isArray(node)) node.forEach((item) => enlarge(item, scale));
  else if (node && typeof node === "object" && node.name !== "small")
    for (const [name, value] of Object.entries(node)) {
      if (/font$/.test(name) && value?.size) value.size *= scale;
      if (typeof value === "object") enlarge(value, scale);
    }
}

function direction(point) {
  if (point.data.type === "heatmap") return (point.data.meta?.rows ?? [])[point.pointNumber[0]] ?? point.pointNumber[0] + 1;
  // A row is an array, plain or typed, or one number.
  const told = point.customdata?.length === undefined ? point.customdata : point.customdata[0];
  return Number.isFinite(told) ? Math.round(told) : null;
}

function save(element, format) {
  const { filename } = element.gammascope;
  const { width, height } = element._fullLayout;
  // On paper of the page's own colour: a transparent picture with light letters is lost on a white slide.
  const paper = getComputedStyle(element).getPropertyValue("--st-background-color").trim();
  const figure = { data: element.data, layout: { ...element.layout, paper_bgcolor: paper, width, height } };
  window.Plotly.downloadImage(figure, { format, filename, width, height, scale: format === "png" ? 2 : 1 });
}

// Where a figure was zoomed into stays, though its data and their ranges change; until it is shown whole again.
function keep(element, event) {
  for (const name of Object.keys(event)) {
    const axis = /^([xy]axis\d*)\.range/.exec(name)?.[1];
    if (axis && !element.whole) element.zoomed[axis] = [...element.layout[axis].range];
  }
}

async function whole(element) {
  const ranges = {};
  for (const axis of Object.keys(element.zoomed)) {
    const range = element.ranges[axis];
    Object.assign(ranges, range ? { [`${axis}.range`]: [...range] } : { [`${axis}.autorange`]: true });
  }
  element.zoomed = {};
  element.whole = true;
  await window.Plotly.relayout(element, ranges);
  element.whole = false;
}

function config(element) {
  const more = { name: "more", title: "Numbers and code", icon: ICONS.more, click: () => element.tell("more", Date.now()) };
  return {
    displaylogo: false,
    responsive: false,
    doubleClick: false,
    modeBarButtonsToRemove: ["toImage", "resetScale2d", "sendChartToCloud", "lasso2d", "autoScale2d", "zoomIn2d", "zoomOut2d", ...(element.gammascope.box ? [] : ["select2d"])],
    modeBarButtonsToAdd: [
      { name: "whole", title: "Show it whole", icon: ICONS.whole, click: () => whole(element) },
      { name: "svg", title: "Save as SVG", icon: ICONS.save, click: () => save(element, "svg") },
      { name: "png", title: "Save as PNG", icon: ICONS.save, click: () => save(element, "png") },
      ...(element.gammascope.more ? [more] : []),
    ],
  };
}

// Where the slider stands now, if this figure follows one and can be shown there.
function wanted(element) {
  const follows = element.gammascope.follows;
  if (!follows) return null;
  const knobs = document.querySelectorAll(`.st-key-${follows.slider} input`);
  const value = (knob) => Number(knob.type === "checkbox" ? knob.checked : knob.value);
  return FOLLOWING[follows.by].at(Array.from(knobs, value), follows);
}

// Where it is to be moved, if it does not stand there.
function behind(element) {
  const at = wanted(element);
  return String(at) === String(element.at) ? null : at;
}

// A figure out of sight leaves the browser to those that are looked at.
function turn(element) {
  const { top, bottom } = element.getBoundingClientRect();
  if (bottom > 0 && top < innerHeight) return null;
  return new Promise((resolve) => (window.requestIdleCallback ?? setTimeout)(resolve, { timeout: 300 }));
}

async function follow(element) {
  if (!element.heard || element.busy || behind(element) === null) return;
  const { figure, follows } = element.gammascope;
  // Axes that one has zoomed into stay.
  if (follows.by === "leading" && Object.keys(element.zoomed).length) return;
  element.busy = true;
  try {
    await turn(element);
    const at = behind(element);
    if (at !== null && !element.wanted) {
      element.at = at;
      FOLLOWING[follows.by].move(element.gammascope, at, element.zoomed);
      element.whole = true;
      await FOLLOWING[follows.by].redraw(element, figure);
      painted(element);
    }
  } finally {
    element.busy = element.whole = false;
  }
  // What came in meanwhile, and how far the slider went.
  paint(element);
}

// What a line of the legend stands for, under the pointer.
function explain(element) {
  for (const [index, trace] of (element.data ?? []).entries()) {
    const said = element.gammascope.legend?.[trace.name];
    if (!said) continue;
    for (const entry of element.querySelectorAll(".legend .traces")) {
      if (entry.__data__?.[0]?.trace?.index !== index) continue;
      let title = entry.querySelector(":scope > title");
      if (!title) title = entry.appendChild(document.createElementNS("http://www.w3.org/2000/svg", "title"));
      title.textContent = said;
    }
  }
}

function painted(element) {
  explain(element);
  reach(element);
  element.dataset.painted = (Number(element.dataset.painted) || 0) + 1;
}

// Without plotly.js the figure's place says so; the numbers still come with the page's own words and downloads.
function missing(element, error) {
  element.style.height = "auto";
  element.style.contain = "none";
  element.textContent = `This figure cannot be drawn: ${error.message}. A proxy or an extension may keep it back; load the page again.`;
}

async function paint(element) {
  if (element.busy) return;
  element.busy = element.ariaBusy = true;
  try {
    // What came in while one figure was painted is skipped but for the last.
    while (element.wanted) {
      const spec = element.wanted;
      element.wanted = null;
      element.gammascope = spec;
      const Plotly = await library(spec.library).catch((error) => missing(element, error));
      if (!Plotly || !element.isConnected) {
        element.bytes = null;
        return;
      }
      if (!element.heard) element.replaceChildren();
      // The layout of the page and of a figure do not depend on each other: measuring letters in one is cheap.
      element.style.contain = "strict";
      const { data, layout, frames } = spec.figure;
      if (spec.scale !== 1) enlarge(layout, spec.scale), enlarge(data, spec.scale), (layout.height *= 1 + (spec.scale - 1) / 2);
      layout.template = template(element);
      layout.uirevision ??= "kept";
      // A slider that has moved on meanwhile is not called back.
      element.at = wanted(element) ?? spec.follows?.at;
      if (String(element.at) !== String(spec.follows?.at)) FOLLOWING[spec.follows.by].move(spec, element.at, element.zoomed);
      element.ranges = {};
      for (const axis of Object.keys(layout).filter((name) => /^[xy]axis/.test(name))) {
        element.ranges[axis] = layout[axis].range;
        if (element.zoomed[axis]) Object.assign(layout[axis], { range: [...element.zoomed[axis]], autorange: false });
      }
      layout.width = element.clientWidth;
      element.style.height = `${layout.height}px`;
      // One and the same object: for another one plotly.js would build everything anew.
      element.config ??= config(element);
      await Plotly.react(element, { data, layout, frames, config: element.config });
      if (!element.heard) listen(element);
      painted(element);
    }
  } finally {
    element.busy = element.ariaBusy = false;
  }
  follow(element);
}

function listen(element) {
  element.heard = true;
  element.on("plotly_relayout", (event) => keep(element, event));
  element.on("plotly_doubleclick", () => whole(element));
  element.on("plotly_click", ({ points }) => {
    const told = points.length ? direction(points[0]) : null;
    if (told !== null) element.tell("click", told);
  });
  element.addEventListener("keydown", (event) => choose(element, event));
  for (const event of ["plotly_sliderchange", "plotly_animatingframe"]) element.on(event, () => reach(element));
  element.on("plotly_selected", (event) => {
    if (!event?.range?.x) return;
    window.Plotly.relayout(element, { selections: [] });
    element.tell("box", event.range.x);
  });
}

function same(a, b) {
  return a?.length === b.length && a.every((byte, i) => byte === b[i]);
}

export default function ({ data, parentElement, setTriggerValue }) {
  let element = parentElement.querySelector(".gammascope-plot");
  if (!element) {
    element = document.createElement("div");
    element.className = "gammascope-plot";
    element.setAttribute("role", "group");
    element.zoomed = {};
    parentElement.append(element);
  }
  element.tell = setTriggerValue;
  // A page that runs again sends most figures as they were.
  if (!same(element.bytes, data)) {
    element.bytes = data.slice();
    element.spec = element.wanted = JSON.parse(new TextDecoder().decode(data));
    element.pointed = null;
    element.setAttribute("aria-label", element.spec.alt);
    if (element.spec.click) mark(element, { tabindex: 0, "aria-description": "Arrow keys choose a point." });
  }
  const spec = element.spec;
  const repaint = () => {
    if (!element.gammascope || element.busy) return;
    window.Plotly?.relayout(element, { width: element.clientWidth, template: template(element) });
  };
  let width = element.clientWidth;
  const watch = new ResizeObserver(() => {
    if (element.clientWidth === width || !element.clientWidth) return;
    width = element.clientWidth;
    requestAnimationFrame(repaint);
  });
  watch.observe(element);
  const knob = spec.follows && document.querySelector(`.st-key-${spec.follows.slider}`);
  const turning = new MutationObserver(() => follow(element));
  if (knob) turning.observe(knob, { subtree: true, childList: true, attributes: true, characterData: true });
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const turned = () => setTimeout(repaint, 300);
  dark.addEventListener("change", turned);
  paint(element);
  return () => {
    watch.disconnect();
    turning.disconnect();
    dark.removeEventListener("change", turned);
  };
}
