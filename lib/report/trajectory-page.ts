/**
 * A page of trajectories: for each row its text, with its images in the places where they were made. One HTML file without
 * scripts; images are referred to, beside it.
 */

export interface ShownTrajectory {
  /** What stands above it, such as its number and id. */
  title: string;
  /** With <image_k>, <invalid_image_k> and <error_image_k> for image k. */
  text: string;
  /** Address of image k relative to the page, or null. */
  images: readonly (string | null)[];
  /** Instead of a text, where the row failed. */
  error?: string;
}

const escape = (text: string): string =>
  text.replace(/[&<>"]/g, (char) => ({ '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' })[char]!);

/** Special tokens are marked, so that words stand out. */
const words = (text: string): string =>
  escape(text).replace(/&lt;(\/?s|pad|reserved\d+|eoss|racm3:break)&gt;/g, '<span class="token">&lt;$1&gt;</span>');

function body({ text, images, error }: ShownTrajectory): string {
  if (error !== undefined) return `<p class="error">${escape(error)}</p>`;
  return text
    .split(/(<(?:invalid_|error_)?image_\d+>)/)
    .map((part) => {
      const [, state, k] = /^<(invalid_|error_)?image_(\d+)>$/.exec(part) ?? [];
      if (k === undefined) return words(part);
      const source = images[Number(k)];
      if (!state && source)
        return `<figure><img src="${escape(source)}" alt="image ${k}" loading="lazy"><figcaption>${k}</figcaption></figure>`;
      return `<span class="error">${state === 'error_' ? `image ${k}: error` : `image ${k}: not an image`}</span>`;
    })
    .join('');
}

const STYLE = `:root{color-scheme:light dark}
body{font:15px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}
article{border-top:1px solid #8886;padding:1rem 0}
h1{font-size:1.3rem}h2{font-size:1rem;margin:0 0 .5rem}
.text{white-space:pre-wrap;overflow-wrap:anywhere}
figure{display:inline-block;margin:.3rem .5rem .3rem 0;vertical-align:top;white-space:normal}
img{min-width:128px;max-width:min(512px,100%);image-rendering:pixelated;border:1px solid #8886}
figcaption{font-size:.75rem;text-align:center;opacity:.7}
.token{opacity:.45;font-size:.85em}.error{color:#c0392b}`;

/** The page as HTML. */
export function trajectoryPage(title: string, rows: readonly ShownTrajectory[]): string {
  const articles = rows.map(
    (row) => `<article>\n<h2>${escape(row.title)}</h2>\n<div class="text">${body(row)}</div>\n</article>`,
  );
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escape(title)}</title>
<style>
${STYLE}
</style>
</head>
<body>
<h1>${escape(title)}</h1>
${articles.join('\n')}
</body>
</html>
`;
}
