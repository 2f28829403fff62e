// Collects whatever goes wrong on the page where a reader, or a test, can find it: <html data-errors="...">.
"use strict";
(() => {
  const note = (what) => {
    const root = document.documentElement;
    root.dataset.errors = (root.dataset.errors ? root.dataset.errors + " | " : "") + what;
  };
  window.addEventListener("error", (event) => note(event.message || `could not load ${event.target}`), true);
  window.addEventListener("unhandledrejection", (event) => note(event.reason));
  document.addEventListener("securitypolicyviolation", (event) => note(`blocked ${event.violatedDirective} ${event.blockedURI}`));
})();
