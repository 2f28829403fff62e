// Draws the curves; a chart's data is a few lists that curves.py has thinned.
"use strict";
window.twofold = (() => {
  const page = JSON.parse(document.getElementById("page-data").textContent);
  const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  // Plotly reads a little markup in labels: names from files must stay text.
  const plain = (text) => String(text).replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;");
  const touch = matchMedia("(pointer: coarse)").matches;
  const colour = (index) => css(`--s${index % 10}`);

  const axisStyle = () => ({
    gridcolor: css("--grid"), linecolor: css("--grid"), zeroline: false, automargin: true,
    tickfont: { color: css("--soft") }, title: { font: { color: css("--soft"), size: 11 }, standoff: 6 },
  });
  const font = () => ({ family: "system-ui, sans-serif", size: 11.5, color: css("--ink") });

  const curves = (chart, axis) => {
    const percent = chart.unit === "percent";
    const scaled = (values) => (percent ? values.map((v) => (v === null ? null : v * 100)) : values);
    const form = percent ? "%{y:.1f} %" : "%{y:.4~g}";
    const many = chart.series.length > 1;
    const traces = [];
    chart.series.forEach((series, index) => {
      const x = series.x[axis] || series.x.step;
      const shared = { x, type: "scatter", name: plain(series.name), legendgroup: `g${index}`, connectgaps: false };
      if (series.raw) {
        traces.push({ ...shared, y: scaled(series.raw), mode: "lines", opacity: 0.28, showlegend: false, hoverinfo: "skip",
          line: { color: colour(index), width: 1 } });
      }
      const ink = colour(series.colour ?? index);
      traces.push({ ...shared, y: scaled(series.y), mode: x.length <= 40 ? "lines+markers" : "lines",
        showlegend: many, hovertemplate: form + (many ? "" : "<extra></extra>"),
        line: { color: ink, width: index === 0 || !many ? 2.2 : 1.8 }, marker: { size: 4.5 } });
      if (series.best) {
        traces.push({ ...shared, x: series.best.x[axis] || series.best.x.step, y: scaled(series.best.y), mode: "markers+text",
          text: plain(series.best.name), textposition: "bottom center", cliponaxis: false, showlegend: false, hoverinfo: "skip",
          textfont: { color: ink }, marker: { color: ink, size: 11, symbol: "diamond" } });
      }
    });
    const ends = traces.flatMap((trace) => [trace.x[0], trace.x[trace.x.length - 1]]);
    const from = Math.min(...ends), to = Math.max(...ends);
    chart.lines.forEach((line, index) => {
      const y = percent ? line.y * 100 : line.y;
      const label = percent ? `${plain(line.label)} ${y.toFixed(1)} %` : plain(line.label);
      traces.push({ x: from === to ? [from - 1, to + 1] : [from, to], y: [y, y], mode: "lines", name: label, hoverinfo: "skip",
        showlegend: true, line: { color: css("--soft"), width: 1.4, dash: ["dash", "dot", "dashdot"][index % 3] } });
    });
    return traces;
  };

  const layout = (chart, axis) => {
    const shapes = [], annotations = [], y = { ...axisStyle(), rangemode: "normal" };
    if (chart.unit === "percent") { y.ticksuffix = " %"; }
    if (chart.column === "wait_share" || chart.column.endsWith("_per_second")) y.rangemode = "tozero";
    if (chart.log) y.type = "log";
    if (chart.warn) {
      const top = Math.max(1.08, ...chart.series.flatMap((series) => series.y.map((v) => (v || 0) * 1.05)));
      y.range = [0, top];
      shapes.push({ type: "rect", xref: "paper", x0: 0, x1: 1, y0: 0, y1: chart.warn, layer: "below",
        fillcolor: css("--bad"), opacity: 0.1, line: { width: 0 } });
      annotations.push({ xref: "paper", x: 0.01, xanchor: "left", y: chart.warn / 2, showarrow: false,
        text: `below ${chart.warn}: close to collapse`, font: { color: css("--bad"), size: 11 } });
    }
    const legend = chart.series.length > 1 || chart.lines.length > 0;
    return {
      margin: { l: 46, r: 14, t: 10, b: 36 }, height: 250 + (legend ? 26 : 0), font: font(), shapes, annotations,
      paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", dragmode: touch ? false : "zoom",
      xaxis: { ...axisStyle(), title: { ...axisStyle().title, text: axis } }, yaxis: y,
      hovermode: "x unified", hoverlabel: { bgcolor: css("--card"), bordercolor: css("--grid"), font: font() },
      showlegend: legend, legend: { orientation: "h", x: 0, y: 1.02, yanchor: "bottom", font: font() },
    };
  };

  const chartList = Object.values(page.charts);
  const own = [...new Set(chartList.map((chart) => chart.along).filter(Boolean))];  // what a wing's curves lie along at first
  let chosen = own.length ? "own" : "step";
  const draw = (div) => {
    const chart = page.charts[div.dataset.chart];
    const axis = chosen === "own" ? chart.along || "step" : chosen;
    return Plotly.react(div, curves(chart, axis), layout(chart, axis), { displayModeBar: false, responsive: true });
  };
  const closed = (node) => node.closest("details:not([open])") !== null;
  const drawAll = () => [...document.querySelectorAll("[data-chart]")].filter((div) => !closed(div)).forEach(draw);

  const known = (name) => name === "own" ? own.length > 0 : chartList.some((chart) => chart.series.some((series) => series.x[name]));
  const choose = (name) => {
    chosen = name;
    document.querySelectorAll(".axes button").forEach((b) => b.setAttribute("aria-pressed", String(b.dataset.axis === name)));
  };
  choose(chosen);
  document.querySelectorAll(".axes").forEach((group) => {
    group.hidden = !(known("own") || known("epoch") || known("minutes"));
    group.querySelectorAll("button").forEach((button) => {
      button.hidden = !known(button.dataset.axis);
      if (button.dataset.axis === "own") button.textContent = own.join(", ");
      button.addEventListener("click", () => {
        choose(button.dataset.axis);
        drawAll();
      });
    });
  });

  // A chart in a closed section has no width: it is drawn when its section opens.
  const opened = [drawAll];
  const refresh = () => opened.forEach((action) => action());
  document.querySelectorAll("details.run, details.more").forEach((details) => details.addEventListener("toggle", () => details.open && refresh()));
  const follow = () => {
    const target = location.hash && document.getElementById(location.hash.slice(1));
    const around = target && target.closest("details");
    if (around && !around.open) { around.open = true; target.scrollIntoView(); }
  };
  window.addEventListener("hashchange", follow);
  window.addEventListener("beforeprint", () => { document.querySelectorAll("details").forEach((d) => { d.open = true; }); refresh(); });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", refresh);
  drawAll();
  follow();
  document.documentElement.dataset.ready = "yes";
  return { page, css, plain, colour, font, touch, closed, opened };
})();
