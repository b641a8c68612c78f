import { trailBytesMax } from '../model/trail.ts';
import type { FilterPolicy } from './canonical.ts';

/** A request by its trail header lines (one character a byte); the model decides the result. */
interface TrailVector {
  readonly name: string;
  readonly lines: readonly string[];
}

/**
 * Requests that distinguish the right filter for this policy from any other: each known name, each limit from
 * both sides, each kind of malformed trail, and every trail of up to three of its names. Deterministic.
 */
export function trailVectors(policy: FilterPolicy): readonly TrailVector[] {
  return [...shapes(policy), ...trails(policy), ...limits(policy), ...nearMisses(policy), ...splits(policy)];
}

const stranger = 'idc-that-nobody-has-named';

function vector(name: string, ...lines: string[]): TrailVector {
  return { name, lines };
}

function shapes({ idc, peers }: FilterPolicy): readonly TrailVector[] {
  const peer = peers[0] ?? stranger;
  return [
    vector('none'),
    vector('empty', ''),
    vector('comma alone', ','),
    vector('comma before', `,${peer}`),
    vector('comma after', `${peer},`),
    vector('comma twice', `${peer},,${idc}`),
    vector('blank after comma', `${peer}, ${idc}`),
    vector('blank before', ` ${peer}`),
    vector('tab', `${peer}\t,${idc}`),
    vector('upper case', peer.toUpperCase().replace(/^\d+$/, 'A')),
    vector('underscore', `${peer}_`),
    vector('dot', `${peer}.${idc}`),
    vector('dash alone', '-'),
    vector('dash first', `-${peer}`),
    vector('dash last', `${peer}-`),
    vector('dash last before comma', `${peer}-,${idc}`),
    vector('not ASCII', `${peer}\xe9`),
    vector('UTF-8', `\xc3\xa9`),
    vector('NUL', `${peer}\0`),
    vector('bytes around the letters', '`'),
    vector('byte after the letters', '{'),
    vector('byte before the digits', '/'),
    vector('byte after the digits', ':'),
    vector('ends of the alphabet', 'a,z,0,9'),
    vector('own after malformed', `-,${idc}`),
  ];
}

/** All trails of one to three names, of the first few known ones and an unknown one. */
function trails({ idc, peers }: FilterPolicy): readonly TrailVector[] {
  const alphabet = [idc, ...peers.slice(0, 5), stranger];
  const one = alphabet.map((name) => [name]);
  const two = one.flatMap((names) => alphabet.map((name) => [...names, name]));
  const three = two.flatMap((names) => alphabet.map((name) => [...names, name]));
  const rest = peers.slice(5).flatMap((name) => [[name], [name, idc]]);
  return [...one, ...two, ...three, ...rest].map((names) => vector('trail', names.join(',')));
}

function limits({ idc, peers, hopLimit }: FilterPolicy): readonly TrailVector[] {
  const cycle = peers.length > 0 ? peers : [stranger];
  const foreign = (count: number) =>
    Array.from({ length: count }, (_, index) => cycle[index % cycle.length] ?? stranger);
  const byCount = [0, 1, 2, hopLimit - 1, hopLimit, hopLimit + 1, hopLimit + 2, 7].filter(
    (count) => count >= 0,
  );
  // Names of one character, the first of two if needed for the exact length.
  const ofBytes = (count: number): string =>
    count % 2 === 1 ? `${'a,'.repeat((count - 1) / 2)}a` : `aa,${ofBytes(count - 3)}`;
  const longest = 'x'.repeat(32);
  return [
    ...byCount.flatMap((count) => [
      vector(`${count} names`, ...(count === 0 ? [] : [foreign(count).join(',')])),
      vector(`${count} names, then own`, [...foreign(count), idc].join(',')),
      vector(`own, then ${count} names`, [idc, ...foreign(count)].join(',')),
      vector(`${count} longest names`, ...(count === 0 ? [] : [Array(count).fill(longest).join(',')])),
      vector(`${count} longest names, then own`, [...Array(count).fill(longest), idc].join(',')),
    ]),
    vector('name too long', 'x'.repeat(33)),
    vector('name too long, then own', `${'x'.repeat(33)},${idc}`),
    vector('longest trail', ofBytes(trailBytesMax - 1)),
    vector('longest trail that ends in own', `${'a,'.repeat((trailBytesMax - idc.length) >> 1)}${idc}`),
    vector('trail of all bytes', ofBytes(trailBytesMax)),
    vector('room for the own name', ofBytes(trailBytesMax - 1 - idc.length)),
    vector('no room for the own name', ofBytes(trailBytesMax - idc.length)),
    vector('one byte too many', ofBytes(trailBytesMax + 1)),
    vector('far too many', `${'a,'.repeat(10_000)}${idc}`),
    vector('one endless name', 'a'.repeat(60_000)),
  ];
}

/** Names that differ from a known one in one position. */
function nearMisses({ idc, peers }: FilterPolicy): readonly TrailVector[] {
  return [idc, ...peers].flatMap((name) => {
    const other = name.endsWith('z') ? 'y' : 'z';
    const misses = [
      name.slice(0, 1),
      `${name}0`,
      `0${name}`,
      name.slice(1),
      name.slice(0, -1),
      name.slice(0, -1) + other,
      other + name.slice(1),
    ];
    return misses
      .filter((miss) => miss !== '')
      .flatMap((miss) => [vector('near miss', miss), vector('near miss, then own', `${miss},${idc}`)]);
  });
}

function splits({ idc, peers }: FilterPolicy): readonly TrailVector[] {
  const peer = peers[0] ?? stranger;
  return [
    vector('own in the second line', peer, idc),
    vector('own in the first line', idc, peer),
    vector('two lines of strangers', 'far-one', 'far-two'),
    vector('an empty second line', peer, ''),
    vector('an empty first line', '', peer),
    vector('three lines', peer, stranger, idc),
    vector('lines too long together', 'a'.repeat(300), 'b'.repeat(300)),
  ];
}
