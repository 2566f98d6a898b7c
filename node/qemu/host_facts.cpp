// SPDX-License-Identifier: Apache-2.0
#include "node/qemu/host_facts.hpp"

#include <cerrno>
#include <cstdlib>
#include <fcntl.h>
#include <fstream>
#include <map>
#include <mutex>
#include <sstream>
#include <sys/stat.h>
#include <time.h>
#include <tuple>
#include <unistd.h>

#include "actors/unique_fd.hpp"
#include "node/storage/hash.hpp"

#if defined(__x86_64__)
#include <x86intrin.h>
#endif

namespace forkfleet::qemu {

namespace {

// The flags of the first processor, each between blanks.
std::string processor_flags() {
  auto file = std::ifstream{"/proc/cpuinfo"};
  auto line = std::string{};
  while (std::getline(file, line))
    if (line.starts_with("flags"))
      return line + " ";
  return {};
}

#if defined(__x86_64__)
int64_t raw_nanoseconds() {
  auto now = timespec{};
  ::clock_gettime(CLOCK_MONOTONIC_RAW, &now);
  return now.tv_sec * 1'000'000'000 + now.tv_nsec;
}

uint64_t measure_tsc_khz() {
  if (processor_flags().find(" constant_tsc ") == std::string::npos)
    return 0;
  constexpr int64_t span_ns = 20'000'000;
  const auto time_start = raw_nanoseconds();
  const auto ticks_start = __rdtsc();
  auto time = time_start;
  while (time - time_start < span_ns)
    time = raw_nanoseconds();
  const auto ticks = __rdtsc() - ticks_start;
  return static_cast<uint64_t>(static_cast<double>(ticks) * 1e6
                               / static_cast<double>(time - time_start));
}
#else
uint64_t measure_tsc_khz() {
  return 0;
}
#endif

// A file's content stays the same while these do. The time of the content can
// be set at will, that of the inode cannot.
using file_stamp = std::tuple<dev_t, ino_t, off_t, time_t, long, time_t, long>;

struct fingerprint_cache {
  static constexpr std::size_t entries_max = 256;
  std::mutex mutex = {};
  std::map<file_stamp, std::string> known = {};
};

fingerprint_cache& fingerprints() {
  static fingerprint_cache cache;
  return cache;
}

} // namespace

bool has_usable_kvm() {
  const auto device = unique_fd{::open("/dev/kvm", O_RDWR | O_CLOEXEC)};
  if (!device)
    return false;
  const auto flags = processor_flags();
  return flags.find(" vmx ") != std::string::npos
         || flags.find(" svm ") != std::string::npos;
}

expected<std::string> choose_accelerator(config::accelerator wanted,
                                         const std::string& override) {
  auto text = std::string{schema::name_of(wanted)};
  if (wanted == config::accelerator::automatic) {
    const char* set = std::getenv("FORKFLEET_ACCEL");
    text = !override.empty() ? override : std::string{set ? set : ""};
    if (text.empty())
      return std::string{has_usable_kvm() ? "kvm" : "tcg"};
  }
  if (text != "kvm" && text != "tcg")
    return fail(ec::invalid_request,
                "accelerator " + text + ": it is kvm or tcg");
  if (text == "kvm" && ::access("/dev/kvm", R_OK | W_OK) != 0)
    return fail(ec::unsupported,
                "accelerator kvm: /dev/kvm cannot be opened; use auto or tcg");
  return text;
}

uint64_t host_tsc_khz() {
  static const uint64_t measured = measure_tsc_khz();
  return measured;
}

expected<std::string> file_fingerprint(const std::string& path) {
  const auto fd = unique_fd{::open(path.c_str(), O_RDONLY | O_CLOEXEC)};
  struct ::stat about = {};
  if (!fd || ::fstat(fd.get(), &about) != 0)
    return tl::unexpected(errno_failure(errno, path, ec::invalid_request));
  if (!S_ISREG(about.st_mode))
    return fail(ec::invalid_request, path + ": not a regular file");
  const auto stamp = file_stamp{about.st_dev,          about.st_ino,
                                about.st_size,         about.st_mtim.tv_sec,
                                about.st_mtim.tv_nsec, about.st_ctim.tv_sec,
                                about.st_ctim.tv_nsec};
  auto& cache = fingerprints();
  {
    const auto lock = std::lock_guard{cache.mutex};
    if (const auto found = cache.known.find(stamp); found != cache.known.end())
      return found->second;
  }
  auto hash = hash_file({.fd = fd.get(),
                         .path = path,
                         .bytes = static_cast<uint64_t>(about.st_size)});
  if (!hash)
    return tl::unexpected(hash.error());
  const auto lock = std::lock_guard{cache.mutex};
  if (cache.known.size() == fingerprint_cache::entries_max)
    cache.known.clear();
  return cache.known[stamp] = to_hex(*hash);
}

uint64_t available_memory_bytes() {
  auto file = std::ifstream{"/proc/meminfo"};
  auto line = std::string{};
  while (std::getline(file, line)) {
    auto fields = std::istringstream{line};
    auto name = std::string{};
    uint64_t kibibytes = 0;
    if (fields >> name >> kibibytes && name == "MemAvailable:")
      return kibibytes << 10;
  }
  return 0;
}

std::size_t mappings_max() {
  constexpr std::size_t kernel_default = 65530;
  auto file = std::ifstream{"/proc/sys/vm/max_map_count"};
  std::size_t count = 0;
  return file >> count ? count : kernel_default;
}

} // namespace forkfleet::qemu
