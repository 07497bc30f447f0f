// The addon: the only file that knows Node-API. Verbs only; data crosses by the shared region.
//
// Lifetimes. A fleet is held by this environment until `stop`, so a balancer whose JavaScript
// object is dropped goes on balancing, as a listening server does. `stop` joins the workers and
// detaches the buffers; the region is unmapped by the last of their finalizers, which runs when no
// JavaScript can reach the memory any more. An environment that goes away (process.exit, the end of
// a worker thread) stops its fleets in a cleanup hook, within a bound. A worker that does not end
// in time keeps its memory: leaking it is the only safe answer.
#include <napi.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstddef>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "io/datagram.h"
#include "io/listener.h"
#include "worker/fleet.h"

namespace {

using sluice::worker::Fleet;
namespace shm = sluice::shm;
namespace io = sluice::io;

constexpr uint32_t kTeardownBoundMs = 2000;

struct Handle {
  std::unique_ptr<Fleet> fleet;
  Napi::ObjectReference keep_alive;  // the external object
  // The region up to the workers' areas, then each area: a buffer may have 4 GiB on Node 20.
  std::vector<Napi::Reference<Napi::ArrayBuffer>> buffers;
  bool stopped = false;
  uint32_t holders = 1;  // the external object and the buffers

  static void release(Handle* handle) {
    if (--handle->holders > 0) return;
    if (!handle->stopped) (void)handle->fleet.release();
    delete handle;
  }
};

// Per environment; freed by it.
struct Environment {
  std::vector<Handle*> open;
};

void stop_all(void* data) {
  auto* environment = static_cast<Environment*>(data);
  for (Handle* handle : environment->open) {
    handle->stopped = handle->fleet->stop(kTeardownBoundMs) == 0;
    // The environment frees its references itself.
    handle->keep_alive.SuppressDestruct();
    for (auto& buffer : handle->buffers) buffer.SuppressDestruct();
  }
  environment->open.clear();
}

void throw_system(Napi::Env env, int error, const char* call) {
  const char* name = ::strerrorname_np(-error);
  Napi::Error thrown =
      Napi::Error::New(env, std::string(call) + ": " + (name == nullptr ? "error" : name));
  thrown.Set("code", Napi::String::New(env, name == nullptr ? "EUNKNOWN" : name));
  thrown.Set("errno", Napi::Number::New(env, error));
  thrown.Set("syscall", Napi::String::New(env, call));
  thrown.ThrowAsJavaScriptException();
}

Handle* handle_of(const Napi::CallbackInfo& info) {
  if (!info[0].IsExternal()) {
    Napi::TypeError::New(info.Env(), "expected a fleet").ThrowAsJavaScriptException();
    return nullptr;
  }
  Handle* handle = info[0].As<Napi::External<Handle>>().Data();
  if (!handle->stopped) return handle;
  Napi::Error::New(info.Env(), "the fleet has been stopped").ThrowAsJavaScriptException();
  return nullptr;
}

Napi::Value layout_hash(const Napi::CallbackInfo& info) {
  char text[17];
  std::snprintf(text, sizeof(text), "%016llx", static_cast<unsigned long long>(shm::kSchemaHash));
  return Napi::String::New(info.Env(), text);
}

Napi::Value version(const Napi::CallbackInfo& info) {
  return Napi::String::New(info.Env(), SLUICE_VERSION);
}

Napi::Value processors(const Napi::CallbackInfo& info) {
  cpu_set_t set;
  CPU_ZERO(&set);
  Napi::Array result = Napi::Array::New(info.Env());
  // Of the process's first thread: JavaScript may run on another one that is pinned.
  if (::sched_getaffinity(::getpid(), sizeof(set), &set) != 0) return result;
  uint32_t count = 0;
  for (uint32_t cpu = 0; cpu < CPU_SETSIZE; cpu++) {
    if (CPU_ISSET(cpu, &set)) result.Set(count++, cpu);
  }
  return result;
}

// Appends a buffer over memory of the handle's region. Empty with a pending exception.
Napi::Value add_buffer(Napi::Env env, Handle* handle, uint8_t* data, uint64_t bytes) {
  handle->holders++;
  auto buffer = Napi::ArrayBuffer::New(
      env, data, bytes, [](Napi::Env, void*, Handle* held) { Handle::release(held); }, handle);
  if (!env.IsExceptionPending()) handle->buffers.push_back(Napi::Persistent(buffer));
  return buffer;
}

Napi::Value open(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  const uint32_t workers = info[0].ToNumber().Uint32Value();
  if (workers < 1 || workers > shm::kWorkersMax) {
    Napi::RangeError::New(env, "workers is out of range").ThrowAsJavaScriptException();
    return env.Undefined();
  }
  auto region = std::make_unique<shm::Region>();
  const int error = region->create(workers);
  if (error < 0) {
    throw_system(env, error, "mmap");
    return env.Undefined();
  }
  auto* handle = new Handle;
  handle->fleet = std::make_unique<Fleet>(std::move(region));
  shm::Region& mapped = handle->fleet->region();
  auto external = Napi::External<Handle>::New(
      env, handle, [](Napi::Env, Handle* data) { Handle::release(data); });
  Napi::Object result = Napi::Object::New(env);
  result.Set("fleet", external);
  result.Set("descriptor", mapped.fd());
  result.Set("region", add_buffer(env, handle, mapped.data(), shm::kWorkerBase));
  Napi::Array areas = Napi::Array::New(env, workers);
  for (uint32_t worker = 0; worker < workers && !env.IsExceptionPending(); worker++) {
    areas.Set(worker, add_buffer(env, handle, mapped.worker_area(worker), shm::kWorkerStride));
  }
  if (env.IsExceptionPending()) return env.Undefined();
  result.Set("areas", areas);
  handle->keep_alive = Napi::Persistent(external.As<Napi::Object>());
  env.GetInstanceData<Environment>()->open.push_back(handle);
  return result;
}

bool read_address(const Napi::CallbackInfo& info, io::SocketAddress* address) {
  const uint32_t family = info[0].ToNumber().Uint32Value();
  const auto bytes = info[1].As<Napi::Uint8Array>();
  const auto port = static_cast<uint16_t>(info[2].ToNumber().Uint32Value());
  if (family == static_cast<uint32_t>(shm::AddressFamily::ipv4) && bytes.ByteLength() == 16) {
    auto* in = reinterpret_cast<sockaddr_in*>(&address->storage);
    in->sin_family = AF_INET;
    in->sin_port = htons(port);
    std::memcpy(&in->sin_addr, bytes.Data(), 4);
    address->bytes = sizeof(sockaddr_in);
    return true;
  }
  if (family == static_cast<uint32_t>(shm::AddressFamily::ipv6) && bytes.ByteLength() == 16) {
    auto* in = reinterpret_cast<sockaddr_in6*>(&address->storage);
    in->sin6_family = AF_INET6;
    in->sin6_port = htons(port);
    in->sin6_scope_id = info[3].ToNumber().Uint32Value();
    std::memcpy(&in->sin6_addr, bytes.Data(), 16);
    address->bytes = sizeof(sockaddr_in6);
    return true;
  }
  const std::string path = info[4].ToString().Utf8Value();
  auto* un = reinterpret_cast<sockaddr_un*>(&address->storage);
  if (family != static_cast<uint32_t>(shm::AddressFamily::unix_socket) || path.empty() ||
      path.size() >= sizeof(un->sun_path)) {
    return false;
  }
  un->sun_family = AF_UNIX;
  std::memcpy(un->sun_path, path.data(), path.size());
  address->bytes = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path.size() + 1);
  return true;
}

Napi::Value listen(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  io::SocketAddress address;
  if (!read_address(info, &address)) {
    throw_system(env, -EINVAL, "bind");
    return env.Undefined();
  }
  const uint32_t wanted = info[5].ToNumber().Uint32Value();
  const uint32_t count = wanted < 1 ? 1 : wanted < shm::kWorkersMax ? wanted : shm::kWorkersMax;
  int descriptors[shm::kWorkersMax];
  const io::ListenResult made =
      io::listen_on(address, count, info[6].ToNumber().Int32Value(), descriptors);
  if (made.error < 0) {
    throw_system(env, made.error, made.call);
    return env.Undefined();
  }
  Napi::Array list = Napi::Array::New(env, made.count);
  for (uint32_t i = 0; i < made.count; i++) list.Set(i, descriptors[i]);
  Napi::Object result = Napi::Object::New(env);
  result.Set("descriptors", list);
  result.Set("port", made.port);
  return result;
}

Napi::Value inherit(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  const auto list = info[0].As<Napi::Array>();
  io::InheritedListener first;
  first.error = -EINVAL;
  for (uint32_t i = 0; i < list.Length(); i++) {
    const auto taken = io::inherit_listener(list.Get(i).ToNumber().Int32Value());
    if (i == 0 || taken.error < 0) first = taken;
    if (taken.error < 0) break;
  }
  if (first.error < 0) {
    throw_system(env, first.error, "inherit");
    return env.Undefined();
  }
  const auto known = first.family == AF_INET    ? shm::AddressFamily::ipv4
                     : first.family == AF_INET6 ? shm::AddressFamily::ipv6
                                                : shm::AddressFamily::unix_socket;
  Napi::Object result = Napi::Object::New(env);
  result.Set("family", static_cast<uint32_t>(known));
  result.Set("port", first.port);
  result.Set("address", static_cast<const char*>(first.address));
  return result;
}

Napi::Value close_descriptors(const Napi::CallbackInfo& info) {
  const auto list = info[0].As<Napi::Array>();
  for (uint32_t i = 0; i < list.Length(); i++) ::close(list.Get(i).ToNumber().Int32Value());
  return info.Env().Undefined();
}

Napi::Value send_datagram(const Napi::CallbackInfo& info) {
  const std::string path = info[0].ToString().Utf8Value();
  const std::string text = info[1].ToString().Utf8Value();
  const int error = io::send_datagram(path.data(), path.size(), text.data(), text.size());
  if (error < 0) throw_system(info.Env(), error, "sendto");
  return info.Env().Undefined();
}

Napi::Value start(const Napi::CallbackInfo& info) {
  Handle* handle = handle_of(info);
  if (handle == nullptr) return info.Env().Undefined();
  const auto list = info[3].As<Napi::Array>();
  std::vector<int32_t> cpus(handle->fleet->region().workers(), -1);
  for (uint32_t i = 0; i < cpus.size() && i < list.Length(); i++) {
    cpus[i] = list.Get(i).ToNumber().Int32Value();
  }
  sluice::worker::FleetOptions options;
  options.engine = static_cast<io::EngineChoice>(info[1].ToNumber().Uint32Value());
  options.connections_max = info[2].ToNumber().Uint32Value();
  options.cpus = cpus.data();
  const int error = handle->fleet->start(options);
  if (error < 0) throw_system(info.Env(), error, "pthread_create");
  return info.Env().Undefined();
}

Napi::Value notify(const Napi::CallbackInfo& info) {
  if (Handle* handle = handle_of(info)) {
    handle->fleet->notify(info[1].ToNumber().Uint32Value(), info[2].ToNumber().Uint32Value());
  }
  return info.Env().Undefined();
}

Napi::Value open_log(const Napi::CallbackInfo& info) {
  Handle* handle = handle_of(info);
  if (handle == nullptr) return info.Env().Undefined();
  const std::string path = info[1].ToString().Utf8Value();
  const int error = handle->fleet->logger().start();
  const int fd = error < 0 ? error : sluice::log::Sink::open_descriptor(path.c_str());
  if (fd < 0) throw_system(info.Env(), fd, error < 0 ? "pthread_create" : "open");
  return Napi::Number::New(info.Env(), fd);
}

Napi::Value switch_log(const Napi::CallbackInfo& info) {
  Handle* handle = handle_of(info);
  if (handle == nullptr) return info.Env().Undefined();
  const auto format = static_cast<sluice::log::Format>(info[2].ToNumber().Uint32Value());
  const uint32_t sequence =
      handle->fleet->logger().switch_to(info[1].ToNumber().Int32Value(), format);
  return Napi::Number::New(info.Env(), sequence);
}

Napi::Value name_slot(const Napi::CallbackInfo& info) {
  if (Handle* handle = handle_of(info)) {
    const auto kind = static_cast<sluice::log::NameKind>(info[1].ToNumber().Uint32Value());
    handle->fleet->logger().name(kind, info[2].ToNumber().Uint32Value(),
                                 info[3].ToNumber().Uint32Value(), info[4].ToString().Utf8Value());
  }
  return info.Env().Undefined();
}

Napi::Value drain(const Napi::CallbackInfo& info) {
  if (Handle* handle = handle_of(info)) handle->fleet->enter_phase(shm::Phase::draining);
  return info.Env().Undefined();
}

Napi::Value stop(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  Handle* handle = handle_of(info);
  if (handle == nullptr) return env.Undefined();
  // Also without workers: there may be a logger.
  const uint32_t running = handle->fleet->stop(info[1].ToNumber().Uint32Value());
  handle->stopped = running == 0;
  auto& open = env.GetInstanceData<Environment>()->open;
  for (size_t i = 0; i < open.size(); i++) {
    if (open[i] == handle) {
      open.erase(open.begin() + static_cast<ptrdiff_t>(i));
      break;
    }
  }
  for (auto& buffer : handle->buffers) buffer.Value().Detach();
  handle->buffers.clear();
  handle->keep_alive.Reset();
  return Napi::Number::New(env, running);
}

Napi::Object initialise(Napi::Env env, Napi::Object exports) {
  auto* environment = new Environment;
  env.SetInstanceData(environment);
  napi_add_env_cleanup_hook(env, stop_all, environment);
  exports.Set("layoutHash", Napi::Function::New(env, layout_hash));
  exports.Set("version", Napi::Function::New(env, version));
  exports.Set("processors", Napi::Function::New(env, processors));
  exports.Set("open", Napi::Function::New(env, open));
  exports.Set("listen", Napi::Function::New(env, listen));
  exports.Set("inherit", Napi::Function::New(env, inherit));
  exports.Set("closeDescriptors", Napi::Function::New(env, close_descriptors));
  exports.Set("sendDatagram", Napi::Function::New(env, send_datagram));
  exports.Set("start", Napi::Function::New(env, start));
  exports.Set("notify", Napi::Function::New(env, notify));
  exports.Set("openLog", Napi::Function::New(env, open_log));
  exports.Set("switchLog", Napi::Function::New(env, switch_log));
  exports.Set("nameSlot", Napi::Function::New(env, name_slot));
  exports.Set("drain", Napi::Function::New(env, drain));
  exports.Set("stop", Napi::Function::New(env, stop));
  return exports;
}

}  // namespace

NODE_API_MODULE(sluice, initialise)
