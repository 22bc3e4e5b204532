// Edited spectra while their knobs move: diagonals, fits and γ from sums over the samples. moving.js is read before.

// H_ii and E[h²]_ii of one edit, as engine/results/suppression.py rebuilds them: a group of samples that reaches more
// than `stiff` of the ratios is stiff. tail, stiff, damp: places among the factors; the last row says what is data.
function rebuild({ groups, means, factors, rank }, numbers, homogenise, keep, tail, stiff, damp) {
  const tails = 3 * groups.length;
  const k = numbers.length / (tails + 2 * (rank - 1) + 1);
  const [h, c] = [new Float64Array(k), new Float64Array(k)];
  const add = (sum, row, by) => {
    for (let i = 0, at = row * k; i < k; i++) sum[i] += by * numbers[at + i];
  };
  for (const [group, reached] of groups.entries()) {
    const alike = homogenise && reached > stiff;
    const untouched = reached > stiff || (!homogenise && keep >= rank);
    const by = alike ? means[stiff] : untouched ? 1 : factors[damp];
    add(h, 3 * group + (alike ? 0 : 1), by);
    add(c, 3 * group + (alike ? 0 : 2), by ** 2);
  }
  for (let m = 1; m < rank; m++) {
    const by = m < keep ? 1 : factors[tail];
    add(h, tails + m - 1, by);
    add(c, tails + rank + m - 2, by ** 2);
  }
  return { h, c, data: numbers.subarray(-k) };
}

const logs = (values, data) => values.map((value, i) => (data[i] && value > 0 ? Math.log10(value) : NaN));

// Both diagonals on log axes, as measured and edited.
function pair({ about, numbers }, ...edit) {
  const held = document.querySelector(`.st-key-${numbers} .gammascope-numbers`).numbers;
  return [rebuild(about, held, 0, about.rank, 0, 0, 0), rebuild(about, held, ...edit)].map(
    ({ h, c, data }) => ({ h, c, u: logs(h, data), v: logs(c, data) }),
  );
}

const known = (u, v, i) => !Number.isNaN(u[i] + v[i]);

// The ring around a direction, in each series that shows it.
function ring(data, series) {
  const trace = data.find((one) => one.meta === "marked");
  if (!trace) return;
  const i = trace.customdata[0][0] - 1;
  const points = series.filter(([u, v]) => known(u, v, i));
  Object.assign(trace, { x: points.map(([u]) => 10 ** u[i]), y: points.map(([, v]) => 10 ** v[i]) });
}

// What is multiplied by the tail factor, shaded.
function beyond({ shapes, annotations }, { rank, labels }, keep, tail) {
  Object.assign(shapes[0], { x0: keep + 0.5, visible: keep < rank });
  Object.assign(annotations[0], { text: `× ${labels[tail]}`, visible: keep < rank });
}

// By the figure's key on the page.
const EDITED = {
  new_on_old({ figure: { data }, follows, legend }, [homogenise, first, last, ...edit]) {
    const [{ v: u }, { v }] = pair(follows, homogenise, ...edit);
    const law = fit(u, v, first, last);
    const ends = law ? [10 ** law.low, 10 ** law.high] : [];
    const points = traced(data, "points");
    const inside = (i) => i >= first && i <= last && known(u, v, i - 1);
    if (points.customdata) points.y = drawn(points).map((i) => (inside(i) ? 10 ** v[i - 1] : null));
    Object.assign(traced(data, "unchanged"), { x: ends, y: ends });
    const fitted = traced(data, "fit");
    Object.assign(fitted, { x: ends, y: ends.map((end) => line(law, end)) });
    rename(fitted, law ? `slope ${law.gamma.toFixed(2)}, R² ${law.r2.toFixed(3)}` : "no slope", legend);
    ring(data, [[u, v]]);
  },
  both(spec, [homogenise, first, last, ...edit], zoomed) {
    const { data, layout } = spec.figure;
    const clouds = pair(spec.follows, homogenise, ...edit).map(({ h, c, u, v }, number) => {
      const place = ["before-0", "after-0"][number];
      for (const points of [traced(data, `in-${place}`), traced(data, `out-${place}`)]) {
        if (!points.customdata) continue;
        const rows = drawn(points).map((i) => (known(u, v, i - 1) ? [i, h[i - 1], c[i - 1]] : [i, null, null]));
        Object.assign(points, { customdata: rows, x: rows.map((row) => row[1]), y: rows.map((row) => row[2]) });
      }
      return { place, scale: [1, 1], read: [u, v] };
    });
    const follows = { clouds, through: true, band: null };
    FOLLOWING.window.move({ ...spec, follows }, [first, last]);
    ring(data, clouds.map(({ read }) => read));
    for (const [number, axis] of [layout.xaxis, layout.yaxis].entries()) {
      if (["xaxis", "yaxis"][number] in zoomed || !axis.range) continue;
      let [low, high] = [Infinity, -Infinity];
      for (const { read } of clouds)
        for (let i = 0; i < read[0].length; i++)
          if (known(...read, i)) (low = Math.min(low, read[number][i])), (high = Math.max(high, read[number][i]));
      const pad = 0.05 * (high - low) + 0.1;
      axis.range = [low - pad, high + pad];
    }
  },
  samples({ figure: { data, layout }, follows: { about }, legend }, [keep, tail, stiff]) {
    beyond(layout, about, keep, tail);
    const threshold = about.factors[stiff] * about.largest;
    const mark = traced(data, "threshold");
    Object.assign(mark, { y: [threshold, threshold], visible: threshold > 0 });
    rename(mark, `stiff above: ${about.shares[stiff]} of samples`, legend);
  },
  cumulative({ figure: { data, layout }, follows: { about } }, [keep, tail]) {
    beyond(layout, about, keep, tail);
    const bars = traced(data, "share");
    const shares = bars.y.bdata ? float64(bars.y.bdata) : bars.y;
    bars.marker = { ...bars.marker, opacity: bars.customdata.map((_, i) => (i < keep ? 0.85 : 0.3)) };
    bars.text = bars.customdata.map((text, i) => (shares[i] < 0.999 || i + 1 === keep ? text : ""));
  },
};

FOLLOWING.edited = {
  at: (values, { numbers, knobs }) =>
    values.length === 7 && document.querySelector(`.st-key-${numbers} .gammascope-numbers`)?.numbers
      ? knobs.map((place) => values[place])
      : null,
  move: (spec, values, zoomed) => EDITED[spec.follows.part](spec, values, zoomed),
  redraw: FOLLOWING.window.redraw,
};
