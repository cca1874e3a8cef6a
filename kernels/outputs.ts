/**
 * Turns what a kernel publishes while cells run into the outputs of a notebook file: streams joined, carriage returns
 * applied, displays updated in place, wherever in the notebook they are shown.
 */
import type { CodeCell, Output } from './notebook';

/** A cell keeps all that it prints up to this many characters a stream; beyond, the middle is left out and said so. */
const STREAM_LIMIT = 16 * 1024 * 1024;

class StreamText {
  #head = '';
  #tail = '';
  #dropped = 0;

  constructor(private readonly limit: number) {}

  push(text: string): void {
    const half = this.limit / 2;
    const room = half - this.#head.length;
    if (this.#tail === '' && text.length <= room) {
      this.#head += text;
      return;
    }
    this.#head += text.slice(0, Math.max(0, room));
    this.#tail += text.slice(Math.max(0, room));
    // Cut seldom: a cut copies.
    if (this.#tail.length > 2 * half) this.#cut(half);
  }

  toString(): string {
    const half = this.limit / 2;
    if (this.#dropped > 0 && this.#tail.length > half) this.#cut(half);
    if (this.#dropped === 0 && this.#head.length + this.#tail.length > this.limit) this.#cut(half);
    const gap = this.#dropped > 0 ? `\n... (${this.#dropped} characters left out here) ...\n` : '';
    return this.#head + gap + this.#tail;
  }

  #cut(keep: number): void {
    this.#dropped += this.#tail.length - keep;
    this.#tail = this.#tail.slice(-keep);
  }
}

/** `text` as a terminal would show it: what follows a carriage return overwrites the line from its start. */
export function applyCarriageReturns(text: string): string {
  if (!text.includes('\r')) return text;
  return text
    .split('\n')
    .map((line) => {
      let shown = '';
      for (const part of line.replace(/\r+$/, '').split('\r')) shown = part + shown.slice(part.length);
      return shown;
    })
    .join('\n');
}

type DisplayOutput = Extract<Output, { output_type: 'display_data' }>;

/** The outputs of one run of a notebook. */
export class OutputCollector {
  #displays = new Map<string, DisplayOutput[]>();
  #streams = new Map<Output, StreamText>();
  #cell: CodeCell | null = null;
  #clear = false;

  constructor(private readonly streamLimit: number = STREAM_LIMIT) {}

  /** From here on, outputs belong to `cell`. */
  begin(cell: CodeCell): void {
    this.#finishStreams();
    this.#cell = cell;
    this.#clear = false;
    cell.outputs = [];
    cell.execution_count = null;
  }

  /** Writes the text of streams into the outputs of the last cell. */
  finish(): void {
    this.#finishStreams();
  }

  /** Adds a message that the kernel published. */
  add(type: string, content: Record<string, unknown>): void {
    const cell = this.#cell;
    if (!cell) return;
    if (type === 'execute_input') {
      cell.execution_count = Number(content.execution_count);
    } else if (type === 'update_display_data') {
      this.#update(content);
    } else if (type === 'clear_output') {
      this.#clear = true;
      if (content.wait !== true) this.#clearNow(cell);
    } else if (type === 'stream') {
      this.#clearNow(cell);
      this.#stream(cell, String(content.name), String(content.text));
    } else if (type === 'display_data' || type === 'execute_result' || type === 'error') {
      this.#clearNow(cell);
      cell.outputs.push(this.#output(type, content));
    }
  }

  #output(type: 'display_data' | 'execute_result' | 'error', content: Record<string, unknown>): Output {
    if (type === 'error') {
      const { ename, evalue, traceback } = content as { ename: string; evalue: string; traceback: string[] };
      return { output_type: type, ename, evalue, traceback };
    }
    const data = content.data as Record<string, unknown>;
    const metadata = (content.metadata ?? {}) as Record<string, unknown>;
    if (type === 'execute_result') {
      return { output_type: type, data, metadata, execution_count: Number(content.execution_count) };
    }
    const output: DisplayOutput = { output_type: type, data, metadata };
    const id = (content.transient as { display_id?: string } | undefined)?.display_id;
    if (id !== undefined) this.#displays.set(id, [...(this.#displays.get(id) ?? []), output]);
    return output;
  }

  #update(content: Record<string, unknown>): void {
    const id = (content.transient as { display_id?: string } | undefined)?.display_id;
    for (const output of this.#displays.get(id ?? '') ?? []) {
      output.data = content.data as Record<string, unknown>;
      output.metadata = (content.metadata ?? {}) as Record<string, unknown>;
    }
  }

  #stream(cell: CodeCell, name: string, text: string): void {
    const last = cell.outputs.at(-1);
    let output = last;
    if (last?.output_type !== 'stream' || last.name !== name) {
      output = { output_type: 'stream', name, text: '' };
      cell.outputs.push(output);
      this.#streams.set(output, new StreamText(this.streamLimit));
    }
    this.#streams.get(output as Output)?.push(text);
  }

  #clearNow(cell: CodeCell): void {
    if (!this.#clear) return;
    cell.outputs = [];
    this.#streams.clear();
    this.#clear = false;
  }

  #finishStreams(): void {
    for (const [output, text] of this.#streams) {
      if (output.output_type === 'stream') output.text = applyCarriageReturns(text.toString());
    }
  }
}
