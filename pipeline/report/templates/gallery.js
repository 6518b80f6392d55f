// The gallery: cards in the order asked for, and one frame large. The data are rows of `columns`;
// the picture of row N is N.jpg, that of its probability N.png.
(() => {
  const PAGE = 60; // cards made at a time
  const KINDS = {
    all: () => true,
    mask: (frame) => frame.true_area > 0,
    empty: (frame) => frame.true_area === 0,
    alarm: (frame) => frame.true_area === 0 && frame.area > 0,
    miss: (frame) => frame.true_area > 0 && frame.area === 0,
    contradiction: (frame) => frame.contradicts !== "",
    predicted: (frame) => frame.area > 0,
    unpredicted: (frame) => frame.area === 0,
  };
  const element = (id) => document.getElementById(id);
  const data = JSON.parse(element("frames").textContent);
  const frames = data.frames.map((row, number) => {
    const frame = { number };
    data.columns.forEach((name, at) => { frame[name] = row[at]; });
    return frame;
  });
  const byId = new Map(frames.map((frame) => [frame.id, frame]));
  const gallery = element("gallery"), viewer = element("viewer");
  let shown = frames; // sorted and filtered
  let made = 0; // cards of these
  let current = null; // the frame in the viewer

  const make = (name, attributes = {}, ...children) => {
    const node = document.createElement(name);
    Object.entries(attributes).forEach(([key, value]) => node.setAttribute(key, value));
    node.append(...children);
    return node;
  };
  const link = (frame) => `#${encodeURIComponent(frame.id)}`;
  const pixels = (area) => (area ? `${area.toLocaleString("en")} px` : "empty");

  // The frame below, its probability over it, the outlines on top.
  const stack = (frame, loading) => {
    const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
    // A mask's corners are the centres of pixels.
    svg.setAttribute("viewBox", `-0.5 -0.5 ${frame.width} ${frame.height}`);
    data.masks.forEach((name) => {
      const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
      path.setAttribute("class", name);
      path.setAttribute("d", frame[name]);
      svg.append(path);
    });
    const picture = (kind, type) => make("img", {
      class: kind, alt: kind === "photo" ? `frame ${frame.id}` : "", loading,
      src: `${data.base}/${frame.number}.${type}`,
    });
    const box = make("div", { class: "stack" }, picture("photo", "jpg"));
    box.style.setProperty("--ratio", frame.width / frame.height);
    if (frame.has_map) box.append(picture("probability", "png"));
    box.append(svg);
    return box;
  };
  const summary = (frame) => {
    const parts = [frame.dice === undefined ? pixels(frame.area) : `Dice ${frame.dice.toFixed(3)}`];
    if (KINDS.alarm(frame)) parts.push("false alarm");
    if (KINDS.miss(frame)) parts.push("miss");
    return parts.join(", ");
  };
  const card = (frame) => make(
    "a", { class: "frame", href: link(frame), "data-id": frame.id }, stack(frame, "lazy"),
    make("span", { class: "caption" }, make("b", {}, frame.id), ` ${summary(frame)}`),
  );

  const makeMore = () => {
    gallery.append(...shown.slice(made, made + PAGE).map(card));
    made = Math.min(made + PAGE, shown.length);
  };
  const arrange = () => {
    const [column, direction] = element("sort").value.split(" ");
    const sign = direction === "down" ? -1 : 1;
    const kind = KINDS[element("kind").value];
    const filters = [...document.querySelectorAll("[data-filter]")].filter((each) => each.value);
    const text = element("search").value.trim();
    shown = frames.filter((frame) => kind(frame) && frame.id.includes(text)
      && filters.every((each) => String(frame[each.dataset.filter]) === each.value));
    // Rows are in the order of their ids, and sorting keeps it among equals.
    shown.sort((a, b) => sign * (column === "id" ? a.number - b.number : a[column] - b[column]));
    made = 0;
    gallery.replaceChildren();
    makeMore();
    const [some, all] = [shown.length, frames.length].map((count) => count.toLocaleString("en"));
    element("count").textContent = `${some} of ${all} frames`;
  };

  const facts = (frame) => {
    const rows = [["predicted", pixels(frame.area)], ["presence", frame.presence.toFixed(3)]];
    if (frame.dice !== undefined) {
      rows.unshift(["Dice", summary(frame).replace("Dice ", "")], ["truth", pixels(frame.true_area)]);
      rows.push(["subject", frame.subject], ["fold", String(frame.fold)]);
    }
    rows.push(["size", `${frame.width} x ${frame.height}`]);
    const partner = byId.get(frame.contradicts);
    if (partner) rows.push(["contradicts", make("a", { href: link(partner) }, partner.id)]);
    return rows.map(([name, value]) => make("div", {}, make("dt", {}, name), make("dd", {}, value)));
  };
  const view = (frame) => {
    current = frame;
    element("large").replaceChildren(stack(frame, "eager"));
    element("facts").replaceChildren(...facts(frame));
    Object.assign(element("permalink"), { href: link(frame), textContent: frame.id });
    const place = shown.indexOf(frame);
    element("place").textContent = place < 0 ? "" : `${place + 1} of ${shown.length}`;
    if (!viewer.open) viewer.showModal();
    const following = shown[place + 1];
    if (following) new Image().src = `${data.base}/${following.number}.jpg`;
  };
  const step = (by) => {
    const list = shown.includes(current) ? shown : frames;
    const next = list[list.indexOf(current) + by];
    if (!next) return;
    history.replaceState(null, "", link(next));
    view(next);
  };
  const follow = () => {
    let id = "";
    try { id = decodeURIComponent(location.hash.slice(1)); } catch { /* no link of this page */ }
    const frame = byId.get(id);
    if (frame) view(frame);
    else if (viewer.open) viewer.close();
  };

  const showLayer = (layer, visible) => {
    document.body.classList.toggle(`without-${layer}`, !visible);
    document.querySelectorAll(`[data-layer="${layer}"]`).forEach((box) => { box.checked = visible; });
  };
  const isShown = (layer) => !document.body.classList.contains(`without-${layer}`);
  const LAYER_KEYS = { t: "truth", p: "predicted", o: "probability" };

  document.querySelectorAll("[data-layer]").forEach((box) => {
    showLayer(box.dataset.layer, box.defaultChecked);
    box.addEventListener("change", () => showLayer(box.dataset.layer, box.checked));
  });
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.matches("select, [type=search]")) return;
    const layer = LAYER_KEYS[event.key];
    if (layer && document.querySelector(`[data-layer="${layer}"]`)) showLayer(layer, !isShown(layer));
    const by = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (by && viewer.open) { event.preventDefault(); step(by); }
  });
  element("previous").addEventListener("click", () => step(-1));
  element("next").addEventListener("click", () => step(1));
  element("close").addEventListener("click", () => viewer.close());
  viewer.addEventListener("click", (event) => { if (event.target === viewer) viewer.close(); });
  viewer.addEventListener("close", () => {
    if (byId.has(decodeURIComponent(location.hash.slice(1)))) {
      history.replaceState(null, "", location.pathname + location.search);
    }
  });
  window.addEventListener("hashchange", follow);
  element("controls").addEventListener("submit", (event) => event.preventDefault());
  element("controls").addEventListener("change", (event) => {
    if (event.target.matches("select")) arrange();
  });
  element("search").addEventListener("input", arrange);
  new IntersectionObserver((entries) => {
    if (entries.some((entry) => entry.isIntersecting)) makeMore();
  }, { rootMargin: "800px" }).observe(element("more"));

  const pairs = element("pairs");
  if (pairs) {
    const seen = new Set();
    frames.forEach((frame) => {
      const partner = byId.get(frame.contradicts);
      if (!partner || seen.has(`${partner.number} ${frame.number}`)) return;
      seen.add(`${frame.number} ${partner.number}`);
      pairs.append(make("div", { class: "pair" }, card(frame), card(partner)));
    });
  }
  arrange();
  follow();
})();
