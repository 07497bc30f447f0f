import { describe, expect, it } from 'vitest';
import { checkNative, checkSource } from '../../../scripts/lib/layers.ts';

describe('native rooms', () => {
  it('lets a room include itself, what the table allows, and the system', () => {
    const text = '#include <cstdint>\n#include "io/op.h"\n#include "base/assert.h"\n';
    expect(checkNative('native/io/engine.h', text)).toEqual([]);
  });

  it('refuses a lower room that includes a higher one', () => {
    const found = checkNative(
      'native/io/engine.cc',
      '#include "io/op.h"\n#include "proxy/tunnels.h"\n',
    );
    expect(found).toEqual(['native/io/engine.cc:2: native/io may not include "proxy/tunnels.h"']);
  });

  it('refuses neighbours of the same height', () => {
    expect(checkNative('native/io/a.h', '#include "shm/region.h"\n')).toHaveLength(1);
    expect(checkNative('native/upstream/a.h', '#include "balance/balancer.h"\n')).toHaveLength(1);
  });

  it('leaves the kernel interfaces to io', () => {
    for (const header of ['linux/io_uring.h', 'sys/epoll.h']) {
      const text = `#include <${header}>\n`;
      expect(checkNative('native/io/a.cc', text)).toEqual([]);
      expect(checkNative('native/proxy/a.cc', text)).toEqual([
        `native/proxy/a.cc:1: only native/io includes <${header}>`,
      ]);
    }
  });

  it('leaves node to napi, in either spelling of an include', () => {
    for (const text of ['#include <node_api.h>\n', '#include "napi.h"\n', '#include <uv.h>\n']) {
      expect(checkNative('native/napi/addon.cc', text)).toEqual([]);
      expect(checkNative('native/worker/fleet.cc', text)).toHaveLength(1);
    }
  });

  it('wants includes to name their room', () => {
    expect(checkNative('native/io/a.cc', '#include "op.h"\n')).toHaveLength(1);
    expect(checkNative('native/io/a.cc', '#include "../base/assert.h"\n')).toHaveLength(1);
  });

  it('ignores comments, and knows every room', () => {
    expect(
      checkNative('native/base/a.h', '// #include "io/op.h"\n/*\n#include "io/op.h"\n*/\n'),
    ).toEqual([]);
    expect(checkNative('native/misc/a.h', '')).toEqual([
      'native/misc/a.h: native/misc is not in the table',
    ]);
  });
});

describe('folders of src', () => {
  it('lets the page know the types of the API, and nothing else of the server', () => {
    const text =
      "import type { P } from '../../admin/api-types.ts';\nimport { a } from '../b.tsx';\n";
    expect(checkSource('src/dashboard/views/a.tsx', text)).toEqual([]);
    const other = "import { problem } from '../admin/problem.ts';\n";
    expect(checkSource('src/dashboard/app.tsx', other)).toEqual([
      'src/dashboard/app.tsx:1: src/dashboard may not import admin/problem',
    ]);
  });

  it('lets a folder import itself, what the table allows, and packages', () => {
    const text = [
      "import { z } from 'zod';",
      "import { a } from './b.ts';",
      "import type { M } from '../model/types.ts';",
    ].join('\n');
    expect(checkSource('src/config/load.ts', text)).toEqual([]);
  });

  it('refuses what the table does not name, in every form of import', () => {
    for (const text of [
      "import { a } from '../control/controller.ts';",
      "import type { A } from '../control/controller.ts';",
      "export { a } from '../control/controller.ts';",
      "export * from '../control/controller.ts';",
      "const a = await import('../control/controller.ts');",
      "import '../control/controller.ts';",
      "import {\n  a,\n  b,\n} from '../control/controller.ts';",
    ]) {
      expect(checkSource('src/model/build.ts', text), text).toHaveLength(1);
    }
  });

  it('allows single files of a folder', () => {
    expect(checkSource('src/metrics/collector.ts', "import { a } from '../shm/read.ts';")).toEqual(
      [],
    );
    expect(
      checkSource('src/metrics/collector.ts', "import { a } from '../shm/publish.ts';"),
    ).toEqual(['src/metrics/collector.ts:1: src/metrics may not import shm/publish']);
  });

  it('lets main, index and cli see everything but the dashboard', () => {
    for (const path of ['src/main.ts', 'src/index.ts']) {
      expect(checkSource(path, "import { a } from './control/controller.ts';")).toEqual([]);
      expect(checkSource(path, "import { a } from './dashboard/main.ts';")).toHaveLength(1);
    }
    expect(checkSource('src/cli/run.ts', "import { a } from '../admin/server.ts';")).toEqual([]);
  });

  it('lets only addon load the addon', () => {
    for (const text of ["import load from 'node-gyp-build';", "process.dlopen(module, 'x');"]) {
      expect(checkSource('src/addon/load.ts', text)).toEqual([]);
      expect(checkSource('src/shm/region.ts', text), text).toHaveLength(1);
    }
  });

  it('keeps src apart from tests and scripts, and knows every folder', () => {
    expect(
      checkSource('src/config/load.ts', "import { a } from '../../scripts/lib/run.ts';"),
    ).toHaveLength(1);
    expect(checkSource('src/util/a.ts', '')).toEqual([
      'src/util/a.ts: src/util is not in the table',
    ]);
  });
});
