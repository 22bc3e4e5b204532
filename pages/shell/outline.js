// What assistive technology reads of a page's build: the menu is its navigation, and no level of headings is left out,
// whatever sizes the texts beside figures have.

function outline() {
  let before = 0;
  for (const heading of document.querySelectorAll("[data-testid=stMain] :is(h1, h2, h3, h4, h5, h6)")) {
    if (!heading.offsetParent) continue;
    const own = Number(heading.tagName[1]);
    const level = Math.min(own, before + 1);
    if (level === own) heading.removeAttribute("aria-level");
    else if (heading.ariaLevel !== String(level)) heading.ariaLevel = level;
    before = level;
  }
}

export default function ({ parentElement }) {
  const menu = parentElement.closest(".st-key-menu");
  menu.role = "navigation";
  menu.ariaLabel = "Pages";
  let due = 0;
  const watch = new MutationObserver(() => {
    due ||= setTimeout(() => {
      due = 0;
      outline();
    }, 200);
  });
  watch.observe(document.querySelector("[data-testid=stMain]"), { subtree: true, childList: true });
  outline();
  return () => watch.disconnect();
}
