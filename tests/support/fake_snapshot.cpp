// SPDX-License-Identifier: Apache-2.0
#include "tests/support/fake_snapshot.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <fcntl.h>
#include <sstream>
#include <sys/stat.h>
#include <unistd.h>

#include <fmt/format.h>

#include "actors/durable_file.hpp"
#include "actors/unique_fd.hpp"

namespace forkfleet::test {

namespace {

constexpr std::size_t text_offset = 512;
constexpr std::size_t file_bytes = 24 << 10;
constexpr uint64_t hole_begin = 3ull << 30; // where the second region begins

std::string os_error(int number) {
  return fmt::format("{} (os error {})", std::strerror(number), number);
}

tl::unexpected<failure> state_fault(const char* what, int number) {
  return fail(ec::io_failed,
              fmt::format("Cannot perform {} on the snapshot backing file: {}",
                          what, os_error(number)));
}

tl::unexpected<failure> memory_fault(const char* what, int number) {
  return fail(ec::io_failed,
              fmt::format("Cannot perform {} on the memory backing file: {}",
                          what, os_error(number)));
}

/// Opens and sizes the file; what is in it stays where the version keeps it.
expected<unique_fd> open_memory(const std::string& path, uint64_t bytes,
                                const firecracker::vmm_version& version) {
  struct stat known = {};
  const bool existed = ::stat(path.c_str(), &known) == 0;
  const bool keeps = firecracker::rules_of(version).keeps_memory_file;
  const int flags = O_WRONLY | O_CREAT | O_CLOEXEC | (keeps ? 0 : O_TRUNC);
  auto fd = unique_fd{::open(path.c_str(), flags, 0644)};
  if (!fd)
    return memory_fault("open", errno);
  if (keeps && existed && static_cast<uint64_t>(known.st_size) != bytes
      && ::ftruncate(fd.get(), 0) != 0)
    return memory_fault("truncate", errno);
  if (::ftruncate(fd.get(), static_cast<off_t>(bytes)) != 0)
    return memory_fault("set_length", errno);
  return fd;
}

/// Where a page's bytes go. Some versions do not move on over the clean end
/// of the first region.
uint64_t place_of(uint64_t address, const fake_dump& dump,
                  const std::vector<memory_range>& ranges) {
  const bool loses_count =
    !dump.is_full && !firecracker::diff_obstacle(dump.version, ~0ull).empty();
  if (!loses_count || address < hole_begin)
    return address;
  uint64_t end = 0;
  for (const auto& x : ranges)
    if (x.end <= hole_begin)
      end = std::max(end, x.end);
  return address - (hole_begin - end);
}

} // namespace

status write_state_file(const std::string& path, const fake_state& state) {
  const auto fd = unique_fd{
    ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644)};
  if (!fd)
    return state_fault("open", errno);
  auto text = fmt::format("{} {} {}", state.line, state.vcpus, state.drives);
  text.resize(file_bytes - text_offset, ' ');
  if (!write_state(state.guest, fd.get())
      || ::pwrite(fd.get(), text.data(), text.size(), text_offset) < 0)
    return state_fault("write", errno);
  if (::fsync(fd.get()) != 0)
    return state_fault("sync_all", errno);
  return {};
}

expected<fake_state> read_state_file(const std::string& path) {
  auto result = fake_state{};
  const auto guest = read_state(path);
  if (!guest)
    return tl::unexpected(guest.error());
  result.guest = *guest;
  const auto text = read_small_file(path);
  if (!text || text->size() < text_offset)
    return fail(ec::snapshot_corrupt, path + ": too short");
  auto in = std::istringstream{text->substr(text_offset)};
  in >> result.line >> result.vcpus >> result.drives;
  return result;
}

status write_memory_file(const std::string& path, simulated_machine& machine,
                         const fake_dump& dump) {
  const auto fd = open_memory(path, machine.memory_bytes(), dump.version);
  if (!fd)
    return tl::unexpected(fd.error());
  const auto now = std::chrono::steady_clock::now();
  const auto whole = memory_range{0, machine.memory_bytes()};
  const auto ranges = dump.is_full ? std::vector{whole} : dump.pages.ranges();
  auto room = std::vector<uint8_t>(1 << 20);
  uint64_t written = 0;
  for (const auto& range : ranges) {
    for (auto at = range.begin; at < range.end;) {
      const auto size = std::min<uint64_t>(room.size(), range.end - at);
      if (written + size > dump.fails_after)
        return fail(ec::io_failed,
                    "Cannot write memory file: " + os_error(ENOSPC));
      const auto part = std::span{room}.first(size);
      machine.read({at, at + size}, part, now);
      if (::pwrite(fd->get(), part.data(), size,
                   static_cast<off_t>(place_of(at, dump, ranges)))
          != static_cast<ssize_t>(size))
        return fail(ec::io_failed,
                    "Cannot write memory file: " + os_error(errno));
      at += size;
      written += size;
    }
  }
  if (::fsync(fd->get()) != 0)
    return memory_fault("sync_all", errno);
  return {};
}

} // namespace forkfleet::test
