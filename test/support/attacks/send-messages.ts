import { createHash } from 'node:crypto';
import { seededRandom } from '../../../src/base/random.ts';
import type { AttackerReport, MessagesOrder } from './attacker.ts';
import { methods, openHttp2, type RawCall, type RawHttp2 } from './call.ts';
import { pause } from './ends.ts';
import { createMessages, type RandomMessage } from './messages.ts';

const lanesMax = 8;
// A call to which so much was written that was not taken yet is passed over.
const waitingBytesMax = 2 ** 18;
const stepMs = 10;

/**
 * Sends the messages of a seed, so many a second at most, over a few connections with a call of each variant.
 * Which of them sends a message depends on who may send; what is sent does not.
 */
export async function sendMessages(
  order: MessagesOrder,
): Promise<Pick<AttackerReport, 'ended' | 'kinds' | 'digest'>> {
  const next = createMessages(seededRandom(order.seed));
  const digest = createHash('sha256');
  const ends = new Map<string, number>();
  const lanes = Array.from({ length: lanesMax }, () => new Lane(order, ends));
  const kinds: Record<string, number> = {};
  const begin = performance.now();
  let [sent, turn] = [0, 0];
  while (sent < order.count) {
    const due = Math.min(order.count, ((performance.now() - begin) * order.perSecond) / 1_000);
    let passed = 0;
    while (sent < due && passed < lanesMax) {
      const lane = lanes[turn % lanesMax] as Lane;
      turn += 1;
      if (!lane.isFree()) {
        passed += 1;
        continue;
      }
      const message = next();
      digest.update(message.bytes);
      kinds[message.kind] = (kinds[message.kind] ?? 0) + 1;
      lane.send(message);
      [sent, passed] = [sent + 1, 0];
    }
    await pause(stepMs);
  }
  for (const lane of lanes) lane.close();
  return {
    ...{ kinds, digest: digest.digest('hex').slice(0, 16) },
    ended: [...ends].map(([how, times]) => ({ how, times })),
  };
}

/** Numbers and quotations differ from one end to the next. */
function kindOfEnd(how: string): string {
  const [, status = ''] = /^(status \d+: )/.exec(how) ?? [];
  return (
    status +
    how
      .slice(status.length)
      .replaceAll(/'.*'|\d+/gs, '…')
      .slice(0, 80)
  );
}

/** A connection with a call of each variant, opened again when it has ended. */
class Lane {
  private readonly order: MessagesOrder;
  private readonly ends: Map<string, number>;
  private connection: RawHttp2 | undefined;
  private readonly calls = new Map<string, RawCall>();
  private closed = false;

  constructor(order: MessagesOrder, ends: Map<string, number>) {
    this.order = order;
    this.ends = ends;
  }

  isFree(): boolean {
    return [...this.calls.values()].every((call) => call.hasEnded() || call.waiting() < waitingBytesMax);
  }

  send({ variant, bytes }: RandomMessage): void {
    let call = this.calls.get(variant);
    if (call === undefined || call.hasEnded()) {
      call = this.open(variant);
      this.calls.set(variant, call);
    }
    void call.bytes(bytes);
  }

  private open(variant: RandomMessage['variant']): RawCall {
    const session = this.connection?.session;
    if (this.connection === undefined || session?.destroyed || session?.closed)
      this.connection = openHttp2(this.order.at);
    const call = this.connection.call(methods[variant]);
    void call.ended.then((how) => {
      const kind = kindOfEnd(how);
      if (!this.closed) this.ends.set(kind, (this.ends.get(kind) ?? 0) + 1);
    });
    return call;
  }

  close(): void {
    this.closed = true;
    this.connection?.close();
  }
}
