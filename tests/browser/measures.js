// What a reader sees of a page, measured; each function gives a list of what is wrong, or of what is there.

const GIVEN_UP = new Set(["grid", "band", "spread", "field", "halo"]); // of a picture: what no reader has to tell from the paper

function unfold() {
  document.querySelectorAll("details").forEach(each => { each.open = true; });
}

function whole() { // how high a window is in which all of the page is seen at once
  unfold();
  return document.documentElement.scrollHeight + 100;
}

function rgba(color) {
  const found = color.match(/[\d.]+/g);
  return !found || color === "none" ? [0, 0, 0, 0] : [...found.slice(0, 3).map(Number), found.length > 3 ? +found[3] : 1];
}

function over(top, below) {
  return [0, 1, 2].map(at => top[at] * top[3] + below[at] * (1 - top[3])).concat(1);
}

function luminance(color) {
  const [red, green, blue] = color.slice(0, 3).map(each => each / 255)
    .map(each => each <= 0.04045 ? each / 12.92 : ((each + 0.055) / 1.055) ** 2.4);
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}

function contrast(one, other) {
  const [low, high] = [luminance(one), luminance(other)].sort((a, b) => a - b);
  return (high + 0.05) / (low + 0.05);
}

function paint(element) { // the colour that an element puts where it is
  const style = getComputedStyle(element);
  if (!(element instanceof SVGElement) || element.tagName === "svg") return rgba(style.backgroundColor);
  if (element.classList.contains("halo")) return rgba(style.stroke);
  const isSmall = element.classList.contains("mark") || ["line", "path", "text", "title"].includes(element.tagName);
  if (isSmall) return [0, 0, 0, 0]; // what lies on it reaches beyond it, or is the same once more
  const color = rgba(style.fill);
  color[3] *= style.fillOpacity * style.opacity;
  return color;
}

function beneath(element, x, y) { // the colour below it at a place
  const lower = document.elementsFromPoint(x, y).filter(
    each => each !== element && (each.compareDocumentPosition(element) & Node.DOCUMENT_POSITION_FOLLOWING));
  return lower.reverse().map(paint).reduce((below, top) => over(top, below), [255, 255, 255, 1]);
}

function places(box) {
  return [0.02, 0.5, 0.98].map(at => [box.left + at * box.width, box.top + box.height / 2]);
}

function isCut(element, box) { // scrolled out of sight within its own container
  const outer = element.closest(".scroll")?.getBoundingClientRect();
  return outer && (box.left < outer.left || box.right > outer.right + 1);
}

function texts() { // each text that is shown, with its element and its box
  const found = [], walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const node = walker.currentNode, element = node.parentElement;
    if (!node.data.trim() || element.closest("script, style, title")) continue;
    const range = document.createRange();
    range.selectNodeContents(node);
    const [box] = [...range.getClientRects()].filter(each => each.width > 0);
    if (box) found.push({ element, said: node.data.trim(), box });
  }
  return found;
}

function faintTexts() {
  const found = [];
  for (const { element, said, box } of texts()) {
    if (isCut(element, box)) continue;
    const style = getComputedStyle(element), isDrawn = element.closest("svg");
    const color = rgba(isDrawn ? style.fill : style.color);
    const halo = isDrawn && style.paintOrder.startsWith("stroke") && style.stroke !== "none" ? rgba(style.stroke) : null;
    const least = Math.min(...places(box).map(([x, y]) => contrast(color, halo ?? beneath(element, x, y))));
    const size = parseFloat(style.fontSize), isLarge = size >= 24 || (size >= 18.66 && style.fontWeight >= 700);
    if (least < (isLarge ? 3 : 4.5)) found.push(`${said.slice(0, 60)}: ${least.toFixed(2)}`);
  }
  return found;
}

function faintShapes() {
  const found = [];
  for (const shape of document.querySelectorAll("svg rect, svg line, svg path, svg circle, svg polygon")) {
    if ([...shape.classList].some(each => GIVEN_UP.has(each))) continue;
    const style = getComputedStyle(shape), box = shape.getBoundingClientRect();
    const below = beneath(shape, box.left + box.width / 2, box.top + box.height / 2);
    const colors = [style.fill, style.stroke].map(rgba).filter(each => each[3] > 0);
    const most = Math.max(0, ...colors.map(each => contrast(over(each, below), below)));
    if (most < 3) found.push(`${shape.tagName}.${shape.getAttribute("class")}: ${most.toFixed(2)}`);
  }
  return found;
}

function beyond() { // what reaches out of the page, or out of a picture's own place
  const wide = document.documentElement.scrollWidth, room = window.innerWidth;
  const found = wide > room ? [`the page is ${wide} wide`] : [];
  for (const { element, said, box } of texts()) {
    if (!element.closest(".scroll") && (box.left < -1 || box.right > room + 1)) found.push(said.slice(0, 60));
  }
  return found;
}

function small() { // texts that nobody can read
  return texts().filter(({ element, box }) => box.height < 8).map(({ said }) => said.slice(0, 60));
}

function ofState() { // what has a colour of its own for a verdict, and says it in no word
  const style = getComputedStyle(document.querySelector(".xent"));
  const meaning = ["--good", "--bad", "--open"].map(each => {
    const probe = document.body.appendChild(document.createElement("i"));
    probe.style.color = style.getPropertyValue(each);
    const color = getComputedStyle(probe).color;
    probe.remove();
    return color;
  });
  const found = [];
  for (const each of document.querySelectorAll(".xent *")) {
    const own = getComputedStyle(each), isDrawn = each instanceof SVGElement;
    const used = isDrawn ? [own.fill, own.stroke] : [own.color, own.borderLeftColor];
    if (!used.some(color => meaning.includes(color)) || /^(text|title)$/.test(each.tagName)) continue;
    const beside = isDrawn && /^(text|polygon)$/.test(each.nextElementSibling?.tagName ?? "");
    const isTold = isDrawn ? beside || each.querySelector("title") || each.tagName === "polygon" : each.textContent.trim();
    if (!isTold) found.push(`${each.tagName}.${each.getAttribute("class")}`);
  }
  return found;
}

function outline() {
  return [...document.querySelectorAll("h1, h2, h3, h4, h5, h6")].map(each => [+each.tagName[1], each.textContent.trim()]);
}

function unnamed() { // pictures without a role or a label, tables without heads, and controls without a name
  const found = [...document.querySelectorAll("svg")].filter(
    each => each.getAttribute("role") !== "img" || !each.getAttribute("aria-label")?.trim());
  found.push(...[...document.querySelectorAll("table")].filter(
    each => !each.tHead || !each.tHead.querySelector("th[scope=col]") || !each.closest("[role=region][aria-label]")));
  found.push(...[...document.querySelectorAll("summary")].filter(each => !each.textContent.trim()));
  return found.map(each => `${each.tagName} in ${each.closest("section")?.querySelector("h2")?.textContent ?? "the page"}`);
}

function said() { // all that the page says, but for the ticks of axes
  unfold();
  return texts().filter(({ element }) => !element.classList.contains("tick") && !element.closest("footer, code, pre"))
    .map(({ element }) => element.textContent.trim());
}

function summaries() {
  return document.querySelectorAll("summary").length;
}

function stops() { // how many places the Tab key has, at most
  return document.querySelectorAll("a, button, input, summary, [tabindex]").length;
}

function focused() { // which summary has the focus, and whether one sees it
  const all = [...document.querySelectorAll("summary")], each = document.activeElement;
  const style = getComputedStyle(each);
  return [all.indexOf(each), style.outlineStyle !== "none" && parseFloat(style.outlineWidth) > 0, each.parentElement?.open ?? null];
}
