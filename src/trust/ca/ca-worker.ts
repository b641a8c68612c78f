import { parentPort, workerData } from 'node:worker_threads';
import { MeshError, type MeshErrorCode } from '../../base/error.ts';
import { Authority, type Issued, type Seen } from './authority.ts';

/** What the thread is asked; `now`: milliseconds since the Unix epoch. */
export type CaQuestion = { readonly now: number } & (
  | { readonly op: 'join'; readonly token: string; readonly request: string }
  | { readonly op: 'renew'; readonly certificate: Uint8Array; readonly request: string }
  | ({ readonly op: 'see' } & Seen)
  | { readonly op: 'server'; readonly publicKey: Uint8Array }
  | { readonly op: 'advance' }
);

/** What it answers to each. */
export interface CaAnswers {
  readonly join: Issued;
  readonly renew: Issued;
  readonly see: { readonly bundle: string; readonly renew: boolean };
  readonly server: Issued;
  readonly advance: { readonly bundle: string; readonly hasChanged: boolean };
}

/** A question or answer with its number. */
interface CaCall {
  readonly id: number;
  readonly question: CaQuestion;
}
export interface CaReply {
  readonly id: number;
  readonly answer?: unknown;
  readonly fault?: { readonly code: MeshErrorCode; readonly message: string };
}

/** What the thread is started with. */
export interface CaWorkerData {
  readonly folder: string;
  readonly settleMs: number;
}

async function answer(authority: Authority, question: CaQuestion): Promise<CaAnswers[CaQuestion['op']]> {
  const { now } = question;
  switch (question.op) {
    case 'join':
      return authority.join(question.token, question.request, now);
    case 'renew':
      return authority.renew(question.certificate, question.request, now);
    case 'see':
      return authority.see(question, now);
    case 'server': {
      const certificate = await authority.serverCertificate(question.publicKey, now);
      return { certificate, bundle: authority.status(now).bundle.pem };
    }
    case 'advance': {
      const hasChanged = authority.advance(now);
      return { hasChanged, bundle: authority.status(now).bundle.pem };
    }
  }
}

function main(port: NonNullable<typeof parentPort>, { folder, settleMs }: CaWorkerData): void {
  const faultOf = (reason: unknown) => {
    const { code, message } = MeshError.from(reason);
    return { code, message };
  };
  let authority: Authority;
  try {
    authority = new Authority(folder, settleMs);
  } catch (reason) {
    port.postMessage({ id: 0, fault: faultOf(reason) } satisfies CaReply);
    return;
  }
  port.postMessage({ id: 0, answer: 'open' } satisfies CaReply);
  port.on('message', ({ id, question }: CaCall) => {
    answer(authority, question).then(
      (result) => port.postMessage({ id, answer: result } satisfies CaReply),
      (reason) => port.postMessage({ id, fault: faultOf(reason) } satisfies CaReply),
    );
  });
}

if (parentPort !== null) main(parentPort, workerData as CaWorkerData);
