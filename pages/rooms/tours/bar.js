// At a stop of a tour: its part of the page is outlined and brought into view; while presenting, keys lead on.
// data: {place: CSS class or "", visit: number, keys: bool}.

const STEPS = { ArrowRight: "next", PageDown: "next", " ": "next", ArrowLeft: "back", PageUp: "back" };
const PATIENCE = 15000;

function press(key) {
  const button = document.querySelector(`.st-key-${key} button:not([disabled])`);
  button?.click();
  return Boolean(button);
}

function hear(event) {
  if (event.repeat || event.ctrlKey || event.altKey || event.metaKey) return;
  if (document.querySelector("[role=dialog]") || event.target.closest?.("input, textarea, [contenteditable=true]")) return;
  // The space bar presses the button of a question.
  if (event.key === " " && event.target.closest?.(".st-key-predict button")) return;
  const key = event.key === "Escape" ? "tour-present-end" : STEPS[event.key] && `tour-${STEPS[event.key]}`;
  if (key && press(key)) event.preventDefault();
}

// The part may come late, and move while what is above it is drawn, and the bar grow with its formulas; whoever
// scrolls by hand is left alone.
function bring(place) {
  const until = Date.now() + PATIENCE;
  const hands = new AbortController();
  for (const name of ["wheel", "touchmove", "pointerdown", "keydown"])
    document.addEventListener(name, () => hands.abort(), { signal: hands.signal, passive: true, capture: true });
  const look = () => {
    if (hands.signal.aborted) return;
    if (Date.now() > until) return hands.abort();
    const main = document.querySelector("[data-testid=stMain]");
    const bar = document.querySelector(".st-key-tour")?.offsetHeight ?? 0;
    document.documentElement.style.setProperty("--gammascope-bar", `${bar}px`);
    const part = place && document.querySelector(`.${place}`);
    // What is taller than the window shows its head.
    if (part) part.scrollIntoView({ block: part.offsetHeight > 0.8 * main.clientHeight ? "start" : "nearest" });
    else if (!place) main?.scrollTo(0, 0);
    setTimeout(look, 300);
  };
  look();
}

export default function ({ data, parentElement }) {
  const theme = getComputedStyle(parentElement);
  for (const [name, from] of [["paper", "background-color"], ["accent", "primary-color"]])
    document.documentElement.style.setProperty(`--gammascope-${name}`, theme.getPropertyValue(`--st-${from}`));
  let style = parentElement.querySelector("style");
  if (!style) style = parentElement.appendChild(document.createElement("style"));
  style.textContent = data.place
    ? `.${data.place} { outline: 3px solid var(--gammascope-accent); outline-offset: 6px; border-radius: 0.4rem; scroll-margin: calc(var(--gammascope-bar, 0px) + var(--gammascope-knobs, 0px) + var(--gammascope-controls, 0px) + 24px) 0 24px; }`
    : "";
  // Presenting moves everything: what was in view is brought there again.
  const before = window.gammascopeVisit;
  window.gammascopeVisit = { visit: data.visit, keys: data.keys };
  if (data.visit && data.visit !== before?.visit) bring(data.place);
  else if (data.visit && data.place && data.keys !== before.keys) bring(data.place);
  if (data.keys) document.addEventListener("keydown", hear);
  return () => document.removeEventListener("keydown", hear);
}
