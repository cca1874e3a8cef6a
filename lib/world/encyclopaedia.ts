/**
 * The encyclopaedia of OmniWorld: invented places with facts, products over years, and an emblem (a scene of one
 * object). It is what `web_search` finds and what questions are checked against. One seed, one encyclopaedia.
 */
import { Random } from '../nn/random';
import { drawScene } from './scene';
import type { SceneObject } from './scene';

export const REGIONS = ['north', 'south', 'east', 'west'] as const;
const KINDS = ['village', 'town', 'city', 'port', 'island'] as const;
export const PRODUCTS = [
  'wheat',
  'tea',
  'salt',
  'wool',
  'glass',
  'copper',
  'honey',
  'paper',
  'timber',
  'silk',
] as const;
/** Years of the products' figures. */
export const YEARS = [2016, 2017, 2018, 2019, 2020] as const;

export type Product = (typeof PRODUCTS)[number];

export interface Place {
  name: string;
  kind: (typeof KINDS)[number];
  region: (typeof REGIONS)[number];
  population: number;
  /** Square kilometres. */
  area: number;
  /** Year. */
  founded: number;
  /** Tonnes, one figure for each of YEARS. */
  products: { product: Product; tonnes: number[] }[];
  emblem: SceneObject;
}

export interface Encyclopaedia {
  seed: number;
  places: Place[];
}

const STARTS = [
  'Mar',
  'Bel',
  'Tor',
  'Kel',
  'Dun',
  'Sil',
  'Var',
  'Ash',
  'Gren',
  'Hol',
  'Lim',
  'Nor',
  'Pel',
  'Ros',
  'Wen',
];
const ENDS = ['low', 'ford', 'mont', 'wick', 'haven', 'dale', 'mere', 'stad', 'vale', 'burg', 'gate', 'field'];

/** Population ranges by kind. */
const PEOPLE: Record<Place['kind'], [number, number]> = {
  village: [2, 20],
  town: [20, 90],
  city: [90, 980],
  port: [30, 300],
  island: [3, 60],
};

function drawPlace(random: Random, name: string): Place {
  const kind = random.choice(KINDS);
  const [low, high] = PEOPLE[kind];
  const products = Array.from(random.permutation(PRODUCTS.length).slice(0, 2), (i) => {
    let tonnes = 20 + random.int(280);
    return {
      product: PRODUCTS[i],
      tonnes: YEARS.map(() => (tonnes = Math.max(5, tonnes + random.int(61) - 28))),
    };
  });
  return {
    name,
    kind,
    region: random.choice(REGIONS),
    population: (low + random.int(high - low)) * 100,
    area: 5 + random.int(195),
    founded: 900 + random.int(1000),
    products,
    emblem: { ...drawScene(random, { count: 1 }).objects[0], motion: 'still' },
  };
}

/** Makes the encyclopaedia of a seed, with `places` places (at most 180). */
export function makeEncyclopaedia(seed: number, places = 60): Encyclopaedia {
  const random = new Random(seed, 'encyclopaedia');
  const names = STARTS.flatMap((start) => ENDS.map((end) => start + end));
  const order = random.stream('names').permutation(names.length).slice(0, places);
  return { seed, places: Array.from(order, (i) => drawPlace(random.stream(names[i]), names[i])) };
}
