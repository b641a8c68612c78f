import { arch, cpus, platform, release, totalmem } from 'node:os';
import { systemClock } from '../../base/clock.ts';
import { MeshError } from '../../base/error.ts';
import { packageVersion } from '../../base/package/version.ts';
import { printable, printableLines } from '../../base/text/safe-excerpt.ts';
import type { ListenAddress } from '../../model/values/listen-address.ts';
import { errorText } from '../ask-each.ts';
import { notAskedText } from '../ask-idcs.ts';
import type { AskedPlane } from '../check/asked-plane.ts';
import { checkText } from '../check/check-text.ts';
import { runChecks } from '../check/run-checks.ts';
import { ownSecrets, variableNames } from './own-secrets.ts';
import { planeParts } from './parts.ts';
import { proxySummary } from './proxy-summary.ts';
import { Redactor } from './redact.ts';

/** What is collected. */
interface Collected {
  readonly admin: readonly ListenAddress[];
  readonly allIdcs: boolean;
  /** A configuration of `isthmus serve`. */
  readonly file: string | undefined;
  readonly tokenFile: string | undefined;
  /** Told what is done next. */
  readonly say: (words: string) => void;
}

/** A report, and what it lacks. */
interface BugReport {
  readonly text: string;
  /** Titles of what is in it. */
  readonly contents: readonly string[];
  /** Parts that could not be had, each with the reason. */
  readonly missing: readonly string[];
  /** Places that were redacted. */
  readonly redactions: number;
}

/** Longest part, and longest report, in characters. */
const lengthMax = { part: 512 * 1024, whole: 16 * 1024 * 1024 } as const;

interface Section {
  readonly title: string;
  /** Redacted. */
  readonly body: string;
}

/** What no report has, by intent. */
const leftOut: readonly string[] = [
  'secrets: what has the name or the form of a token, password, key, cookie or credential, and the token of this command, is [redacted]',
  'values of environment variables; of Isthmus and Node.js it has the names',
  'objects of the registry, and resources of proxies: isthmus config NODE shows those of one',
  'logs, access logs and statistics of Envoys',
];

/** Collects a report. Never rejects for a control plane that does not answer: the report tells of it. */
export async function collectReport(asked: Collected): Promise<BugReport> {
  const redactor = new Redactor(ownSecrets(asked.tokenFile, process.env));
  const missing: string[] = [];
  const sections: Section[] = [];
  const addRedacted = (title: string, body: string) => {
    sections.push({ title, body: cutAtLine(body, lengthMax.part) });
  };
  const add = (title: string, text: string) => addRedacted(title, redactor.lines(text));
  add('this machine', machineText());
  if (asked.file !== undefined) {
    asked.say(`reading ${asked.file}`);
    add(`configuration of ${asked.file}`, await configText(asked.file));
  }
  asked.say('checking addresses, tokens, clocks, gateways and versions');
  const { lines, replies } = await runChecks({ ...asked, file: undefined });
  // By its fields, so that `token: …` is not taken for one.
  addRedacted('isthmus check', checkText(redactor.value(lines) as typeof lines));
  missing.push(...replies.unknown.map(notAskedText));
  for (const one of replies.told) {
    if ('reply' in one) {
      asked.say(`asking ${one.admin}`);
      missing.push(...(await addPlane(one.admin, one.reply, redactor, addRedacted)));
    } else {
      missing.push(errorText(one));
      add(one.admin, `${one.error.message}\n`);
    }
  }
  return assemble(
    sections,
    missing.map((one) => redactor.text(one)),
    redactor.count,
  );
}

/** Adds the parts about a control plane; what could not be had is returned. */
async function addPlane(
  admin: string,
  { where, idc, proxies }: AskedPlane,
  redactor: Redactor,
  add: (title: string, redacted: string) => void,
): Promise<readonly string[]> {
  const missing: string[] = [];
  const title = `${admin}, control plane of ${idc}`;
  add(`${title}: proxies`, redactor.lines(proxySummary(proxies)));
  for (const { name, ask } of planeParts) {
    try {
      const answer = await ask(where);
      add(
        `${title}: ${name}`,
        'text' in answer ? redactor.lines(answer.text) : jsonText(redactor.value(answer.value)),
      );
    } catch (reason) {
      const why = MeshError.from(reason).message;
      missing.push(`${admin}: ${name}: ${why}`);
      add(`${title}: ${name}`, redactor.lines(`It could not be had: ${why}\n`));
    }
  }
  return missing;
}

/** A list with an item a line, anything else indented. */
function jsonText(value: unknown): string {
  if (Array.isArray(value)) return value.map((one) => `${JSON.stringify(one)}\n`).join('');
  return `${JSON.stringify(value, null, 1)}\n`;
}

function machineText(): string {
  const names = variableNames(process.env);
  return [
    `isthmus ${packageVersion}, Node.js ${process.versions.node} (${process.versions.v8})`,
    `${platform()} ${release()}, ${arch()}, ${cpus().length} processors, ${Math.round(totalmem() / 2 ** 20)} MiB`,
    `time ${new Date(systemClock.wall()).toISOString()}`,
    `environment has ${names.length === 0 ? 'no variable of Isthmus or Node.js' : names.join(', ')}`,
    '',
  ].join('\n');
}

/** A configuration as it would be in force, with the origin of each value; or what is wrong with it. */
async function configText(file: string): Promise<string> {
  const [{ readConfigFile }, { resolveConfig }, { settingsYaml }] = await Promise.all([
    import('../../config/config-file.ts'),
    import('../../config/resolve.ts'),
    import('../../config/print.ts'),
  ]);
  try {
    const read = readConfigFile(file);
    return settingsYaml(resolveConfig({ file: read, environment: process.env, flags: new Map() }).settings);
  } catch (reason) {
    return `It is not whole by itself:\n${MeshError.from(reason).message}\n`;
  }
}

function assemble(sections: readonly Section[], missing: readonly string[], redactions: number): BugReport {
  const contents: string[] = [];
  const bodies: string[] = [];
  const gone = [...missing];
  let left: number = lengthMax.whole;
  for (const { title, body } of sections) {
    if (body.length > left) {
      gone.push(`${title}: the report would be longer than ${lengthMax.whole / 2 ** 20} MiB`);
      continue;
    }
    left -= body.length;
    contents.push(title);
    bodies.push(`\n==== ${printable(title)}\n\n${readable(body)}`);
  }
  const list = (all: readonly string[]) => all.map((one) => `- ${printable(one)}`);
  const head = [
    'A bug report of Isthmus. Read it before you pass it on: what looks like a secret was taken out, what does not may be left.',
    ...['', 'It has:', ...list(contents)],
    ...['', `It does not have (${redactions} places redacted):`, ...list(leftOut)],
    ...['', 'It could not get:', ...(gone.length === 0 ? ['- nothing was missing'] : list(gone))],
    '',
  ];
  return { text: `${head.join('\n')}${bodies.join('')}`, contents, missing: gone, redactions };
}

/** Text of others that cannot control the terminal of whoever reads it; tabs stay. */
function readable(body: string): string {
  return body.split('\t').map(printableLines).join('\t');
}

/** Whole lines up to a length, and how much was cut. */
function cutAtLine(text: string, most: number): string {
  if (text.length <= most) return text;
  const end = text.lastIndexOf('\n', most);
  const kept = text.slice(0, end < 0 ? most : end + 1);
  return `${kept}\n[cut: ${text.length - kept.length} of ${text.length} characters]\n`;
}
