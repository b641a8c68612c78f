import { z } from 'zod';

/** Schemas that OpenAPI publishes by name. */
export const components = z.registry<{ id: string }>();

/** Names a schema in OpenAPI. */
export function component<Schema extends z.ZodType>(id: string, schema: Schema): Schema {
  components.add(schema, { id });
  return schema;
}

/** A field with a description. */
export function described<Schema extends z.ZodType>(description: string, schema: Schema): Schema {
  return schema.meta({ description }) as Schema;
}

/** Node ids of proxies, by the result of a wait. */
const nodes = component(
  'Nodes',
  described(
    'Proxies by node id. waitingFor: they have not confirmed. forgiven: no longer waited for, being disconnected or silent beyond the limits.',
    z.array(z.string()),
  ),
);

/** Fields of an answer after a wait for proxies. */
export const waitResult = {
  acked: component(
    'Acked',
    described('With wait=acked: whether every proxy has confirmed.', z.boolean()),
  ).optional(),
  waitingFor: nodes.optional(),
  forgiven: nodes.optional(),
};

/** The code of a finding: `docs/findings.md` has them all. */
const findingCode = component(
  'FindingCode',
  described(
    'The kind of finding; later versions may know more of them.',
    z.string().regex(/^[A-Z][A-Za-z]*$/),
  ),
);

/** What is wrong, or good to know. */
export const finding = component(
  'Finding',
  z.strictObject({
    code: findingCode,
    severity: described(
      'A note tells of a limit that no change can lift.',
      z.enum(['error', 'warning', 'note']),
    ),
    ref: described(
      'The object that it is about, where there is one.',
      z.strictObject({ kind: z.string(), namespace: z.string(), name: z.string() }),
    ).optional(),
    where: described("`file.yaml:12:3`, or the resource's path.", z.string()),
    path: described("Of the field inside the object; '' for the whole.", z.string()),
    message: described('What is wrong and what to do.', z.string()),
  }),
);

/** An error of a request's body, or a probable mistake. */
export const fault = component(
  'Fault',
  z.strictObject({
    code: findingCode,
    severity: z.enum(['error', 'warning']),
    path: described('Of the field, such as ports.http.', z.string()),
    message: described('What is wrong and what to do.', z.string()),
  }),
);
