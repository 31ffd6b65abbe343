/* Curves with values under the pointer or the arrow keys, and methods that can be switched off; drawn by uPlot. */
"use strict";
const Curves = (() => {
  const root = document.documentElement;
  const make = (tag, about = {}, ...inside) => {
    const made = Object.assign(document.createElement(tag), about);
    made.append(...inside);
    return made;
  };
  const isDark = () => (root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches);
  const colour = (look) => (isDark() ? look.dark : look.light);

  const digits = (value) => Number(value.toPrecision(4)).toLocaleString("en", { maximumSignificantDigits: 4 });
  const short = (value) => (value >= 1e6 ? `${value / 1e6}M` : value >= 1e3 ? `${value / 1e3}k` : `${value}`);
  const figures = []; // {own: [{plot, panel}], chosen: {method}, redraw, keys}

  /* [steps, then mean, low and high of every curve], all on the union of the curves' steps. */
  function aligned(curves) {
    const tables = curves.map((curve) => [
      curve.steps,
      curve.mean,
      curve.mean.map((mean, i) => (curve.error[i] === null ? null : mean - curve.error[i])),
      curve.mean.map((mean, i) => (curve.error[i] === null ? null : mean + curve.error[i])),
    ]);
    return uPlot.join(tables);
  }

  /* A swatch of the line as it is drawn. */
  function swatch(look) {
    const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
    const line = document.createElementNS("http://www.w3.org/2000/svg", "line");
    svg.setAttribute("class", "swatch");
    svg.setAttribute("viewBox", "0 0 24 8");
    svg.setAttribute("aria-hidden", "true");
    const about = { x1: 0, x2: 24, y1: 4, y2: 4, "stroke-width": 2.5, "stroke-dasharray": look.dash.join(" ") };
    for (const [name, value] of Object.entries(about)) line.setAttribute(name, value);
    line.style.stroke = `light-dark(${look.light}, ${look.dark})`;
    svg.append(line);
    return svg;
  }

  /* The paper's means as triangles on the right, reference values as broken lines. */
  function extras(panel, looks) {
    return (plot) => {
      const { ctx, bbox } = plot, ratio = devicePixelRatio;
      ctx.save();
      for (const [method, value] of panel.marks) {
        const y = plot.valToPos(value, "y", true), x = bbox.left + bbox.width;
        ctx.fillStyle = colour(looks[method]);
        ctx.beginPath();
        ctx.moveTo(x + 1 * ratio, y);
        ctx.lineTo(x + 8 * ratio, y - 4 * ratio);
        ctx.lineTo(x + 8 * ratio, y + 4 * ratio);
        ctx.fill();
      }
      ctx.strokeStyle = ctx.fillStyle = getComputedStyle(plot.root).color;
      ctx.font = `${11 * ratio}px system-ui, sans-serif`;
      ctx.textAlign = "left";
      ctx.textBaseline = "bottom";
      ctx.setLineDash([6 * ratio, 3 * ratio]);
      for (const [text, value] of panel.references) {
        const y = plot.valToPos(value, "y", true);
        ctx.beginPath();
        ctx.moveTo(bbox.left, y);
        ctx.lineTo(bbox.left + bbox.width, y);
        ctx.stroke();
        ctx.fillText(text, bbox.left + 6 * ratio, y - 2 * ratio);
      }
      ctx.restore();
    };
  }

  /* The vertical axis: win rates from 0 to 100, else what the curves, their errors and the references need. */
  function range(panel) {
    if (panel.percent) return [-3, 103];
    const values = panel.references.map(([, value]) => value);
    for (const curve of panel.curves)
      curve.mean.forEach((mean, i) => values.push(mean - (curve.error[i] || 0), mean + (curve.error[i] || 0)));
    const low = Math.min(...values), high = Math.max(...values), room = 0.06 * (high - low || 1);
    return [low - room, high + room];
  }

  function chart(panel, looks, entry) {
    const box = make("div", { className: "plot", tabIndex: 0 });
    box.setAttribute("role", "group");
    box.setAttribute("aria-label", `${panel.title}: ${panel.unit}. Left and right arrow keys read the values.`);
    const values = make("div", { className: "values", hidden: true });
    values.setAttribute("role", "status");
    entry.append(box);
    const data = aligned(panel.curves);
    const axis = (more) => ({
      stroke: () => getComputedStyle(box).color,
      grid: { stroke: () => (isDark() ? "#29313a" : "#e6eaee"), width: 1 },
      ticks: { show: false },
      font: "11px system-ui, sans-serif",
      ...more,
    });
    const series = [{}], bands = [];
    panel.curves.forEach((curve, i) => {
      const look = looks[curve.method], stroke = () => colour(look), at = 3 * i + 1;
      series.push({ stroke, width: 2, dash: look.dash, spanGaps: true, points: { show: true, size: 5, fill: stroke } });
      for (const _ of "lh") series.push({ stroke: "transparent", width: 0, spanGaps: true, points: { show: false } });
      bands.push({ series: [at + 2, at + 1], fill: () => `${colour(look)}24` });
    });
    const shown = (i) => plot.series[3 * i + 1].show;
    const nearest = (curve, step) =>
      curve.steps.reduce((best, at, i) => (Math.abs(at - step) < Math.abs(curve.steps[best] - step) ? i : best), 0);

    function read(plot) {
      const { left, idx } = plot.cursor;
      if (idx === null || idx === undefined || left < 0) {
        values.hidden = true;
        return;
      }
      const step = data[0][idx], lines = [];
      panel.curves.forEach((curve, i) => {
        if (!shown(i)) return;
        const at = nearest(curve, step), error = curve.error[at];
        const text = `${digits(curve.mean[at])}${error === null ? "" : ` ± ${digits(error)}`}`;
        const line = make("div", {}, swatch(looks[curve.method]), make("span", { textContent: looks[curve.method].label }), make("span", { textContent: text }));
        lines.push([curve.mean[at], line]);
      });
      lines.sort(([a], [b]) => b - a);
      values.replaceChildren(make("b", { textContent: `${step.toLocaleString("en")} steps` }), ...lines.map(([, line]) => line));
      values.hidden = !lines.length;
      const half = left > plot.over.clientWidth / 2;
      values.style.left = half ? "auto" : `${plot.over.offsetLeft + left + 14}px`;
      values.style.right = half ? `${box.clientWidth - plot.over.offsetLeft - left + 14}px` : "auto";
    }

    const plot = new uPlot(
      {
        width: box.clientWidth,
        height: 230,
        legend: { show: false },
        padding: [12, 14, 0, 0],
        cursor: { y: false, drag: { x: true, y: false }, points: { size: 8 } },
        scales: { x: { time: false, range: (u, low, high) => [low - 0.02 * (high - low), high + 0.02 * (high - low)] }, y: { range: range(panel) } },
        series,
        bands,
        axes: [axis({ values: (u, splits) => splits.map(short), size: 32 }), axis({ size: 48 })],
        hooks: { setCursor: [read], draw: [extras(panel, looks)] },
      },
      data,
      box,
    );
    box.append(values);
    box.addEventListener("keydown", (event) => {
      const move = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
      if (!move) return;
      event.preventDefault();
      const last = data[0].length - 1, now = plot.cursor.left < 0 ? (move > 0 ? -1 : last + 1) : plot.cursor.idx;
      const next = Math.min(Math.max(now + move, 0), last);
      plot.setCursor({ left: plot.valToPos(data[0][next], "x"), top: plot.over.clientHeight / 2 });
    });
    box.addEventListener("blur", () => plot.setCursor({ left: -10, top: -10 }));
    new ResizeObserver(() => box.clientWidth && plot.setSize({ width: box.clientWidth, height: 230 })).observe(box);
    return plot;
  }

  /* The same numbers as a table, made when it is asked for. */
  function numbers(figure, looks) {
    const details = make("details", { className: "numbers" }, make("summary", { textContent: "The numbers" }));
    details.addEventListener("toggle", () => {
      if (!details.open || details.children.length > 1) return;
      const body = make("tbody");
      for (const panel of figure.panels)
        for (const curve of panel.curves)
          curve.steps.forEach((step, i) => {
            const error = curve.error[i] === null ? "" : digits(curve.error[i]);
            const row = make("tr", {}, make("td", { textContent: panel.title }), make("th", { scope: "row", textContent: looks[curve.method].label }));
            for (const text of [step.toLocaleString("en"), digits(curve.mean[i]), error]) row.append(make("td", { className: "number", textContent: text }));
            body.append(row);
          });
      const head = make("tr");
      for (const text of ["Panel", "Method", "Steps", "Mean", "Standard error"]) head.append(make("th", { scope: "col", textContent: text }));
      const box = make("div", { className: "wide", tabIndex: 0 }, make("table", {}, make("thead", {}, head), body));
      details.append(box);
    });
    return details;
  }

  /* Draws a figure in its place: its methods, a panel a set of axes, a table of its numbers. */
  function figure(place, about) {
    const looks = Object.fromEntries(about.methods.map((look) => [look.name, look]));
    const off = new Set(), chosen = { method: "" }, own = [];
    const redraw = () => {
      for (const { plot, panel } of own)
        panel.curves.forEach((curve, i) => {
          const show = !off.has(curve.method) && (!chosen.method || chosen.method === curve.method);
          for (let part = 1; part < 4; part++)
            if (plot.series[3 * i + part].show !== show) plot.setSeries(3 * i + part, { show });
        });
    };
    const keys = make("fieldset", { className: "keys" }, make("legend", { className: "unseen", textContent: "Methods to show" }));
    for (const look of about.methods) {
      const input = make("input", { type: "checkbox", checked: true, value: look.name });
      input.addEventListener("change", () => {
        if (input.checked) off.delete(look.name);
        else off.add(look.name);
        redraw();
      });
      const label = make("label", {}, input, swatch(look), look.label);
      label.dataset.method = look.name;
      keys.append(label);
    }
    const grid = make("div", { className: "panels" });
    place.append(keys, grid, numbers(about, looks));
    for (const panel of about.panels) {
      const entry = make("div", { className: "panel" }, make("h3", { textContent: panel.title }), make("p", { textContent: panel.unit }));
      entry.dataset.item = "";
      entry.dataset.task = panel.tasks.join(" ");
      grid.append(entry);
      if (panel.curves.length) own.push({ plot: chart(panel, looks, entry), panel });
      else entry.append(make("p", { textContent: panel.nothing }));
      if (panel.absent.length) entry.append(make("p", { textContent: `not run: ${panel.absent.join(", ")}` }));
    }
    figures.push({ own, chosen, redraw, keys });
  }

  /* In the colours of the theme that is on now. */
  function repaint() {
    for (const { own } of figures) for (const { plot } of own) plot.redraw(false);
  }

  return { figure, repaint, figures, make, isDark };
})();
