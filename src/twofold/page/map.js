// The embedding map: dots or pictures, and a card that shows what is under the pointer, the finger or the arrow keys.
"use strict";
(() => {
  const { page, css, colour, font, touch, closed, opened } = window.twofold;
  const REACH = 28; // Pixels between the pointer and a point at which the card still opens.
  const hue = (label, classes) => (label < 0 ? css("--soft") : classes <= 10 ? colour(label)
    : `hsl(${(label * 137.508) % 360} 62% ${label % 2 ? 44 : 60}%)`);

  const start = (figure) => {
    const data = page.maps[figure.dataset.map];
    const [stage, plot, canvas, card, toggle, legend] =
      [".map-stage", ".map-plot", ".map-pictures", ".card", ".pictures", ".legend"].map((name) => figure.querySelector(name));
    const groups = data.classes.length ? [...new Set(data.label)].sort((a, b) => a - b) : [-1];
    const sheet = new Image();
    const hidden = new Set();
    let drawn = false, pictures = data.classes.length === 0, current = -1, pinned = false;

    const draw = () => {
      if (closed(plot)) return;
      const traces = groups.map((label) => {
        const of = data.label.flatMap((other, i) => (other === label || groups.length === 1 ? [i] : []));
        return { type: "scatter", mode: "markers", x: of.map((i) => data.x[i]), y: of.map((i) => data.y[i]), hoverinfo: "none",
          visible: !hidden.has(label),
          marker: { size: 7, color: data.classes.length ? hue(label, data.classes.length) : colour(0),
            opacity: 0.82, line: { width: 0.7, color: css("--card") } } };
      });
      const bare = { visible: false, range: [-1.06, 1.06] };
      Plotly.react(plot, traces, {
        xaxis: bare, yaxis: { ...bare }, height: Math.max(340, Math.min(620, plot.clientWidth * 0.72)), font: font(),
        margin: { l: 4, r: 4, t: 4, b: 4 }, hovermode: false, dragmode: touch ? false : "zoom",
        paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", showlegend: false, uirevision: "kept",
        modebar: { bgcolor: "rgba(0,0,0,0)", color: css("--soft"), activecolor: css("--ink") },
      }, { displaylogo: false, responsive: true, displayModeBar: !touch, modeBarButtons: [["zoomIn2d", "zoomOut2d", "resetScale2d"]] });
      if (!drawn) {
        drawn = true;
        ["plotly_afterplot", "plotly_relayouting"].forEach((name) => plot.on(name, () => { paint(); place(); }));
        const uri = getComputedStyle(card.querySelector(".tile")).backgroundImage;
        sheet.onload = paint;
        sheet.src = uri.slice(uri.indexOf("data:"), uri.lastIndexOf(")")).replace(/"/g, "");
      }
      if (data.classes.length) chips();
      paint();
    };

    const at = (i) => {
      const { xaxis, yaxis } = plot._fullLayout;
      return [xaxis.l2p(data.x[i]) + xaxis._offset, yaxis.l2p(data.y[i]) + yaxis._offset];
    };
    const inside = ([x, y]) => {
      const { xaxis, yaxis } = plot._fullLayout;
      return x >= xaxis._offset && x <= xaxis._offset + xaxis._length && y >= yaxis._offset && y <= yaxis._offset + yaxis._length;
    };
    const choices = () => data.x.map((_, i) => i).filter((i) => !hidden.has(data.label[i]) && inside(at(i)));

    const paint = () => {
      const scale = window.devicePixelRatio || 1, width = plot.clientWidth, height = plot.clientHeight;
      canvas.width = width * scale; canvas.height = height * scale;
      canvas.style.width = `${width}px`; canvas.style.height = `${height}px`;
      const pen = canvas.getContext("2d");
      pen.scale(scale, scale);
      const size = Math.max(14, Math.min(30, Math.sqrt((width * height) / data.x.length) * 0.95));
      const tile = sheet.naturalWidth / data.columns;
      const tall = sheet.naturalHeight / data.rows;
      const stamp = (i, side, frame) => {
        const [x, y] = at(i);
        pen.drawImage(sheet, (data.tile[i] % data.columns) * tile, Math.floor(data.tile[i] / data.columns) * tall, tile, tall,
          x - side / 2, y - side / 2, side, side);
        if (frame) { pen.strokeStyle = frame; pen.lineWidth = 2; pen.strokeRect(x - side / 2, y - side / 2, side, side); }
      };
      if (pictures && tile) {
        choices().forEach((i) => stamp(i, size, data.classes.length ? hue(data.label[i], data.classes.length) : null));
      }
      if (current >= 0 && inside(at(current))) {
        const [x, y] = at(current);
        if (pictures && tile) stamp(current, size * 1.6, css("--ink"));
        else { pen.beginPath(); pen.arc(x, y, 7, 0, 7); pen.strokeStyle = css("--ink"); pen.lineWidth = 2.4; pen.stroke(); }
      }
    };

    const place = () => {
      card.hidden = current < 0;
      if (current < 0) return;
      const [x, y] = at(current), width = card.offsetWidth, height = card.offsetHeight;
      if (stage.clientWidth < 520) { // On a phone the card lies along the far edge, clear of the finger.
        card.style.left = "4px";
        card.style.top = `${y < stage.clientHeight / 2 ? stage.clientHeight - height - 4 : 4}px`;
        return;
      }
      const left = x + 18 + width > stage.clientWidth ? x - 18 - width : x + 18;
      card.style.left = `${Math.max(4, Math.min(left, stage.clientWidth - width - 4))}px`;
      card.style.top = `${Math.max(4, Math.min(y - height / 2, stage.clientHeight - height - 4))}px`;
    };
    const show = (i) => {
      if (i === current) return;
      current = i;
      if (i >= 0) {
        const tile = card.querySelector(".tile");
        tile.style.setProperty("--c", data.tile[i] % data.columns);
        tile.style.setProperty("--r", Math.floor(data.tile[i] / data.columns));
        card.querySelector("strong").textContent = data.label[i] >= 0 ? data.classes[data.label[i]] : "";
        card.querySelector(":scope > div > span").textContent = data.name[i];
      }
      place(); paint();
    };
    const nearest = (event) => {
      const box = plot.getBoundingClientRect(), px = event.clientX - box.left, py = event.clientY - box.top;
      const away = (i) => { const [x, y] = at(i); return Math.hypot(x - px, y - py); };
      const best = choices().reduce((a, b) => (a < 0 || away(b) < away(a) ? b : a), -1);
      return best >= 0 && away(best) <= REACH ? best : -1;
    };

    stage.addEventListener("pointermove", (event) => { if (!pinned && event.pointerType !== "touch") show(nearest(event)); });
    stage.addEventListener("pointerleave", () => { if (!pinned) show(-1); });
    stage.addEventListener("click", (event) => { const i = nearest(event); pinned = i >= 0 && !(pinned && i === current); show(i); });
    stage.addEventListener("keydown", (event) => {
      const step = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
      if (event.key === "Escape") { pinned = false; show(-1); }
      if (!step) return;
      event.preventDefault();
      pinned = true;
      if (current < 0) { show(choices()[0] ?? -1); return; }
      const [x0, y0] = at(current);
      const cost = (i) => { // Straight ahead is near, sideways is far, behind is out.
        const [x, y] = at(i), ahead = (x - x0) * step[0] + (y - y0) * step[1], aside = Math.abs((x - x0) * step[1]) + Math.abs((y - y0) * step[0]);
        return ahead <= 0.5 || aside > 2 * ahead ? Infinity : ahead + 2 * aside;
      };
      const next = choices().reduce((a, b) => (cost(b) < (a < 0 ? Infinity : cost(a)) ? b : a), -1);
      if (next >= 0) show(next);
    });
    const press = () => { toggle.setAttribute("aria-pressed", String(pictures)); toggle.textContent = pictures ? "Show dots" : "Show pictures"; };
    const chips = () => legend.replaceChildren(...groups.map((label) => {
      const chip = document.createElement("button"), swatch = document.createElement("i");
      swatch.className = "swatch";
      swatch.style.setProperty("--c", hue(label, data.classes.length));
      chip.append(swatch, label < 0 ? "no label" : data.classes[label]);
      chip.setAttribute("aria-pressed", String(!hidden.has(label)));
      chip.addEventListener("click", () => { if (!hidden.delete(label)) hidden.add(label); pinned = false; show(-1); draw(); });
      return chip;
    }));
    toggle.addEventListener("click", () => { pictures = !pictures; press(); draw(); });
    press();
    opened.push(draw);
    draw();
  };
  document.querySelectorAll(".map").forEach(start);
})();
