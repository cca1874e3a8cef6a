/**
 * Makes the loops of a compiled cell interruptible. Node ends a synchronous loop on SIGINT only before a cell's first
 * await; after it, nothing of the event loop runs until the loop ends. So every loop first looks at a number in memory
 * shared with the control thread. Loops inside libraries are left alone.
 */
import type * as TypeScript from '@tslab/typescript-for-tslab';
import type { Converter } from 'tslab/dist/converter';

// tslab gives its scripts this global; the look is one of its properties, so that no name of the cell is taken.
const LOOK = '__tslab__.look();';

/** The JavaScript `code` with a look at the start of every loop's body; lines stay where they are. */
export function interruptibleLoops(ts: typeof TypeScript, code: string): string {
  const file = ts.createSourceFile('cell.js', code, ts.ScriptTarget.ESNext, true, ts.ScriptKind.JS);
  const inserts: { at: number; text: string }[] = [];
  const visit = (node: TypeScript.Node): void => {
    if (ts.isIterationStatement(node, false)) {
      const body = node.statement;
      if (ts.isBlock(body)) {
        inserts.push({ at: body.getStart(file) + 1, text: ` ${LOOK}` });
      } else {
        inserts.push({ at: body.getStart(file), text: `{ ${LOOK} ` });
      }
    }
    ts.forEachChild(node, visit);
    if (ts.isIterationStatement(node, false) && !ts.isBlock(node.statement)) {
      inserts.push({ at: node.statement.end, text: ' }' });
    }
  };
  visit(file);
  // Stable: where loops without braces nest, the order in which they were met is the order in which they open and
  // close.
  inserts.sort((a, b) => a.at - b.at);
  let out = '';
  let from = 0;
  for (const { at, text } of inserts) {
    out += code.slice(from, at) + text;
    from = at;
  }
  return out + code.slice(from);
}

/** A converter whose compiled cells have interruptible loops; `look` is also called between compiling and running. */
export function interruptibleConverter(ts: typeof TypeScript, converter: Converter, look: () => void): Converter {
  return {
    ...converter,
    convert(prevDecl, src) {
      const result = converter.convert(prevDecl, src);
      look();
      return result.output === undefined ? result : { ...result, output: interruptibleLoops(ts, result.output) };
    },
  };
}

/**
 * What loops call. Throws while `flag[0]` is not 0; the error is the one that Node throws for an interrupted script.
 */
export function makeLook(flag: Int32Array): () => void {
  return () => {
    if (Atomics.load(flag, 0) === 0) return;
    throw Object.assign(new Error('the cell was interrupted'), { code: 'ERR_SCRIPT_EXECUTION_INTERRUPTED' });
  };
}
