// Each figure is drawn in the colours of the page, again when these change, and in ink on paper for a print.
const dark = matchMedia("(prefers-color-scheme: dark)");
const config = { displaylogo: false, responsive: true, modeBarButtonsToRemove: ["select2d", "lasso2d", "autoScale2d"] };

function dressed(layout) {
  const style = getComputedStyle(document.body);
  const ink = { color: style.getPropertyValue("--ink"), family: style.fontFamily };
  const box = { bgcolor: style.getPropertyValue("--soft"), bordercolor: style.getPropertyValue("--line") };
  return {
    ...layout,
    autosize: true,
    paper_bgcolor: "rgba(0,0,0,0)",
    plot_bgcolor: "rgba(0,0,0,0)",
    font: { ...layout.font, ...ink },
    hoverlabel: { ...layout.hoverlabel, ...box, font: { ...layout.hoverlabel?.font, ...ink } },
  };
}

async function draw() {
  for (const source of document.querySelectorAll("script[data-for]")) {
    const { data, layout, frames } = JSON.parse(source.textContent);
    const name = source.dataset.for;
    const image = { format: "svg", filename: `gammascope-${name}` };
    const whole = { data, layout: dressed(layout), config: { ...config, toImageButtonOptions: image } };
    await Plotly.react(name, frames ? { ...whole, frames } : whole);
    // Between two figures the page can be scrolled.
    await new Promise((next) => setTimeout(next));
  }
  document.documentElement.dataset.drawn = "yes";
}

let drawing = draw();
dark.addEventListener("change", () => (drawing = drawing.then(draw)));
matchMedia("print").addEventListener("change", () => {
  for (const plot of document.querySelectorAll(".plot")) {
    Plotly.relayout(plot, { ...dressed({}), autosize: true });
    Plotly.Plots.resize(plot);
  }
});
addEventListener("beforeprint", () => {
  for (const details of document.querySelectorAll("details")) details.open = true;
});
