// What a row of checks says about a backend. Pure.

export type Verdict = 'checking' | 'healthy' | 'unhealthy';

export interface Standing {
  readonly verdict: Verdict;
  // Checks in a row that ended otherwise than the verdict says; while checking, failures.
  readonly against: number;
}

export interface Thresholds {
  readonly rise: number;
  readonly fall: number;
}

export const unjudged: Standing = { verdict: 'checking', against: 0 };

// After one more check. What was never judged is healthy with its first success.
export function judge(before: Standing, isGood: boolean, { rise, fall }: Thresholds): Standing {
  const { verdict, against } = before;
  if (verdict === 'checking' && isGood) return { verdict: 'healthy', against: 0 };
  if (verdict === (isGood ? 'healthy' : 'unhealthy'))
    return against === 0 ? before : { verdict, against: 0 };
  const turns = isGood ? rise : fall;
  if (against + 1 < turns) return { verdict, against: against + 1 };
  return { verdict: isGood ? 'healthy' : 'unhealthy', against: 0 };
}
