// Where `sluice top` looks: the shared memory of a balancer that runs, and the names of what is in
// it. Names come over the admin API when what is published has changed; figures never do, so they
// go on when the balancer's JavaScript does not answer.
import { readdirSync, readlinkSync } from 'node:fs';
import type { MemoryAnswer } from '../admin/api-types.ts';
import { reasonOf, SluiceError } from '../errors.ts';
import { schemaHash } from '../shm/layout.gen.ts';
import { Mirror } from '../shm/mirror.ts';
import { sequenceOf } from '../shm/region.ts';
import type { AdminClient } from './admin-client.ts';
import { CommandError } from './failure.ts';
import { rangesOf, readSample, type Sample } from './top-sample.ts';

// What the data plane calls it (native/shm/region.cc).
const memoryName = '/memfd:sluice (deleted)';

function linkOf(path: string): string | undefined {
  try {
    return readlinkSync(path);
  } catch {
    return undefined;
  }
}

// Throws a CommandError that says why it cannot be read.
export function openMirror(pid: number, descriptor: number): Mirror {
  const path = `/proc/${pid}/fd/${descriptor}`;
  try {
    // The kernel lets only the same user or root look at a process.
    readdirSync(`/proc/${pid}/fd`);
    if (linkOf(path) === memoryName) return new Mirror(path);
  } catch (error) {
    if (error instanceof SluiceError) throw error;
    const hint = 'run this as its user, or as root';
    throw new CommandError(`cannot look at process ${pid}: ${reasonOf(error)}; ${hint}`);
  }
  throw new CommandError(
    `process ${pid} has no memory of a balancer as descriptor ${descriptor}: ` +
      'a balancer in a container has another process id here; state it by --pid',
  );
}

export class TopMemory {
  readonly #client: AdminClient;
  readonly #pid: number;
  readonly #mirror: Mirror;
  #names: MemoryAnswer;
  #asking = false;
  // Why the names are older than what is published.
  #reason: string | undefined;

  // `pid`: as this system numbers the process, where the balancer's own number differs.
  static async open(client: AdminClient, pid: number | undefined): Promise<TopMemory> {
    const names = await client.get<MemoryAnswer>('/api/v1/memory');
    if (names.layoutHash !== schemaHash) {
      throw new CommandError(
        `the balancer is sluice ${names.version}, whose memory is laid out in another way: ` +
          'use the command of that version',
      );
    }
    const seen = pid ?? names.pid;
    return new TopMemory(client, names, seen, openMirror(seen, names.descriptor));
  }

  private constructor(client: AdminClient, names: MemoryAnswer, pid: number, mirror: Mirror) {
    this.#client = client;
    this.#names = names;
    this.#pid = pid;
    this.#mirror = mirror;
  }

  get names(): MemoryAnswer {
    return this.#names;
  }
  get pid(): number {
    return this.#pid;
  }
  get notice(): string | undefined {
    if (this.#reason === undefined) return undefined;
    const { generation } = this.#names;
    return `names are those of generation ${generation}: ${this.#reason}`;
  }

  // Throws a CommandError when the balancer has ended.
  look(): Sample {
    const names = this.#names;
    if (linkOf(`/proc/${this.#pid}/fd/${names.descriptor}`) !== memoryName) {
      throw new CommandError(`the balancer (process ${this.#pid}) has ended`);
    }
    this.#mirror.copy(rangesOf(names));
    const sample = readSample(this.#mirror, { ...names, pid: this.#pid }, performance.now());
    if (sequenceOf(this.#mirror.generation) !== names.generation) void this.#refresh();
    return sample;
  }

  close(): void {
    this.#mirror.close();
  }

  async #refresh(): Promise<void> {
    if (this.#asking) return;
    this.#asking = true;
    try {
      this.#names = await this.#client.get<MemoryAnswer>('/api/v1/memory');
      this.#reason = undefined;
    } catch (error) {
      this.#reason = reasonOf(error);
    } finally {
      this.#asking = false;
    }
  }
}
