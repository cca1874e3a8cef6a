/**
 * LaTeX as plain text, for the grader: "\frac{1}{2}" is "1/2", "\sqrt{2}" is "√(2)", "\pi" is "π". The released grader
 * takes pylatexenc's LatexNodes2Text, whose ways are kept where answers meet them, odd ones too: "\frac{x+1}{2}" loses
 * its parentheses ("x+1/2"), "\sqrt[3]{x}" its degree, an unknown command goes and leaves its braces' contents.
 *
 * Not as there: parameters of environments and commands for documents (sections, citations, colours).
 */
import { ArgumentError } from '../errors';
import { LATEX_SYMBOLS } from './latex-symbols';
import { strip } from './python-text';

/** Code point of A and a in the alphabets of mathematics, and the letters that stand elsewhere. */
const ALPHABETS: Record<string, [capital: number, small: number, elsewhere: string]> = {
  mathbf: [0x1d400, 0x1d41a, ''],
  mathit: [0x1d434, 0x1d44e, 'hℎ'],
  mathsf: [0x1d5a0, 0x1d5ba, ''],
  mathbb: [0x1d538, 0x1d552, 'CℂHℍNℕPℙQℚRℝZℤ'],
  mathtt: [0x1d670, 0x1d68a, ''],
  mathcal: [0x1d49c, 0x1d4b6, 'BℬEℰFℱHℋIℐLℒMℳRℛeℯgℊoℴ'],
  mathscr: [0x1d49c, 0x1d4b6, 'BℬEℰFℱHℋIℐLℒMℳRℛeℯgℊoℴ'],
  mathfrak: [0x1d504, 0x1d51e, 'CℭHℌIℑRℜZℨ'],
};

/** Commands that put a mark on each character of their argument, and the mark. */
const MARKS: Record<string, string> = Object.fromEntries(
  (
    '\' 301 ` 300 " 308 c 327 ^ 302 ~ 303 H 30b k 328 = 304 b 331 . 307 d 323 r 30a u 306 v 30c vec 20d7 dot 307 hat 302 ' +
    'check 30c breve 306 acute 301 grave 300 tilde 303 bar 305 ddot 308 not 338'
  )
    .split(' ')
    .flatMap((word, i, all) => (i % 2 ? [] : [[word, String.fromCodePoint(parseInt(all[i + 1], 16))] as const])),
);

/** Commands whose argument stays as it is; without one nothing is left of them. */
const FONTS = new Set('mathrm emph textrm textit textbf textsc textsl text'.split(' '));

/** The same, but without an argument the reference leaves "%s". */
const DRAWN = new Set(
  (
    'ensuremath overline underline widehat widetilde wideparen overleftarrow overrightarrow overleftrightarrow ' +
    'underleftarrow underrightarrow underleftrightarrow overbrace underbrace overgroup undergroup overbracket underbracket'
  ).split(' '),
);

/** Commands that go with their argument. */
const GONE = new Set('mbox textmd textsf texttt textup label hphantom vphantom hspace vspace'.split(' '));

const CHARACTERS: Record<string, string> = { ',': ' ', ';': ' ', ':': ' ', ' ': ' ', '!': '', '-': '\u00ad' };
const LITERAL = '&${}%#_';
const MATRICES = new Set(['array', 'pmatrix', 'bmatrix', 'smallmatrix', 'psmallmatrix', 'bsmallmatrix']);
const EQUATIONS = /^(equation|eqnarray|align|multline|gather|dmath)\*?$/;
const LIGATURES: [string, string][] = [
  ['---', '—'],
  ['--', '–'],
  ['``', '“'],
  ["''", '”'],
  ['!`', '¡'],
  ['?`', '¿'],
  ['&', '   '],
  ['~', '\u00a0'],
];

/** @throws ArgumentError where the reference's parser fails: "\sqrt" without an argument. */
export function latexToText(latex: string): string {
  return new Reader(latex).text();
}

class Reader {
  private at = 0;

  constructor(private readonly latex: string) {}

  /** Text up to the end, or to what `stop` accepts, which is not read. */
  text(stop?: (rest: string) => boolean): string {
    let out = '';
    let chars = '';
    // Blanks alone between two constructs are kept: "{2} {3}" is "2 3".
    const flush = (): void => {
      out += chars;
      chars = '';
    };
    while (this.at < this.latex.length) {
      const rest = this.latex.slice(this.at);
      if (stop?.(rest)) break;
      const ligature = LIGATURES.find(([from]) => rest.startsWith(from));
      if (rest[0] === '\\') {
        flush();
        out += this.command();
      } else if (rest[0] === '{') {
        flush();
        out += this.group();
      } else if (rest[0] === '}') {
        // Closes nothing.
        this.at++;
      } else if (ligature) {
        flush();
        this.at += ligature[0].length;
        out += ligature[1];
      } else {
        chars += rest[0];
        this.at++;
      }
    }
    flush();
    return out;
  }

  /** "{...}"; the closing brace may be missing at the end. */
  private group(): string {
    this.at++;
    const inside = this.text((rest) => rest[0] === '}');
    this.at++;
    return inside;
  }

  private skipSpace(): void {
    while (/^\s$/.test(this.latex[this.at] ?? '')) this.at++;
  }

  private name(): string {
    const name = /^\p{L}+|^[^]?/u.exec(this.latex.slice(this.at + 1))![0];
    this.at += 1 + name.length;
    // Blanks after a command of letters belong to it.
    if (/^\p{L}/u.test(name)) this.skipSpace();
    return name;
  }

  /** A group, one command without arguments of its own, or one character; undefined at the end. */
  private argument(): string | undefined {
    this.skipSpace();
    const char = this.latex[this.at];
    if (char === undefined) return undefined;
    if (char === '{') return this.group();
    if (char === '}') return '';
    if (char === '\\') {
      const name = this.name();
      if (name === 'frac' || name === 'nicefrac') return '%s/%s';
      if (name === 'sqrt') throw rootless();
      if (DRAWN.has(name)) return '%s';
      if (Object.hasOwn(MARKS, name)) return marked(' ', name);
      return LATEX_SYMBOLS.get(name) ?? CHARACTERS[name] ?? (LITERAL.includes(name) ? name : '');
    }
    const whole = String.fromCodePoint(this.latex.codePointAt(this.at)!);
    this.at += whole.length;
    return whole;
  }

  private optional(): void {
    this.skipSpace();
    if (this.latex[this.at] !== '[') return;
    this.at++;
    this.text((rest) => rest[0] === ']');
    this.at++;
  }

  private command(): string {
    const name = this.name();
    const start = this.at;
    /** `n` arguments, or undefined and nothing read. */
    const take = (n: number): string[] | undefined => {
      const found: string[] = [];
      for (let i = 0; i < n; i++) {
        const next = this.argument();
        if (next === undefined) {
          this.at = start;
          return undefined;
        }
        found.push(next);
      }
      return found;
    };
    if (name === 'begin') return this.environment();
    if (name === 'end') {
      take(1);
      return '';
    }
    if (name === '(' || name === '[') return this.formula(name);
    if (name === 'frac' || name === 'nicefrac') {
      const parts = take(2);
      return parts ? parts.join('/') : '%s/%s';
    }
    if (name === 'sqrt') {
      this.optional();
      const inside = this.argument();
      if (inside === undefined) throw rootless();
      return `√(${inside})`;
    }
    if (name === '\\') {
      if (this.latex[this.at] === '*') this.at++;
      if (this.latex[this.at] === '[') this.optional();
      return '\n';
    }
    if (name in ALPHABETS) return letters(ALPHABETS[name], take(1)?.[0] ?? '');
    if (Object.hasOwn(MARKS, name)) return marked(take(1)?.[0] ?? ' ', name);
    if (FONTS.has(name)) return take(1)?.[0] ?? '';
    if (DRAWN.has(name)) return take(1)?.[0] ?? '%s';
    if (GONE.has(name)) {
      take(1);
      return '';
    }
    return LATEX_SYMBOLS.get(name) ?? CHARACTERS[name] ?? (name && LITERAL.includes(name) ? name : '');
  }

  /** \( ... \) in the line, \[ ... \] on lines of its own. */
  private formula(open: string): string {
    const close = open === '(' ? '\\)' : '\\]';
    const inside = strip(this.text((rest) => rest.startsWith(close)));
    this.at += 2;
    return open === '(' ? inside : indented(inside);
  }

  private environment(): string {
    const name = this.argument() ?? '';
    const end = `\\end{${name}}`;
    if (name === 'array') this.argument();
    const from = this.at;
    if (!MATRICES.has(name)) {
      const inside = this.text((rest) => rest.startsWith('\\end{'));
      if (this.latex.startsWith('\\end{', this.at)) this.at = this.latex.indexOf('}', this.at) + 1 || this.latex.length;
      return EQUATIONS.test(name) ? indented(strip(inside)) : inside;
    }
    const until = this.latex.indexOf(end, from);
    const body = this.latex.slice(from, until < 0 ? undefined : until);
    this.at = until < 0 ? this.latex.length : until + end.length;
    const rows = body.split('\\\\').map((row) => row.split('&').map((cell) => strip(latexToText(cell))));
    const width = Math.max(...rows.flat().map((cell) => [...cell].length));
    const wide = (cell: string): string => ' '.repeat(width - [...cell].length) + cell;
    return `[ ${rows.map((row) => row.map(wide).join(' ')).join('; ')} ]`;
  }
}

/** Each character with the command's mark. */
const marked = (text: string, command: string): string =>
  [...text].map((char) => (char + MARKS[command]).normalize('NFC')).join('');

const rootless = (): ArgumentError =>
  new ArgumentError('latexToText', 'expected an argument of \\sqrt, got none', 'write \\sqrt{2}');

const indented = (text: string): string => `\n${text.replace(/^/gm, '    ')}\n`;

function letters([capital, small, elsewhere]: [number, number, string], text: string): string {
  return [...text]
    .map((char) => {
      const exception = [...elsewhere].indexOf(char);
      if (exception >= 0 && exception % 2 === 0) return [...elsewhere][exception + 1];
      if (/^[A-Z]$/.test(char)) return String.fromCodePoint(capital + char.charCodeAt(0) - 65);
      if (/^[a-z]$/.test(char)) return String.fromCodePoint(small + char.charCodeAt(0) - 97);
      return char;
    })
    .join('');
}
