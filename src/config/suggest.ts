// What was most likely meant by a word that is not known.
import { closestMatch } from 'leven';

// A third of the word may be wrong; undefined when nothing is as near. Case,
// and the choice between - and _, count for nothing.
export function suggestion(word: string, known: readonly string[]): string | undefined {
  const plain = (text: string): string => text.toLowerCase().replace(/[-_]/g, '');
  const target = plain(word);
  if (target === '' || word.length > 64) return undefined;
  const same = known.find((one) => plain(one) === target);
  if (same !== undefined) return same;
  const wrongMax = Math.ceil(target.length / 3);
  const nearest = closestMatch(target, known.map(plain), { maxDistance: wrongMax });
  return known.find((one) => plain(one) === nearest);
}
