/* How points are coloured: a function from a film to a colour, and the key to it. */

const NEUTRAL = "oklch(0.68 0 0)";
const SPLIT_COLOURS = {
  train: "oklch(0.60 0.16 260)", validation: "oklch(0.74 0.15 75)", test: "oklch(0.62 0.17 25)",
};

/** Return a colour for a share of 0..1: blue, green, orange. */
const ramp = (share) => `oklch(${0.6 + 0.1 * share} 0.15 ${Math.round(260 - 215 * share)})`;

/** Return the colouring of numbers from least to most; films without one are neutral. */
function byNumber(values, least, most, show) {
  const colours = Array.from({ length: 33 }, (_, step) => ramp(step / 32));
  const of = (film) => values[film] === null
    ? NEUTRAL : colours[Math.round(32 * (values[film] - least) / Math.max(most - least, 1))];
  const key = [0, 0.5, 1].map((share) => [show(Math.round(least + share * (most - least))), ramp(share)]);
  return { of, key: values.includes(null) ? [...key, ["unknown", NEUTRAL]] : key };
}

/** Return how many labels a prediction misses or adds, per film. */
const mistakes = () => films.probabilities.map((chance, film) => {
  const labels = new Set(films.labels[film]);
  return chance.filter((value, genre) => (value > films.threshold) !== labels.has(genre)).length;
});

function byGenre() {
  const key = films.genres.map((name, genre) => [name, films.colours[genre]]);
  const own = key.filter(([, colour]) => colour !== NEUTRAL);
  return {
    of: (film) => films.colours[films.labels[film][0]] || NEUTRAL,
    key: own.length < key.length ? [...own, ["other", NEUTRAL]] : own,
  };
}

function byOneGenre(genre) {
  const colour = films.colours[genre] === NEUTRAL ? ramp(0) : films.colours[genre];
  return {
    of: (film) => films.labels[film].includes(genre) ? colour : NEUTRAL,
    key: [[films.genres[genre], colour], ["other", NEUTRAL]],
  };
}

function bySplit() {
  const names = Object.keys(SPLIT_COLOURS).filter((name) => films.splits.includes(name));
  return {
    of: (film) => SPLIT_COLOURS[films.splits[film]] || NEUTRAL,
    key: names.map((name) => [name, SPLIT_COLOURS[name]]),
  };
}

/** Clusters of a space have the genres' colours, by size; the smaller ones beyond them are neutral. */
const GROUP_COLOURS = [...new Set(films.colours)].filter((colour) => colour !== NEUTRAL);
const clusterColour = (cluster) => GROUP_COLOURS[cluster] || NEUTRAL;
function byCluster(at) {
  const { clusters, names } = films.spaces[at] || films.spaces[0];
  return {
    of: (film) => clusterColour(clusters[film]),
    key: names.map((name, cluster) => [`${cluster + 1} ${name}`, clusterColour(cluster)]),
  };
}

/** Films that one expert lacks have its colour; those that several lack are dark, whole ones neutral. */
function byMissing() {
  const several = ["several experts", "oklch(0.42 0.05 30)"];
  const colour = (expert) => GROUP_COLOURS[expert % GROUP_COLOURS.length] || several[1];
  const lacked = films.experts.map((_, expert) => expert).filter((expert) => films.missing.some((own) => own.length === 1 && own[0] === expert));
  return {
    of: (film) => {
      const own = films.missing[film];
      return own.length ? (own.length > 1 ? several[1] : colour(own[0])) : NEUTRAL;
    },
    key: [
      ...lacked.map((expert) => [films.experts[expert], colour(expert)]),
      ...(films.missing.some((own) => own.length > 1) ? [several] : []), ["none missing", NEUTRAL],
    ],
  };
}

function byYear() {
  const known = films.years.filter((year) => year !== null);
  return byNumber(films.years, Math.min(...known), Math.max(...known), String);
}

/** Return the colouring of this name: genre, cluster:N, is:N, split, year, mistakes, missing or odds:N. */
function colouring(name) {
  const [kind, genre] = name.split(":");
  if (kind === "is") return byOneGenre(Number(genre));
  if (kind === "split") return bySplit();
  if (kind === "missing") return byMissing();
  if (kind === "cluster") return byCluster(Number(genre));
  if (kind === "year") return byYear();
  if (kind === "odds") {
    return byNumber(films.probabilities.map((chance) => chance[genre]), 0, 100, percent);
  }
  if (kind === "mistakes") {
    const wrong = mistakes();
    return byNumber(wrong, 0, Math.max(...wrong), String);
  }
  return byGenre();
}

/** Return the options of the choice of colours: those for which the page has data. */
function colourings() {
  const option = (value, textContent) => element("option", { value, textContent });
  const group = (label, kind) => Object.assign(
    element("optgroup", { label }, ...films.genres.map((name, genre) => option(`${kind}:${genre}`, name))));
  const found = [option("genre", "Primary genre")];
  films.spaces.forEach(({ name, names }, at) => {
    if (names.length > 1) found.push(option(`cluster:${at}`, `Cluster in the ${name} space`));
  });
  if (films.splits) found.push(option("split", "Split"));
  if (films.years.some((year) => year !== null)) found.push(option("year", "Year"));
  if (films.probabilities) found.push(option("mistakes", "Wrongly predicted genres"));
  if (films.missing) found.push(option("missing", "Missing expert"));
  found.push(group("One genre", "is"));
  if (films.probabilities) found.push(group("Probability of", "odds"));
  return found;
}
