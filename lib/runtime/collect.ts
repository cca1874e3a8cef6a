/**
 * Garbage collection by device memory. A tensor on the caller's thread is a few bytes that stand for megabytes in a
 * worker, so the engine's own heuristics would let gigabytes pile up before they look for dead ones. Here the buffers
 * are counted, and once they have doubled since the last collection (and grown by a floor) one is asked for.
 */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

/** No collection below this growth. */
const FLOOR_BYTES = 256e6;

let collector: (() => void) | null = null;
function collect(): void {
  if (!collector) {
    setFlagsFromString('--expose-gc');
    collector = runInNewContext('gc') as () => void;
  }
  collector();
}

export class MemoryCount {
  private held = 0;
  private afterCollection = 0;

  get bytes(): number {
    return this.held;
  }
  add(bytes: number): void {
    this.held += bytes;
  }
  subtract(bytes: number): void {
    this.held -= bytes;
  }
  /** Starts again from nothing (the worker that held the buffers has ended). */
  reset(): void {
    this.held = this.afterCollection = 0;
  }

  /** Collects if the buffers have grown much; finalizers run before it resolves. */
  async relieve(): Promise<void> {
    this.afterCollection = Math.min(this.afterCollection, this.held);
    if (this.held < 2 * this.afterCollection + FLOOR_BYTES) return;
    // Finalizers run in a task of their own after the collection.
    collect();
    await new Promise((resolve) => setImmediate(resolve));
    this.afterCollection = this.held;
  }
}
