/**
 * Claims of papers with their verdicts, on disk: claims.json for programs, index.html for readers. Several papers share the two files, each
 * with a part of its own, which is replaced when its claims are judged again.
 */
import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { FormatError } from '../errors';
import { writeFileAtomic } from '../io/atomic';
import { figureTitle } from './figure';
import type { Figure } from './figure';
import { formatNumber, formatPublished } from './numbers';
import { checkTable } from './table';
import type { Table } from './table';
import { escapeHtml, tableToHtml } from './table-text';

export interface Claim {
  id: string;
  text: string;
  verdict: 'holds' | 'does not hold' | 'undecided';
  /** How it is decided, in words. */
  rule: string;
  conditions: readonly {
    says: string;
    verdict: string;
    perSeed: readonly number[];
    low: number | null;
    high: number | null;
  }[];
  figures: readonly { name: string; paper: number | null; ours: readonly number[] }[];
}

export interface ClaimSet {
  /** "OmniAgent" */
  title: string;
  profile: string;
  seeds: number;
  /** What a reader must know of all of them. */
  note: string;
  /** The rule that turns conditions into verdicts. */
  rule: string;
  claims: readonly Claim[];
}

type ClaimFile = Record<string, ClaimSet>;

async function readClaims(file: string): Promise<ClaimFile> {
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return {};
    throw error;
  }
  try {
    const value = JSON.parse(text) as unknown;
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as ClaimFile;
  } catch {
    // Said below.
  }
  throw new FormatError(file, 'expected claims by paper, got something else', 'remove the file; it is written anew');
}

const list = (values: readonly number[]): string =>
  values.length ? values.map((v) => formatNumber(v)).join(', ') : 'not measured';

const COLOURS = { holds: '#0072B2', 'does not hold': '#D55E00', undecided: '#555555' } as const;
const SIGNS = { holds: '✓', 'does not hold': '✗', undecided: '?' } as const;

function claimHtml({ id, text, verdict, rule, conditions, figures }: Claim): string {
  const row = (cells: readonly string[], tag = 'td'): string =>
    `<tr>${cells.map((c) => `<${tag}>${escapeHtml(c)}</${tag}>`).join('')}</tr>`;
  const interval = (low: number | null, high: number | null): string =>
    low === null || high === null ? 'none' : `${formatNumber(low)} to ${formatNumber(high)}`;
  return `<section id="${escapeHtml(id)}">
<h3>${escapeHtml(id)} <span class="verdict" style="background:${COLOURS[verdict]}">${SIGNS[verdict]} ${verdict}</span></h3>
<p><b>${escapeHtml(text)}</b></p>
<p>Rule: ${escapeHtml(rule)}</p>
${
  conditions.length
    ? `<table>${row(['Condition', 'By seed', '95 % interval', 'Verdict'], 'th')}
${conditions.map((c) => row([c.says, list(c.perSeed), interval(c.low, c.high), c.verdict])).join('\n')}</table>`
    : '<p>Not measured.</p>'
}
${
  figures.length
    ? `<table>${row(['Measure', 'Paper', 'Ours, by seed'], 'th')}
${figures.map((f) => row([f.name, f.paper === null ? 'not given' : formatPublished(f.paper), list(f.ours)])).join('\n')}</table>`
    : ''
}
</section>`;
}

const STYLE = `body{font:15px/1.5 "DejaVu Sans",Verdana,sans-serif;color:#222;max-width:62rem;margin:2rem auto;padding:0 1rem}
table{border-collapse:collapse;margin:.6rem 0;font-size:14px}th,td{border:1px solid #ccc;padding:.25rem .6rem;text-align:left;vertical-align:top}
th{background:#f3f3f3}.verdict{color:#fff;border-radius:.3rem;padding:.1rem .5rem;font-size:14px;white-space:nowrap}
img{max-width:100%;height:auto;border:1px solid #ddd}figure{margin:1rem 0}figcaption{font-size:13px;color:#555}
details{margin:.4rem 0;overflow-x:auto}summary{cursor:pointer}caption{display:none}section{overflow-x:auto}`;

/** What lies in the folder beside the claims. */
export interface ClaimsPageFiles {
  /** With the title that stands in the figure. */
  figures: readonly { file: string; title: string }[];
  /** By their Markdown files; null for a table whose JSON is not there. */
  tables: readonly { file: string; table: Table | null }[];
  /** Executed notebooks, relative to the folder. */
  notebooks: readonly string[];
}

function tableHtml({ file, table }: ClaimsPageFiles['tables'][number]): string {
  const name = file.replace(/\.md$/, '');
  const link = `<a href="tables/${encodeURIComponent(file)}">${escapeHtml(name)}</a>`;
  if (!table) return `<p>${link}</p>`;
  return `<details><summary>${escapeHtml(table.caption ?? name)} (${link})</summary>\n${tableToHtml(table)}</details>`;
}

/** The page: a list of all claims, then each with its numbers, then the figures and tables that lie in the folder. */
export function claimsPage(sets: ClaimFile, files: ClaimsPageFiles): string {
  // In the order of the claims' names: OA1 before OR1.
  const all = Object.values(sets).sort((a, b) => ((a.claims[0]?.id ?? '') < (b.claims[0]?.id ?? '') ? -1 : 1));
  const overview = all
    .flatMap((s) => s.claims)
    .map(
      (c) =>
        `<tr><td><a href="#${escapeHtml(c.id)}">${escapeHtml(c.id)}</a></td><td>${escapeHtml(c.text)}</td>` +
        `<td><span class="verdict" style="background:${COLOURS[c.verdict]}">${SIGNS[c.verdict]} ${c.verdict}</span></td></tr>`,
    )
    .join('\n');
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>Claims, and what was measured</title><style>${STYLE}</style></head><body>
<h1>Claims, and what was measured</h1>
<table><tr><th>Claim</th><th>What the paper says</th><th>Verdict</th></tr>
${overview}</table>
${all
  .map(
    (s) => `<h2>${escapeHtml(s.title)}</h2>
<p>Profile ${escapeHtml(s.profile)}, ${s.seeds} seed${s.seeds === 1 ? '' : 's'}. ${escapeHtml(s.note)}</p>
<p>${escapeHtml(s.rule)}</p>
${s.claims.map(claimHtml).join('\n')}`,
  )
  .join('\n')}
<h2>Tables</h2>
${files.tables.map(tableHtml).join('\n') || '<p>None yet.</p>'}
<h2>Figures</h2>
${files.figures
  .map(
    ({ file, title }) =>
      `<figure><img src="${encodeURIComponent(file)}" alt="${escapeHtml(title)}" loading="lazy">` +
      `<figcaption>${escapeHtml(title)} (${escapeHtml(file)})</figcaption></figure>`,
  )
  .join('\n')}
<h2>Executed notebooks</h2>
<p>${files.notebooks.map((n) => `<a href="${escapeHtml(n.split('/').map(encodeURIComponent).join('/'))}">${escapeHtml(n.replace(/^notebooks\/|\.ipynb$/g, ''))}</a>`).join(', ') || 'None yet.'}</p>
</body></html>
`;
}

const named = async (dir: string, ending: string): Promise<string[]> =>
  (await readdir(dir, { recursive: true }).catch(() => [] as string[]))
    .map((f) => f.split(path.sep).join('/'))
    .filter((f) => f.endsWith(ending) && !f.includes('.ipynb_checkpoints'))
    .sort();

/** A JSON file as it is, or null if it is not there or is none. */
async function readJson(file: string): Promise<unknown> {
  try {
    return JSON.parse(await readFile(file, 'utf8')) as unknown;
  } catch {
    return null;
  }
}

function asTable(value: unknown): Table | null {
  try {
    return checkTable(value as Table);
  } catch {
    return null;
  }
}

async function pageFiles(dir: string): Promise<ClaimsPageFiles> {
  const here = (await named(dir, '.svg')).filter((f) => !f.includes('/'));
  const figures = here.map(async (file) => {
    const figure = (await readJson(path.join(dir, file.replace(/svg$/, 'json')))) as Figure | null;
    return { file, title: figure ? figureTitle(figure, file) : file };
  });
  const tables = (await named(path.join(dir, 'tables'), '.md')).map(async (file) => ({
    file,
    table: asTable(await readJson(path.join(dir, 'tables', file.replace(/md$/, 'json')))),
  }));
  return {
    figures: await Promise.all(figures),
    tables: await Promise.all(tables),
    notebooks: (await named(path.join(dir, 'notebooks'), '.ipynb')).map((f) => `notebooks/${f}`),
  };
}

/**
 * Writes a paper's claims into `<dir>/claims.json`, beside those of other papers, and the page over them all into
 * `<dir>/index.html`. Throws FormatError for a claims.json of another kind.
 */
export async function saveClaims(dir: string, paper: string, set: ClaimSet): Promise<{ json: string; html: string }> {
  const json = path.join(dir, 'claims.json');
  const before = await readClaims(json);
  const sets = Object.fromEntries(Object.entries({ ...before, [paper]: set }).sort(([a], [b]) => (a < b ? -1 : 1)));
  await writeFileAtomic(json, JSON.stringify(sets, null, 1) + '\n');
  const html = path.join(dir, 'index.html');
  await writeFileAtomic(html, claimsPage(sets, await pageFiles(dir)));
  return { json, html };
}
