"use strict";
// The table of ratios: sorting, filtering, and moving through it by arrow keys.  The rows and
// all their numbers are in the page; nothing is computed here but their order.
{
  const table = document.getElementById("ratios");
  const body = table.tBodies[0], rows = [...body.rows];
  const heads = [...table.tHead.rows[0].cells];
  const order = new Intl.Collator("en", { numeric: true }).compare;
  const filters = ["text", "policy", "verdict", "proved"].map(name =>
    document.getElementById(`filter-${name}`));

  // Cells of numbers without a number stay last, whatever the direction.
  function compare(a, b, numbers, sign) {
    if (!numbers) return sign * order(a.textContent, b.textContent);
    const [x, y] = [a, b].map(cell => "key" in cell.dataset ? Number(cell.dataset.key) : null);
    if (x === null || y === null) return (x === null) - (y === null);
    return sign * (x - y);
  }

  function sort(head) {
    const column = heads.indexOf(head), numbers = head.classList.contains("number");
    const sorted = head.getAttribute("aria-sort");
    // Of numbers the largest are wanted first.
    const first = numbers ? "descending" : "ascending";
    const direction = sorted === "none" ? first
      : sorted === "ascending" ? "descending" : "ascending";
    for (const other of heads) other.setAttribute("aria-sort", "none");
    head.setAttribute("aria-sort", direction);
    const sign = direction === "ascending" ? 1 : -1;
    const sortedRows = [...rows].sort((a, b) =>
      compare(a.cells[column], b.cells[column], numbers, sign));
    body.append(...sortedRows);
  }

  function filter() {
    const [text, policy, verdict, proved] = filters;
    const words = text.value.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    for (const row of rows) {
      const content = row.textContent.toLowerCase();
      row.hidden = !(words.every(word => content.includes(word))
        && (!policy.value || row.dataset.policy === policy.value)
        && (!verdict.value || row.dataset.verdict === verdict.value)
        && (!proved.checked || "proved" in row.dataset));
      shown += !row.hidden;
    }
    document.getElementById("shown").textContent = `${shown} of ${rows.length} rows are shown`;
  }

  for (const head of heads) head.querySelector("button").addEventListener("click", () => sort(head));
  for (const one of filters) one.addEventListener("input", filter);
  document.getElementById("filter-none").addEventListener("click", () => {
    for (const one of filters) if (one.type === "checkbox") one.checked = false; else one.value = "";
    filter();
  });

  body.addEventListener("keydown", event => {
    const links = [...body.querySelectorAll("tr:not([hidden]) a")];
    const here = links.indexOf(document.activeElement);
    const next = { ArrowDown: here + 1, ArrowUp: here - 1, Home: 0, End: links.length - 1 };
    if (here < 0 || !(event.key in next)) return;
    event.preventDefault();
    links[next[event.key]]?.focus();
  });
  filter();
}
