// SPDX-License-Identifier: Apache-2.0
// The example guest: the only program in its VM. It counts, dirties memory
// at a chosen rate, checks that memory all the time, and says on the debug
// console and the serial console what it sees. As /init it never ends.
#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <fcntl.h>
#include <fstream>
#include <iterator>
#include <string>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/syscall.h>
#include <sys/sysinfo.h>
#include <thread>
#include <unistd.h>

#include "examples/guest/disk.hpp"
#include "examples/guest/gap_meter.hpp"
#include "examples/guest/helpers.hpp"
#include "examples/guest/memory.hpp"
#include "examples/guest/ports.hpp"
#include "examples/guest/record.hpp"
#include "examples/guest/settings.hpp"

namespace forkfleet::guest {

namespace {

using std::chrono::nanoseconds;

constexpr size_t summed_words = 32768;
constexpr size_t sweep_slice = 16; // pages between two looks at the clock
constexpr nanoseconds owed_time_max = std::chrono::milliseconds(100);
// A guest without fine timers wakes up at the next jiffy of 4 ms or the one
// after it.
constexpr nanoseconds wake_slack = std::chrono::milliseconds(9);
constexpr size_t sum_slice = 256; // words, likewise
constexpr size_t write_slice_max = 8;
constexpr uint64_t ticks_per_disk_write = 8;
constexpr int disk_waits_max = 500;

[[noreturn]] void give_up(const std::string& what) {
  std::fprintf(stderr, "counter: %s: %s\n", what.c_str(), strerror(errno));
  sync();
  reboot(RB_AUTOBOOT);
  _exit(1);
}

nanoseconds guest_time() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return std::chrono::seconds(now.tv_sec) + nanoseconds(now.tv_nsec);
}

void mount_system_folders() {
  mount("devtmpfs", "/dev", "devtmpfs", 0, nullptr);
  mount("proc", "/proc", "proc", 0, nullptr);
  mount("sysfs", "/sys", "sysfs", 0, nullptr);
  const int console = open("/dev/console", O_RDWR | O_CLOEXEC);
  if (console < 0)
    return;
  for (int fd = 0; fd <= 2; ++fd)
    dup2(console, fd);
}

bool load_module(const std::string& name) {
  const int fd =
    open(("/modules/" + name + ".ko").c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0)
    return false;
  const bool done =
    syscall(SYS_finit_module, fd, "", 0) == 0 || errno == EEXIST;
  close(fd);
  return done;
}

/// Loads what disks need, and waits for the first one.
bool find_disk() {
  for (const auto* name :
       {"virtio_ring", "virtio", "virtio_mmio", "virtio_blk"})
    if (!load_module(name))
      return false;
  for (int i = 0; i < disk_waits_max; ++i) {
    if (access("/dev/vda", R_OK) == 0)
      return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  return false;
}

/// The disks are found together, and have their names in this order.
std::string last_disk() {
  std::string name = "/dev/vda";
  while (access(name.c_str(), R_OK) == 0)
    ++name.back();
  --name.back();
  return name;
}

/// Where there is more than this program, as in the guest with an agent.
void start_services() {
  constexpr const char* script = "/etc/services.sh";
  if (access(script, R_OK) != 0 || fork() != 0)
    return;
  setsid();
  execl("/bin/busybox", "sh", script, nullptr);
  _exit(127);
}

settings read_settings() {
  std::ifstream file("/proc/cmdline");
  const std::string line{std::istreambuf_iterator<char>(file), {}};
  auto out = parse_settings(line);
  for (const auto& problem : out.problems)
    std::printf("counter: %s\n", problem.c_str());
  return out;
}

/// Where the kernel has its time from. `jiffies` means that it gave up the
/// fine clock, and that gaps cannot be told from ticks that it lost.
std::string clock_source() {
  std::ifstream file(
    "/sys/devices/system/clocksource/clocksource0/current_clocksource");
  std::string name;
  file >> name;
  return name;
}

bool is_fine(const std::string& clock) {
  return clock.find("jiffies") == std::string::npos;
}

/// Zeroed memory that is all present.
std::span<std::byte> take_memory(size_t bytes) {
  void* at = mmap(nullptr, bytes, PROT_READ | PROT_WRITE,
                  MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
  if (at == MAP_FAILED)
    give_up("cannot take " + std::to_string(bytes) + " bytes of memory");
  return {static_cast<std::byte*>(at), bytes};
}

/// The ring's size in bytes: as asked for, or three quarters of what is free.
size_t ring_bytes(const settings& wanted) {
  struct sysinfo info {};
  sysinfo(&info);
  const auto room = uint64_t{info.freeram} * info.mem_unit / 4 * 3;
  const auto bytes = wanted.set_mib << 20;
  if (bytes <= room)
    return bytes;
  std::printf("counter: ff.set_mib=%llu: only %llu MiB fit\n",
              static_cast<unsigned long long>(wanted.set_mib),
              static_cast<unsigned long long>(room >> 20));
  return room & ~(page_size - 1);
}

/// All that the guest does, and what it says about it.
class counter {
public:
  explicit counter(const settings& config)
    : config_(config), ring_(take_memory(ring_bytes(config)), found_),
      region_(words(), found_) {
    if ((config_.disk != 0 || config_.direct != 0) && !find_disk())
      give_up("there is no disk, and ff.disk or ff.direct ask for one");
    if (config_.disk != 0 && !disk_.open("/dev/vda"))
      give_up("cannot use the disk that ff.disk=1 asks for");
    if (config_.direct != 0
        && !helpers_.start_readers(last_disk(), config_.direct))
      give_up("cannot use the disk that ff.direct asks for");
    if (config_.churn_mib != 0)
      helpers_.start_churn(take_memory(config_.churn_mib << 20),
                           config_.rate_mib);
  }

  [[noreturn]] void run() {
    tick_ = std::chrono::microseconds(config_.tick_us);
    next_tick_ = guest_time();
    last_owed_ = next_tick_;
    next_status_ = next_tick_ + std::chrono::seconds(1);
    while (true) {
      watch_clock();
      const auto now = guest_time();
      if (now >= next_tick_)
        on_tick(now);
      work();
    }
  }

private:
  static std::span<uint64_t> words() {
    const auto bytes = take_memory(summed_words * sizeof(uint64_t));
    return {reinterpret_cast<uint64_t*>(bytes.data()), summed_words};
  }

  void watch_clock() {
    if (config_.ports == 0)
      return;
    const auto before = guest_time();
    const auto raw = read_clock_seconds_register();
    const auto after = guest_time();
    if (raw != seconds_register_) {
      seconds_register_ = raw;
      host_seconds_ = read_clock();
    }
    if (host_seconds_ >= 0 && is_fine(clock_))
      meter_.observe({before, after, host_seconds_});
  }

  void on_tick(nanoseconds now) {
    ++counter_;
    say(record_kind::tick, counter_, static_cast<uint64_t>(now.count()) / 1000);
    // A tick that is late moves the later ones: the counter never leaps.
    next_tick_ = std::max(next_tick_ + tick_, now);
    owe(now);
    region_.change();
    use_disk();
    if (now >= next_status_) {
      next_status_ = now + std::chrono::seconds(1);
      say_status();
    }
  }

  /// One block at a time: a tick must not wait long for it.
  void use_disk() {
    if (!disk_.is_open())
      return;
    if (counter_ % ticks_per_disk_write == 0)
      disk_.write();
    else if (counter_ % ticks_per_disk_write == ticks_per_disk_write / 2)
      disk_.check();
  }

  /// Adds what the rate asks for since the last tick, within limits: a guest
  /// that cannot keep up writes less instead of falling ever more behind.
  void owe(nanoseconds now) {
    const auto passed = std::min(now - last_owed_, owed_time_max);
    last_owed_ = now;
    owed_bytes_ += (config_.rate_mib << 20) * microseconds(passed) / 1000000;
    owed_bytes_ = std::min(owed_bytes_, (config_.rate_mib << 20) / 4);
  }

  /// One slice, short enough for a tick and a clock edge not to be late.
  void work() {
    const auto owed = owed_bytes_ / page_size;
    if (owed != 0) {
      const auto slice = std::min<uint64_t>(owed, write_slice_max);
      ring_.write(slice);
      owed_bytes_ -= slice * page_size;
      return;
    }
    ring_.sweep(sweep_slice);
    region_.check(sum_slice);
    const auto now = guest_time();
    if (config_.idle == idle_kind::sleep
        && (host_seconds_ < 0 || !meter_.edge_is_near(now, wake_slack)))
      std::this_thread::sleep_for(next_tick_ - now);
  }

  void say(record_kind kind, uint64_t value, uint64_t detail) const {
    if (config_.ports == 0)
      return;
    const auto errors =
      static_cast<uint8_t>(std::min<uint64_t>(found_.errors, 255));
    write_debug_console(encode({kind, errors, value, detail}));
  }

  static uint64_t microseconds(nanoseconds x) {
    return static_cast<uint64_t>(x.count()) / 1000;
  }

  void say_status() {
    say(record_kind::gap, meter_.gaps(), microseconds(meter_.largest()));
    say(record_kind::lost, meter_.seconds(), microseconds(meter_.lost()));
    say(record_kind::sweep, ring_.sweeps(), ring_.pages_checked());
    say_first_error();
    clock_ = clock_source();
    std::printf(
      "counter=%llu gap_max_us=%llu gap_sum_us=%llu gaps=%llu "
      "edge_us=%llu clock=%s sweeps=%llu sums=%llu errors=%llu%s%s\n",
      as_printed(counter_), as_printed(microseconds(meter_.largest())),
      as_printed(microseconds(meter_.lost())), as_printed(meter_.gaps()),
      as_printed(microseconds(meter_.uncertainty())), clock_.c_str(),
      as_printed(ring_.sweeps()), as_printed(region_.checks()),
      as_printed(found_.errors), found_.errors != 0 ? " first error: " : "",
      found_.errors != 0 ? found_.first.c_str() : "");
    if (disk_.is_open())
      std::printf("disk: writes=%llu checks=%llu\n", as_printed(disk_.writes()),
                  as_printed(disk_.checks()));
    if (config_.direct != 0 || config_.churn_mib != 0)
      std::printf("helpers: reads=%llu changes=%llu sweeps=%llu\n",
                  as_printed(helpers_.reads()), as_printed(helpers_.changes()),
                  as_printed(helpers_.sweeps()));
    std::fflush(stdout);
  }

  static unsigned long long as_printed(uint64_t x) { return x; }

  void say_first_error() const {
    if (found_.errors == 0)
      return;
    auto kind = record_kind::text_begin;
    for (size_t at = 0; at <= found_.first.size(); at += record_text_size) {
      std::array<uint8_t, record_text_size> part{};
      found_.first.copy(reinterpret_cast<char*>(part.data()), part.size(), at);
      uint64_t value = 0;
      uint64_t detail = 0;
      std::memcpy(&value, part.data(), 5);
      std::memcpy(&detail, part.data() + 5, 6);
      say(kind, value, detail);
      kind = record_kind::text_more;
    }
  }

  settings config_;
  findings found_;
  stamped_ring ring_;
  summed_region region_;
  stamped_disk disk_{found_};
  helpers helpers_{found_};
  gap_meter meter_;
  uint64_t counter_ = 0;
  uint64_t owed_bytes_ = 0;
  nanoseconds tick_{0};
  nanoseconds next_tick_{0};
  nanoseconds last_owed_{0};
  nanoseconds next_status_{0};
  std::string clock_ = clock_source();
  uint8_t seconds_register_ = 0xff;
  int64_t host_seconds_ = -1;
};

} // namespace

} // namespace forkfleet::guest

int main() {
  using namespace forkfleet::guest;
  mount_system_folders();
  start_services();
  const auto config = read_settings();
  if (config.ports != 0 && !open_ports())
    give_up("cannot use the ports of the debug console and the clock");
  std::printf("counter: %llu MiB/s over %llu MiB, a tick every %llu us\n",
              static_cast<unsigned long long>(config.rate_mib),
              static_cast<unsigned long long>(config.set_mib),
              static_cast<unsigned long long>(config.tick_us));
  counter(config).run();
}
