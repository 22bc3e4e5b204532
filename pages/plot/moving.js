// What a slider moves in a figure at once; the server's figure comes after it. plot.js is read after this file.

function float64(base64) {
  return new Float64Array(Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0)).buffer);
}

// Least squares of v = log10 C_ii on u = log10 H_ii over directions first … last (from 1), as engine/results/power_law.py
// takes it: NaN is left out; null with fewer than three directions, or one u alone. Sums around the means of this very
// window: differences of prefix sums lose the digits of a narrow one.
function fit(u, v, first, last) {
  let [n, u0, v0, low, high] = [0, 0, 0, Infinity, -Infinity];
  const known = (i) => !Number.isNaN(u[i] + v[i]);
  const end = Math.min(last, u.length);
  for (let i = first - 1; i < end; i++)
    if (known(i)) (n += 1), (u0 += u[i]), (v0 += v[i]), (low = Math.min(low, u[i])), (high = Math.max(high, u[i]));
  if (n < 3 || low === high) return null;
  (u0 /= n), (v0 /= n);
  let [square, product, spread] = [0, 0, 0];
  for (let i = first - 1; i < end; i++) {
    if (!known(i)) continue;
    const [du, dv] = [u[i] - u0, v[i] - v0];
    (square += du ** 2), (product += du * dv), (spread += dv ** 2);
  }
  const r2 = spread ? product ** 2 / square / spread : 1;
  return { gamma: product / square, r2, u0, v0, low, high };
}

// The fitted C_ii at H_ii.
const line = (law, x) => 10 ** (law.v0 + law.gamma * (Math.log10(x) - law.u0));

const traced = (data, uid) => data.find((one) => one.uid === uid) ?? {};

// The directions (from 1) that a trace draws: what its custom data begin with.
function drawn({ customdata }) {
  if (!customdata.bdata) return customdata.map(([direction]) => direction);
  const columns = Number(customdata.shape?.split(",")[1] ?? 1);
  return Array.from(float64(customdata.bdata).filter((_, i) => i % columns === 0));
}

// Another name in the legend, with the same explanation.
function rename(trace, name, legend) {
  if (legend[trace.name]) legend[name] = legend[trace.name];
  trace.name = name;
}

// How a figure follows: what it takes of the knobs' values, null for what it cannot show; how it is moved there, and
// how it is painted then.
const FOLLOWING = {
  // Axes of the leading k rows and columns of a square figure, ticked as pages/charts/heatmaps.py does it.
  leading: {
    at: ([k], { cells }) => (k >= 2 && k <= cells ? [k] : null),
    move({ figure: { data, layout } }, [k]) {
      const names = data[0].x;
      const step = [1, 2, 5, 10, 20, 25, 50, 100].find((size) => k / size <= 5);
      const ticks = [1, ...Array.from({ length: Math.floor(k / step) }, (_, i) => (i + 1) * step).filter((t) => t > 1)];
      const ticked = { tickvals: ticks.map((tick) => names[tick - 1]), ticktext: ticks.map(String) };
      Object.assign(layout.xaxis, ticked, { range: [-0.5, k - 0.5] });
      Object.assign(layout.yaxis, ticked, { range: [k - 0.5, -0.5] });
    },
    // Square cells keep the room that a relayout gives them, and lose it in Plotly.react.
    redraw(element, { layout }) {
      const names = ["xaxis", "yaxis"].flatMap((axis) => ["range", "tickvals", "ticktext"].map((name) => [axis, name]));
      const change = Object.fromEntries(names.map(([axis, name]) => [`${axis}.${name}`, layout[axis][name]]));
      return window.Plotly.relayout(element, change);
    },
  },
  // Fits over the directions first … last, as pages/charts/power_law.py draws them, or their band.
  window: {
    at: (ends) => (ends.length === 2 ? ends : null),
    move({ figure: { data, layout }, follows: { clouds, through, band }, legend }, [first, last]) {
      const trace = (uid) => traced(data, uid);
      const named = layout.annotations?.find((one) => one.name === "window");
      const whole = (n) => n.toLocaleString("en");
      if (named) named.text = `γ: directions ${whole(first)} … ${whole(last)}`;
      if (band !== null) Object.assign(layout.shapes[band], { x0: Math.max(first - 1, 1), x1: Math.max(last, 2) });
      for (const [number, cloud] of clouds.entries()) {
        const [u, v] = (cloud.read ??= [float64(cloud.u), float64(cloud.v)]);
        const law = fit(u, v, first, last);
        const ends = law ? [law.high, law.low] : [];
        Object.assign(trace(`fit-${cloud.place}`), {
          x: ends.map((end) => 10 ** end / cloud.scale[0]),
          y: ends.map((end) => line(law, 10 ** end) / cloud.scale[1]),
        });
        // The server bends it.
        trace(`bend-${cloud.place}`).visible = false;
        const entry = trace(`legend-${cloud.place}`);
        const name = entry.name?.replace(/γ = (-?[\d.]+|—)/, `γ = ${law ? law.gamma.toFixed(2) : "—"}`);
        rename(entry, name, legend);
        for (const points of [trace(`in-${cloud.place}`), trace(`out-${cloud.place}`)]) {
          if (!points.marker) continue;
          const inside = (i) => i >= first && i <= last && !Number.isNaN(u[i - 1] + v[i - 1]);
          points.marker = { ...points.marker, opacity: drawn(points).map((i) => (inside(i) ? 0.75 : 0.2)) };
        }
        if (number || !through || !law) continue;
        for (const slope of [1, 2]) {
          const line = trace(`slope-${slope}`);
          line.y = line.x.map((x) => 10 ** (law.v0 + slope * (Math.log10(x) - law.u0)));
        }
      }
    },
    redraw: (element, figure) => window.Plotly.react(element, { ...figure, config: element.config }),
  },
};
