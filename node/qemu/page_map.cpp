// SPDX-License-Identifier: Apache-2.0
#include "node/qemu/page_map.hpp"

#include <array>
#include <cerrno>
#include <fcntl.h>
#include <sys/ioctl.h>

#include <fmt/format.h>

namespace forkfleet::qemu {

namespace {

// Debian 12's headers do not know them.
constexpr uint64_t page_is_written = 1u << 1;
constexpr uint64_t page_is_of_file = 1u << 2;
constexpr uint64_t page_is_present = 1u << 3;
constexpr uint64_t page_is_swapped = 1u << 4;
constexpr uint64_t page_is_zero = 1u << 5;
constexpr uint64_t scan_arms = 1u << 0;
constexpr uint64_t scan_checks_registration = 1u << 1;

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

scan_arguments arguments_for(page_question question, bool arms) {
  auto result = scan_arguments{};
  result.size = sizeof result;
  result.flags = arms ? scan_arms | scan_checks_registration : 0;
  // What only shows its file has not changed, armed or not.
  result.category_inverted = page_is_of_file;
  result.category_mask = page_is_of_file;
  // What was never touched counts as written for the kernel.
  result.category_any_of = page_is_present | page_is_swapped;
  if (question == page_question::written)
    result.category_mask |= page_is_written;
  result.return_mask = page_is_zero;
  return result;
}

void add(std::vector<page_run>& found, const page_run& run) {
  if (!found.empty() && found.back().range.end == run.range.begin
      && found.back().is_zero == run.is_zero)
    found.back().range.end = run.range.end;
  else
    found.push_back(run);
}

} // namespace

expected<page_map> page_map::open(pid_t pid) {
  const auto path = fmt::format("/proc/{}/pagemap", pid);
  auto fd = unique_fd{::open(path.c_str(), O_RDONLY | O_CLOEXEC)};
  if (!fd)
    return tl::unexpected(errno_failure(errno, path, ec::unsupported));
  auto nothing = arguments_for(page_question::own, false);
  if (::ioctl(fd.get(), pagemap_scan, &nothing) < 0)
    return fail(ec::unsupported,
                "the kernel cannot scan " + path + "; Linux 6.7 or later can");
  return page_map{std::move(fd)};
}

status page_map::scan(uint64_t begin, uint64_t bytes, page_question question,
                      bool arms, std::vector<page_run>& found) const {
  auto regions = std::array<page_region, regions_per_scan>{};
  auto arguments = arguments_for(question, arms);
  arguments.end = begin + bytes;
  arguments.regions = reinterpret_cast<uint64_t>(regions.data());
  arguments.regions_length = regions.size();
  found.clear();
  for (auto next = begin; next < begin + bytes;) {
    arguments.start = next;
    const auto count = ::ioctl(fd_.get(), pagemap_scan, &arguments);
    if (count < 0 || arguments.walk_end <= next)
      return tl::unexpected(
        errno_failure(count < 0 ? errno : EIO, "scanning the page map"));
    for (int i = 0; i < count; ++i) {
      const auto& region = regions[static_cast<std::size_t>(i)];
      add(found, {{region.start - begin, region.end - begin},
                  (region.categories & page_is_zero) != 0});
    }
    next = arguments.walk_end;
  }
  return {};
}

} // namespace forkfleet::qemu
