// What a pointer does in a figure, done by keys: its sliders, its buttons, and what a click chooses in it.

const STEPS = { ArrowRight: 1, ArrowUp: 1, ArrowLeft: -1, ArrowDown: -1, PageUp: 10, PageDown: -10, Home: -Infinity, End: Infinity };
// Milliseconds without a key after which the server hears what is chosen.
const PAUSE = 300;

// One of the places 0 … last after a key.
const stepped = (key, at, last) => Math.min(Math.max(at + STEPS[key], 0), last);

// The numbers that clicks tell, in rising order, and where the pointer would be for each.
function choices(element) {
  const places = new Map();
  for (const [curveNumber, trace] of element._fullData.entries()) {
    if (trace.visible !== true) continue;
    const subplot = `${trace.xaxis}${trace.yaxis}`;
    if (trace.type === "heatmap") {
      for (let row = 0; row < trace._length || row < trace.z.length; row++)
        places.set(direction({ data: trace, pointNumber: [row, row] }), [{ xval: row, yval: row }, subplot]);
      continue;
    }
    for (let i = 0; i < (trace.customdata?.length ?? 0); i++) {
      const told = direction({ data: trace, customdata: trace.customdata[i] });
      if (told !== null && !places.has(told)) places.set(told, [[{ curveNumber, pointNumber: i }], subplot]);
    }
  }
  return [...places].sort(([a], [b]) => a - b);
}

// From the one chosen to the next; it is shown as under the pointer at once, and told when no key follows.
function choose(element, event) {
  if (event.target !== element || !(event.key in STEPS) || !element.gammascope.click) return;
  event.preventDefault();
  const offered = choices(element);
  if (!offered.length) return;
  const now = element.pointed ?? element.gammascope.pointed;
  const at = now === null ? -1 : offered.findLastIndex(([number]) => number <= now);
  const [number, [place, subplot]] = offered[stepped(event.key, at, offered.length - 1)];
  element.pointed = number;
  window.Plotly.Fx.hover(element, place, subplot);
  clearTimeout(element.pause);
  element.pause = setTimeout(() => element.tell("click", number), PAUSE);
}

function mark(node, attributes) {
  for (const [name, value] of Object.entries(attributes))
    if (node.getAttribute(name) !== String(value)) node.setAttribute(name, value);
}

// Those that are drawn, each with its number among all.
const sliders = (element) => [...element._fullLayout.sliders.entries()].filter(([, slider]) => slider.visible);

// Sliders and buttons inside a figure, for whoever has no pointer.
function reach(element) {
  const bars = [...element.querySelectorAll(".slider-group")];
  for (const [place, group] of bars.entries()) {
    const [number, { steps, active, currentvalue, name }] = sliders(element)[place];
    mark(group, {
      role: "slider",
      tabindex: 0,
      "aria-label": name || currentvalue.prefix?.replace(/[:\s]+$/, "") || "Slider",
      "aria-valuemin": 0,
      "aria-valuemax": steps.length - 1,
      "aria-valuenow": active,
      "aria-valuetext": steps[active]?.label ?? "",
    });
    group.onkeydown = async (event) => {
      if (!(event.key in STEPS)) return;
      event.preventDefault();
      const now = element._fullLayout.sliders[number];
      const to = stepped(event.key, now.active, now.steps.length - 1);
      const { method, args } = now.steps[to];
      await window.Plotly.relayout(element, { [`sliders[${number}].active`]: to });
      if (method !== "skip") await window.Plotly[method](element, ...args);
      reach(element);
      element.querySelectorAll(".slider-group")[place].focus();
    };
  }
  for (const button of element.querySelectorAll(".updatemenu-button")) {
    mark(button, { role: "button", tabindex: 0, "aria-label": button.textContent });
    button.onkeydown = (event) => {
      if (event.key !== "Enter" && event.key !== " ") return;
      event.preventDefault();
      button.dispatchEvent(new MouseEvent("click", { bubbles: true }));
    };
  }
}
