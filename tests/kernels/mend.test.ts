/** What is changed in a cell before it runs. */
import assert from 'node:assert/strict';
import { interruptibleLoops } from '../../kernels/loops';
import { mendCell } from '../../kernels/mend';
import { loadTslab } from '../../kernels/packages';
import { olderDeclarations } from '../../kernels/self-reference';

describe('kernels/mend', () => {
  const { ts } = loadTslab();
  const mended = (code: string): string => mendCell(ts, code).code;

  it('writes out shorthand properties, also as targets of an assignment', () => {
    assert.equal(mended('f({a, b: 1, c})'), 'f({a: a, b: 1, c: c})');
    assert.equal(mended('({a} = o)'), '({a: a} = o)');
    assert.equal(mended('({a = 2} = o)'), '({a: a = 2} = o)');
  });

  it('quotes property names in patterns', () => {
    assert.equal(mended('const {a: b} = o'), "const {'a': b} = o");
    assert.equal(mended('({a: b, c: {d: e}} = o)'), "({'a': b, 'c': {'d': e}} = o)");
    assert.equal(mended('const x = {a: 1}'), 'const x = {a: 1}');
  });

  it('marks awaits that tslab misses, and only at the top level', () => {
    for (const code of ['await (f())', 'await [1]', 'for await (const x of y) {}', 'if (x) { await f() }']) {
      assert.equal(mended(code), `if (false) await 0; ${code}`);
    }
    for (const code of [
      'async () => { await (1) }',
      'class A { async m() { await f() } }',
      '// await (x)',
      '"await x"',
    ]) {
      assert.equal(mended(code), code);
    }
  });

  it('leads positions back to the cell as written', () => {
    const code = 'g({a, b}); await (h)';
    const { code: out, toOriginal } = mendCell(ts, code);
    for (const word of ['g(', 'a', 'b', 'await (h)', 'h']) {
      assert.equal(toOriginal(out.indexOf(word, word === 'await (h)' ? 10 : 20)), code.indexOf(word), word);
    }
    assert.equal(toOriginal(out.length), code.length);
  });

  it('takes the type parameter from typed arrays, which TypeScript 5.0 does not know', () => {
    assert.equal(
      olderDeclarations(
        'a: Float32Array<ArrayBuffer>; b: Map<string, Uint8ClampedArray<ArrayBufferLike>>; c: Array<number>',
      ),
      'a: Float32Array; b: Map<string, Uint8ClampedArray>; c: Array<number>',
    );
  });

  it('lets every loop of a cell look for an interrupt, without moving lines', () => {
    const look = '__tslab__.look();';
    const cases: [string, string][] = [
      ['while (a) { b(); }', `while (a) { ${look} b(); }`],
      ['for (;;);', `for (;;){ ${look} ; }`],
      ['do x++; while (x < 3)', `do { ${look} x++; } while (x < 3)`],
      [
        'for (const a of b) for (const c in d)\n  e();',
        `for (const a of b) { ${look} for (const c in d)\n  { ${look} e(); } }`,
      ],
      ['f(() => { for (;;) {} })', `f(() => { for (;;) { ${look}} })`],
      ['"for (;;) {}"', '"for (;;) {}"'],
    ];
    for (const [code, expected] of cases) assert.equal(interruptibleLoops(ts, code), expected);
  });
});
