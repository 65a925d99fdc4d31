"use strict";
(() => {
  const data = JSON.parse(document.getElementById("customers-data").textContent);
  const by = (id) => document.getElementById(id);
  const SHOWN = 60;
  const LISTED = 30;

  // Text goes in as text nodes alone: whatever a silo wrote, it cannot become markup.
  const fill = (node, attributes, children) => {
    for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
    node.append(...children.filter((child) => child !== null));
    return node;
  };
  const make = (tag, attributes = {}, ...children) => fill(document.createElement(tag), attributes, children);
  const draw = (tag, attributes = {}, ...children) =>
    fill(document.createElementNS("http://www.w3.org/2000/svg", tag), attributes, children);

  const number = (value, digits) => value.toFixed(digits).replace("-", "\u2212");
  const signed = (value) => (value > 0 ? "+" : "") + number(value, 3);
  // What a grid says at a place: a score, or the action that would be best with its gain.
  const answered = (one, place) => {
    const { outcomes, actions } = one.what_if;
    if (!place && !actions.length) return one.said;
    const value = outcomes[place] * data.scale;
    if (!actions.length) {
      const digits = { minimumFractionDigits: data.digits, maximumFractionDigits: data.digits };
      return value.toLocaleString("en-US", digits) + data.suffix;
    }
    const best = `${data.actions[actions[place]]}, ${signed(value)}`;
    return value > data.threshold ? best : `do nothing (best: ${best})`;
  };
  const days = (count) => (count === 0 ? "that day" : count === 1 ? "1 day before" : `${count} days before`);
  const told = (one) => `Sample ${one.sample}, ${one.kind}: ${one.said}, ${one.came}`;

  const words = data.customers.map((one) =>
    [`sample ${one.sample}`, one.kind, ...one.facts.flat(), ...one.reasons].join(" ").toLowerCase());

  const bar = (from, to, scale, kind) => {
    const [low, high] = [Math.min(from, to), Math.max(from, to)];
    const mark = make("i", { class: kind });
    mark.style.left = `${100 * (low - scale.low) / scale.span}%`;
    mark.style.width = `${Math.max(100 * (high - low) / scale.span, 0.4)}%`;
    return make("td", { class: "fall", "aria-hidden": "true" }, make("span", {}, mark));
  };

  const waterfall = (one) => {
    const steps = [...one.parts, ...one.rest.map(([name, size]) => [name, "", size])];
    const ends = steps.reduce((sums, step) => [...sums, sums.at(-1) + step[2]], [one.base]);
    const low = Math.min(0, ...ends), high = Math.max(0, ...ends);
    const scale = { low, span: high - low || 1 };
    const body = make("tbody");
    const row = (kind, name, value, size, from, to, way) => body.append(make("tr", { class: kind },
      make("th", { scope: "row" }, name), make("td", { class: "name" }, value), make("td", {}, size), bar(from, to, scale, way)));
    row("edge", one.start, "", number(one.base, 3), 0, one.base, "edge");
    steps.forEach((step, at) => row("step", typeof step[0] === "number" ? data.features[step[0]] : step[0], step[1],
      signed(step[2]), ends[at], ends[at + 1], step[2] < 0 ? "down" : "up"));
    row("edge", one.end, "", number(one.raw, 3), 0, ends.at(-1), "edge");
    return make("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Waterfall" },
      make("table", { class: "waterfall", id: "waterfall" },
        make("caption", {}, data.caption),
        make("thead", {}, make("tr", {}, ...["Feature", "Value", "Moves by"].map((text) =>
          make("th", text === "Value" ? { scope: "col", class: "name" } : { scope: "col" }, text)), make("td", { "aria-hidden": "true" }))), body));
  };

  const timeline = (one) => {
    const { days: when, channel, kind, cents, earlier } = one.history;
    if (!when.length) return make("p", { class: "soft" }, "Nothing was visible at that date.");
    const used = [...new Set(channel)].sort((a, b) => a - b);
    const left = 14 + 6.4 * Math.max(...used.map((place) => data.channels[place].length), 6);
    const width = 560, line = 24, last = Math.max(...when, 30);
    const x = (day) => left + (width - left - 12) * (1 - Math.sqrt(day / last));
    const picture = draw("svg", { viewBox: `0 0 ${width} ${used.length * line + 26}`, class: "timeline", role: "img",
      "aria-label": `${when.length} interactions on ${used.length} channels; the table below lists them.` });
    used.forEach((place, at) => {
      const y = at * line + 14;
      picture.append(draw("path", { class: "grid", d: `M${left} ${y}H${width - 12}` }),
        draw("text", { class: "key", x: 0, y: y + 4 }, data.channels[place]));
      when.forEach((day, row) => {
        if (channel[row] !== place) return;
        const bought = cents[row] !== null && cents[row] !== 0;
        picture.append(bought ? draw("circle", { class: "dot", cx: x(day).toFixed(1), cy: y, r: 4.5 })
          : draw("path", { class: "tickmark", d: `M${x(day).toFixed(1)} ${y - 5}v10` }));
      });
    });
    const bottom = used.length * line + 18;
    for (const day of [0, 7, 30, 90, 365, 730].filter((one) => one <= last))
      picture.append(draw("text", { class: "tick mid", x: Math.min(x(day), width - 16).toFixed(1), y: bottom }, day === 0 ? "now" : `${day}d`));
    const rows = when.slice(0, LISTED).map((day, row) => make("tr", {}, make("th", { scope: "row" }, days(day)),
      make("td", { class: "name" }, data.channels[channel[row]]), make("td", { class: "name" }, data.kinds[kind[row]]),
      make("td", {}, cents[row] === null ? "" : number(cents[row] / 100, 2))));
    const more = when.length - rows.length + earlier;
    return make("div", {}, make("div", { class: "scroll" }, picture),
      make("p", { class: "note" }, "Dots are interactions with an amount, ticks others; the further back, the closer together."),
      make("details", {}, make("summary", {}, `Interactions as a table${more ? ` (the latest ${rows.length}; ${more} earlier)` : ""}`),
        make("table", { class: "told" }, make("thead", {}, make("tr", {}, ...["When", "Channel", "Kind", "Amount"]
          .map((text) => make("th", { scope: "col" }, text)))), make("tbody", {}, ...rows))));
  };

  const whatIf = (one) => {
    const { features, values } = one.what_if;
    if (!features.length) return make("p", { class: "soft" }, "No feature of this score can be varied.");
    const answer = make("output", { id: "answer", "aria-live": "polite" });
    const chosen = features.map(() => 0);
    const tell = () => {
      const place = chosen.reduce((sum, value, at) => sum * values[at].length + value, 0);
      const own = answered(one, 0);
      answer.textContent = chosen.some((value) => value)
        ? `Prediction: ${answered(one, place)}; with the original values, ${own}.`
        : `Prediction with the original values: ${own}.`;
    };
    const fields = features.map((name, at) => {
      const id = `what-if-${at}`;
      const choice = make("select", { id }, ...values[at].map((text, place) =>
        make("option", { value: String(place) }, place ? text : `${text} (original)`)));
      choice.addEventListener("change", () => { chosen[at] = choice.selectedIndex; tell(); });
      return make("p", {}, make("label", { for: id }, data.features[name]), choice);
    });
    tell();
    return make("div", { class: "what-if" }, ...fields, answer, make("p", { class: "note" }, data.note));
  };

  const actions = (one) => {
    const low = Math.min(0, ...one.gains.map((of) => of[2])), high = Math.max(0, ...one.gains.map((of) => of[3]));
    const scale = { low, span: high - low || 1 };
    const rows = [...one.gains].sort((a, b) => b[1] - a[1]).map(([name, size, least, most, able]) => make("tr", {},
      make("th", { scope: "row" }, able ? name : `${name} (not possible then)`), make("td", {}, signed(size)),
      make("td", {}, `${number(least, 3)} to ${number(most, 3)}`), bar(0, size, scale, size < 0 ? "down" : "up")));
    return make("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Actions" },
      make("table", {}, make("thead", {}, make("tr", {}, ...["Action", "Expected gain", "95\u202f% interval"]
        .map((text) => make("th", { scope: "col" }, text)), make("td", { "aria-hidden": "true" }))), make("tbody", {}, ...rows)));
  };

  const show = (one) => {
    const part = (title, ...nodes) => make("section", { "aria-label": title }, make("h4", {}, title), ...nodes);
    by("one").replaceChildren(
      make("h3", { id: "chosen" }, `Sample ${one.sample}: ${one.kind}`),
      make("p", { class: "note" }, one.meaning),
      make("dl", { class: "facts-line" }, ...one.facts.map(([name, value]) => make("div", {}, make("dt", {}, name), make("dd", {}, value)))),
      ...(one.gains.length ? [part("Actions", actions(one))] : []),
      part("Reasons", make("ul", {}, ...one.reasons.map((text) => make("li", {}, text)))),
      part(one.gains.length ? "Gain of the best action" : "Score", waterfall(one)),
      part("What if", whatIf(one)),
      part("History", timeline(one)));
  };

  let found = [];
  let current = null;
  const mark = () => by("hits").querySelectorAll("button").forEach((button) =>
    button.setAttribute("aria-pressed", String(Number(button.dataset.sample) === current)));
  const select = (one) => { current = one.sample; show(one); mark(); };
  const search = () => {
    const asked = by("query").value.toLowerCase().split(/\s+/).filter(Boolean);
    const kind = by("kind").value;
    found = data.customers.filter((one, at) => (!kind || one.kind === kind) &&
      asked.every((word) => /^\d+$/.test(word) ? String(one.sample) === word : words[at].includes(word)));
    by("hits").replaceChildren(...found.slice(0, SHOWN).map((one) => {
      const button = make("button", { type: "button", "data-sample": String(one.sample) }, told(one));
      button.addEventListener("click", () => select(one));
      return make("li", {}, button);
    }));
    const more = found.length > SHOWN ? `, the first ${SHOWN} listed` : "";
    by("count").textContent = `${found.length} of ${data.customers.length} customers${more}`;
    mark();
  };

  by("find").addEventListener("submit", (event) => { event.preventDefault(); if (found.length) select(found[0]); });
  by("query").addEventListener("input", search);
  by("kind").addEventListener("change", search);
  by("hits").addEventListener("keydown", (event) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (!step) return;
    const buttons = [...by("hits").querySelectorAll("button")];
    const next = buttons[buttons.indexOf(document.activeElement) + step];
    if (next) { event.preventDefault(); next.focus(); }
  });
  document.documentElement.classList.add("scripted");
  by("explorer").hidden = false;
  search();
  const asked = data.customers.find((one) => `#sample-${one.sample}` === location.hash);
  if (asked || data.customers.length) select(asked || data.customers[0]);
})();
