import type { LogFields, Logger } from '../base/log.ts';
import type { NewEvent } from './event.ts';

/** A line of the log: `message` is one of a fixed few. */
interface Line {
  readonly level: Exclude<keyof Logger, 'debug'>;
  readonly message: string;
  readonly fields: LogFields;
}

type Level = Line['level'];

/** By kind and phase: level and message. */
const messages: Readonly<Record<string, readonly [Level, string]>> = {
  'controlplane started': ['info', 'started'],
  'controlplane ready': ['info', 'ready'],
  'controlplane stopping': ['info', 'stopping: proxies are handed over, and keep what they have'],
  change: ['info', 'registry change'],
  'push acked': ['info', 'push ACKed'],
  'push late': ['info', 'push not ACKed in time'],
  'failover begin': ['warn', 'failover: no instance here can serve'],
  'failover returning': ['info', 'failover: requests return gradually'],
  'failover held': ['warn', 'failover: the return failed, requests are held again'],
  'failover end': ['info', 'failover is over'],
  'ejection begin': ['warn', 'ejected by a gateway'],
  'ejection end': ['info', 'no longer ejected'],
  'reach refuse': ['warn', 'refuse connections'],
  'reach hung': ['warn', 'accept connections and never answer: considered hung'],
  'reach back': ['info', 'reached again, or removed'],
  'evacuation scheduled': ['info', 'evacuation scheduled'],
  'evacuation begun': ['warn', 'evacuation begun'],
  'evacuation changed': ['info', 'evacuation changed'],
  'evacuation renewed': ['info', 'evacuation renewed'],
  'evacuation ended': ['info', 'evacuation ended'],
  'evacuation expired': ['info', 'evacuation expired'],
  'drain begun': ['warn', 'instance drained'],
  'drain changed': ['info', 'drain changed'],
  'drain ended': ['info', 'instance no longer drained'],
  'drain expired': ['info', 'drain expired'],
  'shed begin': ['warn', 'memory is nearly full: new xDS streams are refused'],
  'shed end': ['info', 'memory is available again: new xDS streams are accepted'],
  'trust ended': ['warn', 'xDS streams ended: their certificate or its root is over'],
  'trust updated': ['info', 'certificate and roots of the xDS port were replaced'],
  'trust kept': ['error', 'what is on disk cannot be used: the certificate and roots from before stay'],
  'problem begin': ['error', 'registry problem'],
  'problem end': ['info', 'registry problem is over'],
  'gateway lost': ['info', 'proxy gone'],
  'gateway back': ['info', 'proxy connected'],
  'gateway connected': ['info', 'proxy connected'],
};

const moreProblems = {
  begin: 'more registry problems: see /problems',
  end: 'more registry problems are over',
} as const;

/**
 * An event as a line of the log; undefined: the xDS server, which is a library, has logged it. The fields
 * are those of the event.
 */
export function lineOf(event: NewEvent): Line | undefined {
  const { kind, phase, ...fields } = event as NewEvent & { readonly phase?: string };
  const found = messages[phase === undefined ? kind : `${kind} ${phase}`];
  if (found === undefined) return undefined;
  const [level, message] = found;
  if (event.kind === 'failover' && event.phase === 'begin' && isUnserved(event))
    return { level, message: 'failover: nobody is known to serve', fields };
  if (kind === 'change' && 'more' in fields) return { level, message: 'more registry changes', fields };
  if (kind === 'problem' && 'more' in fields)
    return { level, message: moreProblems[phase === 'end' ? 'end' : 'begin'], fields };
  return { level, message, fields };
}

/** Whether no IDC that may take over is able to. */
function isUnserved({ to, unable }: { readonly to?: string; readonly unable?: readonly string[] }): boolean {
  return to === undefined && unable !== undefined;
}
