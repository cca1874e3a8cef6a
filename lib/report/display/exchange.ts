/**
 * One exchange with the agent as a transcript: what was asked, with its media; what the model thought, planned, called and was
 * answered, said, and made.
 */
import type { Reply } from '../../agent';
import { ArgumentError } from '../../errors';
import type { Medium } from '../../io/media';
import { escapeHtml } from '../table-text';
import { galleryBundle, type GalleryItem } from './gallery';
import { show, type Bundle } from './hook';

/** What was asked. Media as in memory, or as their files. */
export interface Asked {
  text?: string;
  imagePath?: string;
  audioPath?: string;
  videoPath?: string;
  media?: readonly Medium[];
}

export interface ExchangeOptions {
  title?: string;
  /** Said at the end, for instance a judgement. */
  note?: string;
  /** Captions of the media that came, in order. */
  captions?: readonly string[];
}

type Answer = Pick<Reply, 'text' | 'thoughts' | 'plan' | 'toolCalls' | 'media' | 'incomplete' | 'warnings'>;

/** The parts of a reply that are words, as lines of a name and what it says. */
function wordsOf(reply: Answer): [string, string][] {
  return [
    ...reply.thoughts.map((t): [string, string] => ['thinks', t.trim()]),
    ...(reply.plan?.steps ?? []).map((s): [string, string] => [
      `step ${s.id}`,
      `${s.text} [${s.status}${s.detail ? `: ${s.detail}` : ''}]`,
    ]),
    ...(reply.plan && !reply.plan.valid
      ? [['plan', `not valid: ${reply.plan.problems.join('; ')}`] as [string, string]]
      : []),
    ...reply.toolCalls.flatMap((c): [string, string][] => [
      ['calls', c.name === undefined ? c.json : `${c.name} ${JSON.stringify(c.arguments)}`],
      [c.ok ? 'gets' : 'fails', c.result],
    ]),
    ...(reply.text.trim() ? [['says', reply.text.trim()] as [string, string]] : []),
    ...reply.incomplete.map((m): [string, string] => ['broken', `the block of a medium (${m}) is not whole`]),
    ...reply.warnings.map((w): [string, string] => ['warning', w]),
  ];
}

const line = (name: string, text: string): string =>
  `<div style="margin:2px 0"><span style="display:inline-block;width:4.5em;color:#666">${escapeHtml(name)}</span>` +
  `<span style="white-space:pre-wrap">${escapeHtml(text)}</span></div>`;

/** The output for one exchange. Throws what `galleryBundle` throws. */
export async function exchangeBundle(asked: Asked, reply: Answer, options: ExchangeOptions = {}): Promise<Bundle> {
  const { title, note, captions } = options;
  if (captions && captions.length !== reply.media.length)
    throw new ArgumentError(
      'exchange',
      `expected ${reply.media.length} captions, got ${captions.length}`,
      'give one for each medium of the reply',
    );
  const given: GalleryItem[] = [
    ...[asked.imagePath, asked.audioPath, asked.videoPath].flatMap((file) => (file === undefined ? [] : [{ file }])),
    ...(asked.media ?? []).map((medium) => ({ medium })),
  ];
  const made = reply.media.map((medium, i) => ({ medium, caption: captions?.[i] ?? '' }));
  const gallery = async (items: GalleryItem[]): Promise<Bundle | null> =>
    items.length ? await galleryBundle([{ items }], { width: 96 }) : null;
  const [inputs, outputs] = [await gallery(given), await gallery(made)];
  const words = wordsOf(reply);
  const heading = title ? `<div style="font-weight:bold">${escapeHtml(title)}</div>` : '';
  const html =
    `<div style="font:13px sans-serif;border-left:3px solid #0072B2;padding:2px 10px;margin:8px 0">${heading}` +
    (inputs ? String(inputs['text/html']) : '') +
    line('asked', asked.text ?? '') +
    words.map(([name, text]) => line(name, text)).join('') +
    (outputs ? String(outputs['text/html']) : '') +
    (note ? `<div style="color:#666;margin-top:4px">${escapeHtml(note)}</div>` : '') +
    '</div>';
  const indent = (text: string): string => text.replace(/^/gm, '  ');
  const text = [
    ...(title ? [title] : []),
    ...(inputs ? [indent(`given: ${inputs['text/plain']}`)] : []),
    indent(`asked: ${asked.text ?? ''}`),
    ...words.map(([name, said]) => indent(`${name}: ${said}`)),
    ...(outputs ? [indent(`makes: ${outputs['text/plain']}`)] : []),
    ...(note ? [indent(note)] : []),
  ].join('\n');
  return { 'text/html': html, 'text/plain': text };
}

/** Shows one exchange. Throws what `exchangeBundle` throws. */
export async function showExchange(asked: Asked, reply: Answer, options: ExchangeOptions = {}): Promise<void> {
  show(await exchangeBundle(asked, reply, options));
}
