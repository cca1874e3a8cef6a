/** Questions on the encyclopaedia, their true answers, and the many ways to ask and to state them. */
import { YEARS } from './encyclopaedia';
import type { Encyclopaedia, Place, Product } from './encyclopaedia';
import type { Random } from '../nn/random';
import type { Wording } from './wording';

/** What is asked about a place. */
export type Fact =
  | { place: string; attribute: 'population' | 'area' | 'founded' | 'region' }
  | { place: string; attribute: 'product'; product: Product; year: number };

const ATTRIBUTES = ['population', 'area', 'founded', 'region', 'product'] as const;

/** The place of this name. Throws RangeError where the book has none. */
export const placeNamed = (book: Encyclopaedia, name: string): Place => {
  const place = book.places.find((p) => p.name === name);
  if (!place) throw new RangeError(`no place is named ${name}`);
  return place;
};

/** Draws a question. */
export function drawFact(book: Encyclopaedia, random: Random): Fact {
  const place = random.choice(book.places);
  const attribute = random.choice(ATTRIBUTES);
  if (attribute !== 'product') return { place: place.name, attribute };
  return { place: place.name, attribute, product: random.choice(place.products).product, year: random.choice(YEARS) };
}

/** The identity of a question, for its split. */
export const factKey = (fact: Fact): string =>
  `fact ${fact.place} ${fact.attribute}${fact.attribute === 'product' ? ` ${fact.product} ${fact.year}` : ''}`;

/** The true answer: digits, or a region's name. */
export function answerOf(book: Encyclopaedia, fact: Fact): string {
  const place = placeNamed(book, fact.place);
  if (fact.attribute !== 'product') return String(place[fact.attribute]);
  const series = place.products.find((p) => p.product === fact.product);
  return String(series?.tonnes[YEARS.findIndex((y) => y === fact.year)] ?? 0);
}

/** The question in one of its wordings, without a question mark. */
export function askFact(fact: Fact, wording: Wording): string {
  const { place } = fact;
  switch (fact.attribute) {
    case 'population':
      return wording.pick([
        `how many people live in ${place}`,
        `what is the population of ${place}`,
        `how many inhabitants does ${place} have`,
      ]);
    case 'area':
      return wording.pick([
        `how large is ${place}`,
        `what is the area of ${place}`,
        `how many sq km does ${place} cover`,
      ]);
    case 'founded':
      return wording.pick([`when was ${place} founded`, `in which year was ${place} founded`, `how old is ${place}`]);
    case 'region':
      return wording.pick([
        `where is ${place}`,
        `in which region is ${place}`,
        `which part of the country is ${place} in`,
      ]);
    case 'product':
      return wording.pick([
        `how much ${fact.product} did ${place} produce in ${fact.year}`,
        `how many tonnes of ${fact.product} came from ${place} in ${fact.year}`,
        `what was the ${fact.year} output of ${fact.product} in ${place}`,
      ]);
  }
}

/**
 * The answer as a statement in one of its wordings, without a full stop. `answer` may be wrong: corruptions say so
 * too.
 */
export function stateFact(fact: Fact, answer: string, wording: Wording): string {
  const { place } = fact;
  switch (fact.attribute) {
    case 'population':
      return wording.pick([
        `${place} has ${answer} inhabitants`,
        `${answer} people live in ${place}`,
        `The population of ${place} is ${answer}`,
      ]);
    case 'area':
      return wording.pick([`${place} covers ${answer} sq km`, `The area of ${place} is ${answer} sq km`]);
    case 'founded':
      return wording.pick([
        `${place} was founded in ${answer}`,
        `${place} goes back to the year ${answer}`,
        `The founding year of ${place} is ${answer}`,
      ]);
    case 'region':
      return wording.pick([
        `${place} is in the ${answer}`,
        `${place} lies in the ${answer}`,
        `You find ${place} in the ${answer}`,
      ]);
    case 'product':
      return wording.pick([
        `${place} produced ${answer} tonnes of ${fact.product} in ${fact.year}`,
        `In ${fact.year}, ${answer} tonnes of ${fact.product} came from ${place}`,
        `The ${fact.year} output of ${fact.product} in ${place} was ${answer} tonnes`,
      ]);
  }
}

/** What to type into a search for the answer. */
export function queryFor(fact: Fact, wording: Wording): string {
  const { place } = fact;
  if (fact.attribute === 'founded')
    return wording.pick([
      `${place} founded`,
      `when was ${place} founded`,
      `year ${place} was founded`,
      `founded: ${place}`,
      `${place} founded when`,
    ]);
  if (fact.attribute === 'product') {
    const { product, year } = fact;
    return wording.pick([
      `${place} ${product}`,
      `${product} of ${place}`,
      `${product} from ${place} ${year}`,
      `${place} ${product} tonnes`,
      `${year} ${product} ${place}`,
      `how much ${product} comes from ${place}`,
    ]);
  }
  const topic = fact.attribute;
  return wording.pick([
    `${place} ${topic}`,
    `${topic} of ${place}`,
    `${topic} ${place}`,
    `${place}: ${topic}`,
    `what ${topic} has ${place}`,
    `tell me ${place} ${topic}`,
  ]);
}
