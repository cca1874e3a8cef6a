/**
 * Configurations as diffusers and transformers write them (snake case, one file a part) to ours (camel case) and back.
 * A setting that changes what a model computes and is none of ours must have the value that our code implies, so that no
 * foreign model is computed wrongly without a word.
 */
import type { z } from 'zod';
import { FormatError } from '../errors';

/** Values that our code implies: those allowed, the first of which is written. */
export type Implied = Readonly<Record<string, readonly unknown[]>>;

const toSnake = (key: string): string => key.replace(/[A-Z]/g, (c) => `_${c.toLowerCase()}`);
const toCamel = (key: string): string => key.replace(/_([a-z0-9])/g, (_, c: string) => c.toUpperCase());

/** Our configuration under the reference's names, with what it implies. */
export function toReferenceConfig(config: object, implied: Implied): Record<string, unknown> {
  const own = Object.entries(config).filter(([, v]) => v !== undefined);
  return {
    ...Object.fromEntries(own.map(([k, v]) => [toSnake(k), v as unknown])),
    ...Object.fromEntries(Object.entries(implied).map(([k, values]) => [k, values[0]])),
  };
}

const nothing = (v: unknown): boolean => v === null || v === false;

/**
 * The other way. Keys that begin with "_" and those in `ignored` say nothing about the computation; any other that is
 * neither ours nor implied must be null or false. Throws FormatError naming the setting.
 */
export function fromReferenceConfig<S extends z.ZodObject>(
  where: string,
  schema: S,
  stored: Record<string, unknown>,
  implied: Implied,
  ignored: readonly string[] = [],
): z.infer<S> {
  const own: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(stored)) {
    const name = toCamel(key);
    if (key in implied) {
      if (!implied[key].some((v) => JSON.stringify(v) === JSON.stringify(value)))
        throw new FormatError(
          where,
          `expected ${key} ${implied[key].map((v) => JSON.stringify(v)).join(' or ')}, got ${JSON.stringify(value)}`,
          'this form of the model is not supported',
        );
    } else if (name in schema.shape) {
      if (value !== null) own[name] = value;
    } else if (!key.startsWith('_') && !ignored.includes(key) && !nothing(value))
      throw new FormatError(
        where,
        `expected settings that are known here, got ${key} ${JSON.stringify(value)}`,
        'this form of the model is not supported',
      );
  }
  const result = schema.safeParse(own);
  if (!result.success) {
    const { path, message } = result.error.issues[0];
    throw new FormatError(where, `at ${toSnake(path.join('.'))}: ${message}`, 'check the file');
  }
  return result.data;
}
