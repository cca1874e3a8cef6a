/** Stores a program as an ONNX file that other tools read, with large constants in a file beside it. */
import { open, readdir, rename, rm } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import path from 'node:path';
import type { Program } from '../program';
import { writeOnnx } from './writer';
import type { OnnxModel, WriteOptions } from './writer';

/** One write call takes at most 2 GB. */
const CHUNK_BYTES = 64 << 20;
/** Constants from this size on go to the file beside the model. */
const EXTERNAL_BYTES = 1 << 20;

export type SaveOptions = Omit<WriteOptions, 'externalFile' | 'target'>;

/** Writes the pieces one after the other. */
export async function writePieces(file: FileHandle, pieces: readonly Uint8Array[], chunk = CHUNK_BYTES): Promise<void> {
  for (const piece of pieces)
    for (let at = 0; at < piece.byteLength;) {
      const { bytesWritten } = await file.write(piece, at, Math.min(chunk, piece.byteLength - at));
      at += bytesWritten;
    }
}

async function writeWhole(name: string, pieces: readonly Uint8Array[]): Promise<void> {
  const file = await open(name, 'w');
  try {
    await writePieces(file, pieces);
    await file.sync();
  } finally {
    await file.close();
  }
}

/**
 * Writes `file` in standard operators (opset 21), and constants of at least `externalBytes` (1 MB) to
 * `<file>.<hash>.data` beside it. Both are written under temporary names first, so that an interrupted call leaves an
 * earlier model whole. Throws ArgumentError where the program cannot be written.
 */
export async function saveOnnx(file: string, program: Program, options: SaveOptions = {}): Promise<OnnxModel> {
  const { externalBytes = EXTERNAL_BYTES, ...rest } = options;
  const folder = path.dirname(path.resolve(file));
  const base = path.basename(file);
  // The name of the data file follows from its content: an earlier model keeps its own until the new one is in place.
  const write = (data: string): OnnxModel =>
    writeOnnx(program, { ...rest, target: 'portable', externalBytes, externalFile: data });
  const { hash, external } = write('data');
  const dataFile = `${base}.${hash.slice(0, 16)}.data`;
  const model = external.length ? write(dataFile) : write('data');
  const temporary = path.join(folder, `.${base}.${process.pid}.tmp`);
  try {
    if (external.length) {
      await writeWhole(`${temporary}.data`, model.external);
      await rename(`${temporary}.data`, path.join(folder, dataFile));
    }
    await writeWhole(temporary, [model.bytes]);
    await rename(temporary, path.join(folder, base));
  } finally {
    await rm(temporary, { force: true });
    await rm(`${temporary}.data`, { force: true });
  }
  // Data of the model that was replaced.
  for (const name of await readdir(folder))
    if (name.startsWith(`${base}.`) && /^[0-9a-f]{16}\.data$/.test(name.slice(base.length + 1)) && name !== dataFile)
      await rm(path.join(folder, name));
  return model;
}
