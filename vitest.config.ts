import { defineConfig } from 'vitest/config';
import { BaseSequencer, type TestSpecification } from 'vitest/node';

// Files run in the order of their names, simple before complex, so that the first failure is the
// informative one.
class ByName extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const place = (file: TestSpecification): string => {
      const folders = ['unit', 'contract', 'e2e'];
      const rank = folders.findIndex((folder) => file.moduleId.includes(`/test/${folder}/`));
      return `${rank} ${file.moduleId}`;
    };
    return [...files].sort((a, b) => (place(a) < place(b) ? -1 : 1));
  }
}

export default defineConfig({
  test: {
    include: ['test/{unit,contract,e2e}/**/*.test.ts'],
    // The addon pins threads and owns sockets: processes, not worker threads, and one at a time.
    pool: 'forks',
    fileParallelism: false,
    sequence: { sequencer: ByName },
    testTimeout: 30_000,
    hookTimeout: 60_000,
    allowOnly: false,
    passWithNoTests: false,
  },
});
