// SPDX-License-Identifier: Apache-2.0
#include "node/qemu/guest_memory.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <fcntl.h>
#include <sstream>
#include <sys/ioctl.h>
#include <sys/uio.h>

#include <fmt/format.h>

#include "actors/durable_file.hpp"
#include "node/qemu/stream_splitter.hpp"

namespace forkfleet::qemu {

namespace {

constexpr std::size_t maps_bytes_max = 16u << 20;
constexpr uint64_t chunk_bytes = 64ull << 20;

// PAGEMAP_SCAN of Linux 6.7, which Debian 12's headers do not know.
constexpr uint64_t page_is_present = 1u << 3;
constexpr uint64_t page_is_swapped = 1u << 4;
constexpr uint64_t page_is_zero = 1u << 5;

struct page_region {
  uint64_t start = 0;
  uint64_t end = 0;
  uint64_t categories = 0;
};

struct scan_arguments {
  uint64_t size = 0;
  uint64_t flags = 0;
  uint64_t start = 0;
  uint64_t end = 0;
  uint64_t walk_end = 0;
  uint64_t regions = 0;
  uint64_t regions_length = 0;
  uint64_t pages_max = 0;
  uint64_t category_inverted = 0;
  uint64_t category_mask = 0;
  uint64_t category_any_of = 0;
  uint64_t return_mask = 0;
};
static_assert(sizeof(scan_arguments) == 96);

constexpr unsigned long pagemap_scan = _IOWR('f', 16, scan_arguments);
constexpr std::size_t regions_per_scan = 512;

uint64_t hex_number(std::string_view text) {
  uint64_t value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value, 16);
  return value;
}

bool is_of_file(const std::string& path, const std::string& wanted) {
  return path == wanted || path == wanted + " (deleted)";
}

} // namespace

std::vector<mapping> find_mappings(const std::string& maps, uint64_t bytes,
                                   const std::string& path) {
  auto result = std::vector<mapping>{};
  auto lines = std::istringstream{maps};
  auto line = std::string{};
  while (std::getline(lines, line)) {
    auto fields = std::istringstream{line};
    std::string range;
    std::string rights;
    std::string skipped;
    fields >> range >> rights >> skipped >> skipped >> skipped >> std::ws;
    auto found = mapping{};
    std::getline(fields, found.path);
    const auto dash = range.find('-');
    if (dash == std::string::npos || !rights.starts_with("rw"))
      continue;
    found.begin = hex_number(std::string_view{range}.substr(0, dash));
    found.end = hex_number(std::string_view{range}.substr(dash + 1));
    if (found.end - found.begin == bytes
        && (path.empty() || is_of_file(found.path, path)))
      result.push_back(std::move(found));
  }
  return result;
}

expected<guest_memory> guest_memory::open(const process_id& id, uint64_t bytes,
                                          const std::string& path) {
  const auto maps =
    read_small_file(fmt::format("/proc/{}/maps", id.pid), maps_bytes_max);
  if (!maps)
    return fail(ec::unsupported, maps.error().message);
  auto found = find_mappings(*maps, bytes, path);
  if (found.size() != 1)
    return fail(ec::unsupported,
                fmt::format("{} mappings of process {} could be the guest's "
                            "memory",
                            found.size(), id.pid));
  auto result = guest_memory{id.pid, std::move(found.front())};
  auto page = std::array<uint8_t, page_bytes>{};
  if (auto tried = result.read({0, page_bytes}, page); !tried)
    return fail(ec::unsupported, tried.error().message);
  // In a file's mapping an absent page has the file's content, not zeros.
  if (result.where_.path.empty()) {
    result.page_map_.reset(::open(
      fmt::format("/proc/{}/pagemap", id.pid).c_str(), O_RDONLY | O_CLOEXEC));
    auto ranges = std::vector<memory_range>{};
    if (result.page_map_ && !result.scan(ranges))
      result.page_map_.reset();
  }
  return result;
}

bool guest_memory::scan(std::vector<memory_range>& touched) const {
  auto regions = std::array<page_region, regions_per_scan>{};
  auto arguments = scan_arguments{};
  arguments.size = sizeof arguments;
  arguments.end = where_.end;
  arguments.regions = reinterpret_cast<uint64_t>(regions.data());
  arguments.regions_length = regions.size();
  arguments.category_inverted = page_is_zero;
  arguments.category_mask = page_is_zero;
  arguments.category_any_of = page_is_present | page_is_swapped;
  arguments.return_mask = page_is_present;
  touched.clear();
  for (auto next = where_.begin; next < where_.end;) {
    arguments.start = next;
    const auto count = ::ioctl(page_map_.get(), pagemap_scan, &arguments);
    if (count < 0 || arguments.walk_end <= next)
      return false;
    for (int i = 0; i < count; ++i) {
      const auto& region = regions[static_cast<std::size_t>(i)];
      const auto part =
        memory_range{region.start - where_.begin, region.end - where_.begin};
      if (!touched.empty() && touched.back().end == part.begin)
        touched.back().end = part.end;
      else
        touched.push_back(part);
    }
    next = arguments.walk_end;
  }
  return true;
}

status guest_memory::copy(std::span<uint8_t> target,
                          std::vector<memory_range>& touched,
                          deadline_point until) const {
  if (!page_map_ || !scan(touched))
    touched.assign(1, {0, bytes()});
  for (const auto& range : touched)
    for (auto next = range.begin; next < range.end;) {
      if (std::chrono::steady_clock::now() >= until)
        return fail(ec::deadline_exceeded, "copying the guest's memory");
      const auto part =
        memory_range{next, std::min(next + chunk_bytes, range.end)};
      if (auto done = read(part, target.subspan(part.begin)); !done)
        return done;
      next = part.end;
    }
  return {};
}

status guest_memory::read(memory_range part, std::span<uint8_t> target) const {
  while (part.begin < part.end) {
    const auto size = part.end - part.begin;
    auto local = iovec{target.data(), size};
    auto remote =
      iovec{reinterpret_cast<void*>(where_.begin + part.begin), size};
    const auto got = ::process_vm_readv(pid_, &local, 1, &remote, 1, 0);
    if (got <= 0)
      return tl::unexpected(
        errno_failure(got < 0 ? errno : EFAULT,
                      fmt::format("reading the memory of process {}", pid_)));
    target = target.subspan(static_cast<std::size_t>(got));
    part.begin += static_cast<uint64_t>(got);
  }
  return {};
}

} // namespace forkfleet::qemu
