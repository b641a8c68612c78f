import { z } from 'zod';
import { compareText } from '../base/text/compare-text.ts';
import { components } from '../contract/components.ts';
import { contract } from '../contract/contract.ts';
import type { AnswerSchema, Operation } from '../contract/operation.ts';
import { type OperationId, operations } from '../contract/operations.ts';
import { problemType } from '../contract/problem.ts';

/** A part of an OpenAPI document. */
type JsonObject = Readonly<Record<string, unknown>>;

const description = [
  'The admin address of a control plane: its state, its metrics, and two APIs below /v1.',
  'Instances register themselves with the control plane of their IDC and keep a lease. Served when `isthmus serve` has `--registrations FILE`. All requests may be repeated: what was done already is answered as done. A **generation** tells the lives of one name apart: a higher number is a newer life. A request of an older life never changes a newer one. `docs/registration.md` says what happens when.',
  'Evacuations are kept where `isthmus serve` has `--state DIR`. A control plane decides for its own IDC: ask those of every IDC, those of the IDC that is left last, as `isthmus evacuate` does (`docs/evacuation.md`).',
  'Drains are kept there, too, and concern one instance each, from whichever source (`docs/drain.md`).',
  'Every refusal is a problem (RFC 9457).',
].join('\n\n');

const refusals =
  '400 an invalid request; 401 no token, or a wrong one; 403 writes are off, as no token is configured; 404 no such page or resource, or one that is off; 405 another method; 409 it contradicts the current state; 413 the body has more than 64 KiB; 415 the body is not JSON; 429 a limit is reached; 501 it is not stored here (`--state`); 503 the disk fails, or the control plane is starting or closing: nothing was done, try again.';

const schemaAt = (id: string) => `#/components/schemas/${id}`;
const refusal = { $ref: '#/components/responses/Problem' };

/** The OpenAPI 3.1 document of the admin API, generated from its contract. */
export function openApiDocument(): JsonObject {
  const paths: Record<string, Record<string, JsonObject>> = {};
  for (const id of Object.keys(operations) as OperationId[]) {
    const { method, path } = operations[id];
    paths[path] = { ...paths[path], [method.toLowerCase()]: operationJson(id, contract[id]) };
  }
  return {
    openapi: '3.1.0',
    info: {
      title: 'Isthmus admin API',
      version: 'v1',
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
      description,
    },
    servers: [{ url: 'http://127.0.0.1:15014' }],
    security: [],
    tags: [{ name: 'status' }, { name: 'registrations' }, { name: 'evacuations' }, { name: 'drains' }],
    paths,
    components: {
      securitySchemes: {
        token: { type: 'http', scheme: 'bearer', description: 'The token of --admin-token-file.' },
      },
      responses: {
        Problem: {
          description: refusals,
          content: { [problemType]: { schema: { $ref: schemaAt('Problem') } } },
        },
      },
      schemas: componentSchemas(),
    },
  };
}

function operationJson(id: OperationId, operation: Operation): JsonObject {
  const { tag, summary, description, needsToken, body, answers } = operation;
  const parameters = [...pathParameters(operation), ...queryParameters(operation)];
  const named = Object.entries(answers).map(([status, answer]) => [status, answerJson(answer)] as const);
  const refused = (operation.refusals ?? []).map((status) => [String(status), refusal] as const);
  return {
    operationId: id,
    tags: [tag],
    summary,
    ...(description === undefined ? {} : { description }),
    ...(needsToken ? { security: [{ token: [] }] } : {}),
    ...(parameters.length > 0 ? { parameters } : {}),
    ...(body === undefined ? {} : { requestBody: { required: true, content: jsonOf(body) } }),
    responses: { ...Object.fromEntries([...named, ...refused]), default: refusal },
  };
}

function pathParameters({ path = {} }: Operation): JsonObject[] {
  return Object.entries(path).map(([name, description]) => ({
    ...{ name, in: 'path', required: true, schema: { type: 'string' }, description },
  }));
}

function queryParameters({ query }: Operation): JsonObject[] {
  const { properties = {}, required = [] } = tidy(z.toJSONSchema(query, { io: 'input' })) as {
    properties?: Record<string, Record<string, unknown>>;
    required?: string[];
  };
  return Object.entries(properties).map(([name, { description, pattern: _, ...schema }]) => ({
    ...{ name, in: 'query', ...(required.includes(name) ? { required: true } : {}) },
    ...{ schema, ...(description === undefined ? {} : { description }) },
  }));
}

function answerJson(answer: AnswerSchema): JsonObject {
  const { description } = answer;
  if ('schema' in answer) return { description, content: jsonOf(answer.schema) };
  return { description, content: { 'text/plain': { schema: { type: 'string' } } } };
}

/** Named bodies are components. */
function jsonOf(schema: z.ZodType): JsonObject {
  const { id = '' } = components.get(schema) ?? {};
  return { 'application/json': { schema: { $ref: schemaAt(id) } } };
}

function componentSchemas(): JsonObject {
  const { schemas } = z.toJSONSchema(components, { uri: schemaAt, io: 'input' });
  const sorted = Object.entries(schemas).sort(([a], [b]) => compareText(a, b));
  return Object.fromEntries(sorted.map(([id, schema]) => [id, tidy(schema)]));
}

/**
 * Without uninformative parts: ids, bounds of every integer, unrestricted property names, patterns of a
 * format.
 */
function tidy(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(tidy);
  if (typeof value !== 'object' || value === null) return value;
  const { format, propertyNames } = value as Record<string, unknown>;
  const isIdle = (key: string, inner: unknown) =>
    (key.startsWith('$') && key !== '$ref') ||
    (key === 'id' && typeof inner === 'string') ||
    inner === Number.MAX_SAFE_INTEGER ||
    inner === Number.MIN_SAFE_INTEGER ||
    (key === 'pattern' && typeof format === 'string') ||
    (key === 'propertyNames' && JSON.stringify(propertyNames) === '{"type":"string"}');
  const kept = Object.entries(value).filter(([key, inner]) => !isIdle(key, inner));
  return Object.fromEntries(kept.map(([key, inner]) => [key, tidy(inner)]));
}
