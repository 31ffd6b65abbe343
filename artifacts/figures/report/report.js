/* What the page does beyond being read: filters, the theme, printing, links into closed parts.
   Without scripts everything is there, curves as images. */
"use strict";
(() => {
  const FACETS = ["paper", "table", "task", "method", "verdict"];
  const root = document.documentElement;
  const all = (selector, within = document) => [...within.querySelectorAll(selector)];
  const { figure, figures, repaint, make, isDark } = Curves;

  const form = document.getElementById("filter"), claims = all(".claim");

  function apply() {
    const chosen = Object.fromEntries(FACETS.map((name) => [name, form.elements[name]?.value ?? ""]));
    const active = FACETS.filter((name) => chosen[name]);
    const fits = (item) => active.every((name) => item.dataset[name] === undefined || item.dataset[name].split(" ").includes(chosen[name]));
    for (const select of all("select", form)) select.classList.toggle("chosen", Boolean(select.value));
    for (const item of all("[data-item]")) item.classList.toggle("off", !fits(item));
    for (const table of all("table.results")) columns(table);
    for (const group of all("[data-group]")) {
      const items = all("[data-item]", group);
      const whole = group.matches("[data-item]") && !fits(group);
      group.classList.toggle("off", whole || (items.length > 0 && items.every((item) => item.classList.contains("off"))));
    }
    for (const section of all("main > section[id]")) {
      const entry = document.querySelector(`nav a[href="#${section.id}"]`);
      if (entry) entry.parentElement.hidden = section.classList.contains("off");
    }
    for (const details of all("details[data-group]")) {
      details.dataset.before ??= details.open ? "open" : "closed";
      details.open = active.length ? true : details.dataset.before === "open";
    }
    for (const it of figures) {
      it.chosen.method = chosen.method;
      for (const label of all("label", it.keys)) label.hidden = Boolean(chosen.method) && label.dataset.method !== chosen.method;
      it.redraw();
    }
    const left = claims.filter((item) => !item.classList.contains("off")).length;
    document.getElementById("shown").textContent = active.length ? `${left} of ${claims.length} numbers, orderings and sentences` : "";
  }

  /* A cell that does not fit leaves its place empty; a column without any that does goes as a whole. */
  function columns(table) {
    const rows = all("tr", table).filter((row) => !row.classList.contains("family"));
    const body = rows.filter((row) => row.parentElement.tagName === "TBODY");
    rows[0].querySelectorAll("th").forEach((head, i) => {
      const cells = body.map((row) => row.cells[i]).filter((cell) => cell?.matches("[data-item]"));
      const gone = cells.length > 0 && cells.every((cell) => cell.classList.contains("off"));
      for (const row of rows) row.cells[i]?.classList.toggle("gone", gone);
    });
  }

  function choose(values) {
    for (const name of FACETS) if (form.elements[name]) form.elements[name].value = values[name] ?? "";
    apply();
  }

  // ---- links, theme, print ------------------------------------------------------------------------------------
  /* What a link leads to is seen: closed parts open, and a filter that hides it is taken back. */
  function reveal() {
    const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
    if (!target) return;
    if (target.closest(".off")) choose({});
    for (let at = target; at; at = at.parentElement) if (at.tagName === "DETAILS") at.open = true;
    target.scrollIntoView();
  }

  function theme() {
    const button = document.getElementById("theme");
    const say = () => (button.textContent = isDark() ? "Light" : "Dark");
    button.hidden = false;
    say();
    button.addEventListener("click", () => {
      root.dataset.theme = isDark() ? "light" : "dark";
      say();
      repaint();
    });
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
      say();
      repaint();
    });
  }

  function printing() {
    let closed = [];
    addEventListener("beforeprint", () => {
      closed = all("details:not([open])");
      for (const details of closed) details.open = true;
    });
    addEventListener("afterprint", () => closed.forEach((details) => (details.open = false)));
  }

  function films() {
    for (const image of all("img[data-film]")) {
      const still = image.getAttribute("src"), button = make("button", { type: "button", className: "button", textContent: "Play" });
      button.addEventListener("click", () => {
        const playing = image.getAttribute("src") !== still;
        image.src = playing ? still : image.dataset.film;
        button.textContent = playing ? "Play" : "Stop";
      });
      image.after(button);
    }
  }

  const curves = JSON.parse(document.getElementById("curves").textContent);
  for (const place of all(".charts")) {
    figure(place, curves[place.dataset.figure]);
    place.parentElement.querySelector(".still").open = false;
  }
  form.hidden = false;
  form.addEventListener("change", apply);
  form.addEventListener("reset", () => setTimeout(apply));
  for (const button of all(".choose"))
    button.addEventListener("click", () => {
      choose(button.dataset);
      document.getElementById(claims.find((item) => !item.classList.contains("off"))?.closest("section").id)?.scrollIntoView();
    });
  if (innerWidth < 1120) document.getElementById("contents").open = false;
  theme();
  printing();
  films();
  addEventListener("hashchange", reveal);
  apply();
  reveal();
})();
