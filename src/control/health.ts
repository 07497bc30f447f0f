// Health of backends: what checks find goes into the live words, events and the log. Checks begin
// with the publication that has the backend, and follow every change of it.
import { Checker } from '../health/checker.ts';
import { makeHttpProbe } from '../health/http-probe.ts';
import { tcpProbe } from '../health/tcp-probe.ts';
import type { Verdict } from '../health/threshold.ts';
import type { Logger } from '../log.ts';
import type { CheckReport } from '../model/health.ts';
import type { CheckView } from '../shm/read.ts';
import type { Emit } from './events.ts';
import type { Live } from './live.ts';
import type { BackendRecord, PoolRecord } from './records.ts';

export interface HealthParts {
  readonly live: Live;
  readonly emit: Emit;
  readonly log: Logger;
}

interface Found {
  readonly record: BackendRecord;
  readonly verdict: Verdict;
  readonly report: CheckReport;
}

// Verdicts that come within this time are told together. It wakes the workers once, and keeps the
// first backend that is found healthy from taking the traffic of all that are about to be.
const tellAfterMs = 10;

export class Health {
  readonly #parts: HealthParts;
  readonly #checker: Checker<BackendRecord>;
  #found: Found[] = [];
  #telling: NodeJS.Timeout | undefined;

  constructor(parts: HealthParts) {
    this.#parts = parts;
    this.#checker = new Checker<BackendRecord>({
      probes: { http: makeHttpProbe('sluice-health-check'), tcp: tcpProbe },
      setStatus: (record, verdict, report) => {
        this.#found.push({ record, verdict, report });
        this.#telling ??= setTimeout(() => this.#tell(), tellAfterMs);
      },
    });
  }

  // Checks what these pools want checked, and no longer what they do not. To be called before their
  // publication: it writes live words and leaves telling the workers to the caller.
  follow(pools: Iterable<PoolRecord>): void {
    const { live } = this.#parts;
    for (const { members, settings } of pools) {
      const check = settings.healthCheck;
      if (check === undefined && this.#checker.size === 0) continue;
      for (const record of members) {
        if (record.retirement !== undefined) this.#checker.forget(record);
        else if (check !== undefined) {
          const isNew = this.#checker.want({ key: record, address: record.address, check });
          if (isNew) live.health(record, 'checking');
        } else if (this.#checker.forget(record)) live.health(record, 'unknown');
      }
    }
  }

  view(record: BackendRecord): CheckView | undefined {
    const watched = this.#checker.watched(record);
    if (watched === undefined) return undefined;
    const { last, counts } = watched;
    return {
      counts,
      last:
        last === undefined
          ? undefined
          : {
              at: new Date(last.atMs),
              ok: last.result === 'success',
              result: last.result,
              reason: last.reason,
              durationMs: last.durationMs,
            },
    };
  }

  stop(): void {
    this.#checker.stop();
    clearTimeout(this.#telling);
  }

  #tell(): void {
    this.#telling = undefined;
    const { live, emit, log } = this.#parts;
    // What is no longer checked may have lost its slot; what is checked anew is not known yet.
    const found = this.#found.filter(
      ({ record, verdict }) => this.#checker.watched(record)?.verdict === verdict,
    );
    this.#found = [];
    for (const { record, verdict } of found) live.health(record, verdict);
    live.post();
    for (const { record, verdict, report } of found) {
      const names = { pool: record.pool.name, backend: record.backend.id, reason: report.reason };
      if (verdict === 'healthy') {
        log.info('backend is up', names);
        emit('backend:up', names);
      } else {
        log.warn('backend is down', names);
        emit('backend:down', names);
      }
    }
  }
}
