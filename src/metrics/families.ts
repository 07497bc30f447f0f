// Which family of metrics a word of the shared memory belongs to. Most names follow from the
// schema by a rule, so a new counter there is a new metric here; the exceptions are listed.
import { layout } from '../shm/layout.gen.ts';
import type { Labels, MetricType } from './text.ts';

export type CountedBlock =
  | 'worker'
  | 'workerListener'
  | 'workerRoute'
  | 'workerPool'
  | 'workerBackend';

export interface Sample {
  readonly field: string;
  readonly name: string;
  readonly type: Exclude<MetricType, 'histogram'>;
  readonly help: string;
  // Labels that tell the members of a family apart.
  readonly labels: Labels;
  // From the unit of the word to the base unit.
  readonly factor: number;
  // Of requests: only where there are any.
  readonly http: boolean;
}

export interface HistogramFamily {
  readonly field: string;
  readonly name: string;
  readonly help: string;
  readonly http: boolean;
}

const ofRequests =
  /^(request|answered|response|clientAborted|httpUpgrades|idleConnections|connectionsReused)/;

const prefixes: Readonly<Record<CountedBlock, string>> = {
  worker: 'sluice_worker',
  workerListener: 'sluice_listener',
  workerRoute: 'sluice_route',
  workerPool: 'sluice_pool',
  workerBackend: 'sluice_backend',
};

const factors: Readonly<Record<string, number>> = { microseconds: 1e-6, nanoseconds: 1e-9 };

interface Exception {
  readonly name: string;
  readonly help?: string;
  readonly labels?: Labels;
}

const reason = (name: string, help: string, value: string): Exception => ({
  name,
  help,
  labels: { reason: value },
});
const acceptError = (value: string): Exception =>
  reason('accept_errors_total', 'Accepts that failed.', value);
const rejection = (value: string): Exception =>
  reason('connections_rejected_total', 'Connections closed before they were balanced.', value);
const failure = (value: string): Exception =>
  reason('errors_total', 'Connects that failed and connections that ended early.', value);
const earlyEnd = (value: string): Exception =>
  reason('errors_total', 'Connections that ended early.', value);

const ejection = (value: string): Exception =>
  reason('ejections_total', 'Ejections of backends, each by one worker.', value);

// Reasons have one name wherever they are counted, so that sums over families can be compared.
const connectFailures = {
  connectRefusedTotal: failure('connect_refused'),
  connectTimeoutTotal: failure('connect_timeout'),
  connectUnreachableTotal: failure('connect_unreachable'),
  connectOtherTotal: failure('connect_other'),
};
const earlyEnds = (counted: (value: string) => Exception): Record<string, Exception> => ({
  noBackendTotal: counted('no_backend'),
  clientResetTotal: counted('client_reset'),
  backendResetTotal: counted('backend_reset'),
  idleTimeoutTotal: counted('idle_timeout'),
  stalledTotal: counted('stalled'),
  cutTotal: counted('cut'),
});

// Answers by their class, and those that sluice gives itself by their status.
const byClass: Readonly<Record<string, Exception>> = Object.fromEntries(
  [1, 2, 3, 4, 5].map((digit) => [
    `requests${digit}xxTotal`,
    {
      name: 'responses_total',
      help: 'Requests answered, by class of the status.',
      labels: { status: `${digit}xx` },
    },
  ]),
);
const answers: Readonly<Record<string, Exception>> = Object.fromEntries(
  [400, 404, 408, 413, 414, 417, 431, 501, 502, 503, 504, 505].map((status) => [
    `answered${status}Total`,
    {
      name: 'answers_total',
      help: 'Requests that sluice answered itself.',
      labels: { status: String(status) },
    },
  ]),
);

const exceptions: Readonly<Record<CountedBlock, Readonly<Record<string, Exception>>>> = {
  worker: {
    connections: { name: 'connections_active' },
    buffersLentSmall: {
      name: 'buffers_lent',
      help: 'Receive buffers held by connections.',
      labels: { size: 'small' },
    },
    buffersLentLarge: {
      name: 'buffers_lent',
      help: 'Receive buffers held by connections.',
      labels: { size: 'large' },
    },
    acceptedTotal: { name: 'connections_accepted_total' },
    handedOffTotal: { name: 'connections_handed_off_total' },
    receivedTotal: { name: 'connections_received_total' },
    acceptErrorsDescriptors: acceptError('descriptors'),
    acceptErrorsMemory: acceptError('memory'),
    acceptErrorsOther: acceptError('other'),
    rejectedConnectionsMax: rejection('connections_max'),
    rejectedListenerGone: rejection('listener_gone'),
    resetAtStopTotal: { name: 'connections_reset_at_stop_total' },
    stallsCutTotal: { name: 'stalls_cut_total' },
  },
  workerListener: {
    connections: { name: 'connections_active' },
    rejectedTotal: { name: 'connections_rejected_total' },
    ...earlyEnds(earlyEnd),
    httpUpgradesTotal: { name: 'upgrades_total' },
    clientAbortedTotal: { name: 'requests_aborted_total' },
    requestsInFlight: { name: 'requests_active' },
    ...byClass,
    ...answers,
  },
  workerRoute: {
    requestsInFlight: { name: 'requests_active' },
    duration: { name: 'request_duration_seconds' },
    ...byClass,
  },
  workerPool: {
    connections: { name: 'connections_active' },
    ...connectFailures,
    ...earlyEnds(failure),
    responseTimeoutTotal: failure('response_timeout'),
    responseInvalidTotal: failure('response_invalid'),
    responseCutTotal: failure('response_cut'),
    ejectionsConnectTotal: ejection('connect'),
    ejectionsFailuresTotal: ejection('failures'),
    requestsInFlight: { name: 'requests_active' },
    responseTime: { name: 'response_head_seconds' },
    ...byClass,
    toBackendBytesTotal: { name: 'sent_bytes_total' },
    fromBackendBytesTotal: { name: 'received_bytes_total' },
    connectTime: { name: 'connect_duration_seconds' },
    firstByteTime: { name: 'first_byte_seconds' },
    duration: { name: 'connection_duration_seconds' },
  },
  workerBackend: {
    connectTimeSum: { name: 'connect_seconds_total' },
    idleConnections: { name: 'connections_idle' },
    ...connectFailures,
    backendResetTotal: failure('backend_reset'),
    cutTotal: failure('cut'),
  },
};

interface MetricField {
  readonly metric?: string;
  readonly unit?: string;
  readonly help?: string;
}

const snake = (text: string): string =>
  text.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);

function ruledName(field: string, metric: string): string {
  const stem = snake(field.replace(/Total$/, ''));
  return metric === 'counter' ? `${stem}_total` : stem;
}

function fieldsOf(block: CountedBlock): [string, MetricField][] {
  return Object.entries(layout[block].fields as Readonly<Record<string, MetricField>>);
}

// The sums of histograms are printed with them.
function isHistogramSum(block: CountedBlock, field: string): boolean {
  const of = field.replace(/Sum$/, '');
  return of !== field && fieldsOf(block).some(([name]) => name === of);
}

export function samplesOf(block: CountedBlock): Sample[] {
  return fieldsOf(block).flatMap(([field, { metric, unit = '', help = '' }]) => {
    if (metric !== 'counter' && metric !== 'gauge') return [];
    if (isHistogramSum(block, field)) return [];
    const exception = exceptions[block][field];
    return {
      field,
      name: `${prefixes[block]}_${exception?.name ?? ruledName(field, metric)}`,
      type: metric,
      help: exception?.help ?? help,
      labels: exception?.labels ?? {},
      factor: factors[unit] ?? 1,
      http: ofRequests.test(field),
    };
  });
}

export function histogramsOf(block: CountedBlock): HistogramFamily[] {
  return fieldsOf(block).flatMap(([field, { metric, help = '' }]) => {
    if (metric !== 'histogram') return [];
    const name = exceptions[block][field]?.name ?? `${snake(field)}_seconds`;
    return { field, name: `${prefixes[block]}_${name}`, help, http: ofRequests.test(field) };
  });
}
