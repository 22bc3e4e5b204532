// The table of a sweep, written cell by cell: a row that did not change is left alone.
// data: {name, classes, rows: [{name, notes, cells: [{numbers, href, notes, seeds, count, published} | null]}], notes}.

function make(tag, className, text) {
  const node = document.createElement(tag);
  if (className) node.className = className;
  if (text !== undefined) node.textContent = text;
  return node;
}

function gamma(matrix, below) {
  const symbol = make("span", `gs-symbol gs-${matrix}`, "γ");
  symbol.append(make("sub", "", below));
  return symbol;
}

// An address that also works in a new tab; here it is followed without loading the page anew.
function link(href, told, className, root) {
  const node = make(href ? "a" : "span", className);
  node.title = told;
  if (!href) return node;
  node.href = href;
  node.addEventListener("click", (event) => {
    if (event.ctrlKey || event.metaKey || event.shiftKey || event.button) return;
    event.preventDefault();
    root.tell("open", href);
  });
  return node;
}

function notes(letters) {
  return make("sup", "gs-note", letters.join(", "));
}

function cell(found, root) {
  const box = make("td");
  box.colSpan = 2;
  if (!found) return box;
  const numbers = make("div", found.published ? "gs-numbers gs-elsewhere" : "gs-numbers");
  for (const number of found.numbers) {
    const node = link(number.text && found.href, number.told, "gs-number", root);
    if (!number.text) node.append(make("span", "gs-none", "–"));
    else {
      node.style.background = number.shade;
      node.append(make("b", number.outside ? "gs-outside" : "", number.text));
      if (number.spread) node.append(make("span", "gs-spread", number.spread));
    }
    numbers.append(node);
  }
  const marks = make("div", "gs-marks");
  for (const seed of found.seeds) {
    const mark = link(seed.href, seed.told, `gs-mark gs-${seed.is}`, root);
    mark.setAttribute("aria-label", seed.told);
    if (!seed.href) mark.setAttribute("role", "img");
    mark.style.setProperty("--share", `${100 * seed.share}%`);
    marks.append(mark);
  }
  marks.append(make("span", "gs-count", found.count));
  if (found.notes.length) marks.append(notes(found.notes));
  box.append(numbers, marks);
  return box;
}

function row(found, root) {
  const line = make("tr");
  const name = make("th", "gs-name", found.name);
  name.scope = "row";
  if (found.notes.length) name.append(notes(found.notes));
  name.append(make("div", "gs-window", found.window));
  line.append(name, ...found.cells.map((one) => cell(one, root)));
  return line;
}

function head(classes) {
  const top = make("tr");
  const below = make("tr");
  top.append(make("td"));
  below.append(make("td"));
  for (const count of classes) {
    const group = make("th", "gs-group", `${count} classes`);
    group.colSpan = 2;
    group.scope = "colgroup";
    top.append(group);
    for (const [matrix, sub] of [["C", "C"], ["C_awd", "AWD"]]) {
      const column = make("th", "gs-column");
      column.scope = "col";
      column.append(gamma(matrix, sub));
      below.append(column);
    }
  }
  return [top, below];
}

export default function ({ data, parentElement, setTriggerValue }) {
  let root = parentElement.querySelector(".gs-table");
  if (!root) {
    root = make("div", "gs-table");
    root.append(make("table"), make("div", "gs-notes"));
    root.firstChild.append(make("caption"), make("thead"), make("tbody"));
    root.written = [];
    parentElement.append(root);
  }
  root.tell = setTriggerValue;
  const [caption, thead, tbody] = root.firstChild.children;
  caption.textContent = `${data.name}: exponents, mean ± deviation over seeds`;
  const frame = JSON.stringify([data.classes, data.rows.map((one) => one.name)]);
  if (root.frame !== frame) {
    root.frame = frame;
    root.written = [];
    // With many columns the table scrolls; they do not shrink until nothing can be read.
    root.firstChild.style.minWidth = `${10 + 9 * data.classes.length}rem`;
    thead.replaceChildren(...head(data.classes));
    tbody.replaceChildren();
  }
  data.rows.forEach((found, place) => {
    const text = JSON.stringify(found);
    if (root.written[place] === text) return;
    root.written[place] = text;
    const line = row(found, root);
    if (tbody.children[place]) tbody.children[place].replaceWith(line);
    else tbody.append(line);
  });
  const told = data.notes.map(([letter, phrase]) => {
    const line = make("span", "gs-footnote");
    line.append(notes([letter]), phrase);
    return line;
  });
  root.lastChild.replaceChildren(...told);
}
