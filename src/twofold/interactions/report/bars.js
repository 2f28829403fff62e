// Draws the long tail as grouped bars: a group of items a place, a bar a run; floors are grey.
"use strict";
(() => {
  const { page, css, plain, colour, font, closed, opened } = window.twofold;

  const traces = (plot) => {
    let floors = 0;
    return plot.series.map((series) => {
      const run = series.colour !== undefined;
      const marker = run ? { color: colour(series.colour) } : { color: css("--soft") + ["c0", "66", "33"][floors++ % 3] };
      return { x: plot.groups, y: series.values, type: "bar", name: plain(series.name), marker, hovertemplate: "%{y:.4f}" };
    });
  };

  const layout = () => {
    const axis = { gridcolor: css("--grid"), linecolor: css("--grid"), zeroline: false, automargin: true, tickfont: { color: css("--soft") } };
    const title = (text) => ({ text, font: { color: css("--soft"), size: 11 }, standoff: 6 });
    return {
      barmode: "group", bargap: 0.25, margin: { l: 46, r: 14, t: 10, b: 36 }, height: 320, font: font(),
      paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", dragmode: false,
      xaxis: { ...axis, type: "category", fixedrange: true, title: title("group of items, from the least to the most popular") },
      yaxis: { ...axis, rangemode: "tozero", fixedrange: true, title: title("part of Recall@20") },
      hovermode: "x unified", hoverlabel: { bgcolor: css("--card"), bordercolor: css("--grid"), font: font() },
      showlegend: true, legend: { orientation: "h", x: 0, y: 1.02, yanchor: "bottom", font: font() },
    };
  };

  const draw = () => [...document.querySelectorAll("[data-bars]")].filter((div) => !closed(div)).forEach((div) => {
    Plotly.react(div, traces(page.bars[div.dataset.bars]), layout(), { displayModeBar: false, responsive: true });
  });
  opened.push(draw);
  draw();
})();
