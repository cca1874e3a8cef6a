/**
 * Where the values of a concrete tensor are: in host memory, on devices, or both. The graph only carries this about;
 * the runtime fills it.
 */
import { DisposedError } from '../errors';
import type { DType, TypedArray } from './dtype';

/** A copy of the values that a device holds. */
export interface Resident {
  /** Copies the values to the host. */
  read(): Promise<TypedArray>;
  /** Gives the device memory back. */
  release(): void;
}

const DISPOSED = 'disposed';

export class Storage {
  private gone: string | null = null;
  readonly residents = new Map<string, Resident>();

  constructor(
    readonly dtype: DType,
    readonly shape: readonly number[],
    private values: TypedArray | null,
  ) {}

  /** Throws when the values were donated or disposed. */
  check(where: string): void {
    if (this.gone)
      throw new DisposedError(
        where,
        `expected a tensor that is still alive, got one that was ${this.gone} (${this.dtype} [${this.shape.join(', ')}])`,
        this.gone === DISPOSED
          ? 'call .dispose() only after the last use; an expression that was not evaluated still needs its operands'
          : 'a compiled step takes over the arguments that it donates: keep using what it returned; copy before the call what you need after it',
      );
  }

  get hostValues(): TypedArray | null {
    return this.values;
  }

  /** Reads the values, from the host copy if there is one. */
  async read(where: string): Promise<TypedArray> {
    this.check(where);
    if (!this.values) {
      const resident = this.residents.values().next().value;
      if (!resident) throw new Error('a storage has a host copy or a device copy');
      let values: TypedArray;
      try {
        values = await resident.read();
      } catch (error) {
        // Donated while the request was on its way.
        this.check(where);
        throw error;
      }
      if (this.gone) return values;
      this.values = values;
    }
    return this.values;
  }

  /** Marks the values as given away: "donated to <step>" or "disposed". The caller has taken over the residents. */
  invalidate(how: string): void {
    this.gone = how;
    this.values = null;
    this.residents.clear();
  }

  /** Frees all copies. Disposing twice is allowed. */
  dispose(): void {
    if (this.gone) return;
    for (const resident of this.residents.values()) resident.release();
    this.invalidate(DISPOSED);
  }
}
