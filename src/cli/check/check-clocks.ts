import { clocksApartMsMax } from '../../client/evacuation-planes.ts';
import { durationText } from '../../model/values/duration.ts';
import { showAddress } from '../../model/values/listen-address.ts';
import type { AskedPlane } from './asked-plane.ts';
import type { Found } from './check-line.ts';

const tried = 'GET /v1/evacuations, three times';

/** How far the clocks of control planes are from this machine's, and from each other. */
export function checkClocks(planes: readonly AskedPlane[]): readonly Found[] {
  const known = planes.flatMap(({ where, idc, clock }) =>
    clock === undefined ? [] : [{ name: `${showAddress(where)} of ${idc}`, ...clock }],
  );
  const unknown = planes.filter(({ clock }) => clock === undefined);
  const each = known.map(({ name, aheadMs, exactMs }): Found => {
    const common = { tried, what: `clock of ${name}`, found: `${skewText(aheadMs, exactMs)} this machine's` };
    if (isWithin(aheadMs, exactMs)) return { ...common, result: 'ok' };
    const todo = `synchronize both by NTP: more than ${durationText(clocksApartMsMax)} is reported`;
    return { ...common, result: 'warn', todo };
  });
  return [
    ...each,
    ...unknown.map(
      ({ where }): Found => ({
        what: `clock of ${showAddress(where)}`,
        tried,
        result: 'not seen',
        found: 'not told',
      }),
    ),
    ...apart(known),
  ];
}

interface KnownClock {
  readonly name: string;
  readonly aheadMs: number;
  readonly exactMs: number;
}

/** The two control planes whose clocks are furthest apart. */
function apart(known: readonly KnownClock[]): readonly Found[] {
  const sorted = [...known].sort((a, b) => a.aheadMs - b.aheadMs);
  const [behind, ahead] = [sorted[0], sorted.at(-1)];
  if (behind === undefined || ahead === undefined || known.length < 2) return [];
  const apartMs = ahead.aheadMs - behind.aheadMs;
  const exactMs = ahead.exactMs + behind.exactMs;
  const found = `${ahead.name} is ${skewText(apartMs, exactMs)} ${behind.name}`;
  const common = { tried, what: 'clocks of control planes, among each other', found };
  if (isWithin(apartMs, exactMs)) return [{ ...common, result: 'ok' }];
  const todo = `synchronize them by NTP: Evacuations in YAML begin and end by each one's own clock; at most ${durationText(clocksApartMsMax)} is tolerated`;
  return [{ ...common, result: 'fail', todo }];
}

/** Whether it may be within the tolerance: the measurement is only so exact. */
function isWithin(ms: number, exactMs: number): boolean {
  return Math.abs(ms) - exactMs <= clocksApartMsMax;
}

function skewText(ms: number, exactMs: number): string {
  const side = ms >= 0 ? 'ahead of' : 'behind';
  return `${durationText(Math.abs(ms))} (± ${durationText(exactMs)}) ${side}`;
}
