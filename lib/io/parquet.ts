/**
 * Parquet files, read by the package hyparquet: the columns that a table had in pandas, a row at a time, one row group in
 * memory. Text is string, binary Uint8Array, whole numbers are numbers where they fit and bigint where not.
 */
import * as fs from 'node:fs/promises';
import * as path from 'node:path';
import type { AsyncBuffer, FileMetaData } from 'hyparquet';
import { ArgumentError, FormatError } from '../errors';

export type ParquetRow = Record<string, unknown>;

export interface ParquetFile {
  rows: number;
  /** Without the index that pandas stores among the columns. */
  columns: string[];
  /**
   * Rows in order. A row group that cannot be read is told to `lost` with its number of rows, and the next one follows.
   * @throws FormatError for such a group if there is no `lost`; the ones before it have come out
   */
  read(lost?: (rows: number, error: FormatError) => void): AsyncGenerator<ParquetRow>;
  close(): Promise<void>;
}

/**
 * The Parquet files of a file or (searched with all its folders) of a folder, in order of their paths.
 * @throws ArgumentError if there are none
 */
export async function findParquet(place: string): Promise<string[]> {
  const stat = await fs.stat(place).catch(() => undefined);
  const help = 'name a file that ends in .parquet, or a folder with such files';
  if (!stat) throw new ArgumentError(place, 'expected a Parquet file or a folder, got no such path', help);
  const isParquet = (name: string): boolean => name.toLowerCase().endsWith('.parquet');
  if (!stat.isDirectory()) {
    if (!isParquet(place)) throw new ArgumentError(place, 'expected a file that ends in .parquet, got another', help);
    return [place];
  }
  const names = (await fs.readdir(place, { recursive: true })).filter(isParquet).sort();
  if (!names.length) throw new ArgumentError(place, 'expected Parquet files in the folder, got none', help);
  return names.map((name) => path.join(place, name));
}

/** Names of the columns that hold pandas' index. */
function indexColumns(metadata: FileMetaData): string[] {
  const text = metadata.key_value_metadata?.find(({ key }) => key === 'pandas')?.value;
  if (!text) return [];
  try {
    const { index_columns } = JSON.parse(text) as { index_columns?: unknown[] };
    return (index_columns ?? []).filter((name): name is string => typeof name === 'string');
  } catch {
    return [];
  }
}

/** Part of a file, read from the disk when it is asked for. */
function bufferOf(handle: fs.FileHandle, byteLength: number): AsyncBuffer {
  return {
    byteLength,
    async slice(start: number, end = byteLength): Promise<ArrayBuffer> {
      const from = start < 0 ? Math.max(0, byteLength + start) : start;
      const length = Math.max(0, Math.min(end, byteLength) - from);
      const bytes = new Uint8Array(length);
      await handle.read(bytes, 0, length, from);
      return bytes.buffer;
    },
  };
}

const damaged = (file: string, error: unknown): FormatError =>
  new FormatError(file, `expected a Parquet file, got: ${(error as Error).message}`, 'the file is damaged; fetch or make it again', { cause: error }); // prettier-ignore

/** @throws FormatError for a file that is missing, cut off or of another kind */
export async function openParquet(file: string): Promise<ParquetFile> {
  const { parquetMetadataAsync, parquetReadObjects, parquetSchema } = await import('hyparquet');
  const { compressors } = await import('hyparquet-compressors');
  const handle = await fs.open(file).catch((error: unknown) => {
    throw damaged(file, error);
  });
  try {
    const buffer = bufferOf(handle, (await handle.stat()).size);
    const metadata = await parquetMetadataAsync(buffer);
    const index = new Set(indexColumns(metadata));
    const columns = parquetSchema(metadata).children.map((c) => c.element.name).filter((name) => !index.has(name)); // prettier-ignore
    const groups = metadata.row_groups.map(({ num_rows }) => Number(num_rows));
    return {
      rows: Number(metadata.num_rows),
      columns,
      async *read(lost) {
        let rowStart = 0;
        for (const count of groups) {
          const options = {
            file: buffer,
            metadata,
            columns,
            compressors,
            utf8: false,
            rowStart,
            rowEnd: rowStart + count,
          };
          yield* await parquetReadObjects(options).catch((error: unknown) => {
            const { message } = error as Error;
            const what = damaged(file, new Error(`rows ${rowStart} to ${rowStart + count - 1} that cannot be read (${message})`, { cause: error })); // prettier-ignore
            if (!lost) throw what;
            lost(count, what);
            return [];
          });
          rowStart += count;
        }
      },
      close: () => handle.close(),
    };
  } catch (error) {
    await handle.close();
    throw damaged(file, error);
  }
}
