/** manifest.json: what a run is and what came out of it. Checked when it is read, written whole or not at all. */
import * as fs from 'node:fs/promises';
import { z } from 'zod';
import { FormatError } from '../errors';
import { writeFileAtomic } from '../io/atomic';

const fileRecord = z.strictObject({ bytes: z.number().int().min(0), sha256: z.string().regex(/^[0-9a-f]{64}$/) });
export type FileRecord = z.infer<typeof fileRecord>;

/** Numbers that JSON lacks are kept as texts. */
const metric = z.union([z.number(), z.string(), z.boolean(), z.null()]);

/** The fields of manifest.json. */
export const manifestSchema = z.strictObject({
  format: z.literal(1),
  experiment: z.string(),
  hash: z.string().regex(/^[0-9a-f]{16}$/),
  profile: z.enum(['smoke', 'laptop', 'gpu', 'paper']),
  /** running: at work, or ended without a word (killed). */
  status: z.enum(['running', 'done', 'failed', 'cancelled']),
  /** The error's text, where it failed. */
  error: z.string().nullable(),
  config: z.record(z.string(), z.unknown()),
  seed: z.number().int(),
  codeVersion: z.string(),
  parents: z.array(z.strictObject({ name: z.string(), hash: z.string() })),
  /** null where the project is not a git checkout. */
  git: z.strictObject({ commit: z.string(), dirty: z.boolean() }).nullable(),
  device: z.string(),
  machine: z.strictObject({
    platform: z.string(),
    processor: z.string(),
    cores: z.number().int(),
    memoryBytes: z.number(),
  }),
  versions: z.record(z.string(), z.string()),
  /** Hashes of the data used, and of the compiled graphs, by name. */
  data: z.record(z.string(), z.string()),
  graphs: z.record(z.string(), z.string()),
  started: z.string(),
  finished: z.string().nullable(),
  /** Work over all resumes, in seconds. */
  wallSeconds: z.number().min(0),
  /** Times it was taken up again. */
  resumes: z.number().int().min(0),
  /** The largest resident memory of the process that made it, in bytes. */
  peakMemoryBytes: z.number().min(0),
  metrics: z.record(z.string(), metric),
  /** Every file of the finished run but this one, by its path in the run's folder. */
  files: z.record(z.string(), fileRecord),
});
export type Manifest = z.infer<typeof manifestSchema>;

/** Final results by name; non-finite numbers are kept. */
export type Metrics = Record<string, number | string | boolean | null>;

/** Reads JSON by a schema. Null if the file is missing; FormatError naming file and field if it is damaged. */
export async function readJson<T>(file: string, schema: z.ZodType<T>): Promise<T | null> {
  let text: string;
  try {
    text = await fs.readFile(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (error) {
    throw new FormatError(file, `expected JSON, got ${(error as Error).message}`, 'delete the file: it is made again');
  }
  const parsed = schema.safeParse(json);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  throw new FormatError(
    file,
    `${issue.path.join('.') || 'the whole'}: ${issue.message}`,
    'delete the file: it is made again',
  );
}

/** Writes readable JSON, whole or not at all. */
export const writeJson = (file: string, value: unknown): Promise<void> =>
  writeFileAtomic(file, JSON.stringify(value, null, 2) + '\n');

/** NaN and infinities as texts, so that JSON keeps them. */
const encodeNumber = <T>(value: T): T | string =>
  typeof value === 'number' && !Number.isFinite(value) ? String(value) : value;

/** The reverse of encodeNumber. */
const decodeNumber = <T>(value: T): T | number =>
  value === 'NaN' || value === 'Infinity' || value === '-Infinity' ? Number(value) : value;

/** encodeNumber of each value. */
export const encodeNumbers = (record: Record<string, unknown>): Record<string, unknown> =>
  Object.fromEntries(Object.entries(record).map(([k, v]) => [k, encodeNumber(v)]));
/** decodeNumber of each value. */
export const decodeNumbers = <T>(record: Record<string, T>): Record<string, T | number> =>
  Object.fromEntries(Object.entries(record).map(([k, v]) => [k, decodeNumber(v)]));
