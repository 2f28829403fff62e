// Draws a comparison: a row a method, its seeds as small dots, the mean with its interval as a large one.
"use strict";
(() => {
  const { page, css, plain, colour, font, touch, opened } = window.twofold;
  const plots = page.dots || {};

  const traces = (plot) => plot.rows.flatMap((row, index) => {
    const ink = row.kind === "method" ? colour(index) : css("--soft");
    const told = `${plain(row.name)}: %{x:.4~g}` + (row.half === null ? "" : ` ± ${row.half.toFixed(1)}`);
    const seeds = row.values.length > 1 ? [{
      x: row.values, y: row.values.map(() => index), type: "scatter", mode: "markers", hoverinfo: "skip",
      marker: { color: ink, size: 6, opacity: 0.4 },
    }] : [];
    return [...seeds, {
      x: [row.mean], y: [index], type: "scatter", mode: "markers", hovertemplate: told + "<extra></extra>",
      marker: { color: ink, size: 11, symbol: { method: "circle", floor: "square-open", ceiling: "diamond-open" }[row.kind] },
      error_x: { type: "data", array: [row.half || 0], visible: row.half !== null, color: ink, thickness: 1.6, width: 5 },
    }];
  });

  const layout = (plot) => {
    const axis = { gridcolor: css("--grid"), linecolor: css("--grid"), zeroline: false, automargin: true, tickfont: { color: css("--soft") } };
    return {
      margin: { l: 20, r: 16, t: 8, b: 34 }, height: 64 + 34 * plot.rows.length, font: font(), showlegend: false,
      paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", dragmode: touch ? false : "zoom",
      // An interval of two seeds may be wider than all there is.
      xaxis: { ...axis, ...(plot.unit === "percent" ? { ticksuffix: " %", autorangeoptions: { clipmin: -2, clipmax: 102 } } : {}) },
      yaxis: { ...axis, tickvals: plot.rows.map((_, index) => index), range: [plot.rows.length - 0.4, -0.6], fixedrange: true,
        ticktext: plot.rows.map((row) => plain(row.name.length > 34 ? `${row.name.slice(0, 33)}…` : row.name)), tickfont: { color: css("--ink") } },
      hoverlabel: { bgcolor: css("--card"), bordercolor: css("--grid"), font: font() },
    };
  };

  const draw = () => document.querySelectorAll("[data-dots]").forEach((div) => {
    const plot = plots[div.dataset.dots];
    Plotly.react(div, traces(plot), layout(plot), { displayModeBar: false, responsive: true });
  });
  opened.push(draw);
  draw();
})();
