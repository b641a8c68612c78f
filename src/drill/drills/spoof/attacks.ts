/** A hostile request: header lines as sent, one byte for each character. */
export interface Attack {
  readonly name: string;
  readonly lines: readonly string[];
  /** Whether a filter sees a trail that a client brought: it must count it. */
  readonly spoofs: boolean;
  /** The expected result: served as if the header were absent, or refused as invalid HTTP. */
  readonly expect: 'served' | 'rejected';
  /** Lines of a trailer, after a chunked body. */
  readonly trailer?: readonly string[];
  /** Over HTTP/2 instead: the same lines as fields. */
  readonly http2?: boolean;
}

const trail = (value: string) => `x-isthmus-trail: ${value}`;
const served = (name: string, lines: readonly string[], spoofs = true): Attack => ({
  name,
  lines,
  spoofs,
  expect: 'served',
});
const rejected = (name: string, lines: readonly string[]): Attack => ({
  name,
  lines,
  spoofs: false,
  expect: 'rejected',
});
const repeat = (count: number, text: (i: number) => string) =>
  Array.from({ length: count }, (_, i) => text(i));

/** UTF-8 as bytes. */
const utf8 = (text: string) => Buffer.from(text, 'utf8').toString('latin1');

/** Names of the IDCs of the drill's world: the near one is where the hostile client is. */
export const [near, far] = ['sh-a', 'sh-b'] as const;

/** All that is sent, at each door and for each Group. */
export const attacks: readonly Attack[] = [
  served('a trail of the other IDC', [trail(far)]),
  served('a trail of this IDC', [trail(near)]),
  served('a trail of both', [trail(`${near},${far}`)]),
  served('a trail in a circle', [trail(`${near},${far},${near},${far},${near}`)]),
  served('a trail of an IDC that nobody knows', [trail('bj-b')]),
  served('an empty trail', ['x-isthmus-trail:']),
  served('a trail of commas', [trail(',,,')]),
  served('a trail with blanks', [trail(` ${near} ,  ${far} `)]),
  served('a trail with a tab', [trail(`${near},\t${far}`)]),
  served('mixed case', [`X-Isthmus-Trail: ${far}`]),
  served('mixed case, otherwise', [`x-IsThMuS-tRaIl: ${far}`]),
  served('capitals', [`X-ISTHMUS-TRAIL: ${far.toUpperCase()}`]),
  served('split over two lines', [trail(near), trail(far)]),
  served('split over two lines in two spellings', [`X-Isthmus-Trail: ${near}`, trail(far)]),
  served(
    'split over fifty lines',
    repeat(50, () => trail(far)),
  ),
  served('oversized: 513 bytes', [trail('a'.repeat(513))]),
  served('oversized: 30 KiB in one name', [trail('a'.repeat(30_720))]),
  served('10,000 names', [trail(repeat(10_000, () => 'a').join(','))]),
  served('non-ASCII: Latin-1', [trail('sh-\xe4,\xff\xfe\x80')]),
  served('non-ASCII: UTF-8', [trail(utf8('上海-a，sh-b'))]),
  served('visited: none', ['x-isthmus-visited:'], false),
  served('visited: the other IDC', [`x-isthmus-visited: ${far}`], false),
  served('visited: this IDC', [`x-isthmus-visited: ${near}`], false),
  served('visited: both, in two lines', [`x-isthmus-visited: ${near}`, `X-Isthmus-Visited: ${far}`], false),
  served('visited: unknown', ['x-isthmus-visited: _unknown'], false),
  served('trail and visited', [trail(far), 'x-isthmus-visited: _unknown']),
  served('an outcome', ['x-isthmus-outcome: no-idc'], false),
  served('headers that Isthmus does not have', ['x-isthmus-hop-limit: 99', 'X-Isthmus-Idc: sh-b'], false),
  served('a long name', [`x-isthmus-${'a'.repeat(200)}: 1`], false),
  {
    ...served('in a trailer', ['transfer-encoding: chunked'], false),
    trailer: [trail(far)],
  },
  { ...served('over HTTP/2, split', [trail(near), trail(far)]), http2: true },
  { ...served('over HTTP/2, 10,000 names', [trail(repeat(10_000, () => 'a').join(','))]), http2: true },
  served('behind a bare carriage return', [`x-a: b\rx-isthmus-trail: ${far}`], false),
  served('behind a bare line feed', [`x-a: b\nx-isthmus-trail: ${far}`]),
  served('folded over two lines', [`x-isthmus-trail: ${near},`, ` ${far}`]),
  served('named in Connection, to have it taken off', [trail(far), 'connection: x-isthmus-trail'], false),
  rejected('oversized: 100 KiB', [trail('a'.repeat(102_400))]),
  rejected(
    'split over 200 lines',
    repeat(200, () => trail(far)),
  ),
  rejected('10,000 names of six letters', [trail(repeat(10_000, () => 'shanghai').join(','))]),
  rejected('a zero byte', [trail(`${near}\0${far}`)]),
  rejected('a blank before the colon', [`x-isthmus-trail : ${far}`]),
  rejected('a name that is no token', [`x-isthmus-trail\xa0: ${far}`]),
];
