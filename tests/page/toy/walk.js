"use strict";
document.querySelectorAll(".walk").forEach((div) => {
  const walk = window.twofold.page.walks[div.dataset.walk];
  if (walk) div.dataset.steps = walk.path.length;
});
