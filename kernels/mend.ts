/**
 * Rewrites a cell before tslab 1.0.22 compiles it, where tslab would compile it wrongly:
 *  - `{a}` naming a variable of an earlier cell passes the type check and then raises a ReferenceError, because earlier
 *    variables become `exports.a` but shorthands are left alone. It becomes `{a: a}`.
 *  - `const {a: b} = earlier` would likewise turn the property's name into `exports.a`. It becomes `{'a': b}`.
 *  - `await (x)`, `await [x]`, `for await` and the like are not taken for a top-level await. An await that tslab does
 *    recognise, and that never runs, is put in front.
 * Only text is inserted, so that positions in the compiler's messages can be led back to the cell as it was written.
 */
import type * as TypeScript from '@tslab/typescript-for-tslab';
import type { Converter, Diagnostic } from 'tslab/dist/converter';

interface Insert {
  at: number;
  text: string;
  /** Where the reader should look for a message about the inserted text. */
  blame: number;
}

/** A cell made fit for tslab. */
export interface MendedCell {
  code: string;
  /** Position in the original cell of a position in `code`. */
  toOriginal: (offset: number) => number;
}

// As tslab does, so that the cell is parsed as a module.
const HEAD = 'export {};\n';
const AWAIT = 'if (false) await 0; ';

/** The cell `code`, rewritten where tslab needs it. `ts` is tslab's own compiler. */
export function mendCell(ts: typeof TypeScript, code: string): MendedCell {
  const file = ts.createSourceFile('cell.ts', HEAD + code, ts.ScriptTarget.ESNext, true, ts.ScriptKind.TS);
  const inserts: Insert[] = [];
  let awaits = false;

  const quote = (name: TypeScript.Node): void => {
    if (!ts.isIdentifier(name)) return;
    const start = name.getStart(file);
    inserts.push({ at: start, text: "'", blame: start }, { at: name.end, text: "'", blame: start });
  };
  const visit = (node: TypeScript.Node, inFunction: boolean, inTarget: boolean): void => {
    if (ts.isShorthandPropertyAssignment(node)) {
      inserts.push({ at: node.name.end, text: `: ${node.name.text}`, blame: node.name.getStart(file) });
    } else if (ts.isBindingElement(node) && node.propertyName) {
      quote(node.propertyName);
    } else if (inTarget && ts.isPropertyAssignment(node)) {
      quote(node.name);
    }
    if (!inFunction && (ts.isAwaitExpression(node) || (ts.isForOfStatement(node) && node.awaitModifier))) awaits = true;
    const inner = inFunction || ts.isFunctionLike(node) || ts.isClassStaticBlockDeclaration(node);
    const assigns = ts.isBinaryExpression(node) && node.operatorToken.kind === ts.SyntaxKind.EqualsToken;
    ts.forEachChild(node, (child) => {
      const pattern = ts.isObjectLiteralExpression(child) || ts.isArrayLiteralExpression(child);
      const target = assigns ? child === node.left && pattern : inTarget && !ts.isCallExpression(child);
      visit(child, inner, target);
    });
  };
  visit(file, false, false);
  if (awaits) inserts.push({ at: HEAD.length, text: AWAIT, blame: HEAD.length });
  inserts.sort((a, b) => a.at - b.at);

  let out = '';
  let from = HEAD.length;
  for (const insert of inserts) {
    out += (HEAD + code).slice(from, insert.at) + insert.text;
    from = insert.at;
  }
  out += (HEAD + code).slice(from);
  return {
    code: out,
    toOriginal(offset) {
      let shift = 0;
      for (const { at, text, blame } of inserts) {
        const start = at - HEAD.length + shift;
        if (offset < start) break;
        if (offset < start + text.length) return blame - HEAD.length;
        shift += text.length;
      }
      return offset - shift;
    },
  };
}

/** A converter that mends each cell first and reports positions in the cell as it was written. */
export function mendingConverter(ts: typeof TypeScript, converter: Converter): Converter {
  return {
    ...converter,
    convert(prevDecl, src) {
      const mended = mendCell(ts, src);
      const result = converter.convert(prevDecl, mended.code);
      if (mended.code === src) return result;
      const position = (at: Diagnostic['start']): Diagnostic['start'] => {
        const offset = Math.min(mended.toOriginal(at.offset), src.length);
        const before = src.slice(0, offset).split('\n');
        return { offset, line: before.length - 1, character: before[before.length - 1].length };
      };
      const diagnostics = result.diagnostics.map((d) =>
        d.fileName ? d : { ...d, start: position(d.start), end: position(d.end) },
      );
      return { ...result, diagnostics };
    },
  };
}
