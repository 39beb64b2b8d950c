"use strict";
// Tooltips: <title> and title="…" work without this; here they come at once and keep their lines.
const tooltip = document.getElementById("tooltip");
for (const mark of document.querySelectorAll(".tip, .width[title], .stage[title]")) {
  const title = mark.querySelector(":scope > title");
  mark.dataset.tip = title ? title.textContent : mark.title;
  mark.setAttribute("aria-label", mark.dataset.tip);
  if (title) title.remove(); else mark.removeAttribute("title");
}
document.addEventListener("pointermove", (event) => {
  const mark = event.target.closest?.("[data-tip]");
  tooltip.hidden = !mark;
  if (!mark) return;
  tooltip.textContent = mark.dataset.tip;
  const { width, height } = tooltip.getBoundingClientRect();
  const left = Math.min(event.clientX + 14, innerWidth - width - 8);
  const above = event.clientY + 18 + height > innerHeight;
  tooltip.style.left = `${Math.max(left, 8)}px`;
  tooltip.style.top = `${above ? event.clientY - height - 12 : event.clientY + 18}px`;
});

// Tables sort by the column whose heading is chosen; a second time, the other way round.
function value(row, column) {
  const cell = row.cells[column];
  const number = Number(cell.dataset.sort);
  return "sort" in cell.dataset && !Number.isNaN(number) ? number : cell.textContent;
}
function sort(heading) {
  const column = heading.cellIndex;
  const body = heading.closest("table").tBodies[0];
  const down = heading.getAttribute("aria-sort") === "ascending";
  for (const other of heading.parentNode.cells) other.removeAttribute("aria-sort");
  heading.setAttribute("aria-sort", down ? "descending" : "ascending");
  const rows = [...body.rows].sort((a, b) => {
    const [x, y] = [value(a, column), value(b, column)];
    const order = typeof x === "number" && typeof y === "number" ? x - y : String(x).localeCompare(y);
    return down ? -order : order;
  });
  body.append(...rows);
}
for (const heading of document.querySelectorAll(".sortable th")) {
  heading.addEventListener("click", () => sort(heading));
  heading.addEventListener("keydown", (event) => {
    if (event.key === "Enter" || event.key === " ") { event.preventDefault(); sort(heading); }
  });
}
