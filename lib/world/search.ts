/**
 * `web_search`: ranked full-text search over the encyclopaedia's articles (Okapi BM25, k1 = 1.2, b = 0.75). Same
 * query, same answer, always.
 */
import { YEARS } from './encyclopaedia';
import type { Encyclopaedia, Place } from './encyclopaedia';
import { COLOUR_WORDS, PLACE_WORDS, SHAPE_WORDS } from './lexicon';

export interface Article {
  title: string;
  text: string;
}

/**
 * The two kinds of article: a place's profile, and one on each of its products. Wording is fixed; see corpus.ts for
 * prose.
 */
export function articlesOf(place: Place): Article[] {
  const { emblem: e, name } = place;
  const emblem = `${e.size} ${COLOUR_WORDS[e.colour][0]} ${SHAPE_WORDS[e.shape][0]} ${PLACE_WORDS[e.cell[0]][e.cell[1]][0]}`;
  return [
    {
      title: name,
      text: `${name}: ${place.kind}, region ${place.region}, population ${place.population}, area ${place.area}, founded ${place.founded}, emblem ${emblem}.`,
    },
    ...place.products.map(({ product, tonnes }) => ({
      title: `${name} ${product}`,
      text: `${name}, ${product} in tonnes: ${YEARS.map((y, i) => `${y} ${tonnes[i]}`).join(', ')}.`,
    })),
  ];
}

const words = (text: string): string[] => text.toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? [];

interface Index {
  articles: Article[];
  /** word -> [article, count] */
  postings: Map<string, [number, number][]>;
  lengths: number[];
  meanLength: number;
}

const indices = new WeakMap<Encyclopaedia, Index>();

function indexOf(book: Encyclopaedia): Index {
  const known = indices.get(book);
  if (known) return known;
  const articles = book.places.flatMap(articlesOf);
  const postings: Index['postings'] = new Map();
  const lengths = articles.map(({ title, text }, i) => {
    const counts = new Map<string, number>();
    const all = words(`${title} ${text}`);
    for (const w of all) counts.set(w, (counts.get(w) ?? 0) + 1);
    for (const [w, n] of counts) postings.set(w, [...(postings.get(w) ?? []), [i, n]]);
    return all.length;
  });
  const index = { articles, postings, lengths, meanLength: lengths.reduce((a, b) => a + b, 0) / lengths.length };
  indices.set(book, index);
  return index;
}

/** The best articles for a query, best first; equal scores in the encyclopaedia's order. Empty if no word is known. */
export function searchArticles(book: Encyclopaedia, query: string, limit = 1): Article[] {
  const { articles, postings, lengths, meanLength } = indexOf(book);
  const scores = new Map<number, number>();
  for (const word of new Set(words(query))) {
    const list = postings.get(word) ?? [];
    const rarity = Math.log(1 + (articles.length - list.length + 0.5) / (list.length + 0.5));
    for (const [i, n] of list) {
      const saturated = (n * 2.2) / (n + 1.2 * (0.25 + (0.75 * lengths[i]) / meanLength));
      scores.set(i, (scores.get(i) ?? 0) + rarity * saturated);
    }
  }
  return [...scores]
    .sort((a, b) => b[1] - a[1] || a[0] - b[0])
    .slice(0, limit)
    .map(([i]) => articles[i]);
}

/** What the tool `web_search` returns: the text of the best article. */
export const webSearch = (book: Encyclopaedia, query: string): string =>
  searchArticles(book, query)[0]?.text ?? 'nothing found';
