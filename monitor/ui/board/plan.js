// The plan of a wall, in units.

const GAP = 8;
const SECTION_GAP = 24;
const CARD_GAP = 16;
const CARDS = [
  { size: "hero", height: 204, minWidth: 700, most: 1 },
  { size: "large", height: 204, minWidth: 440, most: Infinity },
  { size: "medium", height: 148, minWidth: 340, most: Infinity },
];
const SMALL_CARD = CARDS[2];
const CHIP = { height: 36, minWidth: 200 };
const TILE = { minWidth: 128, maxWidth: 380, minHeight: 28, maxHeight: 168, head: 36, gap: GAP };
const TILE_LINES = { second: 44, third: 84 }; // from this height on a tile has room for its summary, for a long name
const SQUARE = { min: 5, max: 56, comfortable: 14, head: 28, minGroup: 212 };
const MAX_GROUPS_ABREAST = 12;

// Where everything goes on a screen of w x h. Tiles or squares is decided by the number of checks alone as long as the
// trouble fits, so that a wall keeps its shape; trouble gets what the smallest readable form of the rest leaves over.
function planWall(w, h, sizes, troubles, chipsOnly) {
  const tiles = tileBands(sizes, w, TILE.minWidth);
  const tilesNeed = tiles ? bandsHeight(tiles, TILE, TILE.minHeight) : Infinity;
  if (tilesNeed <= h * 0.66) {
    const trouble = planTrouble(w, h - tilesNeed - SECTION_GAP, troubles, 0);
    if (!trouble.crowded || tilesNeed <= h * 0.5) {
      const left = h - (trouble.height ? trouble.height + SECTION_GAP : 0);
      return { ...trouble, body: planTiles(w, left, Math.min(left, h - CARDS[0].height - SECTION_GAP), sizes) };
    }
  }
  const least = squareBands(sizes, w, h * 0.6, SQUARE.comfortable) ?? squareBands(sizes, w, h * 0.6, SQUARE.max);
  const need = least ? bandsHeight(least, least, least.cell) : h * 0.6;
  const trouble = planTrouble(w, Math.min(h - need - SECTION_GAP, h * 0.6), troubles, chipsOnly);
  return { ...trouble, body: planSquares(w, h - (trouble.height ? trouble.height + SECTION_GAP : 0), sizes) };
}

const abreast = (w, { minWidth }, gap) => Math.max(1, Math.floor((w + gap) / (minWidth + gap)));
const stacked = (rows, height, gap) => (rows ? rows * (height + gap) - gap : 0);

// All as large cards, or all as medium ones, or the worst as cards and the others as names ("crowded").
function planTrouble(w, budget, troubles, chipsOnly) {
  const none = { size: null, cards: 0, cardCols: 1, cardHeight: 0, chips: 0, chipCols: 1, height: 0, crowded: false };
  if (!troubles && !chipsOnly) return none;
  const chipCols = abreast(w, CHIP, GAP);
  const chipRows = Math.ceil(chipsOnly / chipCols);
  const chipHeight = (rows) => (rows ? CARD_GAP + stacked(rows, CHIP.height, GAP) : 0);
  for (const card of CARDS.filter((each) => troubles && troubles <= each.most)) {
    const rows = Math.ceil(troubles / abreast(w, card, CARD_GAP));
    const spare = budget - stacked(rows, card.height, CARD_GAP);
    if (spare < 0) continue;
    const shown = Math.min(chipRows, 3, Math.floor((spare - CARD_GAP) / (CHIP.height + GAP)));
    if (chipRows && shown < 1) continue; // they would be drawn over what stands below
    const height = budget - spare + chipHeight(Math.max(0, shown));
    const sized = { size: card.size, cards: troubles, cardCols: Math.ceil(troubles / rows), cardHeight: card.height };
    return { ...sized, chips: Math.max(0, shown) * chipCols, chipCols, height, crowded: false };
  }
  return planCrowd(w, budget, troubles, chipsOnly, chipCols);
}

function planCrowd(w, budget, troubles, chipsOnly, chipCols) {
  const card = SMALL_CARD;
  const cardCols = abreast(w, card, CARD_GAP);
  const most = Math.floor((budget - CHIP.height) / (card.height + CARD_GAP));
  for (let rows = Math.max(0, most); ; rows--) {
    const cards = Math.min(troubles, rows * cardCols);
    const room = budget - rows * (card.height + CARD_GAP);
    const needRows = Math.ceil((troubles - cards + chipsOnly) / chipCols);
    const chipRows = Math.max(1, Math.min(needRows, Math.floor((room + GAP) / (CHIP.height + GAP))));
    if (chipRows < needRows && rows > 2) continue;
    const height = rows * (card.height + CARD_GAP) + stacked(chipRows, CHIP.height, GAP);
    const chips = chipRows * chipCols;
    return { size: card.size, cards, cardCols, cardHeight: card.height, chips, chipCols, height, crowded: true };
  }
}

// Groups are laid like words in lines: each is a block of `rows` rows, several blocks stand side by side in a band.
// Least height wins. {bands: [{from, to, rows, cols}]}, or null when a group cannot fit the width.
function layBands(sizes, w, cell, gap, minCols, headRows) {
  const widthOf = (cols, groups) => cols * (cell + gap) - groups * gap + (groups - 1) * SECTION_GAP;
  const best = [{ cost: 0, band: null }];
  for (let to = 1; to <= sizes.length; to++) {
    for (let from = to - 1; from >= Math.max(0, to - MAX_GROUPS_ABREAST); from--) {
      const band = layBand(sizes, from, to, (cols) => widthOf(cols, to - from) <= w, minCols);
      if (!band || !best[from]) continue;
      // a little more for many abreast: of two layouts of one height the even one is calmer
      const cost = best[from].cost + band.rows + headRows + 0.01 * (to - from) ** 2;
      if (!best[to] || cost < best[to].cost) best[to] = { cost, band };
    }
  }
  if (!best[sizes.length]) return null;
  const bands = [];
  for (let to = sizes.length; to > 0; to = bands[0].from) bands.unshift(best[to].band);
  return bands;
}

function layBand(sizes, from, to, fits, minCols) {
  const members = sizes.slice(from, to);
  const largest = Math.max(...members);
  if (!fits(members.length * minCols)) return null;
  for (let rows = 1; rows <= largest; rows++) {
    const cols = members.map((n) => Math.max(minCols, Math.ceil(n / rows)));
    if (fits(cols.reduce((sum, n) => sum + n, 0))) return { from, to, rows, cols };
  }
  return null;
}

function bandsHeight({ bands }, { head, gap }, cellHeight) {
  const rows = bands.map((band) => head + stacked(band.rows, cellHeight, gap));
  return rows.reduce((sum, height) => sum + height, 0) + (bands.length - 1) * CARD_GAP;
}

function tileBands(sizes, w, width) {
  const bands = sizes.length ? layBands(sizes, w, width, GAP, 1, 0.7) : null;
  return bands && { bands };
}

// The largest tile that fits `nominal`, the height there usually is, so that a new card makes tiles flatter, not other.
function planTiles(w, h, nominal, sizes) {
  let best = null;
  for (let width = TILE.maxWidth; width >= TILE.minWidth; width -= 8) {
    const laid = tileBands(sizes, w, width);
    if (!laid) continue;
    const height = tileHeight(laid, nominal, width);
    const score = Math.min(width / 2.4, height);
    if (height >= TILE.minHeight && (!best || score > best.score)) best = { ...laid, width, score };
  }
  best ??= { ...tileBands(sizes, w, TILE.minWidth), width: TILE.minWidth };
  const height = tileHeight(best, h, best.width);
  return placeBands(best.bands, w, { ...TILE, kind: "tiles", width: best.width, height, stretch: 1.65 });
}

function tileHeight(laid, h, width) {
  const rows = laid.bands.reduce((sum, band) => sum + band.rows, 0);
  return Math.floor(Math.min(TILE.maxHeight, width * 0.62, (h - bandsHeight(laid, TILE, 0)) / rows));
}

const squareGap = (cell) => Math.max(1, Math.round(cell * 0.14));

function squareBands(sizes, w, h, largest) {
  const total = sizes.reduce((sum, n) => sum + n, 0);
  const fewestBands = Math.ceil(sizes.length / abreast(w, { minWidth: SQUARE.minGroup }, SECTION_GAP));
  for (let cell = largest; cell >= SQUARE.min; cell--) {
    const gap = squareGap(cell);
    const headed = fewestBands * (SQUARE.head + cell + CARD_GAP) - CARD_GAP;
    if (headed > h || total * cell * cell > w * h) continue; // cannot fit, however it is laid
    const bands = layBands(sizes, w, cell, gap, Math.ceil((SQUARE.minGroup + gap) / (cell + gap)), 1);
    const laid = bands && { bands, cell, gap, head: SQUARE.head };
    if (laid && bandsHeight(laid, laid, cell) <= h) return laid;
  }
  return null;
}

// Hundreds of groups leave no room for headings: then one field of squares, in the same order.
function planSquares(w, h, sizes) {
  const laid = squareBands(sizes, w, h, SQUARE.max);
  if (laid) return placeBands(laid.bands, w, { ...laid, kind: "squares", width: laid.cell, height: laid.cell, stretch: 1.3 });
  const total = sizes.reduce((sum, n) => sum + n, 0);
  let cell = SQUARE.max;
  while (cell > 2 && Math.floor((w + 2) / (cell + 2)) * Math.floor((h + 2) / (cell + 2)) < total) cell--;
  return { kind: "bare", width: cell, height: cell, gap: 2, head: 0, groups: [] };
}

function placeBands(bands, w, cell) {
  const groups = [];
  let y = 0;
  for (const band of bands) {
    const cols = band.cols.reduce((sum, n) => sum + n, 0);
    const gaps = (cols - band.cols.length) * cell.gap + (band.cols.length - 1) * SECTION_GAP;
    const width = Math.max(cell.width, Math.min((w - gaps) / cols, cell.width * cell.stretch));
    let x = 0;
    for (const n of band.cols) {
      const groupWidth = n * (width + cell.gap) - cell.gap;
      groups.push({ x, y, cols: n, tileWidth: width, width: groupWidth });
      x += groupWidth + SECTION_GAP;
    }
    y += cell.head + stacked(band.rows, cell.height, cell.gap) + CARD_GAP;
  }
  return { kind: cell.kind, width: cell.width, height: cell.height, gap: cell.gap, head: cell.head, groups };
}
