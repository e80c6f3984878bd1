// Sorts the rows of a table by the column whose heading is clicked; a second click reverses the order.
for (const table of document.querySelectorAll("table.sortable")) {
  table.querySelectorAll("th button").forEach((button, column) => button.addEventListener("click", () => {
    const down = button.dataset.down !== "1";
    button.dataset.down = down ? "1" : "";
    const key = row => { const v = parseFloat(row.cells[column].textContent); return isNaN(v) ? -Infinity : v; };
    const text = row => row.cells[column].textContent;
    const order = (a, b) => column === 0 ? text(a).localeCompare(text(b)) * (down ? 1 : -1) : (key(b) - key(a)) * (down ? 1 : -1);
    const body = table.tBodies[0];
    [...body.rows].sort(order).forEach(row => body.append(row));
  }));
}
