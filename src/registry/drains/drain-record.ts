import { z } from 'zod';
import { MeshError } from '../../base/error.ts';
import { type Drain, drainLimits } from '../../model/drain.ts';
import type { Ref } from '../../model/object.ts';
import type { RecordKind } from '../records/records-source.ts';
import { timeText } from '../records/stored-record.ts';

const time = z.iso.datetime({ offset: true });

/** A drain as it is stored and sent to peers. */
const drainFields = z.strictObject({
  since: time,
  until: time.optional(),
  reason: z.string().max(drainLimits.reasonMax).optional(),
  by: z.string().max(drainLimits.byMax).optional(),
});

/** The same, parsed. */
export type DrainFields = z.output<typeof drainFields>;

/** Drains as records; a record's name is the `drainKey` of its instance. */
export const drainRecords: RecordKind<DrainFields> = {
  plural: 'drains',
  unreadable: 'DrainsUnreadable',
  most: drainLimits.recordsMax,
  endsByClock: true,
  objectOf: drainOf,
  refOf,
  fieldsOf(name, spec) {
    refOf(name);
    const read = drainFields.safeParse(spec);
    if (read.success) return read.data;
    const words = read.error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`).join('; ');
    throw new MeshError('invalid', `drain ${name}: ${words}`);
  },
  shifted(spec, byMs) {
    const shift = (text: string) => timeText(Date.parse(text) + byMs);
    const { since, until } = spec;
    return { ...spec, since: shift(since), ...(until !== undefined && { until: shift(until) }) };
  },
};

function drainOf(name: string, { since, until, reason, by }: DrainFields): Drain {
  const { namespace, name: own } = refOf(name);
  return {
    kind: 'Drain',
    meta: { namespace, name: own, labels: {}, annotations: {}, origin: `drain ${name}` },
    spec: {
      since: Date.parse(since),
      ...(until === undefined ? {} : { until: Date.parse(until) }),
      ...(reason === undefined ? {} : { reason }),
      ...(by === undefined ? {} : { by }),
    },
  };
}

/** The drain of a `drainKey`. Throws MeshError `invalid` for another text. */
function refOf(key: string): Ref {
  const [namespace, name, ...rest] = key.split('/');
  if (!namespace || !name || rest.length > 0)
    throw new MeshError('invalid', `'${key}' is not NAMESPACE/NAME of an instance`);
  return { kind: 'Drain', namespace, name };
}
