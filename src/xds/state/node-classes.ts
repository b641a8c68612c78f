import { MeshError } from '../../base/error.ts';
import type { Member, Session } from '../stream/session.ts';
import type { AnswerBytes } from './response-cache.ts';
import { levelsOf, removedMax, Snapshot } from './snapshot.ts';

/** A class of nodes: its resources by type, and the streams of its nodes. */
export interface NodeClass {
  /** The class has been given resources, so its streams may be answered. */
  open: boolean;
  held: boolean;
  readonly snapshots: Map<string, Snapshot<Member>>;
  readonly sessions: Set<Session>;
}

/** All classes of a server, by name. */
export class NodeClasses {
  readonly #answerBytes: AnswerBytes = { bytes: 0 };
  readonly #byName = new Map<string, NodeClass>();

  get(name: string): NodeClass | undefined {
    return this.#byName.get(name);
  }

  /** The class of a name, created if new. */
  of(name: string): NodeClass {
    const known = this.#byName.get(name);
    if (known !== undefined) return known;
    const made: NodeClass = { open: false, held: false, snapshots: new Map(), sessions: new Set() };
    this.#byName.set(name, made);
    return made;
  }

  /** The resources of a type, created empty if new. */
  snapshot(nodeClass: string, typeUrl: string): Snapshot<Member> {
    const { snapshots } = this.of(nodeClass);
    const known = snapshots.get(typeUrl);
    if (known !== undefined) return known;
    const made = new Snapshot<Member>(this.#answerBytes);
    snapshots.set(typeUrl, made);
    return made;
  }

  /** Names of the existing resources of a class and type. */
  resourceNames(nodeClass: string, typeUrl: string): string[] {
    const marks = this.#byName.get(nodeClass)?.snapshots.get(typeUrl)?.marks;
    return Array.from(marks?.resources() ?? [], ({ name }) => name);
  }

  isOpen(nodeClass: string): boolean {
    return this.#byName.get(nodeClass)?.open === true;
  }

  openNames(): string[] {
    return [...this.#byName].filter(([, entry]) => entry.open).map(([name]) => name);
  }

  /** Forgets a class without streams. Throws MeshError 'conflict' if it has one. */
  drop(nodeClass: string): void {
    const streams = this.#byName.get(nodeClass)?.sessions.size ?? 0;
    if (streams > 0) throw new MeshError('conflict', `class ${nodeClass} has ${streams} streams`);
    this.#byName.delete(nodeClass);
  }

  /** All streams whose node is known. */
  *sessions(): Iterable<Session> {
    for (const entry of this.#byName.values()) yield* entry.sessions;
  }

  /** The streams of clients that acknowledge what they are sent: all but those of a `Fetch…`. */
  *clients(): Iterable<Session> {
    for (const { sessions } of this.#byName.values())
      for (const session of sessions) if (session.info.once !== true) yield session;
  }

  /** Removed names are kept until no stream can still have them; checked when there are many. */
  forgetRemoved({ snapshots }: NodeClass): void {
    for (const snapshot of snapshots.values()) {
      if (snapshot.removedCount <= removedMax + snapshot.size) continue;
      let oldest = Number.POSITIVE_INFINITY;
      for (const group of snapshot.groups.values())
        for (const { sub } of group.members)
          if (sub.revision < group.changedAt) oldest = Math.min(oldest, sub.revision);
      snapshot.forget(oldest);
    }
  }

  /** For `XdsServer.kept`. */
  levels() {
    const snapshots = [...this.#byName.values()].flatMap((entry) => [...entry.snapshots.values()]);
    return { classes: this.#byName.size, answerBytes: this.#answerBytes.bytes, ...levelsOf(snapshots) };
  }
}
