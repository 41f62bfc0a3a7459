"use strict";
/* What all parts of the explorer share. Text reaches the page as text only. */

const films = JSON.parse(document.getElementById("films").textContent);
const count = films.ids.length;
const root = document.documentElement;
const byId = (id) => document.getElementById(id);

/** Return a new element with these properties and children. */
function element(tag, properties = {}, ...children) {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
}

const percent = (value) => `${value}\u00a0%`;
const genreNames = (film) => films.labels[film].map((genre) => films.genres[genre]).join(", ");
const caption = (film) => films.titles[film] + (films.years[film] ? ` (${films.years[film]})` : "");

/** Return a colour of the style sheet as canvas takes it: resolved for the theme in force. */
const ink = (() => {
  const probe = root.appendChild(element("span", { hidden: true }));
  return (name) => {
    probe.style.color = `var(${name})`;
    return getComputedStyle(probe).color;
  };
})();

/** Return text without accents and capitals, as searches compare it. */
const fold = (text) => text.normalize("NFD").replace(/\p{M}/gu, "").toLowerCase();
