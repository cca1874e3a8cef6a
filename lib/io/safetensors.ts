/**
 * Reading and writing safetensors files, tensor by tensor, so that a file of many gigabytes needs no more memory than
 * its tensors do. Written files are the same bytes for the same tensors, and the same as those of the reference
 * implementation. Values are little-endian in the file, as on every machine that the runtime supports.
 */
import * as fs from 'node:fs/promises';
import { ArgumentError, FormatError } from '../errors';
import type { HostTensor } from '../graph/dtype';
import { writeAtomic } from './atomic';
import {
  buildHeader,
  MAX_HEADER_BYTES,
  METADATA_KEY,
  parseHeader,
  STORED_TYPES,
  storedBytes,
} from './safetensors-header';
import type { Entry, StoredType, StoredTypeName } from './safetensors-header';

export type { StoredType } from './safetensors-header';

/** A tensor as stored. The engine's HostTensor is one; other types occur in files made elsewhere. */
export interface StoredTensor {
  readonly dtype: StoredType;
  readonly shape: readonly number[];
  /** Row-major; float16 and bfloat16 as 16-bit patterns in a Uint16Array, bool as 0 and 1 in a Uint8Array. */
  readonly data: StoredArray;
}
export type StoredArray =
  Float64Array | Float32Array | Uint16Array | BigInt64Array | Int32Array | Int16Array | Int8Array | Uint8Array;

const ARRAYS = {
  int64: BigInt64Array,
  float64: Float64Array,
  float32: Float32Array,
  int32: Int32Array,
  bfloat16: Uint16Array,
  float16: Uint16Array,
  int16: Int16Array,
  int8: Int8Array,
  uint8: Uint8Array,
  bool: Uint8Array,
} as const satisfies Record<StoredType, unknown>;

const NAMES = Object.fromEntries(Object.entries(STORED_TYPES).map(([name, { dtype }]) => [dtype, name])) as Record<
  StoredType,
  StoredTypeName
>;

/** One read or write call moves at most this much: the system's own limit is 2 GB. */
const PIECE_BYTES = 1 << 28;

const asBytes = (data: StoredArray): Uint8Array => new Uint8Array(data.buffer, data.byteOffset, data.byteLength);

async function writeAll(file: fs.FileHandle, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length;) {
    const { bytesWritten } = await file.write(bytes, at, Math.min(PIECE_BYTES, bytes.length - at));
    at += bytesWritten;
  }
}

async function readAll(file: fs.FileHandle, bytes: Uint8Array, position: number): Promise<boolean> {
  for (let at = 0; at < bytes.length;) {
    const { bytesRead } = await file.read(bytes, at, Math.min(PIECE_BYTES, bytes.length - at), position + at);
    if (!bytesRead) return false;
    at += bytesRead;
  }
  return true;
}

/**
 * Writes a file, whole or not at all. Throws ArgumentError naming the tensor if its array does not fit its type and
 * shape. Names and metadata are any texts, except that no tensor is called "__metadata__".
 */
export async function writeSafetensors(
  path: string,
  tensors: Readonly<Record<string, StoredTensor>>,
  metadata: Readonly<Record<string, string>> = {},
): Promise<void> {
  const described = new Map<string, { type: StoredTypeName; shape: readonly number[] }>();
  for (const [name, { dtype, shape, data }] of Object.entries(tensors)) {
    const where = `writeSafetensors: tensor "${name}"`;
    if (name === METADATA_KEY) throw new ArgumentError(where, 'this name is taken by the format', 'rename the tensor');
    const type = NAMES[dtype];
    if (!type)
      throw new ArgumentError(
        where,
        `expected a dtype among ${Object.keys(ARRAYS).join(', ')}, got ${dtype}`,
        'cast it',
      );
    if (!(data instanceof ARRAYS[dtype]))
      throw new ArgumentError(
        where,
        `expected a ${ARRAYS[dtype].name} for ${dtype}, got ${Object.prototype.toString.call(data)}`,
        'pass the matching typed array',
      );
    if (!shape.every((n) => Number.isSafeInteger(n) && n >= 0) || storedBytes(type, shape) !== data.byteLength)
      throw new ArgumentError(
        where,
        `expected ${storedBytes(type, shape)} bytes for ${dtype} [${shape.join(', ')}], got ${data.byteLength}`,
        'give the shape that the values have',
      );
    described.set(name, { type, shape });
  }
  for (const [key, value] of Object.entries(metadata))
    if (typeof value !== 'string')
      throw new ArgumentError(
        'writeSafetensors',
        `metadata "${key}": expected a text, got ${typeof value}`,
        'use String(...)',
      );
  const header = buildHeader(described, metadata);
  if (header.bytes.length - 8 > MAX_HEADER_BYTES)
    throw new ArgumentError(
      'writeSafetensors',
      'the names and metadata exceed 100 MB',
      'store metadata in another file',
    );
  await writeAtomic(path, async (file) => {
    await writeAll(file, header.bytes);
    for (const name of header.order) await writeAll(file, asBytes(tensors[name].data));
  });
}

/** An open file, from which tensors are read one at a time. Close it after use. */
export class SafetensorsFile {
  private constructor(
    readonly path: string,
    private readonly file: fs.FileHandle,
    private readonly dataStart: number,
    /** Type, shape and place by name. */
    readonly entries: ReadonlyMap<string, Entry>,
    readonly metadata: Readonly<Record<string, string>>,
  ) {}

  /** Opens a file and checks its header. Throws FormatError naming what is wrong, and the tensor where there is one. */
  static async open(path: string): Promise<SafetensorsFile> {
    const where = `readSafetensors: ${path}`;
    const fail = (what: string): never => {
      throw new FormatError(where, what, 'the file is damaged or cut off: write or download it again');
    };
    let file: fs.FileHandle;
    try {
      file = await fs.open(path, 'r');
    } catch (error) {
      throw new FormatError(where, `cannot be opened (${(error as NodeJS.ErrnoException).code})`, 'check the path', {
        cause: error,
      });
    }
    try {
      const stat = await file.stat();
      if (stat.isDirectory()) throw new FormatError(where, 'expected a file, got a folder', 'name the file in it');
      const { size } = stat;
      const length = Buffer.alloc(8);
      if (size < 8 || !(await readAll(file, length, 0))) fail(`expected at least 8 bytes, got ${size}`);
      const headerBytes = length.readBigUInt64LE();
      if (headerBytes > BigInt(Math.min(MAX_HEADER_BYTES, size - 8)))
        fail(
          `expected a header of at most ${Math.min(MAX_HEADER_BYTES, size - 8)} bytes, got a length of ${headerBytes}`,
        );
      const header = Buffer.alloc(Number(headerBytes));
      if (!(await readAll(file, header, 8))) fail('the file ends within its header');
      let text = '';
      try {
        text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(header);
      } catch {
        fail('expected a header in UTF-8');
      }
      const start = 8 + header.length;
      const { entries, metadata } = parseHeader(where, text, size - start);
      return new SafetensorsFile(path, file, start, entries, metadata);
    } catch (error) {
      await file.close();
      throw error;
    }
  }

  /** Reads one tensor. Throws ArgumentError for a name that is not there. */
  async read(name: string): Promise<StoredTensor> {
    const where = `readSafetensors: ${this.path}: tensor "${name}"`;
    const entry = this.entries.get(name);
    if (!entry) throw new ArgumentError(where, 'there is no such tensor', 'see `entries` for the names');
    const buffer = new ArrayBuffer(entry.end - entry.begin);
    if (!(await readAll(this.file, new Uint8Array(buffer), this.dataStart + entry.begin)))
      throw new FormatError(where, 'the file ends within it', 'write or download the file again');
    const { dtype } = STORED_TYPES[entry.type];
    const data = new ARRAYS[dtype](buffer);
    if (dtype === 'bool' && (data as Uint8Array).some((v) => v > 1))
      throw new FormatError(where, 'expected 0 and 1 as BOOL values, got others', 'write or download the file again');
    return { dtype, shape: entry.shape, data };
  }

  close(): Promise<void> {
    return this.file.close();
  }
}

/** Reads all tensors of a file, in the order of its header. Throws FormatError if it is damaged. */
export async function readSafetensors(
  path: string,
): Promise<{ tensors: Record<string, StoredTensor>; metadata: Readonly<Record<string, string>> }> {
  const file = await SafetensorsFile.open(path);
  try {
    // Without a prototype: a tensor may be called "__proto__".
    const tensors = Object.create(null) as Record<string, StoredTensor>;
    for (const name of file.entries.keys()) tensors[name] = await file.read(name);
    return { tensors, metadata: file.metadata };
  } finally {
    await file.close();
  }
}

/** float32 values of bfloat16 bits: the upper half of a float32. */
function fromBfloat16(bits: Uint16Array): Float32Array {
  return new Float32Array(Uint32Array.from(bits, (b) => b << 16).buffer);
}

/** A stored tensor as the engine takes it: bfloat16 and float64 become float32; int16 and int8 become int32. */
export function toHostTensor(tensor: StoredTensor): HostTensor {
  const { dtype, shape, data } = tensor;
  switch (dtype) {
    case 'bfloat16':
      return { dtype: 'float32', shape, data: fromBfloat16(data as Uint16Array) };
    case 'float64':
      return { dtype: 'float32', shape, data: Float32Array.from(data as Float64Array) };
    case 'int16':
    case 'int8':
      return { dtype: 'int32', shape, data: Int32Array.from(data as Int8Array) };
    default:
      return { dtype, shape, data: data as HostTensor['data'] };
  }
}

/** readSafetensors, with every tensor as the engine takes it. */
export async function readHostTensors(
  path: string,
): Promise<{ tensors: Record<string, HostTensor>; metadata: Readonly<Record<string, string>> }> {
  const { tensors, metadata } = await readSafetensors(path);
  return { tensors: Object.fromEntries(Object.entries(tensors).map(([n, t]) => [n, toHostTensor(t)])), metadata };
}
