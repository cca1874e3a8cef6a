/** Colours for formats that have at most 256: median cut (Heckbert 1982). */

/** Bits kept of each channel while counting. */
const BITS = 6;

interface Box {
  /** Indices into the list of counted colours. */
  members: number[];
  axis: number;
  /** Spread on the longest axis, times the number of pixels' root: what is cut first. */
  weight: number;
}

/** A palette and, for each pixel, its number in it. `rgb` is pixels x 3 bytes. */
export function quantize(rgb: Uint8Array, most = 256): { palette: Uint8Array; indices: Uint8Array } {
  const shift = 8 - BITS;
  const keyAt = (i: number): number =>
    ((rgb[i] >> shift) << (2 * BITS)) | ((rgb[i + 1] >> shift) << BITS) | (rgb[i + 2] >> shift);
  // Of each coarse colour, how often it occurs and the sums of its channels.
  const slots = new Map<number, number>();
  const counts: number[] = [];
  const sums: number[][] = [];
  for (let i = 0; i < rgb.length; i += 3) {
    const key = keyAt(i);
    let slot = slots.get(key);
    if (slot === undefined) {
      slots.set(key, (slot = counts.length));
      counts.push(0);
      sums.push([0, 0, 0]);
    }
    counts[slot]++;
    for (let c = 0; c < 3; c++) sums[slot][c] += rgb[i + c];
  }
  const colours = sums.map((sum, s) => sum.map((v) => v / counts[s]));

  const measure = (members: number[]): Box => {
    let [axis, spread, pixels] = [0, -1, 0];
    for (let c = 0; c < 3; c++) {
      let [low, high] = [Infinity, -Infinity];
      for (const m of members) {
        low = Math.min(low, colours[m][c]);
        high = Math.max(high, colours[m][c]);
      }
      if (high - low > spread) [axis, spread] = [c, high - low];
    }
    for (const m of members) pixels += counts[m];
    return { members, axis, weight: members.length > 1 ? spread * Math.sqrt(pixels) : 0 };
  };

  const boxes = [measure(Array.from(colours.keys()))];
  while (boxes.length < most) {
    let widest = 0;
    for (let b = 1; b < boxes.length; b++) if (boxes[b].weight > boxes[widest].weight) widest = b;
    const { members, axis, weight } = boxes[widest];
    if (!weight) break;
    members.sort((a, b) => colours[a][axis] - colours[b][axis] || a - b);
    const half = members.reduce((n, m) => n + counts[m], 0) / 2;
    let [at, seen] = [0, 0];
    while (at < members.length - 1 && (at === 0 || seen + counts[members[at]] <= half)) seen += counts[members[at++]];
    boxes[widest] = measure(members.slice(0, at));
    boxes.push(measure(members.slice(at)));
  }

  const palette = new Uint8Array(boxes.length * 3);
  const numberOf = new Uint8Array(colours.length);
  boxes.forEach(({ members }, b) => {
    const pixels = members.reduce((n, m) => n + counts[m], 0);
    for (let c = 0; c < 3; c++) palette[3 * b + c] = Math.round(members.reduce((n, m) => n + sums[m][c], 0) / pixels);
    for (const m of members) numberOf[m] = b;
  });
  const indices = new Uint8Array(rgb.length / 3);
  for (let i = 0; i < indices.length; i++) indices[i] = numberOf[slots.get(keyAt(3 * i)) as number];
  return { palette, indices };
}
