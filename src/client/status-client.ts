import { MeshError } from '../base/error.ts';
import type { Answer } from '../contract/contract.ts';
import { operations } from '../contract/operations.ts';
import type { ProblemDetails } from '../contract/problem.ts';
import { type ListenAddress, showAddress } from '../model/values/listen-address.ts';
import { callHttp, type HttpAnswer, wholeTimes } from './answers/http-call.ts';
import { noAnswerOf } from './answers/no-answer.ts';
import { noteAnswer } from './answers/wrong-answer.ts';
import { cutDetail, foreignText } from './api-client.ts';

/** Longest silence of a control plane asked for its status, in milliseconds. */
const answerMsMax = 10_000;

type StatusBody = Answer<'getStatus'>['body'];
/** The status of a control plane. */
type OfPlane = Exclude<StatusBody, readonly unknown[]>;
/** The status of a node: each of its streams. */
type OfNode = Extract<StatusBody, readonly unknown[]>;

/** Requests a control plane's status. Throws MeshError `unavailable` without an answer within `withinMs`. */
export async function askStatus(admin: ListenAddress, withinMs?: number): Promise<OfPlane> {
  const isStatus = (body: unknown) => isRecord(body) && Array.isArray(body.proxies);
  return (await readJsonPage(admin, 'getStatus', '', isStatus, withinMs)) as OfPlane;
}

/**
 * Requests the full status of a node. Throws MeshError as `askStatus`, and `not-found` if no such node is
 * connected.
 */
export async function askNode(admin: ListenAddress, node: string): Promise<OfNode> {
  const query = `?node=${encodeURIComponent(node)}`;
  return (await readJsonPage(admin, 'getStatus', query, Array.isArray)) as OfNode;
}

/** Requests the problems of registry objects. Throws MeshError as `askStatus`. */
export async function askProblems(
  admin: ListenAddress,
  withinMs?: number,
): Promise<Answer<'getProblems'>['body']> {
  return (await readJsonPage(
    admin,
    'getProblems',
    '',
    Array.isArray,
    withinMs,
  )) as Answer<'getProblems'>['body'];
}

async function readJsonPage(
  admin: ListenAddress,
  id: 'getStatus' | 'getProblems',
  query: string,
  mayBe: (body: unknown) => boolean,
  withinMs?: number,
): Promise<unknown> {
  const path = `${operations[id].path}${query}`;
  const { status, text } = await readPage(admin, path, withinMs);
  let body: unknown;
  try {
    body = JSON.parse(text);
  } catch (cause) {
    throw new MeshError('unavailable', foreignText(admin, path), { cause });
  }
  if (!mayBe(body)) throw new MeshError('unavailable', foreignText(admin, path));
  noteAnswer({ admin: showAddress(admin), id, status, body });
  return body;
}

function isRecord(body: unknown): body is Readonly<Record<string, unknown>> {
  return typeof body === 'object' && body !== null;
}

/**
 * Reads a page of JSON, or of lines of it. Users may give an Envoy's address, or an xDS port: the error says
 * what answered. `withinMs`: for the whole answer; absent: as for any other. Throws MeshError `not-found` or
 * `unavailable`.
 */
export async function readPage(
  admin: ListenAddress,
  path: string,
  withinMs = Number.POSITIVE_INFINITY,
): Promise<HttpAnswer> {
  const silenceMsMax = Math.min(answerMsMax, withinMs);
  const limits = { silenceMsMax, wholeMsMax: Math.min(wholeTimes * answerMsMax, withinMs) };
  const where = showAddress(admin);
  let answer: HttpAnswer;
  try {
    answer = await callHttp({ at: admin, path, heldMs: 0, ...limits });
  } catch (cause) {
    throw noAnswerOf(admin, cause);
  }
  const refusal = answer.status === 200 ? undefined : refusalIn(answer);
  if (refusal !== undefined)
    throw new MeshError(answer.status === 404 ? 'not-found' : 'unavailable', refusal);
  const isStatus = answer.status === 200 && /^\s*[[{]/.test(answer.text);
  if (!isStatus)
    throw new MeshError(
      'unavailable',
      `${where} is not the admin address of a control plane: ${path} answers ${answer.status}, ${firstLine(answer.text)}. Give its address with --admin, which is not that of an Envoy`,
    );
  return answer;
}

/**
 * A control plane's refusal: problem details, or the text of version 0.1.0; undefined: not one, as an Envoy
 * answers 404 too.
 */
function refusalIn({ status, text }: HttpAnswer): string | undefined {
  try {
    const { type, detail } = JSON.parse(text) as Partial<ProblemDetails>;
    return typeof type === 'string' && typeof detail === 'string' ? cutDetail(detail) : undefined;
  } catch {
    return status === 404 && /\bconnected\b/.test(text) ? cutDetail(text.trim()) : undefined;
  }
}

/** The start of a text, for an error. */
function firstLine(text: string): string {
  const line = text.trim().split('\n')[0] ?? '';
  return JSON.stringify(line.length > 100 ? `${line.slice(0, 100)}…` : line);
}
