// Draws the charts; everything else is in the page already.
(() => {
  "use strict";
  const data = JSON.parse(document.getElementById("data").textContent);
  const style = () => getComputedStyle(document.documentElement);
  const colour = (name) => style().getPropertyValue(name).trim();
  const series = (n) => colour(`--c${n % 8}`);
  const time = (us) => {
    if (us == null) return "--";
    if (us < 1) return `${(us * 1000).toFixed(0)} ns`;
    if (us < 1000) return `${us < 10 ? us.toFixed(1) : us.toFixed(0)} µs`;
    if (us < 1e6) return `${us < 1e4 ? (us / 1e3).toFixed(1) : (us / 1e3).toFixed(0)} ms`;
    return `${(us / 1e6).toFixed(1)} s`;
  };
  const count = (n) => (n == null ? "--" : Math.round(n).toLocaleString("en"));
  const axis = (values, size, filter) => {
    const own = filter ? { filter } : {};
    const line = { stroke: colour("--line"), width: 1, ...own };
    return { stroke: colour("--soft"), grid: line, ticks: line, values, size, ...own };
  };
  // Only powers of ten, or lines and labels run into each other.
  const isDecade = (v) => v > 0 && Math.abs(Math.log10(v) - Math.round(Math.log10(v))) < 1e-6;
  const times10 = () => axis((u, splits) => splits.map((v) => (v == null ? "" : time(v))), 64,
    (u, splits) => splits.map((v) => (isDecade(v) ? v : null)));

  const curve = (curves) => ({
    scales: { x: { time: false }, y: { distr: 3 } },
    axes: () => [
      axis((u, splits) => splits.map((v) => (v == null ? "" : data.nines[v] ?? "")), 36,
        (u, splits) => splits.map((v) => (Number.isInteger(v) ? v : null))),
      times10(),
    ],
    series: () => [
      { label: "faster", value: (u, v) => (v == null ? "--" : `${(100 * (1 - 10 ** -v)).toFixed(v > 2 ? 3 : 1)} %`) },
      ...curves.names.map((label, n) => ({
        label, stroke: series(n), width: 2, value: (u, v) => time(v),
        dash: n >= 4 ? [6, 4] : undefined,
      })),
    ],
    data: [curves.nines, ...curves.micros],
  });

  const borders = (course) => ({
    hooks: {
      draw: [(u) => {
        const context = u.ctx;
        context.save();
        context.strokeStyle = colour("--soft");
        context.fillStyle = colour("--soft");
        context.font = `${12 * devicePixelRatio}px system-ui, sans-serif`;
        context.textAlign = "left";
        context.textBaseline = "alphabetic";
        context.setLineDash([4, 4]);
        if (course.phases.length > 1) {
          course.phases.forEach((phase, n) => {
            const x = u.valToPos(phase.at, "x", true);
            context.beginPath();
            context.moveTo(x, u.bbox.top);
            context.lineTo(x, u.bbox.top + u.bbox.height);
            context.stroke();
            const next = course.phases[n + 1];
            const end = next ? u.valToPos(next.at, "x", true) : u.bbox.left + u.bbox.width;
            const room = end - x - 8;
            if (context.measureText(phase.name).width < room) {
              context.fillText(phase.name, x + 5, u.bbox.top + 14 * devicePixelRatio);
            }
          });
        }
        context.restore();
      }],
    },
  });

  const seconds = { label: "second", value: (u, v) => (v == null ? "--" : v.toFixed(1)) };
  const TIERS = ["memory", "Redis", "database", "unknown"];
  const rates = (course) => {
    const used = TIERS.map((_, t) => t).filter((t) => course.tiers[t].some((v) => v > 0));
    // Each on top of the one before; the largest is drawn first.
    const sums = used.map((_, n) =>
      course.seconds.map((_, i) => used.slice(0, n + 1).reduce((sum, t) => sum + course.tiers[t][i], 0)));
    const order = used.map((_, n) => n).reverse();
    const fails = course.errors.some((v) => v > 0);
    return {
      ...borders(course),
      scales: { x: { time: false }, y: { range: (u, lo, hi) => [0, (hi || 1) * 1.15] } },
      axes: () => [axis((u, s) => s.map((v) => `${v} s`), 36), axis((u, s) => s.map(count), 64)],
      series: () => [seconds, ...order.map((n) => ({
        label: TIERS[used[n]], stroke: series(used[n]), fill: `${series(used[n])}66`, width: 1.5,
        points: { show: false },
        value: (u, v, _, i) => (i == null ? "--" : `${count(course.tiers[used[n]][i])}/s`),
      })), ...(fails ? [{
        label: "errors", stroke: colour("--bad"), width: 2, dash: [6, 4], points: { show: false },
        value: (u, v) => (v == null ? "--" : `${count(v)}/s`),
      }] : [])],
      data: [course.seconds, ...order.map((n) => sums[n]), ...(fails ? [course.errors] : [])],
    };
  };
  const times = (course) => ({
    ...borders(course),
    scales: { x: { time: false }, y: { distr: 3 } },
    axes: () => [axis((u, s) => s.map((v) => `${v} s`), 36), times10()],
    series: () => [
      seconds,
      { label: "p50", stroke: series(0), width: 2, points: { show: false }, value: (u, v) => time(v) },
      { label: "p99", stroke: series(1), width: 2, dash: [6, 4], points: { show: false }, value: (u, v) => time(v) },
    ],
    data: [course.seconds, course.p50, course.p99],
  });

  const charts = [["curve", curve(data.curve)]];
  data.courses.forEach((course, n) => {
    charts.push([`tiers-${n}`, curve(data.tiers[n])]);
    charts.push([`rates-${n}`, rates(course)], [`times-${n}`, times(course)]);
  });
  const draw = (place, chart) => {
    place.replaceChildren();
    const options = {
      width: Math.max(place.clientWidth, 200), height: 260, scales: chart.scales,
      axes: chart.axes(), series: chart.series(), hooks: chart.hooks, cursor: { drag: { x: true, y: false } }, padding: [null, 30, null, null],
    };
    return new uPlot(options, chart.data, place);
  };
  for (const [id, chart] of charts) {
    const place = document.getElementById(id);
    if (!place || !chart.data[0].length) continue;
    let plot = draw(place, chart);
    new ResizeObserver(() => {
      const width = Math.max(place.clientWidth, 200);
      if (width !== plot.width) plot.setSize({ width, height: 260 });
    }).observe(place);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => { plot = draw(place, chart); });
  }
})();
