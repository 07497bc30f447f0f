# The native addon. Sources are listed by `tsx scripts/tidy.ts --fix-gyp`; `npm run check` fails when
# the list and native/ differ. Consumers never build this: they load prebuilds/.
#   -- -Dsanitize=address|thread   instruments the addon (preload the runtime into node)
{
  'variables': { 'sanitize%': '' },
  'targets': [
    {
      'target_name': 'sluice',
      'conditions': [
        ['OS!="linux"', { 'type': 'none' }, {
          'sources': [
            # sources: begin
            'native/balance/balancer.cc',
            'native/balance/ejections.cc',
            'native/http/authority.cc',
            'native/http/chunked.cc',
            'native/http/date.cc',
            'native/http/fields.cc',
            'native/http/names.cc',
            'native/http/refusal.cc',
            'native/http/request.cc',
            'native/http/response.cc',
            'native/http/resume.cc',
            'native/http/rewrite.cc',
            'native/io/datagram.cc',
            'native/io/engines.cc',
            'native/io/epoll_engine.cc',
            'native/io/epoll_ops.cc',
            'native/io/kernel_real.cc',
            'native/io/listener.cc',
            'native/io/mailbox.cc',
            'native/io/system_engine.cc',
            'native/io/uring_buffers.cc',
            'native/io/uring_engine.cc',
            'native/io/uring_ops.cc',
            'native/io/uring_preflight.cc',
            'native/io/uring_ring.cc',
            'native/log/format.cc',
            'native/log/logger.cc',
            'native/log/names.cc',
            'native/log/sink.cc',
            'native/log/text.cc',
            'native/napi/addon.cc',
            'native/proxy/account.cc',
            'native/proxy/answer.cc',
            'native/proxy/backends.cc',
            'native/proxy/body.cc',
            'native/proxy/bulk.cc',
            'native/proxy/counts.cc',
            'native/proxy/downstreams.cc',
            'native/proxy/forward.cc',
            'native/proxy/outcomes.cc',
            'native/proxy/record.cc',
            'native/proxy/request.cc',
            'native/proxy/response.cc',
            'native/proxy/response_bulk.cc',
            'native/proxy/route_path.cc',
            'native/proxy/router.cc',
            'native/proxy/tunnels.cc',
            'native/proxy/upgrade.cc',
            'native/shm/region.cc',
            'native/upstream/connector.cc',
            'native/worker/acceptors.cc',
            'native/worker/fleet.cc',
            'native/worker/worker.cc',
            # sources: end
          ],
          'include_dirs': [
            'native',
            '<!(node -p "require(\'node-addon-api\').include_dir")',
          ],
          'defines': ['NAPI_VERSION=8', 'NODE_ADDON_API_DISABLE_CPP_EXCEPTIONS',
            'SLUICE_VERSION="<!(node -p "require(\'./package.json\').version")"',
          ],
          # gyp's own choices (gnu++17, -O3) come from the headers of the running node.
          'cflags!': ['-O3'],
          'cflags_cc!': ['-std=gnu++17', '-std=gnu++20', '-O3'],
          'cflags': ['-O2', '-g', '-Wall', '-Wextra', '-Wno-missing-field-initializers'],
          # Hidden visibility is a must: a symbol named like one that node exports would be bound to
          # node's copy. The same holds for libstdc++, which is linked in and not exported.
          'cflags_cc': [
            '-std=c++20',
            '-fvisibility=hidden',
            '-fvisibility-inlines-hidden',
            '-fno-exceptions',
            '-fno-rtti',
          ],
          'conditions': [
            ['sanitize==""', {
              'ldflags': ['-static-libstdc++', '-static-libgcc', '-Wl,--exclude-libs,ALL'],
            }, {
              'cflags': [
                '-fsanitize=<(sanitize)',
                '-fno-omit-frame-pointer',
                '-DSLUICE_VERIFY_ENABLED',
              ],
              'ldflags': ['-fsanitize=<(sanitize)'],
            }],
          ],
        }],
      ],
    },
  ],
}
