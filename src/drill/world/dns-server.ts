import { createSocket, type RemoteInfo } from 'node:dgram';
import { isIPv6 } from 'node:net';
import type { ListenAddress } from '../../model/values/listen-address.ts';

/** The answer for a name; an unknown name does not exist (NXDOMAIN). */
type DnsAnswer =
  | { readonly addresses: readonly string[]; readonly ttl?: number }
  /** SERVFAIL, or no answer. */
  | 'fails'
  | 'silent';

/** A DNS server over UDP, for A and AAAA (RFC 1035, RFC 3596). */
interface DnsServer extends ListenAddress {
  /** Sets the answer for a name from now on; undefined: no such name. */
  say(name: string, answer: DnsAnswer | undefined): void;
  /** Questions so far for a name. */
  questions(name: string): number;
  close(): Promise<void>;
}

const noError = 0;
const serverFailure = 2;
const noSuchName = 3;

/**
 * Starts a server that knows no name yet; at a free port where none is given. Rejects when the address cannot
 * be bound.
 */
export async function startDns(address = '127.0.0.1', port = 0): Promise<DnsServer> {
  const answers = new Map<string, DnsAnswer>();
  const asked = new Map<string, number>();
  const socket = createSocket('udp4');
  socket.on('message', (query, from) => {
    const question = parseQuestion(query);
    asked.set(question.name, (asked.get(question.name) ?? 0) + 1);
    const answer = answers.get(question.name);
    if (answer !== 'silent') socket.send(encodeAnswer(query, question, answer), from.port, from.address);
  });
  await new Promise<void>((resolve, reject) => {
    socket.once('error', reject);
    socket.bind(port, address, resolve);
  });
  return {
    address,
    port: (socket.address() as RemoteInfo).port,
    say(name, answer) {
      if (answer === undefined) answers.delete(name);
      else answers.set(name, answer);
    },
    questions: (name) => asked.get(name) ?? 0,
    close: () => new Promise((resolve) => socket.close(() => resolve())),
  };
}

interface Question {
  readonly name: string;
  readonly type: number;
  /** Where it ends in the query. */
  readonly end: number;
}

function parseQuestion(query: Buffer): Question {
  const labels: string[] = [];
  let at = 12;
  for (let length = query[at] ?? 0; length > 0; length = query[at] ?? 0) {
    labels.push(query.toString('latin1', at + 1, at + 1 + length));
    at += 1 + length;
  }
  return { name: labels.join('.').toLowerCase(), type: query.readUInt16BE(at + 1), end: at + 5 };
}

function encodeAnswer(query: Buffer, { type, end }: Question, answer: DnsAnswer | undefined): Buffer {
  const code = answer === undefined ? noSuchName : answer === 'fails' ? serverFailure : noError;
  const known = typeof answer === 'object' ? answer : { addresses: [] };
  const records = known.addresses
    .filter((address) => (type === 28 ? isIPv6(address) : type === 1 && !isIPv6(address)))
    .map((address) => encodeRecord(type, address, known.ttl ?? 1));
  const head = Buffer.from(query.subarray(0, end));
  // An answer, with authority and recursion; one question, so many answers, nothing else.
  head.writeUInt16BE(0x8580 | code, 2);
  head.writeUInt16BE(1, 4);
  head.writeUInt16BE(records.length, 6);
  head.writeUInt32BE(0, 8);
  return Buffer.concat([head, ...records]);
}

function encodeRecord(type: number, address: string, ttl: number): Buffer {
  const data = type === 28 ? encodeIpv6(address) : Buffer.from(address.split('.').map(Number));
  const head = Buffer.alloc(12);
  // The name is that of the question.
  head.writeUInt16BE(0xc00c, 0);
  head.writeUInt16BE(type, 2);
  head.writeUInt16BE(1, 4);
  head.writeUInt32BE(ttl, 6);
  head.writeUInt16BE(data.length, 10);
  return Buffer.concat([head, data]);
}

function encodeIpv6(address: string): Buffer {
  const [before = '', after = ''] = address.split('::');
  const parts = (text: string) =>
    text === '' ? [] : text.split(':').map((part) => Number.parseInt(part, 16));
  const [head, tail] = [parts(before), parts(after)];
  const words = [...head, ...Array<number>(8 - head.length - tail.length).fill(0), ...tail];
  return Buffer.from(words.flatMap((word) => [word >> 8, word & 255]));
}
