/** Samples that are drawn while the device codes those before. */

/** Samples that are rendered and coded together. */
const CHUNK = 256;

/** Samples that are drawn before the device's answers are looked at again. */
const TURN = 8;

/** What `code` makes of samples 0 to `count`, in order, chunk by chunk; while one is coded the next is drawn. */
export async function* drawnAhead<S, T>(
  count: number,
  sample: (i: number) => S,
  code: (samples: S[], at: number) => Promise<T[]>,
): AsyncGenerator<{ made: T[]; end: number }> {
  const draw = async (at: number): Promise<S[]> => {
    const samples: S[] = [];
    for (let i = at; i < Math.min(at + CHUNK, count); i++) {
      samples.push(sample(i));
      if (i % TURN === TURN - 1) await new Promise((resolve) => setImmediate(resolve));
    }
    return samples;
  };
  let samples = await draw(0);
  for (let at = 0; at < count; at += CHUNK) {
    const [made, next] = await Promise.all([code(samples, at), draw(at + CHUNK)]);
    yield { made, end: at + samples.length };
    samples = next;
  }
}
