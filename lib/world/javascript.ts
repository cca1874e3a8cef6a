/**
 * `code_interpreter` for the world's own programs: small arithmetic programs whose stored results are really computed.
 * It runs only programs whose every word is on a short list, so that a program that a model wrote can be checked here
 * too without reaching anything: no strings, no properties but those named, a time limit. The agent's interpreter is
 * another, with a sandbox.
 */
import vm from 'node:vm';

const WORDS = new Set(
  'let const for of if else while true false Math max min floor round sqrt abs pow length a b c d i j k n p q r s t x y list sum product count total result mean'.split(
    ' ',
  ),
);
const CONTEXT = vm.createContext(Object.freeze(Object.assign(Object.create(null) as object, { Math })), {
  codeGeneration: { strings: false, wasm: false },
});

export type RunResult = { ok: true; value: string } | { ok: false; error: string };

/** Runs a program; its value is that of its last expression, as text. Never throws. */
export function runJavaScript(code: string, timeoutMs = 2000): RunResult {
  if (code.length > 1000) return { ok: false, error: 'error: the program is too long' };
  const strange = code.match(/[^\w\s()[\]{}<>=+\-*/%.,;:?!&|]/);
  if (strange) return { ok: false, error: `error: unexpected ${strange[0]}` };
  const word = code.match(/[A-Za-z_]\w*/g)?.find((w) => !WORDS.has(w));
  if (word) return { ok: false, error: `error: ${word} is not defined` };
  try {
    // The block keeps the program's names out of the shared context; its last expression is its value.
    const value: unknown = new vm.Script(`"use strict";{${code}}`).runInContext(CONTEXT, { timeout: timeoutMs });
    if (typeof value !== 'number' && typeof value !== 'boolean') return { ok: false, error: 'error: no value' };
    return { ok: true, value: String(value) };
  } catch (error) {
    return { ok: false, error: `error: ${error instanceof Error ? error.message : String(error)}` };
  }
}
