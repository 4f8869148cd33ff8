/* The part of a page that htmx refreshes (data-live) is asked for only while somebody can see it. What is the same, or
   what the reader has selected, is not replaced. A page that could not be refreshed says so. */
const part = document.querySelector("[data-live]");
const problem = document.querySelector("[data-live-problem]");
const clock = new Intl.DateTimeFormat("en-GB", { timeStyle: "short" });
let shown;
let refreshedAt = new Date();

const marked = () => {
  const selection = document.getSelection();
  return !selection.isCollapsed && selection.containsNode(part, true);
};

part.addEventListener("htmx:beforeRequest", (event) => {
  if (document.hidden || marked()) event.preventDefault();
});

part.addEventListener("htmx:beforeSwap", (event) => {
  if (event.detail.xhr.status !== 200) return;
  refreshedAt = new Date();
  problem.hidden = true;
  // A 204 or an identical answer leaves the page as it is.
  event.detail.shouldSwap = event.detail.serverResponse !== shown && !marked();
  if (event.detail.shouldSwap) shown = event.detail.serverResponse;
});

for (const failure of ["htmx:sendError", "htmx:timeout", "htmx:responseError"]) {
  part.addEventListener(failure, () => {
    problem.querySelector("time").textContent = clock.format(refreshedAt);
    problem.hidden = false;
  });
}
