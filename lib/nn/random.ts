/**
 * Random numbers by counter: Philox 4x32-10 (Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3"). A
 * stream is a key made of a seed and a name; its n-th block is a pure function of key and n. So every stream can be
 * resumed from two numbers, streams do not disturb each other, and all machines draw alike.
 */
import { createHash } from 'node:crypto';
import { ArgumentError } from '../errors';

/** What is needed to go on with a stream. */
export interface RandomState {
  seed: number;
  stream: string;
  /** Words drawn so far. */
  drawn: number;
}

const M0 = 0xd2511f53;
const M1 = 0xcd9e8d57;
const W0 = 0x9e3779b9;
const W1 = 0xbb67ae85;

/** The high word of a product of 32 x 32 bits. */
function high(a: number, b: number): number {
  const ah = a >>> 16;
  const al = a & 0xffff;
  const bh = b >>> 16;
  const bl = b & 0xffff;
  const middle = ah * bl + ((al * bl) >>> 16);
  const other = (middle & 0xffff) + al * bh;
  return (ah * bh + (middle - (middle & 0xffff)) / 65536 + (other - (other & 0xffff)) / 65536) >>> 0;
}

/** Ten rounds of Philox on a counter of four words with a key of two, into `out`. */
function philoxInto(out: Uint32Array, counter: readonly number[] | Uint32Array, key: readonly number[]): void {
  let c0 = counter[0];
  let c1 = counter[1];
  let c2 = counter[2];
  let c3 = counter[3];
  let k0 = key[0];
  let k1 = key[1];
  for (let round = 0; round < 10; round++) {
    const h0 = high(M0, c0);
    const h1 = high(M1, c2);
    const l1 = Math.imul(M1, c2) >>> 0;
    const l0 = Math.imul(M0, c0) >>> 0;
    c0 = (h1 ^ c1 ^ k0) >>> 0;
    c1 = l1;
    c2 = (h0 ^ c3 ^ k1) >>> 0;
    c3 = l0;
    k0 = (k0 + W0) >>> 0;
    k1 = (k1 + W1) >>> 0;
  }
  out[0] = c0;
  out[1] = c1;
  out[2] = c2;
  out[3] = c3;
}

/** Ten rounds of Philox on a counter of four words with a key of two. */
export function philox(
  counter: readonly [number, number, number, number],
  key: readonly [number, number],
): [number, number, number, number] {
  const out = new Uint32Array(4);
  philoxInto(out, counter, key);
  return [out[0], out[1], out[2], out[3]];
}

export class Random {
  private drawn = 0;
  private readonly block = new Uint32Array(4);
  private readonly counter = new Uint32Array(4);
  private blockNumber = -1;
  private readonly key: readonly [number, number];

  /** `seed`: an integer in [0, 2^53); `stream`: any name. */
  constructor(
    readonly seed: number,
    readonly streamName = '',
  ) {
    if (!Number.isSafeInteger(seed) || seed < 0)
      throw new ArgumentError('Random', `expected a seed in [0, 2^53), got ${seed}`, 'use a non-negative integer');
    const digest = createHash('sha256').update(`${seed}\n${streamName}`).digest();
    this.key = [digest.readUInt32LE(0), digest.readUInt32LE(4)];
  }

  /** An independent stream below this one; the same name gives the same stream, however much was drawn from here. */
  stream(name: string | number): Random {
    return new Random(this.seed, this.streamName ? `${this.streamName}/${name}` : String(name));
  }

  /** The next 32 bits. */
  uint32(): number {
    const block = Math.floor(this.drawn / 4);
    if (block !== this.blockNumber) {
      this.counter[0] = block >>> 0;
      this.counter[1] = Math.floor(block / 2 ** 32);
      philoxInto(this.block, this.counter, this.key);
      this.blockNumber = block;
    }
    return this.block[this.drawn++ & 3];
  }

  /** A number in [0, 1) with 53 random bits. */
  uniform(): number {
    return ((this.uint32() >>> 5) * 67108864 + (this.uint32() >>> 6)) / 2 ** 53;
  }

  /** An integer in [0, n), each equally likely. */
  int(n: number): number {
    if (!Number.isInteger(n) || n < 1 || n > 2 ** 32)
      throw new ArgumentError('Random.int', `expected a bound in [1, 2^32], got ${n}`, 'the result is below the bound');
    // Values beyond the last whole multiple of n would favour small results.
    const limit = 2 ** 32 - (2 ** 32 % n);
    let x = this.uint32();
    while (x >= limit) x = this.uint32();
    return x % n;
  }

  /** A standard normal number (Box & Muller 1958; the second of the pair is not kept). */
  normal(): number {
    return Math.sqrt(-2 * Math.log(1 - this.uniform())) * Math.cos(2 * Math.PI * this.uniform());
  }

  uniforms(n: number): Float32Array {
    // The largest doubles below 1 round to 1 in float32.
    return Float32Array.from({ length: n }, () => (this.uint32() >>> 8) / 2 ** 24);
  }

  normals(n: number): Float32Array {
    return Float32Array.from({ length: n }, () => this.normal());
  }

  /** 0 to n - 1 in random order (Fisher & Yates). */
  permutation(n: number): number[] {
    const out = Array.from({ length: n }, (_, i) => i);
    for (let i = n - 1; i > 0; i--) {
      const j = this.int(i + 1);
      [out[i], out[j]] = [out[j], out[i]];
    }
    return out;
  }

  choice<T>(list: readonly T[]): T {
    if (!list.length)
      throw new ArgumentError(
        'Random.choice',
        'expected a non-empty list, got an empty one',
        'there is nothing to choose from',
      );
    return list[this.int(list.length)];
  }

  /** One entry, with probabilities in proportion to the weights. */
  weighted<T>(list: readonly T[], weights: readonly number[]): T {
    const total = weights.reduce((a, b) => a + b, 0);
    if (list.length !== weights.length || !(total > 0) || !Number.isFinite(total) || weights.some((w) => w < 0))
      throw new ArgumentError(
        'Random.weighted',
        `expected ${list.length} non-negative weights with a positive sum, got [${weights.join(', ')}]`,
        'give one weight an entry',
      );
    let at = this.uniform() * total;
    for (let i = 0; i < list.length; i++) {
      at -= weights[i];
      if (at < 0) return list[i];
    }
    return list[weights.findLastIndex((w) => w > 0)];
  }

  state(): RandomState {
    return { seed: this.seed, stream: this.streamName, drawn: this.drawn };
  }

  static restore({ seed, stream, drawn }: RandomState): Random {
    const random = new Random(seed, stream);
    if (!Number.isSafeInteger(drawn) || drawn < 0)
      throw new ArgumentError(
        'Random.restore',
        `expected a count of drawn words, got ${drawn}`,
        'pass what state() returned',
      );
    random.drawn = drawn;
    return random;
  }
}
