/**
 * Expressions of short answers, in the language that the released grader reads: Python's arithmetic as sympy's parse_expr
 * takes it with implicit multiplication. "2x(y+1)" is a product, "1/2x" is x/2, "xy" is x times y, "x!" a factorial, "0.2[1]"
 * is 0.2111..., "3j" is imaginary. The grader lets at most two letters through, so of sympy's names only these are known:
 * pi, sqrt, ln, csc, re, im.
 *
 * Not read: comparisons, tuples, lists, attributes, bit operations; nor could sympy subtract most of them.
 */
import { ArgumentError } from '../errors';

export type BinaryOperator = '+' | '-' | '*' | '/' | '**';
export type FunctionName = 'sqrt' | 'ln' | 'csc' | 're' | 'im' | 'factorial' | 'factorial2';

export type Expression =
  | { kind: 'rational'; top: bigint; bottom: bigint }
  /** A number with a point or an exponent, as it was written. */
  | { kind: 'float'; text: string }
  | { kind: 'symbol'; name: string }
  | { kind: 'pi' }
  | { kind: 'i' }
  | { kind: 'negative'; of: Expression }
  | { kind: 'binary'; op: BinaryOperator; left: Expression; right: Expression }
  | { kind: 'call'; name: FunctionName; of: Expression[] };

type Token =
  /** `name`: it is a name by itself, not a letter of a product. */
  | { type: 'atom'; value: Expression; name?: boolean }
  | { type: 'function'; name: FunctionName }
  | { type: 'op'; op: string }
  /** A line's end inside parentheses: blank, but nothing is multiplied across it. */
  | { type: 'line' };

const FUNCTIONS = new Set(['sqrt', 'ln', 'csc', 're', 'im']);
/** Names that Python or sympy take for something that cannot be calculated with. */
const UNUSABLE = new Set('nan oo zoo gff rf ff li jn yn hn1 hn2 fft ntt fu eye all id if in is or as'.split(' '));
/** Python reads no integers of more digits. */
const MOST_DIGITS = 4300;
/** Greek letters by name stay whole; with two letters at most these are all. */
const WHOLE = new Set(['mu', 'nu', 'xi']);

const DIGITS = '[0-9](?:_?[0-9])*';
const EXPONENT = `[eE][-+]?${DIGITS}`;
const FLOAT = `(?:${DIGITS}\\.(?:${DIGITS})?|\\.${DIGITS})(?:${EXPONENT})?|${DIGITS}${EXPONENT}`;
const INTEGER = '0x(?:_?[0-9a-f])+|0b(?:_?[01])+|0o(?:_?[0-7])+|0(?:_?0)*|[1-9](?:_?[0-9])*';
const NUMBER = new RegExp(`^(?:(?:${DIGITS}|${FLOAT})[jJ]|${FLOAT}|${INTEGER})`);
const REPEATING = /^([0-9]*)\.([0-9]*)\[([0-9]+)\]/;
const NAME = /^[\p{ID_Start}_][\p{L}\p{N}_]*/u;
const OPERATOR = /^(\*\*|[-+*/()!,])/;

function fail(text: string, why: string): never {
  throw new ArgumentError(
    'parseExpression',
    `expected arithmetic, got ${JSON.stringify(text)} (${why})`,
    'see the header',
  );
}

const rational = (top: bigint, bottom = 1n): Expression => ({ kind: 'rational', top, bottom });

/** Decimal digits as a number. */
function integer(digits: string): bigint {
  if (digits.length > MOST_DIGITS) fail(`${digits.slice(0, 9)}...`, `${digits.length} digits`);
  return BigInt(digits);
}

/** pre.post[repetend]: the fraction with nines. */
function repeating(pre: string, post: string, repetend: string): Expression {
  const [shift, nines] = [10n ** BigInt(post.length), 10n ** BigInt(repetend.length) - 1n];
  return rational(integer(`${pre || '0'}${post}`) * nines + integer(repetend), shift * nines);
}

function number(text: string): Expression {
  const imaginary = /j$/i.test(text);
  const plain = text.replace(/[_jJ]/g, '');
  const isFloat = plain.includes('.') || (/e/i.test(plain) && !plain.startsWith('0x'));
  // Decimal digits with zeros in front come only from "3j": Python does not read 007.
  const value: Expression = isFloat
    ? { kind: 'float', text: plain }
    : rational(/^0[xbo]/.test(plain) ? BigInt(plain) : integer(plain));
  return imaginary ? { kind: 'binary', op: '*', left: value, right: { kind: 'i' } } : value;
}

/** A name that is no function: a constant, a symbol, or the product of its letters and numbers. */
function named(name: string): Token[] {
  const atom = (value: Expression, whole = false): Token => ({ type: 'atom', value, name: whole });
  if (name === 'pi') return [atom({ kind: 'pi' }, true)];
  if ([...name].length === 1 || name.includes('_') || WHOLE.has(name)) return [atom({ kind: 'symbol', name }, true)];
  return (name.match(/[0-9]+|[^0-9]/gu) ?? []).map((part) => {
    if (!/^[0-9]/.test(part)) {
      if (/^[\p{Nd}²³¹⁰-⁹₀-₉]$/u.test(part)) fail(name, 'a digit of another script');
      return atom({ kind: 'symbol', name: part });
    }
    if (/^0+[1-9]/.test(part)) fail(name, 'a number with zeros in front');
    return atom(rational(integer(part)));
  });
}

function tokens(text: string): Token[] {
  const out: Token[] = [];
  let depth = 0;
  for (let rest = text; rest;) {
    const space = /^[\t\f ]+/.exec(rest)?.[0];
    if (space) {
      rest = rest.slice(space.length);
      continue;
    }
    const repeat = REPEATING.exec(rest);
    const digits = repeat ? undefined : NUMBER.exec(rest)?.[0];
    const name = NAME.exec(rest)?.[0];
    const op = OPERATOR.exec(rest)?.[0];
    if (repeat) out.push({ type: 'atom', value: repeating(repeat[1], repeat[2], repeat[3]) });
    else if (digits) out.push({ type: 'atom', value: number(digits) });
    else if (name && UNUSABLE.has(name)) fail(text, name);
    else if (name && FUNCTIONS.has(name)) out.push({ type: 'function', name: name as FunctionName });
    else if (name) out.push(...named(name));
    else if (op) {
      depth += Number(op === '(') - Number(op === ')');
      if (depth < 0) fail(text, 'unbalanced parentheses');
      out.push({ type: 'op', op });
    } else if (/^\r?\n/.test(rest) && depth > 0) out.push({ type: 'line' });
    else fail(text, `"${rest[0]}"`);
    rest = rest.slice((repeat?.[0] ?? digits ?? name ?? op ?? /^\r?\n/.exec(rest)![0]).length);
  }
  return out;
}

/**
 * "x(3)!" and "pi(3)!": sympy puts the factorial's parentheses before it knows that the name is no function. After pi they
 * take it in, (pi 3)!; a symbol is left as a function without arguments, which is an error.
 */
function factorialsOfProducts(text: string, all: Token[]): Token[] {
  const isOp = (token: Token | undefined, op: string): boolean => token?.type === 'op' && token.op === op;
  for (let i = 1; i < all.length; i++) {
    if (!isOp(all[i], '!') || !isOp(all[i - 1], ')')) continue;
    let open = i - 1;
    for (let depth = 1; depth > 0 && open > 0;) depth += Number(isOp(all[--open], ')')) - Number(isOp(all[open], '('));
    const before = all[open - 1];
    if (before?.type !== 'atom' || !before.name) continue;
    if (before.value.kind === 'symbol') fail(text, 'a factorial of parentheses after a name');
    all.splice(i, 0, { type: 'op', op: ')' });
    all.splice(open - 1, 0, { type: 'op', op: '(' });
    i += 2;
  }
  return all;
}

class Parser {
  private at = 0;

  constructor(
    private readonly text: string,
    private readonly tokens: readonly Token[],
  ) {}

  whole(): Expression {
    const value = this.sum();
    if (this.at < this.tokens.length) fail(this.text, 'more than one expression');
    return value;
  }

  private skipLines(): boolean {
    const from = this.at;
    while (this.tokens[this.at]?.type === 'line') this.at++;
    return this.at > from;
  }

  private accept(...ops: string[]): string | undefined {
    const from = this.at;
    this.skipLines();
    const token = this.tokens[this.at];
    if (token?.type === 'op' && ops.includes(token.op)) {
      this.at++;
      return token.op;
    }
    this.at = from;
    return undefined;
  }

  private sum(): Expression {
    let left = this.product();
    for (let op = this.accept('+', '-'); op; op = this.accept('+', '-'))
      left = { kind: 'binary', op: op as BinaryOperator, left, right: this.product() };
    return left;
  }

  private product(): Expression {
    let left = this.signed();
    for (;;) {
      const op = this.accept('*', '/') ?? (this.startsFactor() ? '*' : undefined);
      if (!op) return left;
      left = { kind: 'binary', op: op as BinaryOperator, left, right: this.signed() };
    }
  }

  /** Whether the next token begins another factor, with no sign of multiplication and no line's end between. */
  private startsFactor(): boolean {
    const token = this.tokens[this.at];
    return (
      token !== undefined &&
      (token.type === 'atom' || token.type === 'function' || (token.type === 'op' && token.op === '('))
    );
  }

  private signed(): Expression {
    const op = this.accept('+', '-');
    if (!op) return this.power();
    const of = this.signed();
    return op === '-' ? { kind: 'negative', of } : of;
  }

  private power(): Expression {
    const left = this.postfix();
    return this.accept('**') ? { kind: 'binary', op: '**', left, right: this.signed() } : left;
  }

  private postfix(): Expression {
    const value = this.primary();
    let marks = 0;
    while (this.accept('!')) marks++;
    if (marks > 2) fail(this.text, 'more than two factorials');
    return marks ? { kind: 'call', name: marks === 2 ? 'factorial2' : 'factorial', of: [value] } : value;
  }

  private primary(): Expression {
    this.skipLines();
    const token = this.tokens[this.at++];
    if (token?.type === 'atom') return token.value;
    if (token?.type === 'function') return this.call(token.name);
    if (token?.type === 'op' && token.op === '(') {
      const inside = this.sum();
      if (!this.accept(')')) fail(this.text, 'a parenthesis that is not closed');
      return inside;
    }
    return fail(this.text, 'an operand is missing');
  }

  /** sqrt(x), ln(x), ln(x, base), and ln**2(x) for the square of ln(x). */
  private call(name: FunctionName): Expression {
    let exponent: Expression | undefined;
    if (this.accept('**')) {
      const token = this.tokens[this.at++];
      if (token?.type !== 'atom') fail(this.text, `a power of ${name}`);
      exponent = token.value;
    }
    if (!this.accept('(')) fail(this.text, `${name} without parentheses`);
    const of = [this.sum()];
    while (this.accept(',')) of.push(this.sum());
    // What follows the comma in sqrt(x, y) only says whether to work the root out.
    if (!this.accept(')') || of.length > (name === 'ln' || name === 'sqrt' ? 2 : 1))
      fail(this.text, `the arguments of ${name}`);
    const value: Expression = { kind: 'call', name, of };
    return exponent ? { kind: 'binary', op: '**', left: value, right: exponent } : value;
  }
}

/** @throws ArgumentError for what is no such expression. "^" is a power, like "**". */
export function parseExpression(text: string): Expression {
  const python = text.replaceAll('^', '**');
  return new Parser(python, factorialsOfProducts(python, tokens(python))).whole();
}
