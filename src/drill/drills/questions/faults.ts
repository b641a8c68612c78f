import { cpSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import type { Scene } from '../../scene.ts';
import { machineClock } from '../../time.ts';
import { type Part, workloadsOf } from '../../world/parts.ts';
import { saveInstance, saveObject } from '../../world/registry-files.ts';
import { registryObjects } from '../../world/registry-objects.ts';
import { type IdcPlan, type InstancePlan, idcOf } from '../../world/topology.ts';
import { halfDead, whole } from './names.ts';
import { askCommand } from './run-command.ts';

/** The port that a proxy is told to listen at while another process has it. */
const heldPort = 13_399;

/** What happens in the world of the questions, step by step. */
export class QuestionFaults {
  readonly #scene: Scene;
  readonly #killed: Part[] = [];
  readonly #deregistered: readonly Part[];
  #holder: Server | undefined;

  constructor(scene: Scene) {
    this.#scene = scene;
    this.#deregistered = this.#workloads(halfDead, 'orders-2').filter(({ kind }) => kind === 'app');
  }

  /** Writes a folder of objects like that of the IDC, with another weight of one instance. */
  propose(dir: string): void {
    const { paths, topology } = this.#scene.stage;
    cpSync(paths.registry(halfDead), dir, { recursive: true });
    saveInstance(dir, topology, this.#changed(), 3);
  }

  /** Makes the proposed change. */
  async change(): Promise<void> {
    const { paths, topology } = this.#scene.stage;
    await this.#scene.step(`the weight of an instance of ${halfDead} is changed`, async () => {
      saveInstance(paths.registry(halfDead), topology, this.#changed(), 3);
      return undefined;
    });
  }

  /** Half of the IDC dies. */
  async halve(): Promise<void> {
    const scene = this.#scene;
    await this.#evacuate('half of stock.shop is evacuated', ['--percent', '50']);
    // Before a gateway stops: it waits for all proxies.
    await this.#deregister();
    const dead = ['checkout-2', 'checkout-3', 'catalog-1'].flatMap((name) => this.#workloads(halfDead, name));
    const gateway = this.#gateways('egress-2');
    this.#killed.push(...dead, ...gateway);
    await scene.kill(`kill -9 of three instances of ${halfDead}`, dead);
    await scene.kill(`kill -9 of an egress gateway of ${halfDead}`, gateway);
    await this.#refuse();
    await scene.pause(`SIGSTOP of an ingress gateway of ${halfDead}`, this.#gateways('ingress-2'));
  }

  /** The last instance of a host dies, in the IDC that stands in. */
  async killRest(): Promise<void> {
    const last = this.#workloads(whole, 'catalog-1');
    this.#killed.push(...last);
    await this.#scene.kill(`kill -9 of the last instance of catalog.shop, in ${whole}`, last);
  }

  /** All comes back. */
  async heal(): Promise<void> {
    const { topology, paths } = this.#scene.stage;
    await this.#scene.resume('the ingress gateway is resumed', this.#gateways('ingress-2'));
    await this.#scene.restart('all that died starts again', [...this.#killed, ...this.#deregistered]);
    await this.#scene.step('the port is free, and the listener is as it was', async () => {
      this.#holder?.close();
      saveObject(
        paths.registry(halfDead),
        'serviceentry-ledger',
        ledgerObject(this.#idc(halfDead), topology),
      );
      return undefined;
    });
    await this.#evacuate('the evacuation ends', ['--undo']);
  }

  async #deregister(): Promise<void> {
    const { world } = this.#scene.stage;
    await this.#scene.step('an instance of orders.shop deregisters and ends', async () => {
      await Promise.all(
        this.#deregistered.map((part) => {
          const running = world.running(part);
          running.expectExit();
          running.signal('SIGTERM');
          return running.exited;
        }),
      );
      return undefined;
    });
  }

  /** Holds a port, and asks a sidecar to listen there. */
  async #refuse(): Promise<void> {
    const { topology, paths } = this.#scene.stage;
    const idc = this.#idc(halfDead);
    await this.#scene.step(
      'the sidecar of the caller is told to listen at a port that is taken',
      async () => {
        const holder = createServer();
        this.#holder = holder;
        const { address } = idc.caller.outbound;
        await new Promise<void>((resolve, reject) => {
          holder.once('error', reject);
          holder.listen(heldPort, address, resolve);
        });
        // The drill ends although it is open.
        holder.unref();
        saveObject(paths.registry(halfDead), 'serviceentry-ledger', ledgerObject(idc, topology, heldPort));
        return undefined;
      },
    );
  }

  async #evacuate(claim: string, more: readonly string[]): Promise<void> {
    const { stage } = this.#scene;
    const admins = stage.topology.idcs.flatMap(({ controlAdmin: { address, port } }) => [
      '--admin',
      `${address}:${port}`,
    ]);
    const args = [
      'evacuate',
      halfDead,
      '--group',
      'stock.shop',
      ...more,
      ...(more.includes('--undo') ? [] : ['--for', '10m']),
    ];
    await this.#scene.step(claim, async () => {
      const from = machineClock.now();
      const { code, stderr } = await askCommand(stage, [
        ...args,
        ...admins,
        '--token-file',
        stage.paths.token,
      ]);
      if (code !== 0) this.#scene.say(`isthmus evacuate ended with ${code}: ${stderr.trim()}`);
      return { from, to: machineClock.now() };
    });
  }

  #changed(): InstancePlan {
    const found = this.#idc(halfDead).instances.find(({ name }) => name === 'catalog-1');
    return found as InstancePlan;
  }

  #gateways(name: string): Part[] {
    return this.#scene.stage.world.parts.filter(({ idc, proxy }) => idc === halfDead && proxy?.name === name);
  }

  #workloads(idc: string, name: string): Part[] {
    return workloadsOf(this.#scene.stage.world.parts, idc).filter(({ proxy }) => proxy?.name === name);
  }

  #idc(name: string): IdcPlan {
    return idcOf(this.#scene.stage.topology, name);
  }
}

/** The ServiceEntry of the TCP Group, at its own port or another one. */
function ledgerObject(idc: IdcPlan, topology: Parameters<typeof registryObjects>[0], port?: number): object {
  const found = registryObjects(topology, idc).find(({ name }) => name === 'serviceentry-ledger');
  const object = structuredClone(found?.object) as { spec: { ports: { number: number }[] } };
  if (port !== undefined) for (const one of object.spec.ports) one.number = port;
  return object;
}
