/**
 * The header of a safetensors file: which tensors it holds, of which type and shape, and where. This file knows the
 * rules of the format (https://huggingface.co/docs/safetensors, section "Format") and refuses whatever breaks one of
 * them.
 */
import { z } from 'zod';
import { FormatError } from '../errors';

/** Element types by their name in the file, in the order in which files are laid out (largest alignment first). */
export const STORED_TYPES = {
  I64: { dtype: 'int64', bytes: 8 },
  F64: { dtype: 'float64', bytes: 8 },
  F32: { dtype: 'float32', bytes: 4 },
  I32: { dtype: 'int32', bytes: 4 },
  BF16: { dtype: 'bfloat16', bytes: 2 },
  F16: { dtype: 'float16', bytes: 2 },
  I16: { dtype: 'int16', bytes: 2 },
  I8: { dtype: 'int8', bytes: 1 },
  U8: { dtype: 'uint8', bytes: 1 },
  BOOL: { dtype: 'bool', bytes: 1 },
} as const;
export type StoredTypeName = keyof typeof STORED_TYPES;
export type StoredType = (typeof STORED_TYPES)[StoredTypeName]['dtype'];

/** One tensor's place: bytes `begin` to `end` of the part after the header. */
export interface Entry {
  readonly type: StoredTypeName;
  readonly shape: readonly number[];
  readonly begin: number;
  readonly end: number;
}

/** The format's own limit, which also keeps a damaged length from asking for all memory. */
export const MAX_HEADER_BYTES = 100_000_000;
/** The key of the header under which texts, not tensors, are kept. */
export const METADATA_KEY = '__metadata__';

const offset = z.number().int().min(0).max(Number.MAX_SAFE_INTEGER);
const entrySchema = z.strictObject({
  dtype: z.string(),
  shape: z.array(offset),
  data_offsets: z.tuple([offset, offset]),
});

const HELP = 'the file is damaged or is not a safetensors file: write or download it again';

/**
 * The first key that an object of a JSON text holds twice, or null. JSON.parse would silently keep the last. The text
 * must be valid JSON.
 */
function duplicateKey(json: string): string | null {
  const open: (Set<string> | null)[] = [];
  for (const [token] of json.matchAll(/"(?:[^"\\]|\\.)*"(?:\s*:)?|[{}[\]]/g)) {
    if (token === '{') open.push(new Set());
    else if (token === '[') open.push(null);
    else if (token === '}' || token === ']') open.pop();
    else if (token.endsWith(':')) {
      const key = JSON.parse(token.slice(0, -1)) as string;
      const keys = open.at(-1);
      if (keys?.has(key)) return key;
      keys?.add(key);
    }
  }
  return null;
}

/** The number of bytes that a tensor of this type and shape needs. */
export function storedBytes(type: StoredTypeName, shape: readonly number[]): number {
  return shape.reduce((product, n) => product * n, STORED_TYPES[type].bytes);
}

/**
 * Reads a header's text. `dataBytes` is the size of the part after it. Throws FormatError naming the tensor where
 * types, shapes and offsets do not fit together, overlap, leave holes or go beyond the end.
 */
export function parseHeader(
  where: string,
  text: string,
  dataBytes: number,
): { entries: Map<string, Entry>; metadata: Record<string, string> } {
  const fail = (what: string): never => {
    throw new FormatError(where, what, HELP);
  };
  let json: unknown;
  try {
    if (!text.startsWith('{')) throw new SyntaxError('it does not start with "{"');
    json = JSON.parse(text);
  } catch (error) {
    return fail(`expected a JSON object as header, got ${(error as Error).message}`);
  }
  const twice = duplicateKey(text);
  if (twice !== null) fail(`tensor "${twice}": expected each name once, got it twice`);

  const entries = new Map<string, Entry>();
  let metadata: Record<string, string> = {};
  for (const [name, value] of Object.entries(json as Record<string, unknown>)) {
    if (name === METADATA_KEY) {
      const strings = z.record(z.string(), z.string()).safeParse(value);
      if (!strings.success) fail(`${METADATA_KEY}: expected texts by name, got another kind of value`);
      metadata = strings.data!;
      continue;
    }
    const parsed = entrySchema.safeParse(value);
    if (!parsed.success) {
      const issue = parsed.error.issues[0];
      return fail(`tensor "${name}": ${[...issue.path, ''].join(': ')}${issue.message}`);
    }
    const { dtype, shape, data_offsets } = parsed.data;
    if (!Object.hasOwn(STORED_TYPES, dtype))
      fail(`tensor "${name}": expected a type among ${Object.keys(STORED_TYPES).join(', ')}, got ${dtype}`);
    const type = dtype as StoredTypeName;
    const [begin, end] = data_offsets;
    if (end < begin || end > dataBytes)
      fail(`tensor "${name}": expected offsets within the ${dataBytes} bytes of data, got ${begin} to ${end}`);
    if (end - begin !== storedBytes(type, shape))
      fail(
        `tensor "${name}": expected ${storedBytes(type, shape)} bytes for ${type} [${shape.join(', ')}], got ${end - begin}`,
      );
    entries.set(name, { type, shape, begin, end });
  }

  // The format allows neither overlaps nor holes: each tensor begins where the one before it ends.
  let position = 0;
  for (const [name, entry] of [...entries].sort(([, a], [, b]) => a.begin - b.begin || a.end - b.end)) {
    if (entry.begin !== position)
      fail(
        `tensor "${name}": expected it to begin at byte ${position}, got ${entry.begin} (${entry.begin < position ? 'it overlaps another' : 'a hole before it'})`,
      );
    position = entry.end;
  }
  if (position !== dataBytes) fail(`expected ${position} bytes of data, got ${dataBytes}`);
  return { entries, metadata };
}

/**
 * The bytes of a header for these tensors, in the file's order: by type, then name (as UTF-8). The same tensors and
 * metadata give the same bytes. Padded with spaces so that the data begins at a multiple of 8.
 */
export function buildHeader(
  tensors: ReadonlyMap<string, { type: StoredTypeName; shape: readonly number[] }>,
  metadata: Record<string, string>,
): { bytes: Buffer; order: string[] } {
  const ranks = Object.keys(STORED_TYPES);
  const order = [...tensors.keys()].sort(
    (a, b) =>
      ranks.indexOf(tensors.get(a)!.type) - ranks.indexOf(tensors.get(b)!.type) ||
      Buffer.compare(Buffer.from(a), Buffer.from(b)),
  );
  const header = new Map<string, unknown>();
  const keys = Object.keys(metadata).sort();
  if (keys.length) header.set(METADATA_KEY, Object.fromEntries(keys.map((k) => [k, metadata[k]])));
  let position = 0;
  for (const name of order) {
    const { type, shape } = tensors.get(name)!;
    const end = position + storedBytes(type, shape);
    header.set(name, { dtype: type, shape, data_offsets: [position, end] });
    position = end;
  }
  // Written entry by entry: an object would move names that look like numbers to the front.
  const text = `{${[...header].map(([k, v]) => `${JSON.stringify(k)}:${JSON.stringify(v)}`).join(',')}}`;
  const json = Buffer.from(text);
  const bytes = Buffer.alloc(8 + Math.ceil(json.length / 8) * 8, ' ');
  bytes.writeBigUInt64LE(BigInt(bytes.length - 8), 0);
  json.copy(bytes, 8);
  return { bytes, order };
}
