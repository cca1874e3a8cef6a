/**
 * The perception reward of Omni-R1 (Cheng et al. 2026, equations 4 to 11): how smooth the images of a rollout are, in the
 * space of the image tokenizer's codebook E (K x D). Per image segment an energy, of it a score, over segments one reward.
 *
 *   grid     E_2D = w_tv (mean |Z[i,j+1] - Z[i,j]|^2 + mean |Z[i+1,j] - Z[i,j]|^2) / D,  Z = E[id - offset], rows x columns
 *   line     if no segment fills the grid: w_1 mean |d1|^2/D + w_cos mean(1 - cos(e_t, e_t-1)) + w_2 mean |d2|^2/D, with
 *            first and second differences d1, d2 along the sequence, for segments of three image tokens and more
 *   states   if hidden states are given: mean squared error of W h + b against E[id - offset]
 *   score    inv: 1 / (1 + energy / tau);  exp: exp(-energy / tau)
 *
 * A segment opens after BOI and closes at EOI; another BOI closes it and opens the next; one open at the end is dropped,
 * as is an empty one. Ids in it that are no image tokens do not count.
 *
 * Paper and code differ: the paper takes the mean over segments, the released rewards.py the minimum; tau 3 and the weights
 * of the line stand in the code only. Defaults are the code's, but for the mean. Computed in double precision, the code in
 * the codebook's.
 */
import { ArgumentError } from '../errors';

/** Row-major [rows, width]. */
export interface Matrix {
  data: ArrayLike<number>;
  width: number;
}

export const aggregations = ['mean', 'min', 'median', 'max'] as const;
export type Aggregation = (typeof aggregations)[number];

export interface PerceptionOptions {
  /** The codebook [K, D], in the order of the token ids. */
  codebook: Matrix;
  /** Id of the first image token (released: 4); K image tokens follow one another. */
  tokenOffset?: number;
  /** Released: 8197. */
  beginImage?: number;
  /** Released: 8196. */
  endImage?: number;
  /** Rows and columns of an image's tokens, default [32, 32]. [0, 0]: always the line. */
  grid?: readonly [rows: number, columns: number];
  tau?: number;
  map?: 'inv' | 'exp';
  aggregation?: Aggregation;
  /** Weights: of the grid (1), of the line's first (1) and second (0.25) differences and of its angles (0.5). */
  weights?: { variation?: number; first?: number; second?: number; angle?: number };
  /** A segment that does not fill the grid is an error instead of being left out. */
  strict?: boolean;
}

/** Hidden states [T, H] of the rollout with the projection W [D, H] and b [D] of the perception module. */
export interface StatesForPerception {
  states: Matrix;
  weight: Matrix;
  bias: ArrayLike<number>;
}

export interface Perception {
  /** Aggregated score in (0, 1]; undefined if no segment counts. */
  score?: number;
  /** Energies of the segments that count, in order. */
  energies: number[];
  kind: 'grid' | 'line' | 'states';
}

const where = 'perceptionReward';

/** [start, end) of every image segment, see the header. */
export function imageSegments(ids: ArrayLike<number>, beginImage: number, endImage: number): [number, number][] {
  const segments: [number, number][] = [];
  let open: number | undefined;
  for (let i = 0; i < ids.length; i++) {
    const begins = ids[i] === beginImage;
    if (!begins && ids[i] !== endImage) continue;
    if (open !== undefined && i > open) segments.push([open, i]);
    open = begins ? i + 1 : undefined;
  }
  return segments;
}

const row = ({ data, width }: Matrix, i: number): number[] =>
  Array.from({ length: width }, (_, d) => data[i * width + d]);
const mean = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0) / values.length;
const squared = (a: readonly number[], b: readonly number[]): number =>
  a.reduce((sum, x, d) => sum + (x - b[d]) ** 2, 0);
const dot = (a: readonly number[], b: readonly number[]): number => a.reduce((sum, x, d) => sum + x * b[d], 0);

/** Two-dimensional total variation of rows x columns vectors, divided by their length. */
export function variation2d(vectors: readonly (readonly number[])[], rows: number, columns: number): number {
  const across: number[] = [];
  const down: number[] = [];
  for (let i = 0; i < rows * columns; i++) {
    if ((i + 1) % columns) across.push(squared(vectors[i + 1], vectors[i]));
    if (i + columns < rows * columns) down.push(squared(vectors[i + columns], vectors[i]));
  }
  // A line of tokens varies one way only; one token has nothing to compare.
  const ways = [across, down].filter((way) => way.length);
  if (!ways.length) throw new ArgumentError(where, 'expected a grid of two tokens or more, got 1 x 1', 'set the grid');
  return ways.reduce((sum, way) => sum + mean(way), 0) / vectors[0].length;
}

/** The fallback's energy along the sequence, of three vectors or more. */
export function variation1d(
  vectors: readonly (readonly number[])[],
  weights: { first: number; second: number; angle: number },
): number {
  const width = vectors[0].length;
  // torch.nn.functional.normalize divides by at least 1e-12.
  const units = vectors.map((v) => v.map((x) => x / Math.max(Math.sqrt(dot(v, v)), 1e-12)));
  const first = vectors.slice(1).map((v, t) => squared(v, vectors[t]) / width);
  const angle = units.slice(1).map((u, t) => 1 - Math.min(1, Math.max(-1, dot(u, units[t]))));
  const second = vectors.slice(2).map((v, t) => v.reduce((s, x, d) => s + (x - 2 * vectors[t + 1][d] + vectors[t][d]) ** 2, 0) / width); // prettier-ignore
  return weights.first * mean(first) + weights.angle * mean(angle) + weights.second * mean(second);
}

/** Energy to score; tau is at least 1e-8. */
export function energyToScore(energy: number, tau: number, map: 'inv' | 'exp' = 'inv'): number {
  const scaled = energy / Math.max(tau, 1e-8);
  return map === 'exp' ? Math.exp(-scaled) : 1 / (1 + scaled);
}

export function aggregate(scores: readonly number[], how: Aggregation): number {
  const sorted = [...scores].sort((a, b) => a - b);
  if (how === 'min') return sorted[0];
  if (how === 'max') return sorted[sorted.length - 1];
  if (how === 'mean') return mean(scores);
  return (sorted[(sorted.length - 1) >> 1] + sorted[sorted.length >> 1]) / 2;
}

function stateEnergy(vectors: readonly number[][], places: readonly number[], from: StatesForPerception): number {
  const { states, weight, bias } = from;
  const errors = places.flatMap((t, n) => {
    const h = row(states, t);
    return vectors[n].map((target, d) => (dot(row(weight, d), h) + bias[d] - target) ** 2);
  });
  return mean(errors);
}

/**
 * The reward of the token ids of one response.
 * @throws ArgumentError for a codebook or states of the wrong sizes, and with `strict` for an incomplete image.
 */
export function perceptionReward(
  ids: ArrayLike<number>,
  options: PerceptionOptions,
  hidden?: StatesForPerception,
): Perception {
  const {
    codebook,
    tokenOffset = 4,
    beginImage = 8197,
    endImage = 8196,
    grid = [32, 32],
    tau = 3,
    map = 'inv',
  } = options;
  const { variation = 1, first = 1, second = 0.25, angle = 0.5 } = options.weights ?? {};
  const [rows, columns] = grid;
  const size = codebook.data.length / codebook.width;
  if (!Number.isInteger(size) || !size)
    throw new ArgumentError(where, `expected a codebook of whole rows of ${codebook.width}, got ${codebook.data.length} values`, 'data is [K, D]'); // prettier-ignore
  if (hidden && (hidden.weight.width !== hidden.states.width || hidden.bias.length !== codebook.width))
    throw new ArgumentError(where, `expected W [${codebook.width}, ${hidden.states.width}], got [${hidden.bias.length}, ${hidden.weight.width}]`, 'W maps states to the codebook'); // prettier-ignore

  const length = hidden ? Math.min(ids.length, hidden.states.data.length / hidden.states.width) : ids.length;
  const images = imageSegments(
    Array.from({ length }, (_, i) => ids[i]),
    beginImage,
    endImage,
  ).map(([start, end]) => {
    const places: number[] = [];
    for (let i = start; i < end; i++) if (ids[i] >= tokenOffset && ids[i] < tokenOffset + size) places.push(i);
    return { places, vectors: places.map((i) => row(codebook, ids[i] - tokenOffset)) };
  });
  const result = (kind: Perception['kind'], energies: number[]): Perception => ({
    kind,
    energies,
    ...(energies.length && { score: aggregate(energies.map((e) => energyToScore(e, tau, map)), options.aggregation ?? 'mean') }), // prettier-ignore
  });

  if (hidden) return result('states', images.filter(({ places }) => places.length).map((s) => stateEnergy(s.vectors, s.places, hidden))); // prettier-ignore
  if (rows > 0 && columns > 0) {
    const full = images.filter(({ vectors }) => vectors.length === rows * columns);
    if (options.strict && full.length < images.length)
      throw new ArgumentError(where, `expected ${rows * columns} image tokens in every segment, got others`, 'strict is set'); // prettier-ignore
    if (full.length)
      return result(
        'grid',
        full.map(({ vectors }) => variation * variation2d(vectors, rows, columns)),
      );
  }
  const long = images.filter(({ vectors }) => vectors.length >= 3);
  return result('line', long.map(({ vectors }) => variation1d(vectors, { first, second, angle }))); // prettier-ignore
}
