"use strict";
(function () {
  const began = performance.now();
  const data = JSON.parse(document.getElementById("data").textContent);
  const text = (place) => data.strings[place];
  const SEVERITIES = ["high", "medium", "low", "informational"];
  const STATUSES = ["change", "withheld", "deferred", "unknown", "finding"];
  const ORDER = ["high", "unknown", "medium", "change", "withheld", "deferred", "low", "informational"];
  const HEIGHT = 40;

  // What a list holds, from columns of places in the table of strings.
  const FIELDS = ["status", "severity", "rule", "requirements", "workspaces", "resource", "title", "reason", "remedy",
    "source", "guard", "outcome", "principal", "role", "scope", "until"];
  const items = data.items.map((row) => {
    // Where its texts are, those of its workspaces among them.
    const places = row.flatMap((place) => Array.isArray(place) ? place.map((at) => data.workspaces[at]) : [place]);
    const one = { places: Int32Array.from(places) };
    FIELDS.forEach((name, at) => { one[name] = name === "workspaces" ? row[at] : text(row[at]); });
    one.kind = one.severity || one.status;
    one.badness = ORDER.indexOf(one.kind);
    return one;
  });
  const last = (id) => id.replace(/\/+$/, "").split("/").pop() || id;
  const named = (id, collection) => {
    const found = new RegExp("/" + collection + "/([^/]*)", "i").exec(id);
    return found ? found[1] : "";
  };
  const spaces = data.workspaces.map((place, at) => {
    const id = text(place);
    return { at, id, name: last(id), group: named(id, "resourceGroups"), subscription: named(id, "subscriptions"),
      items: [], high: 0, medium: 0, change: 0, total: 0 };
  });
  items.forEach((one) => one.workspaces.forEach((at) => {
    const space = spaces[at];
    space.items.push(one);
    space.total += 1;
    if (one.kind in space) space[one.kind] += 1;
  }));
  // A word is looked for once in each text, however many items say it: there are few texts and many items.
  let lower = null;
  function holding(word) {
    lower = lower || data.strings.map((one) => one.toLowerCase());
    const flags = new Uint8Array(lower.length);
    for (let at = 0; at < lower.length; at += 1) if (lower[at].includes(word)) flags[at] = 1;
    return flags;
  }
  function says(one, flags) {
    const { places } = one;
    for (let at = 0; at < places.length; at += 1) if (flags[places[at]] === 1) return true;
    return false;
  }

  function make(tag, attributes, ...children) {
    const made = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes || {})) {
      if (value === false || value === undefined || value === null) continue;
      if (name === "onclick" || name === "oninput" || name === "onchange" || name === "onkeydown") made[name] = value;
      else made.setAttribute(name, value === true ? "" : value);
    }
    made.append(...children.filter((one) => one !== null && one !== undefined));
    return made;
  }
  const say = (what) => { document.getElementById("status").textContent = what; };
  const counted = (number, noun) => `${number} ${noun}${number === 1 ? "" : "s"}`;

  // A list that draws only what is seen. `cells` makes the cells of a row, `open` shows one.
  function list(name, columns, rows, cells, open, first) {
    let sorted = first || { at: -1, down: true };
    let shown = rows, chosen = 0;
    const filler = make("div", { class: "filler", role: "rowgroup" });
    const port = make("div", { class: "port" }, filler);
    const heads = make("div", { class: "heads", role: "row" }, ...columns.map((column, at) => make("span",
      { role: "columnheader", "aria-sort": "none" },
      make("button", { type: "button", onclick: () => sort(at) }, column.name))));
    const box = make("div", { class: `list ${name}`, role: "table", "aria-label": columns.label },
      make("div", { role: "rowgroup" }, heads), port);
    const pool = new Map();

    function draw(all) {
      const from = all ? 0 : Math.max(0, Math.floor(port.scrollTop / HEIGHT) - 6);
      const to = all ? Math.min(shown.length, 3000) : Math.min(shown.length, from + Math.ceil((port.clientHeight || 600) / HEIGHT) + 12);
      for (const [at, row] of pool) if (at < from || at >= to) { row.remove(); pool.delete(at); }
      for (let at = from; at < to; at += 1) {
        if (pool.has(at)) continue;
        const row = make("div", { class: "row", role: "row", tabindex: at === chosen ? "0" : "-1",
          "aria-rowindex": at + 2, "data-at": at }, ...cells(shown[at]).map((cell) => {
          cell.setAttribute("role", "cell");
          return cell;
        }));
        row.style.top = `${at * HEIGHT}px`;
        pool.set(at, row);
        filler.append(row);
      }
    }
    function redraw() {
      pool.forEach((row) => row.remove());
      pool.clear();
      filler.style.height = `${shown.length * HEIGHT}px`;
      box.setAttribute("aria-rowcount", shown.length + 1);
      chosen = 0;
      port.scrollTop = 0;
      draw();
    }
    function set(next) {
      shown = sorted.at < 0 ? next : [...next].sort(compare);
      redraw();
    }
    function compare(one, other) {
      const value = columns[sorted.at].value;
      const [a, b] = [value(one), value(other)];
      return (a < b ? -1 : a > b ? 1 : 0) * (sorted.down ? 1 : -1);
    }
    function sort(at) {
      sorted = { at, down: sorted.at === at ? !sorted.down : true };
      [...heads.children].forEach((head, place) => head.setAttribute("aria-sort",
        place !== at ? "none" : sorted.down ? "ascending" : "descending"));
      set(shown);
      say(`sorted by ${columns[at].name}`);
    }
    function choose(at) {
      const before = pool.get(chosen);
      if (before) before.tabIndex = -1;
      chosen = Math.max(0, Math.min(shown.length - 1, at));
      const top = chosen * HEIGHT;
      if (top < port.scrollTop) port.scrollTop = top;
      if (top + HEIGHT > port.scrollTop + port.clientHeight) port.scrollTop = top + HEIGHT - port.clientHeight;
      draw();
      const row = pool.get(chosen);
      if (row) { row.tabIndex = 0; row.focus(); }
    }
    filler.addEventListener("click", (event) => {
      const row = event.target.closest(".row");
      if (row) { chosen = Number(row.dataset.at); open(shown[chosen]); }
    });
    filler.addEventListener("keydown", (event) => {
      const page = Math.max(1, Math.floor(port.clientHeight / HEIGHT) - 1);
      const step = { ArrowDown: 1, ArrowUp: -1, PageDown: page, PageUp: -page, Home: -Infinity, End: Infinity }[event.key];
      if (step !== undefined) { event.preventDefault(); choose(Math.max(0, Math.min(shown.length - 1, chosen + step))); }
      if (event.key === "Enter" && shown.length) { event.preventDefault(); open(shown[chosen]); }
    });
    let waiting = false;
    port.addEventListener("scroll", () => {
      if (waiting) return;
      waiting = true;
      requestAnimationFrame(() => { waiting = false; draw(); });
    });
    addEventListener("beforeprint", () => { if (box.isConnected) draw(true); });
    queueMicrotask(() => set(rows));
    return { box, set, get length() { return shown.length; } };
  }

  const tag = (one) => make("span", { class: `tag ${one.kind}` }, one.outcome ? `${one.kind}: ${one.outcome}` : one.kind);
  const where = (one) => one.workspaces.length === 1 ? spaces[one.workspaces[0]].name
    : one.workspaces.length ? `${one.workspaces.length} workspaces` : "";

  function detail(one) {
    const pairs = [["what", one.title], ["reason", one.reason], ["remedy", one.remedy], ["rule", one.rule],
      ["requirements", one.requirements], ["guard", one.guard], ["until", one.until], ["resource", one.resource],
      ["identity", one.principal], ["role", one.role], ["scope", one.scope], ["source", one.source]];
    const links = one.workspaces.slice(0, 50).map((at) => make("a", { href: `#/w/${at}` }, spaces[at].name));
    const between = links.flatMap((link, at) => at ? [", ", link] : [link]);
    const more = one.workspaces.length > 50 ? ` and ${one.workspaces.length - 50} more` : "";
    return make("dl", {}, ...pairs.filter(([, value]) => value).flatMap(([name, value]) =>
      [make("dt", {}, name), make("dd", {}, value)]), make("dt", {}, "workspaces"), make("dd", {}, ...between, more));
  }

  function choice(label, values, onchange, names) {
    const select = make("select", { onchange }, make("option", { value: "" }, "all"),
      ...values.map((value) => make("option", { value }, names ? names(value) : value)));
    return [make("label", {}, label, select), select];
  }

  function search(oninput, label) {
    const input = make("input", { type: "search", oninput, autocomplete: "off", spellcheck: "false", id: "search" });
    return [make("label", {}, label, input), input];
  }

  function showItems(view) {
    const shown = make("div", { class: "detail", tabindex: "-1", hidden: true });
    const columns = [{ name: "status", value: (one) => one.badness }, { name: "what", value: (one) => one.title.toLowerCase() },
      { name: "workspace", value: where }, { name: "rule", value: (one) => one.requirements || one.rule }];
    columns.label = "What was found, and what would be done";
    const rows = [...items].sort((a, b) => a.badness - b.badness);
    const table = list("items", columns, rows, (one) => [tag(one), make("span", { title: one.title }, one.title),
      make("span", {}, where(one)), make("span", {}, one.requirements || one.rule)], (one) => {
      shown.hidden = false;
      shown.replaceChildren(make("h3", {}, one.title), detail(one),
        make("button", { type: "button", onclick: () => { shown.hidden = true; } }, "Close"));
      shown.focus();
      shown.scrollIntoView({ block: "nearest" });
    });
    const [searching, input] = search(apply, "Search (press /)");
    const [byStatus, status] = choice("Status", STATUSES, apply);
    const [bySeverity, severity] = choice("Severity", SEVERITIES, apply);
    const [byRule, rule] = choice("Rule", [...new Set(items.flatMap((one) => one.rule.split(", ")))].filter(Boolean).sort(), apply);
    const [bySubscription, subscription] = choice("Subscription",
      [...new Set(spaces.map((space) => space.subscription))].filter(Boolean).sort(), apply);
    const total = make("p", { class: "dim", id: "total" });
    function apply() {
      const start = performance.now();
      const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
      const flags = words.map(holding);
      const kept = rows.filter((one) => (!status.value || one.status === status.value)
        && (!severity.value || one.severity === severity.value)
        && (!rule.value || one.rule.split(", ").includes(rule.value))
        && (!subscription.value || one.workspaces.some((at) => spaces[at].subscription === subscription.value))
        && flags.every((each) => says(one, each)));
      table.set(kept);
      total.textContent = `${kept.length} of ${items.length}`;
      say(`${kept.length} of ${items.length} shown`);
      measured.filter = performance.now() - start;
    }
    view.append(make("h2", {}, "Findings and changes"),
      make("div", { class: "bar" }, searching, byStatus, bySeverity, byRule, bySubscription), total, table.box, shown);
    const wanted = new URLSearchParams(location.hash.split("?")[1] || "");
    for (const [name, select] of [["status", status], ["severity", severity], ["rule", rule], ["subscription", subscription]]) {
      if (wanted.has(name)) select.value = wanted.get(name);
    }
    input.value = wanted.get("q") || "";
    apply();
  }

  function showSpaces(view) {
    const columns = [{ name: "workspace", value: (one) => one.name.toLowerCase() }, { name: "group", value: (one) => one.group.toLowerCase() },
      { name: "subscription", value: (one) => one.subscription }, ...["high", "medium", "change", "total"].map((name) =>
        ({ name, value: (one) => -one[name] }))];
    columns.label = "Workspaces";
    const table = list("spaces", columns, spaces, (one) => [make("span", {}, make("a", { href: `#/w/${one.at}`, tabindex: "-1" }, one.name)),
      make("span", {}, one.group), make("span", {}, one.subscription.slice(0, 8) + "\u2026"),
      ...["high", "medium", "change", "total"].map((name) => make("span", {}, one[name] ? String(one[name]) : ""))],
    (one) => { location.hash = `#/w/${one.at}`; });
    const total = make("p", { class: "dim" }, counted(spaces.length, "workspace"));
    const [searching, input] = search(() => {
      const start = performance.now();
      const word = input.value.toLowerCase().trim();
      const kept = spaces.filter((space) => space.id.toLowerCase().includes(word));
      table.set(kept);
      total.textContent = `${kept.length} of ${spaces.length}`;
      say(total.textContent);
      measured.filter = performance.now() - start;
    }, "Search (press /)");
    view.append(make("h2", {}, "Workspaces"), make("div", { class: "bar" }, searching), total, table.box);
  }

  const SVG = "http://www.w3.org/2000/svg";
  function draw(tagName, attributes, ...children) {
    const made = document.createElementNS(SVG, tagName);
    for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
    made.append(...children);
    return made;
  }
  const WORDS = { held: "held", missing: "missing", broad: "held by a role that is too broad", unknown: "not known" };
  const short = (what, most) => what.length > most ? what.slice(0, most - 1) + "\u2026" : what;

  // Identities on the left, roles in the middle, resources on the right.
  function picture(edges) {
    const sides = [[], [], []];
    const place = (side, name) => {
      let at = sides[side].indexOf(name);
      if (at < 0) { at = sides[side].length; sides[side].push(name); }
      return at;
    };
    const lines = edges.map((edge) => ({ kind: edge.kind, a: place(0, edge.identity),
      b: place(1, `${edge.role} \u2192 ${edge.target}\u0000${edge.kind}`), c: place(2, edge.target) }));
    const rows = Math.max(...sides.map((side) => side.length));
    const height = rows * 46 + 30;
    const xs = [10, 400, 790], width = 300;
    const y = (side, at) => 20 + (at + 0.5) * (rows * 46 / sides[side].length) - 15;
    const svg = draw("svg", { viewBox: `0 0 1100 ${height}`, role: "img", "aria-label":
      `Access map: ${counted(sides[0].length, "identity").replace("identitys", "identities")}, ${counted(sides[2].length, "resource")}; the table below says the same.` });
    for (const line of lines) {
      for (const [from, to, at, next] of [[0, 1, line.a, line.b], [1, 2, line.b, line.c]]) {
        const [x1, x2, y1, y2] = [xs[from] + width, xs[to], y(from, at) + 15, y(to, next) + 15];
        svg.append(draw("path", { class: `edge ${line.kind}`, d: `M${x1} ${y1}C${x1 + 50} ${y1} ${x2 - 50} ${y2} ${x2} ${y2}` }));
      }
    }
    sides.forEach((side, number) => side.forEach((name, at) => {
      const said = number === 1 ? name.split(" \u2192 ")[0] : name;
      const box = draw("g", {}, draw("title", {}, name.replace(/\u0000.*/, "")),
        draw("rect", { class: "box", x: xs[number], y: y(number, at), width, height: 30, rx: 6 }));
      const label = draw("text", { x: xs[number] + 10, y: y(number, at) + 20 });
      label.textContent = short(said, 40);
      box.append(label);
      svg.append(box);
    }));
    return svg;
  }

  function map(at) {
    const edges = (data.maps[at] || []).map((row) => ({ identity: text(row[0]), need: text(row[1]), role: text(row[2]),
      target: text(row[3]), kind: text(row[4]), through: text(row[5]) }));
    if (!edges.length) return make("p", { class: "dim" }, "Nothing is known of who needs what here.");
    const key = make("ul", { class: "key" }, ...Object.entries(WORDS).map(([kind, said]) => make("li", {},
      draw("svg", { viewBox: "0 0 42 12", "aria-hidden": "true" }, draw("path", { class: `edge ${kind}`, d: "M0 6H42" })), ` ${said}`)));
    const table = make("table", {}, make("caption", { class: "hidden" }, "Who needs what, and through what it is held"),
      make("thead", {}, make("tr", {}, ...["identity", "needs to", "on", "state", "role"].map((name) => make("th", { scope: "col" }, name)))),
      make("tbody", {}, ...edges.map((edge) => make("tr", {}, make("td", {}, edge.identity), make("td", {}, edge.need),
        make("td", {}, edge.target), make("td", {}, WORDS[edge.kind]), make("td", {}, [edge.role, edge.through].filter(Boolean).join(", "))))));
    const drawn = (svg) => make("div", { class: "scrolls", tabindex: "0", role: "region", "aria-label": "Access map" }, svg);
    return make("div", {}, key, edges.length <= 60 ? drawn(picture(edges)) : make("p", { class: "dim" }, "Too much to draw: the table has all of it."),
      make("div", { class: "scrolls", tabindex: "0", role: "region", "aria-label": "Access table" }, table));
  }

  function showSpace(view, at) {
    const space = spaces[at];
    if (!space) { view.append(make("p", {}, "There is no such workspace in this report.")); return; }
    const found = [...space.items].sort((a, b) => a.badness - b.badness);
    view.append(make("p", {}, make("a", { href: "#/workspaces" }, "All workspaces")), make("h2", {}, `Workspace ${space.name}`),
      make("dl", { class: "about" }, make("dt", {}, "id"), make("dd", {}, make("code", {}, space.id))),
      make("h3", {}, "Access map"), map(at), make("h3", {}, `Findings and changes (${found.length})`));
    const things = make("ul", { class: "things" });
    const more = make("button", { type: "button", onclick: () => add(200) });
    let next = 0;
    function add(many) {
      for (const one of found.slice(next, next + many)) {
        things.append(make("li", {}, make("p", {}, tag(one), " ", one.title), one.reason ? make("p", {}, one.reason) : null,
          one.remedy ? make("p", {}, `Remedy: ${one.remedy}`) : null,
          make("p", { class: "dim" }, [one.rule, one.requirements].filter(Boolean).join(", "))));
      }
      next += many;
      more.hidden = next >= found.length;
      more.textContent = `Show ${found.length - next} more`;
    }
    add(100);
    view.append(found.length ? things : make("p", {}, "Nothing is left to do or to look at here."), more);
  }

  function showPast(view) {
    view.append(make("h2", {}, "What amlguard did"));
    if (!data.past.length) { view.append(make("p", {}, data.noPast)); return; }
    const rows = data.past.map((row) => ({ time: text(row[0]), outcome: text(row[1]), what: text(row[2]), run: text(row[3]), reason: text(row[4]) }));
    const columns = [{ name: "time", value: (one) => one.time }, { name: "outcome", value: (one) => one.outcome },
      { name: "what", value: (one) => one.what }, { name: "run", value: (one) => one.run }];
    columns.label = "Remediations";
    const shown = make("div", { class: "detail", tabindex: "-1", hidden: true });
    const table = list("past", columns, rows, (one) => [one.time, one.outcome, one.what, one.run].map((said) => make("span", {}, said)),
      (one) => { shown.hidden = false; shown.replaceChildren(make("h3", {}, one.what), make("p", {}, one.reason)); shown.focus(); });
    view.append(make("p", { class: "dim" }, counted(rows.length, "row")), table.box, shown);
  }

  function showWaiting(view) {
    view.append(make("h2", {}, "What waits for a person"));
    if (!data.waiting.length) { view.append(make("p", {}, data.noWaiting)); return; }
    view.append(make("ul", { class: "things" }, ...data.waiting.map((row) => make("li", {}, make("p", {}, make("strong", {}, text(row[1]))),
      ...row[3].map((place) => make("p", {}, text(place))), make("p", { class: "dim" }, text(row[2])),
      make("p", {}, make("code", {}, `amlguard approve ${text(row[0])}`))))));
  }

  const PARTS = [["overview", "Posture", null], ["findings", `Findings and changes (${items.length})`, showItems],
    ["workspaces", `Workspaces (${spaces.length})`, showSpaces],
    ...(data.whole ? [["past", `Remediations (${data.past.length})`, showPast], ["waiting", `Waiting (${data.waiting.length})`, showWaiting]] : [])];
  const measured = window.measured = { load: 0, filter: 0 };
  const nav = document.getElementById("nav");
  PARTS.forEach(([name, said]) => nav.append(make("a", { href: name === "overview" ? "#/" : `#/${name}` }, said)));

  function route(first) {
    const path = location.hash.slice(2).split("?")[0] || "overview";
    const view = document.getElementById("view");
    const [name, at] = path.split("/");
    const overview = document.getElementById("overview");
    const part = PARTS.find(([each]) => each === name);
    const show = name === "w" ? (into) => showSpace(into, Number(at)) : part && part[2];
    overview.hidden = Boolean(show);
    view.hidden = !show;
    view.replaceChildren();
    if (show) show(view);
    [...nav.children].forEach((link, number) => {
      const mine = PARTS[number][0] === (name === "w" ? "workspaces" : show ? name : "overview");
      if (mine) link.setAttribute("aria-current", "page"); else link.removeAttribute("aria-current");
    });
    if (first !== true) { scrollTo(0, 0); document.getElementById("main").focus({ preventScroll: true }); }
  }
  addEventListener("hashchange", () => { if (location.hash !== "#main") route(); });

  const theme = document.getElementById("theme");
  const dark = () => (document.documentElement.dataset.theme || (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light")) === "dark";
  const telling = () => { theme.setAttribute("aria-pressed", String(dark())); };
  const turn = () => { document.documentElement.dataset.theme = dark() ? "light" : "dark"; telling(); };
  theme.onclick = turn;
  telling();
  addEventListener("keydown", (event) => {
    const typing = /^(INPUT|SELECT|TEXTAREA)$/.test(event.target.tagName);
    if (event.key === "/" && !typing && !event.ctrlKey && !event.metaKey) {
      event.preventDefault();
      if (!document.getElementById("search")) location.hash = "#/findings";
      setTimeout(() => { const input = document.getElementById("search"); if (input) input.focus(); });
    }
    if (event.key === "Escape" && event.target.id === "search") {
      event.target.value = "";
      event.target.dispatchEvent(new Event("input"));
    }
  });
  route(true);
  // Before anybody has typed, so that the first letter need not wait for it.
  setTimeout(() => holding(""), 50);
  document.body.dataset.ready = "true";
  measured.load = performance.now() - began;
}());
