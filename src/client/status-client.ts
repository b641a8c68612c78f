import { MeshError } from '../base/error.ts';
import type { Answer } from '../contract/contract.ts';
import { operations } from '../contract/operations.ts';
import type { ProblemDetails } from '../contract/problem.ts';
import { type ListenAddress, showAddress } from '../model/values/listen-address.ts';
import { callHttp, type HttpAnswer } from './http-call.ts';

/** The longest silence of a control plane that is asked for its state, in milliseconds. */
const answerMsMax = 10_000;

type StatusBody = Answer<'getStatus'>['body'];
/** What a control plane says of itself. */
type OfPlane = Exclude<StatusBody, readonly unknown[]>;
/** What it says of a node: each of its streams. */
type OfNode = Extract<StatusBody, readonly unknown[]>;

/** Asks a control plane for its status. Throws MeshError `unavailable` where none answers. */
export async function askStatus(admin: ListenAddress): Promise<OfPlane> {
  return (await readPage(admin, operations.getStatus.path)) as OfPlane;
}

/**
 * Asks for one node in full. Throws MeshError as `askStatus`, and `not-found` where it says that no such node
 * is connected.
 */
export async function askNode(admin: ListenAddress, node: string): Promise<OfNode> {
  const path = `${operations.getStatus.path}?node=${encodeURIComponent(node)}`;
  return (await readPage(admin, path)) as OfNode;
}

/** Asks what is wrong with registry objects. Throws MeshError as `askStatus`. */
export async function askProblems(admin: ListenAddress): Promise<Answer<'getProblems'>['body']> {
  return (await readPage(admin, operations.getProblems.path)) as Answer<'getProblems'>['body'];
}

/**
 * Reads a page of JSON. People give an address of an Envoy, or a port of xDS: which page answered what is
 * told.
 */
async function readPage(admin: ListenAddress, path: string): Promise<unknown> {
  const where = showAddress(admin);
  let answer: HttpAnswer;
  try {
    answer = await callHttp({ at: admin, path, silenceMsMax: answerMsMax });
  } catch (cause) {
    const message = `no control plane answers at ${where}: ${(cause as Error).message}. Is it running? Give its address with --admin`;
    throw new MeshError('unavailable', message, { cause });
  }
  const refusal = answer.status === 200 ? undefined : refusalIn(answer);
  if (refusal !== undefined)
    throw new MeshError(answer.status === 404 ? 'not-found' : 'unavailable', refusal);
  const isStatus = answer.status === 200 && /^\s*[[{]/.test(answer.text);
  if (!isStatus)
    throw new MeshError(
      'unavailable',
      `${where} is no admin address of a control plane: ${path} answers ${answer.status}, ${firstLine(answer.text)}. Give its address with --admin, which is not that of an Envoy`,
    );
  return JSON.parse(answer.text);
}

/**
 * Why a control plane refuses: problem details, or the text of version 0.1.0; undefined: it is none, as an
 * Envoy also answers 404.
 */
function refusalIn({ status, text }: HttpAnswer): string | undefined {
  try {
    const { type, detail } = JSON.parse(text) as Partial<ProblemDetails>;
    return typeof type === 'string' && typeof detail === 'string' ? detail : undefined;
  } catch {
    return status === 404 && /\bconnected\b/.test(text) ? text.trim() : undefined;
  }
}

/** The beginning of a text, for an error. */
function firstLine(text: string): string {
  const line = text.trim().split('\n')[0] ?? '';
  return JSON.stringify(line.length > 100 ? `${line.slice(0, 100)}…` : line);
}
