// Mappings of images: containers of an image are balanced where the mapping says, by the port they
// have inside, whatever their labels are. Pure.

import { placeText } from '../config/place.ts';
import type { Container } from './docker-facts.ts';
import type { ImageMapping } from './overrides.ts';

// Where mappings that were made at run time are kept.
export interface ImageMappings {
  images(): readonly ImageMapping[];
}

interface Reference {
  readonly repository: string;
  // undefined: any.
  readonly tag: string | undefined;
  readonly digest: string | undefined;
}

// `[host[:port]/]path[:tag][@digest]`; names of Docker Hub stand without their host.
export function referenceOf(image: string): Reference {
  const [named = '', digest] = image.split('@', 2);
  const slash = named.lastIndexOf('/');
  const colon = named.lastIndexOf(':');
  const tagged = colon > slash;
  const repository = (tagged ? named.slice(0, colon) : named).replace(
    /^(?:index\.)?docker\.io\/(?:library\/)?|^library\//,
    '',
  );
  return { repository, tag: tagged ? named.slice(colon + 1) : undefined, digest };
}

// Without a tag a mapping is for every tag. A container that was started from an image without a
// tag has `latest`. An image's id, or at least 12 digits of it, matches too.
export function isOfImage({ image, imageId }: Container, mapped: string): boolean {
  const id = /^(?:sha256:)?([0-9a-f]{12,64})$/.exec(mapped)?.[1];
  if (id !== undefined && imageId.replace(/^sha256:/, '').startsWith(id)) return true;
  const wanted = referenceOf(mapped);
  const has = referenceOf(image);
  if (wanted.repository !== has.repository) return false;
  if (wanted.digest !== undefined) return wanted.digest === has.digest;
  const tag = has.tag ?? (has.digest === undefined ? 'latest' : undefined);
  return wanted.tag === undefined || wanted.tag === tag;
}

// Mappings of run time come first: at the same place they take the place of the configuration's.
export function mappingsOf(
  stated: readonly ImageMapping[],
  atRunTime: readonly ImageMapping[],
): readonly ImageMapping[] {
  const kept = stated.filter(
    ({ listen }) => !atRunTime.some((other) => placeText(other.listen) === placeText(listen)),
  );
  return [...atRunTime, ...kept];
}
